"""What matrix factorisations have in common: a vector for each person, a vector for each item."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.collaborative import CollaborativeRecommender
from groundlings.recommenders.strengths import Weights

Factors = NDArray[np.floating[Any]]
VectorLength = Annotated[int, Field(ge=1, le=4096)]
Rounds = Annotated[int, Field(ge=1, le=100_000)]

_BYTES_PER_NUMBER = 16


class LatentFactorRecommender(CollaborativeRecommender):
    """Scores by the inner product of a person's vector and an item's; subclasses write `factorise`.

    Attributes:
        factors: Length of the vectors.
    """

    factors: int

    def __init__(self, weights: Weights = "none") -> None:
        super().__init__(weights)
        self._people_factors = np.zeros((0, 0))
        self._item_factors = np.zeros((0, 0))

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

    def memory_bytes(self, interactions: Interactions) -> int:
        """The vectors, as they are learnt in single precision and kept in double."""
        return _BYTES_PER_NUMBER * self.factors * (interactions.n_users + interactions.n_items)

    def affinity(self, users: IntArray) -> FloatArray:
        """See `CollaborativeRecommender.affinity`; a sparse product, because it adds factor by factor in any batch."""
        return np.asarray(sp.csr_array(self._people_factors[users]) @ self._item_factors)

    def learnt(self) -> tuple[NDArray[Any], ...]:
        """See `CollaborativeRecommender.learnt`."""
        return self._people_factors, self._item_factors
