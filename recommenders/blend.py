"""One list out of those of several recommenders."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.wrapping import OuterRecommender

_RANKS = 60.0
"""The constant of reciprocal rank fusion, as in the paper."""


class BlendRecommender(OuterRecommender):
    """Joins the lists of several recommenders, each item once.

    "interleaved" gives each rank to the recommender that is furthest behind its share of the list, the first of them
    where several are, and takes the best item of its list that is not listed yet. "weighted" ranks by the weighted sum
    of 1 / (60 + rank) over the lists that hold an item (reciprocal rank fusion: Cormack, Clarke and Buettcher 2009,
    "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods", SIGIR): what several
    recommenders like comes first. Scores are never compared between recommenders.

    Args:
        of: The recommenders, none of them randomised; they are fitted, and told of each day, through this one.
        weights: Of each of them; equal if absent.
        how: As above.
    """

    def __init__(
        self,
        of: tuple[AsyncRecommender, ...],
        weights: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] | None = None,
        how: Literal["interleaved", "weighted"] = "interleaved",
    ) -> None:
        if len(of) < 2:
            raise ConfigError(f"blend joins two recommenders or more, found {len(of)} in `of`")
        if weights is not None and len(weights) != len(of):
            raise ConfigError(f"blend needs a weight for each of its {len(of)} recommenders, found {len(weights)}")
        for part in of:
            if part.randomised:
                raise ConfigError(
                    f"blend: {type(part).__name__} draws lots, so the propensities of a joint list would not be known; "
                    "choose one that is not randomised, and explore around the blend instead"
                )
        super().__init__(*of)
        self.of = of
        self.weights = np.ones(len(of)) if weights is None else np.array(weights, dtype=np.float64)
        self.how = how
        self.reads_queries = any(part.reads_queries for part in of)
        self.needs_query = any(part.needs_query for part in of)

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`; all of them are asked at once."""
        lists = await side_by_side(part.rank(request) for part in self.of)
        joined = _interleaved if self.how == "interleaved" else _weighted
        items, scores = joined([each.items for each in lists], self.weights, request.size)
        explored = np.zeros(items.shape, dtype=np.bool_)
        calls = tuple(call for each in lists for call in each.calls)
        return Ranking(items, scores, np.ones(items.shape), explored, calls=calls)


def _interleaved(lists: list[ItemArray], weights: FloatArray, size: int) -> tuple[ItemArray, FloatArray]:
    """Items of each session, and NaN for scores, shape (n, size) each."""
    sessions = len(lists[0])
    ends = np.full((sessions, 1), NO_ITEM, dtype=np.int32)
    queues = [np.concatenate([items, ends], axis=1) for items in lists]
    places = [np.zeros(sessions, dtype=np.int64) for _ in lists]
    items = np.full((sessions, size), NO_ITEM, dtype=np.int32)
    taken = np.zeros((sessions, len(lists)))
    shares = weights / weights.sum()
    rows = np.arange(sessions)
    for rank in range(size):
        offers = np.stack(
            [_next(queue, place, items[:, :rank]) for queue, place in zip(queues, places, strict=True)], axis=1
        )
        behind = np.where(offers == NO_ITEM, -np.inf, shares * (rank + 1) - taken)
        # Rounding must not decide between two that are equally far behind.
        whose = np.round(behind, 9).argmax(axis=1)
        items[:, rank] = offers[rows, whose]
        taken[rows, whose] += items[:, rank] != NO_ITEM
    return items, np.full(items.shape, np.nan)


def _next(queue: ItemArray, place: IntArray, listed: ItemArray) -> ItemArray:
    """The first item of each queue that is not listed yet, shape (n,); moves `place` there."""
    rows = np.arange(len(queue))
    while True:
        found = queue[rows, place]
        stale = (found != NO_ITEM) & (listed == found[:, None]).any(axis=1)
        if not stale.any():
            return found
        place[stale] += 1


def _weighted(lists: list[ItemArray], weights: FloatArray, size: int) -> tuple[ItemArray, FloatArray]:
    """Items of each session and their sums, shape (n, size) each."""
    every = np.concatenate(lists, axis=1)
    parts = [
        np.broadcast_to(weight / (_RANKS + np.arange(1, items.shape[1] + 1)), items.shape)
        for items, weight in zip(lists, weights, strict=True)
    ]
    gains = np.concatenate(parts, axis=1)
    # By item, so that the sums of one item lie side by side; the last of them holds the sum.
    order = np.argsort(every, axis=1, kind="stable")
    every, gains = np.take_along_axis(every, order, axis=1), np.take_along_axis(gains, order, axis=1).copy()
    for column in range(1, every.shape[1]):
        same = every[:, column] == every[:, column - 1]
        gains[:, column] += np.where(same, gains[:, column - 1], 0)
        gains[:, column - 1] = np.where(same, -np.inf, gains[:, column - 1])
    gains = np.where(every == NO_ITEM, -np.inf, gains)
    best = np.argsort(-gains, axis=1, kind="stable")[:, :size]  # equal sums by the smaller item number
    items, scores = np.take_along_axis(every, best, axis=1), np.take_along_axis(gains, best, axis=1)
    nothing = np.isneginf(scores)
    return np.where(nothing, np.int32(NO_ITEM), items).astype(np.int32), np.where(nothing, np.nan, scores)
