"""The protocol of Hou et al. (2024) on MovieLens-1M: NDCG of rankings of 20 candidates, one of them the next item.

    python -m benchmarks.llmrank FOLDER [--users 20] [--candidates random] [--settings sequential recency]

FOLDER holds the files of the authors' project (LLMRank): `ml-1m.random`, `ml-1m.bm25`, `ml-1m.pop` (200 users, a list
of items for each) and `ml-1m.item`. A user's candidates are the first 19 items of the list that are not the last item
of the user's history, and that item; the order shown is drawn anew. Their lists hold items of the history as well.
Everything is fitted on all rows but the last of every user, so that nothing knows a target. `llm_ranker` asks the
embedded model, with the last 50 items as history, and lists unnamed candidates in an order that tells nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.next_item import last_out
from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord
from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.environments.errors import DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest, top_items
from groundlings.experiments.analysis.compare import mean_interval, paired_difference
from groundlings.recommenders.base import AsyncRecommender, Recommender
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.language.grounding import normal
from groundlings.recommenders.language.llm_ranker import LlmRanker, read_order
from groundlings.recommenders.language.wording import candidates_shown
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig

CUTS = (1, 5, 10, 20)
WIDTH = 20
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "sequential": {},
    "recency": {"prompt": "recency"},
    "in_context": {"prompt": "in_context"},
    "rounds": {"rounds": 3},
}
PUBLISHED = "published N@10, 200 users, random: popularity 0.523, SASRec 0.789, GPT-3.5 0.429, 0.442, 0.458"
"""Popularity, a trained sequential recommender, and GPT-3.5 with the three prompts."""


@dataclass(frozen=True, slots=True)
class Tests:
    """Users, and what is to be ranked for each.

    Attributes:
        users: Row numbers, shape (n,).
        targets: The next item of each, shape (n,).
        hidden: What is no candidate, shape (n, n_items).
        unknown: Items of the lists that the data set does not have; the next of the list stand in.
    """

    users: IntArray
    targets: IntArray
    hidden: sp.csr_array
    unknown: int


class Uninformed(Recommender):
    """Lists items in an order that tells nothing, the same on every day."""

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """Draw the order."""
        self._lots = np.random.default_rng(7).permutation(len(catalog))

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`."""
        return top_items(np.tile(self._lots.astype(float), (len(request), 1)), request)


def read_tests(
    folder: Path, kind: str, number: int, catalog: Catalog, user_ids: Sequence[str], next_item: Mapping[int, int]
) -> Tests:
    """The first so many users of a file of candidates; `DataError` where a file or a user is missing."""
    place = _places(folder / "ml-1m.item", catalog)
    rows = {user: row for row, user in enumerate(user_ids)}
    users, targets, candidates, unknown = [], [], [], 0
    for line in _lines(folder / f"ml-1m.{kind}")[:number]:
        who, _, listed = line.partition("\t")
        if who not in rows or rows[who] not in next_item:
            raise DataError(f"{folder / f'ml-1m.{kind}'}: found user {who!r}, expected a user of MovieLens-1M")
        target = next_item[rows[who]]
        found = [place.get(item) for item in listed.split()]
        unknown += found.count(None)
        others = [item for item in dict.fromkeys(found) if item is not None and item != target]
        users.append(rows[who])
        targets.append(target)
        candidates.append([*others[: WIDTH - 1], target])
    hidden = np.ones((len(users), len(catalog)))
    for row, items in enumerate(candidates):
        hidden[row, items] = 0
    return Tests(np.array(users), np.array(targets), sp.csr_array(hidden), unknown)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; expected a file of the authors' project LLMRank") from error


def _places(path: Path, catalog: Catalog) -> dict[str, int]:
    """Their item -> ours: by title and year, whatever article stands where ("The Matrix", "Matrix, The")."""
    ours = {
        (_words(title), str(int(year))): item
        for item, (title, year) in enumerate(zip(catalog.titles, catalog.years, strict=True))
        if year == year
    }
    found = {}
    for line in _lines(path)[1:]:
        number, title, year, *_ = line.split("\t")
        if (item := ours.get((_words(title), year))) is not None:
            found[number] = item
    return found


def _words(title: str) -> tuple[str, ...]:
    return tuple(sorted(normal(title).split()))


