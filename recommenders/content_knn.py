"""Scores of cold-start items from the most similar old items: the simplest method without interactions."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.content import Content, measure_content
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.base import ScoringRecommender, fitted, hash_of
from groundlings.recommenders.wrapping import OuterRecommender

_BYTES_PER_PAIR = 56
"""The parts of a likeness and their sum, and then its order and its shares."""


class ContentKnnRecommender(OuterRecommender, ScoringRecommender):
    """Gives an item without interactions the mean score of the most similar items (KNN in the ColdRec benchmark).

    Every other item keeps the score of the inner recommender. The similarity is that of
    `groundlings.environments.content`: genres, year, and the words of title and text.

    Args:
        of: Scores the items with interactions.
        neighbours: Number of most similar items.
    """

    def __init__(self, of: ScoringRecommender, neighbours: Annotated[int, Field(ge=1, le=1_000_000)] = 20) -> None:
        super().__init__(of)
        self.of = of
        self.neighbours = neighbours
        self._new: IntArray | None = None
        self._old = np.zeros(0, dtype=np.int64)
        self._shares = np.zeros((0, 0))

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """See `Recommender.fit`."""
        super().fit(interactions, catalog)
        met = interactions.item_counts > 0
        self._old, self._new = np.flatnonzero(met), np.flatnonzero(~met)
        self._shares = neighbour_shares(measure_content(catalog), self._old, self._new, self.neighbours)

    def memory_bytes(self, interactions: Interactions) -> int:
        """What the recommender inside takes, and the likeness of each new item to each old one."""
        old = int((interactions.item_counts > 0).sum())
        return super().memory_bytes(interactions) + old * (interactions.n_items - old) * _BYTES_PER_PAIR

    def score(self, users: IntArray) -> FloatArray:
        """See `ScoringRecommender.score`."""
        new = fitted(self._new, self)
        scores = np.array(self.of.score(users), dtype=np.float64)
        # Row by row, so that a person's scores do not depend on who is asked with them.
        for row in scores:
            row[new] = row[self._old] @ self._shares
        return scores

    def state(self) -> str:
        """See `Recommender.state`."""
        if self._new is None:
            return ""
        inner = np.frombuffer(self.of.state().encode(), dtype=np.uint8)
        return hash_of(inner, self._old, self._new, self._shares)


def neighbour_shares(content: Content, old: IntArray, new: IntArray, neighbours: int) -> FloatArray:
    """How much each old item says of each new one, columns summing to 1, shape (len(old), len(new)).

    The nearest share by likeness; where nothing is alike, all of them say the same.
    """
    with threadpool_limits(1, "blas"):
        alike = content.similarity(old, new).astype(np.float64)
    if len(old) > neighbours:
        order = np.argsort(-alike, axis=0, kind="stable")[neighbours:]
        np.put_along_axis(alike, order, 0.0, axis=0)
    totals = alike.sum(axis=0)
    return np.divide(alike, totals, out=np.full(alike.shape, 1 / max(len(old), 1)), where=totals > 0)
