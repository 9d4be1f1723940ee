"""Which recommender tells a user's next interaction? NDCG@10 with the last one of each user held out.

    python -m benchmarks.next_item ml-100k sasrec bert4rec item_knn popular
    python -m benchmarks.next_item ml-100k sasrec --options '{"dropout": 0.5}' --people validation

All items that are new to the user are ranked, none are sampled; where users choose items again, all items are. Options
are chosen on the validation half of the users and reported on the other half, which no setting has seen.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.registry import RecommenderContext, build_recommender

_FEWEST = 3


def last_out(history: Interactions) -> tuple[Interactions, IntArray, IntArray]:
    """All rows but the last of each user with at least `_FEWEST`, these users, and the item of their last row."""
    rows = history.chosen().chronological()
    rows = rows.take(np.argsort(rows.users, kind="stable"))
    counts = np.bincount(rows.users, minlength=rows.n_users)
    users = np.flatnonzero(counts >= _FEWEST)
    last = np.cumsum(counts)[users] - 1
    kept = np.ones(len(rows), dtype=np.bool_)
    kept[last] = False
    return rows.take(kept), users, rows.items[last].astype(np.int64)


def in_validation(users: IntArray) -> BoolArray:
    """Half of the users, by lot."""
    return np.random.default_rng(20).random(int(users.max()) + 1)[users] < 0.5


def gains(recommender: Recommender, users: IntArray, targets: IntArray, train: Interactions) -> FloatArray:
    """What each user adds to NDCG@10."""
    repeats = train.met.nnz < len(train)
    seen = sp.csr_array((len(users), train.n_items)) if repeats else train.met_by(users)
    items = recommender.recommend(RankingRequest(users, 10, seen, Draws.for_sessions(1, users, 0))).items
    hits = items == targets[:, None]
    return np.where(hits.any(axis=1), 1 / np.log2(hits.argmax(axis=1) + 2), 0.0)


def with_interval(values: FloatArray) -> str:
    """A mean and its 95 % interval over users."""
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.4f} [{values.mean() - half:.4f}, {values.mean() + half:.4f}]"


def main() -> None:
    """Print one line for each recommender: NDCG@10, and its difference from the first one named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("recommenders", nargs="+")
    parser.add_argument("--options", default="{}", help="JSON; for every recommender named")
    parser.add_argument("--people", nargs="+", choices=("validation", "test"), default=["test"])
    arguments = parser.parse_args()
    dataset = load_dataset(DatasetConfig(name=arguments.dataset))
    train, users, targets = last_out(dataset.history)
    halves = {"validation": in_validation(users), "test": ~in_validation(users)}
    context = RecommenderContext(dataset.catalog, dataset.people.user_ids, Path())
    first = np.zeros(len(users))
    for name in arguments.recommenders:
        recommender = build_recommender(name, json.loads(arguments.options), context)
        assert isinstance(recommender, Recommender)
        started = time.process_time()
        recommender.fit(train, dataset.catalog)
        cost = f"{time.process_time() - started:.0f} s of CPU{_epochs(recommender)}"
        found = gains(recommender, users, targets, train)
        first = found if name == arguments.recommenders[0] else first
        for people in arguments.people:
            own = halves[people]
            gain = f"NDCG@10 {with_interval(found[own])}, more than {arguments.recommenders[0]} by"
            print(
                f"{name}, {own.sum()} {people} users: {gain} {with_interval((found - first)[own])}, {cost}", flush=True
            )


def _epochs(recommender: Recommender) -> str:
    """How long a network was trained, "" for other recommenders."""
    measured = getattr(recommender, "measured", None)
    if measured is None:
        return ""
    return f", best epoch {int(np.argmax(measured)) + 1} of {len(measured)} ({measured.max():.4f})"


if __name__ == "__main__":
    main()
