"""Which recommender ranks items that nobody has met? NDCG@10 of new items alone, in the split of the warm-up lab.

    python -m benchmarks.cold_items ml-100k --seeds 10 [--options '{"trust": 5}'] [--people validation]
    python -m benchmarks.cold_items ml-100k --seeds 1 --semantic-ids '{"epochs": 12}'     # needs PyTorch, takes minutes
    python -m benchmarks.cold_items ml-100k --seeds 3 --text-graph '{"layers": 1}'         # likewise

A tenth of the items is new and another tenth hidden, drawn anew for each seed; all their interactions are held out.
Options are chosen by what panel users did with hidden items (`validation`), and reported by what tested users did with
new ones.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.experiments.labs.warmup.config import ColdConfig
from groundlings.experiments.labs.warmup.splitting import split_cold
from groundlings.recommenders.als import AlsRecommender
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.content_knn import ContentKnnRecommender
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.neural.semantic_ids import SemanticIds
from groundlings.recommenders.neural.text_graph import TextGraphRecommender
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.text_embedding import TextEmbeddingRecommender

_SALT = "cold items"


def gain(recommender: Recommender, found: Interactions, items: IntArray) -> float:
    """Mean NDCG@10 over the users with an interaction in `found`, of lists of `items` alone."""
    users = np.unique(found.users)
    relevant = found.met_by(users).toarray() > 0
    others = np.ones((len(users), found.n_items))
    others[:, items] = 0
    request = RankingRequest(users, min(10, len(items)), sp.csr_array(others), Draws.for_sessions(1, users, 0))
    best = recommender.recommend(request).items
    discounts = 1 / np.log2(np.arange(best.shape[1]) + 2)
    ideal = np.array([discounts[: min(count, 10)].sum() for count in relevant[:, items].sum(axis=1)])
    return float((np.take_along_axis(relevant, best, axis=1) @ discounts / ideal).mean())


def with_interval(values: FloatArray) -> str:
    """A mean over seeds and its 95 % t interval, which takes two seeds at least."""
    from scipy.stats import t

    if len(values) < 2:
        return f"{values.mean():.4f}"
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.4f} [{values.mean() - half:.4f}, {values.mean() + half:.4f}]"


def main() -> None:
    """Print a line for each recommender: NDCG@10, and by how much it is above content kNN over als, seed by seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--options", nargs="+", default=["{}"], help="JSON; of text_embedding")
    parser.add_argument("--semantic-ids", nargs="+", default=[], help="JSON; of semantic_ids")
    parser.add_argument("--text-graph", nargs="+", default=[], help="JSON; of text_graph")
    parser.add_argument("--people", choices=("validation", "test"), default="test")
    arguments = parser.parse_args()
    dataset = load_dataset(DatasetConfig(name=arguments.dataset))
    found: dict[str, list[float]] = {}
    for seed in range(arguments.seeds):
        split = split_cold(dataset, ColdConfig(), _SALT, np.random.default_rng(seed))
        rows, items = (split.cold_test, split.new) if arguments.people == "test" else (split.labels, split.hidden)
        recommenders: dict[str, Recommender] = {
            "content_knn of als": ContentKnnRecommender(AlsRecommender()),
            "content_knn of ease": ContentKnnRecommender(EaseRecommender()),
            "popular": PopularRecommender(),
            **{f"text_embedding {each}": TextEmbeddingRecommender(**json.loads(each)) for each in arguments.options},
            **{f"semantic_ids {each}": SemanticIds(**json.loads(each)) for each in arguments.semantic_ids},
            **{f"text_graph {each}": TextGraphRecommender(**json.loads(each)) for each in arguments.text_graph},
        }
        for name, recommender in recommenders.items():
            recommender.fit(split.train, dataset.catalog)
            found.setdefault(name, []).append(gain(recommender, rows, items))
    first = np.array(next(iter(found.values())))
    for name, values in found.items():
        own = np.array(values)
        print(f"{name}: NDCG@10 {with_interval(own)}, more than {next(iter(found))} by {with_interval(own - first)}")


if __name__ == "__main__":
    main()