async def gains(recommender: AsyncRecommender, tests: Tests) -> tuple[FloatArray, tuple[CallRecord, ...]]:
    """What each user adds to NDCG at each of `CUTS`, shape (n, 4), and the calls."""
    draws = Draws.for_sessions(1, tests.users, 0)
    ranking = await recommender.rank(RankingRequest(tests.users, WIDTH, tests.hidden, draws))
    hits = ranking.items == tests.targets[:, None]
    ranks = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, np.inf)[:, None]
    return np.where(ranks <= np.array(CUTS), 1 / np.log2(ranks + 1), 0.0), ranking.calls


def chance() -> FloatArray:
    """Expected NDCG of an order by lot."""
    return np.array([(1 / np.log2(np.arange(1, cut + 1) + 1)).sum() / WIDTH for cut in CUTS])


def told(name: str, added: FloatArray, popular: FloatArray) -> str:
    """A line: mean and 95 % interval at each cut, and the difference from `popular` at 10."""
    cells = []
    for place, cut in enumerate(CUTS):
        mean = mean_interval(added[:, place])
        cells.append(f"N@{cut} {mean.mean:.3f} [{mean.low:.3f}, {mean.high:.3f}]")
    ten = CUTS.index(10)
    gap = paired_difference(added[:, ten], popular[:, ten])
    return f"{name}: {', '.join(cells)}; less popular at 10 {gap.difference:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"


def names_told(calls: Sequence[CallRecord]) -> str:
    """How the replies were read: names matched, repeated and hallucinated, and unreadable replies."""
    counts = {"matched": 0, "repeated": 0, "hallucinated": 0}
    unreadable = sum(call.status != "ok" for call in calls)
    for call in calls:
        if call.status == "ok":
            found = read_order(call.reply.text, candidates_shown(call.request.messages[-1].content))
            counts["matched"] += len(found.order)
            counts["repeated"] += found.repeated
            counts["hallucinated"] += found.hallucinated
    tokens = [(call.reply.prompt_tokens, call.reply.completion_tokens) for call in calls]
    into, out = np.mean(tokens, axis=0) if tokens else (0, 0)
    return f"{len(calls)} calls of {into:.0f} + {out:.0f} tokens, {unreadable} unreadable, {json.dumps(counts)}"


async def main() -> None:
    """Print a line for each recommender."""
    arguments = _arguments()
    dataset = load_dataset(DatasetConfig(name="ml-1m"))
    train, users, targets = last_out(dataset.history)
    next_item = dict(zip(users.tolist(), targets.tolist(), strict=True))
    tests = read_tests(
        arguments.folder, arguments.candidates, arguments.users, dataset.catalog, dataset.people.user_ids, next_item
    )
    print(
        f"{len(tests.users)} users, candidates {arguments.candidates}, {tests.unknown} listed items are not in the data"
    )
    print("chance, expected: " + ", ".join(f"N@{cut} {each:.3f}" for cut, each in zip(CUTS, chance(), strict=True)))
    print(PUBLISHED)
    known: dict[str, Recommender] = {
        "popular": PopularRecommender(), "item_knn": ItemKnnRecommender(), "random": Uninformed(),
    }  # fmt: skip
    popular = np.zeros((len(tests.users), len(CUTS)))
    for name, recommender in known.items():
        recommender.fit(train, dataset.catalog)
        added, _ = await gains(recommender, tests)
        popular = added if name == "popular" else popular
        print(told(name, added, popular), flush=True)
    wanted = ModelConfig(provider="embedded", temperature=0.2)
    model = await build_chat_model(wanted)
    try:
        for name in arguments.settings:
            ranker = LlmRanker(
                Uninformed(),
                model,
                wanted.sampling,
                candidates=WIDTH,
                history=50,
                fallback="candidates",
                **SETTINGS[name],
            )
            ranker.fit(train, dataset.catalog)
            added, calls = await gains(ranker, tests)
            print(told(f"llm_ranker, {name}", added, popular), names_told(calls), sep="; ", flush=True)
    finally:
        await model.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--users", type=int, default=20, help="how many of the 200; a call takes some seconds")
    parser.add_argument("--candidates", choices=("random", "bm25", "pop"), default="random")
    parser.add_argument("--settings", nargs="*", choices=tuple(SETTINGS), default=tuple(SETTINGS))
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
