"""EASE: a linear item-item model with a closed-form solution, hard to beat on data like MovieLens."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import PositiveFloat
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.base import fitted
from groundlings.recommenders.collaborative import CollaborativeRecommender
from groundlings.recommenders.strengths import Weights

_BYTES_PER_WEIGHT = 4
_BYTES_PER_PAIR = 9
"""Two matrices in single precision, which the inversion holds at a time, and one of truth values (as measured)."""
_BYTES_PER_COUNT = 9
"""Of two items met by one person, in a sparse matrix and on its way there (as measured)."""


class EaseRecommender(CollaborativeRecommender):
    """Ridge regression of each item on all others (Steck 2019, "Embarrassingly shallow autoencoders").

    The weights are those of irspack's `DenseSLIMRecommender`. They take n_items squared times 4 bytes, and the
    fit inverts a matrix of that size: fine for some ten thousand items. `memory_bytes` says what it takes at most.

    Args:
        regularisation: The ridge penalty, lambda in the paper.
        weights: "log" counts a pair by the logarithm of what was bought, played or repeated, "none" counts it once.
    """

    def __init__(self, regularisation: PositiveFloat = 200.0, weights: Weights = "none") -> None:
        super().__init__(weights)
        self.regularisation = regularisation
        self._histories = sp.csr_array((0, 0))
        self._weights = np.zeros((0, 0), dtype=np.float32)
        self._precision: NDArray[np.float32] | None = None

    def learn(self, matrix: sp.csr_array) -> None:
        """See `CollaborativeRecommender.learn`."""
        # Of the fit before nothing is needed, and there may not be room for two.
        self._precision, self._weights = None, np.zeros((0, 0), dtype=np.float32)
        # Several threads would add the same numbers in another order; on few cores they are slower, too.
        with threadpool_limits(1, "blas"):
            weights = _ridge_weights(sp.csr_matrix(matrix), self.regularisation)
        self._histories = matrix
        self._weights = np.ascontiguousarray(weights, dtype=np.float32)

    def memory_bytes(self, interactions: Interactions) -> int:
        """The matrix of items by items and its inverse, or the counts and the matrix that is made of them."""
        n_items = interactions.n_items
        lengths = np.diff(interactions.matrix.indptr).astype(np.int64)
        together = min(int((lengths**2).sum()), n_items**2)
        return max(_BYTES_PER_PAIR * n_items**2, _BYTES_PER_WEIGHT * n_items**2 + _BYTES_PER_COUNT * together)

    def affinity(self, users: IntArray) -> FloatArray:
        """See `CollaborativeRecommender.affinity`."""
        return np.asarray(self._histories[users].astype(np.float32) @ self._weights, dtype=np.float64)

    def score_new(self, users: IntArray, takers: sp.csr_array) -> FloatArray:
        """See `FoldsIn.score_new`: the ridge regression of the new item on all others, as in the fit."""
        fitted(self._people, self)
        met = np.flatnonzero(np.diff(self._histories.tocsc().indptr))
        histories = sp.csr_array(self._histories[:, met]).astype(np.float32)
        with threadpool_limits(1, "blas"):
            if self._precision is None:
                gram = (histories.T @ histories).toarray()
                gram[np.diag_indices_from(gram)] += np.float32(self.regularisation)
                self._precision = np.linalg.inv(gram)
            weights = self._precision @ (histories.T @ takers.astype(np.float32)).toarray()
        return np.asarray(histories[users] @ weights, dtype=np.float64)

    def learnt(self) -> tuple[NDArray[Any], ...]:
        """See `CollaborativeRecommender.learnt`."""
        histories = self._histories
        return np.asarray(histories.indptr), np.asarray(histories.indices), self._weights


def _ridge_weights(histories: sp.csr_matrix, regularisation: float) -> NDArray[np.float32]:
    """The ridge regression of each item on all others, shape (n_items, n_items), its diagonal 0."""
    counts = histories.astype(np.float64).astype(np.float32)
    counts.sort_indices()
    gram = np.asarray((counts.T @ counts).todense())
    with np.errstate(over="ignore"):  # infinite where it is beyond single precision
        gram[np.diag_indices_from(gram)] += np.float32(regularisation)
    try:
        # Said and not left to be found out: where it is singular, SciPy 1.17 ends the process while it looks.
        precision: NDArray[np.float32] = scipy.linalg.inv(gram, overwrite_a=True, assume_a="pos")
    except (np.linalg.LinAlgError, ValueError):  # the second for what is infinite in single precision
        raise ConfigError(
            f"EaseRecommender: regularisation: found {regularisation:g}, with which the fit has no solution in single "
            "precision; choose one nearer to 200"
        ) from None
    precision *= -(1 / np.diag(precision))[np.newaxis, :]
    np.fill_diagonal(precision, 0)
    return precision
