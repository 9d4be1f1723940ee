"""Popularity: the baseline of every personal recommender."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.base import ScoringRecommender, fitted, hash_of


class PopularRecommender(ScoringRecommender):
    """Items by their number of users, the same list for all users except for items they have seen."""

    def __init__(self) -> None:
        self._people: FloatArray | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """Count the people of each item."""
        self._people = interactions.item_counts.astype(np.float64)

    def score(self, users: IntArray) -> FloatArray:
        """People per item, shape (n, n_items)."""
        people = fitted(self._people, self)
        return np.broadcast_to(people, (len(users), len(people)))

    def state(self) -> str:
        """See `Recommender.state`."""
        return "" if self._people is None else hash_of(self._people)
