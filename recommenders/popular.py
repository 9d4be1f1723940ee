"""Popularity: the baseline of every personal recommender."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.base import fitted, hash_of
from groundlings.recommenders.candidates import Candidates, RetrievingRecommender, by_score


class PopularRecommender(RetrievingRecommender):
    """Items by their number of users, the same list for all users except for items they have seen."""

    def __init__(self) -> None:
        self._people: FloatArray | None = None
        self._order = np.zeros(0, dtype=np.int64)

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """Count the people of each item."""
        self._people = interactions.item_counts.astype(np.float64)
        self._order = by_score(self._people)

    def score(self, users: IntArray) -> FloatArray:
        """People per item, shape (n, n_items)."""
        people = fitted(self._people, self)
        return np.broadcast_to(people, (len(users), len(people)))

    def candidates(self, users: IntArray, width: int) -> Candidates:
        """See `CandidateRecommender.candidates`; the same for everybody."""
        return Candidates.of_everybody(self._order, fitted(self._people, self), len(users), width)

    def state(self) -> str:
        """See `Recommender.state`."""
        return "" if self._people is None else hash_of(self._people)
