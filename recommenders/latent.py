"""What matrix factorisations have in common: a vector for each person, a vector for each item."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.candidates import CELLS_AT_ONCE, Candidates
from groundlings.recommenders.collaborative import RetrievingCollaborative
from groundlings.recommenders.strengths import Weights

Factors = NDArray[np.floating[Any]]
VectorLength = Annotated[int, Field(ge=1, le=4096)]
Rounds = Annotated[int, Field(ge=1, le=100_000)]

_BYTES_PER_NUMBER = 16


class LatentFactorRecommender(RetrievingCollaborative):
    """Scores by the inner product of a person's vector and an item's; subclasses write `factorise`.

    Attributes:
        factors: Length of the vectors.
    """

    factors: int

    def __init__(self, weights: Weights = "none") -> None:
        super().__init__(weights)
        self._people_factors = np.zeros((0, 0))
        self._item_factors = np.zeros((0, 0))
        self._quick_items = np.zeros((0, 0), dtype=np.float32)
        self._longest_item = 0.0

    @abstractmethod
    def factorise(self, matrix: sp.csr_array) -> tuple[Factors, Factors]:
        """Vectors of people, shape (n_users, n_factors), and of items, shape (n_items, n_factors)."""

    def learn(self, matrix: sp.csr_array) -> None:
        """See `CollaborativeRecommender.learn`."""
        from implicit.recommender_base import ModelFitError

        try:
            people, items = self.factorise(matrix)
        except ModelFitError as fault:
            raise ConfigError(
                f"{type(self).__name__}: the fit ran beyond all numbers ({fault}); its options are too extreme"
            ) from None
        self._people_factors = people.astype(np.float64)
        self._item_factors = np.ascontiguousarray(items.T, dtype=np.float64)
        with np.errstate(over="ignore"):  # what is beyond single precision is told by its length
            self._quick_items = self._item_factors.astype(np.float32)
            self._longest_item = float(np.sqrt((self._item_factors**2).sum(axis=0).max(initial=0.0)))

    def memory_bytes(self, interactions: Interactions) -> int:
        """The vectors, as they are learnt in single precision and kept in double."""
        return _BYTES_PER_NUMBER * self.factors * (interactions.n_users + interactions.n_items)

    def affinity(self, users: IntArray) -> FloatArray:
        """See `CollaborativeRecommender.affinity`; a sparse product, because it adds factor by factor in any batch."""
        return np.asarray(sp.csr_array(self._people_factors[users]) @ self._item_factors)

    def retrieve(self, users: IntArray, width: int) -> Candidates:
        """See `RetrievingCollaborative.retrieve`.

        Products in single precision, of some users and all items at a time, find every item that can be among the best:
        those within the largest error that rounding can make. Their scores are then added up as `affinity` does.
        """
        found = Candidates(np.empty((len(users), width), dtype=np.int32), np.empty((len(users), width)))
        n_items = self._item_factors.shape[1]
        height = max(1, CELLS_AT_ONCE // max(1, n_items))
        for first in range(0, len(users), height):
            rows = slice(first, first + height)
            people = self._people_factors[users[rows]]
            largest = self._longest_item * np.sqrt((people**2).sum(axis=1))
            error = np.where(largest < _MOST, (self.factors + _ROUNDINGS) * _HALF_STEP * largest + _LEAST, np.inf)
            person, item = _near_the_best(people.astype(np.float32), self._quick_items, width, 2 * error)
            some = Candidates.of_pairs(person, item, self._products(people, person, item), len(people), width)
            found.items[rows], found.scores[rows] = some.items, some.scores
        return found

    def _products(self, people: FloatArray, person: IntArray, item: IntArray) -> FloatArray:
        """The affinity of pairs, to the last bit: factor by factor, as the sparse product adds."""
        total = np.zeros(len(person))
        for vector, of_items in zip(people.T, self._item_factors, strict=True):
            total += vector[person] * of_items[item]
        return total

    def learnt(self) -> tuple[NDArray[Any], ...]:
        """See `CollaborativeRecommender.learnt`."""
        return self._people_factors, self._item_factors


_HALF_STEP = 2.0**-24
"""The largest relative error of one rounding to single precision."""

_LEAST, _MOST = 2.0**-100, 2.0**100
"""Products of other sizes may be beyond what single precision tells apart."""

_ROUNDINGS = 8
"""Of a product beside one for each factor: of both numbers, of their product, and what they do to each other."""


def _near_the_best(people: Factors, items: Factors, width: int, slack: FloatArray) -> tuple[IntArray, IntArray]:
    """Pairs of a person and an item whose product is at least the person's `width`-th largest, less the slack.

    Args:
        people: Vectors in single precision, shape (n, n_factors).
        items: Likewise, shape (n_factors, n_items).
        width: At most n_items.
        slack: Of each person, shape (n,).
    """
    with threadpool_limits(1, "blas"):
        products = people @ items
    place = products.shape[1] - width
    floor = np.partition(products, place, axis=1)[:, place] - slack
    person, item = np.nonzero(~(products < floor[:, None]))  # what is beyond single precision is no number, and stays
    return person, item
