"""What the recommenders that learn from the matrix of interactions have in common."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.base import ScoringRecommender, fitted, hash_of
from groundlings.recommenders.candidates import Candidates, RetrievingRecommender, by_score
from groundlings.recommenders.strengths import Weights, strengths


class CollaborativeRecommender(ScoringRecommender):
    """Learns from the matrix of people and items; subclasses write `learn` and `affinity`.

    The matrix is binary, unless `weights` says otherwise (`groundlings.recommenders.strengths`).

    Who has no history at the time of the fit has no affinity to anything. Such a user is scored by popularity
    (people per item), so their list is that of `PopularRecommender`. Everybody else is scored by the model alone,
    and where its scores tie the smaller item number comes first, as everywhere.
    """

    def __init__(self, weights: Weights = "none") -> None:
        self.weights = weights
        self._people: FloatArray | None = None
        self._known: BoolArray | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """See `Recommender.fit`."""
        self.learn(interactions.matrix if self.weights == "none" else strengths(interactions))
        self._known = np.diff(interactions.matrix.indptr) > 0
        self._people = interactions.item_counts.astype(np.float64)

    @abstractmethod
    def learn(self, matrix: sp.csr_array) -> None:
        """Learn from interactions, shape (n_users, n_items), forgetting what was learnt before.

        Args:
            matrix: 1.0 for each pair, or its strength.
        """

    @abstractmethod
    def affinity(self, users: IntArray) -> FloatArray:
        """Scores of all items for users, shape (n, n_items), a new array; called after `learn` only.

        A row must come out the same to the last bit whatever rows are asked with it. Dense matrix products (BLAS)
        do not promise that, sums over a sparse row do.
        """

    def score(self, users: IntArray) -> FloatArray:
        """See `ScoringRecommender.score`; popularity for users without a history."""
        people, known = fitted(self._people, self), fitted(self._known, self)
        scores = self.affinity(users)
        scores[~known[users]] = people
        return scores

    def state(self) -> str:
        """See `Recommender.state`."""
        if self._people is None or self._known is None:
            return ""
        return hash_of(self._people, self._known, *self.learnt())

    @abstractmethod
    def learnt(self) -> tuple[np.ndarray, ...]:
        """The arrays that `affinity` works with, for `state`."""


class RetrievingCollaborative(CollaborativeRecommender, RetrievingRecommender):
    """One that finds the items of highest affinity without a score for each; subclasses write `retrieve` as well."""

    @abstractmethod
    def retrieve(self, users: IntArray, width: int) -> Candidates:
        """The items of highest `affinity`, shape (n, width); called after `learn` only, `width` at most n_items."""

    def candidates(self, users: IntArray, width: int) -> Candidates:
        """See `CandidateRecommender.candidates`; popularity for users without a history."""
        people, known = fitted(self._people, self), fitted(self._known, self)[users]
        width = min(width, len(people))
        if known.all():
            return self.retrieve(users, width)
        found = Candidates(np.empty((len(users), width), dtype=np.int32), np.empty((len(users), width)))
        strangers = Candidates.of_everybody(by_score(people), people, int((~known).sum()), width)
        for rows, some in ((known, self.retrieve(users[known], width)), (~known, strangers)):
            found.items[rows], found.scores[rows] = some.items, some.scores
        return found
