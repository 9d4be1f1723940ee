"""Vectors of items and users that a policy sees: leading directions of who interacted with what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray, ItemArray
from groundlings.environments.interactions import Interactions

Vectors = NDArray[np.float32]

_SMALL = 64
"""Users or items up to which all directions are worked out."""


@dataclass(frozen=True, slots=True)
class SessionVectors:
    """Vectors of all items, and of what each user interacted with.

    Attributes:
        items: Of length 1, or 0 for an item without interactions, shape (n_items, width).
        users: The mean of the vectors of a user's history, shape (n_users, width).
        histories: Interactions of each user, shape (n_users,).
    """

    items: Vectors
    users: Vectors
    histories: IntArray

    @classmethod
    def fit(cls, interactions: Interactions, width: int) -> SessionVectors:
        """The `width` leading right singular vectors of the matrix of users and items, scaled by item.

        A column of the matrix is divided by the square root of its length, so that items that everybody knows do not
        fill all directions. Items that no direction tells apart, and directions that the data do not have, are 0.

        Args:
            interactions: All that is known, each pair counted once.
            width: Numbers per item.
        """
        matrix = interactions.matrix
        users, items = matrix.shape
        weights = np.maximum(matrix.sum(axis=0), 1.0) ** -0.5
        kept = min(width, users - 1, items - 1)
        vectors = np.zeros((items, width), dtype=np.float32)
        if kept > 0 and matrix.nnz:
            vectors[:, :kept] = _leading(sp.csr_array(matrix @ sp.diags_array(weights)), kept)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(lengths > 1e-6, lengths, np.inf)
        return cls(vectors, *_of_users(matrix, vectors))

    def of_history(self, interactions: Interactions) -> SessionVectors:
        """The same item vectors, and users as they are after further interactions."""
        return SessionVectors(self.items, *_of_users(interactions.matrix, self.items))

    def mean_of(self, items: ItemArray, chosen: NDArray[np.bool_]) -> Vectors:
        """The mean vector of chosen items, 0 where none is chosen.

        Args:
            items: Item numbers, shape (n, m); where nothing is chosen any number.
            chosen: Which of them, shape (n, m).

        Returns:
            Shape (n, width).
        """
        rows, places = np.nonzero(chosen)
        total = np.zeros((len(items), self.items.shape[1]), dtype=np.float32)
        np.add.at(total, rows, self.items[items[rows, places]])
        return total / np.maximum(chosen.sum(axis=1, keepdims=True), 1).astype(np.float32)


def _leading(matrix: sp.csr_array, width: int) -> Vectors:
    """Right singular vectors times their singular values, the largest first, shape (n_items, width).

    Their signs are made the same on every machine: the largest entry of each is positive, the first of several.
    """
    from scipy.sparse.linalg import svds

    if min(matrix.shape) <= _SMALL:
        # Directions of equal values are often there, and ARPACK answers another mixture of them each time.
        _, values, directions = np.linalg.svd(matrix.toarray(), full_matrices=False)
        values, directions = values[:width], directions[:width]
    else:
        _, values, directions = svds(matrix, k=width, v0=np.ones(min(matrix.shape)))
    order = np.argsort(-values, kind="stable")
    found = directions[order].T * values[order]
    # Entries that differ by rounding alone are equally large: the first of them says the sign.
    large = np.abs(found) >= (1 - 1e-6) * np.abs(found).max(axis=0)
    signs = np.where(found[large.argmax(axis=0), np.arange(width)] < 0, -1.0, 1.0)
    return np.asarray(found * signs, dtype=np.float32)


def _of_users(matrix: sp.csr_array, items: Vectors) -> tuple[Vectors, IntArray]:
    counts = np.diff(matrix.indptr).astype(np.int64)
    means = np.asarray(matrix @ items.astype(np.float64)) / np.maximum(counts, 1)[:, None]
    return means.astype(np.float32), counts
