"""EASE: a linear item-item model with a closed-form solution, hard to beat on data like MovieLens."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import PositiveFloat

from environments.arrays import FloatArray, IntArray
from recommenders.collaborative import CollaborativeRecommender


class EaseRecommender(CollaborativeRecommender):
    """Ridge regression of each item on all others (Steck 2019, "Embarrassingly shallow autoencoders").

    The weights are those of irspack's `DenseSLIMRecommender`. They take n_items squared times 4 bytes, and the
    fit inverts a matrix of that size: fine for some ten thousand items.

    Args:
        regularisation: The ridge penalty, lambda in the paper.
    """

    def __init__(self, regularisation: PositiveFloat = 200.0) -> None:
        super().__init__()
        self.regularisation = regularisation
        self._histories = sp.csr_array((0, 0))
        self._weights = np.zeros((0, 0), dtype=np.float32)

    def learn(self, matrix: sp.csr_array) -> None:
        """See `CollaborativeRecommender.learn`."""
        from irspack.recommenders.dense_slim import DenseSLIMRecommender
        from threadpoolctl import threadpool_limits

        # Several threads would add the same numbers in another order; on few cores they are slower, too.
        with threadpool_limits(1, "blas"):
            model = DenseSLIMRecommender(sp.csr_matrix(matrix), reg=self.regularisation).learn()
        self._histories = matrix
        self._weights = np.ascontiguousarray(model.W, dtype=np.float32)

    def affinity(self, users: IntArray) -> FloatArray:
        """See `CollaborativeRecommender.affinity`."""
        return np.asarray(self._histories[users].astype(np.float32) @ self._weights, dtype=np.float64)

    def learnt(self) -> tuple[NDArray[Any], ...]:
        """See `CollaborativeRecommender.learnt`."""
        histories = self._histories
        return np.asarray(histories.indptr), np.asarray(histories.indices), self._weights
