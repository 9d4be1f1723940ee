"""Sparse matrices row by row: what is computed of a row depends on nothing but that row, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray


def row_products(left: sp.csr_array, right: sp.csr_array) -> NDArray[np.float32]:
    """Inner product of each row with the row beside it, shape (n,)."""
    return np.asarray(left.multiply(right).sum(axis=1)).ravel()


def scaled_columns(matrix: sp.csr_array, factors: NDArray[np.floating]) -> sp.csr_array:
    """A copy with each column multiplied by its factor, shape (n_columns,)."""
    data = (matrix.data * factors[matrix.indices]).astype(np.float32)
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def keep_largest(matrix: sp.csr_array, width: int, scores: NDArray[np.floating] | None = None) -> sp.csr_array:
    """The cells of each row with the largest scores, columns ascending; of equal scores those of the first columns.

    Args:
        matrix: Shape (n, m).
        width: Most cells of a row that are kept.
        scores: Of the stored cells, shape (nnz,); the values themselves if absent.
    """
    values = matrix.data if scores is None else scores
    kept = np.ones(len(values), dtype=np.bool_)
    for row in np.flatnonzero(np.diff(matrix.indptr) > width):
        cells = slice(matrix.indptr[row], matrix.indptr[row + 1])
        kept[cells] = _largest(values[cells], matrix.indices[cells], width)
    result = matrix
    if not kept.all():
        counted = np.concatenate([[0], np.cumsum(kept)])
        cut = matrix.data[kept], matrix.indices[kept], counted[matrix.indptr]
        result = sp.csr_array(cut, shape=matrix.shape)
    result.sort_indices()
    return result


def _largest(scores: NDArray[np.floating], columns: NDArray[np.integer], width: int) -> NDArray[np.bool_]:
    """Which of the scores are the largest, those of the first columns where some are equal, shape as `scores`."""
    last = np.partition(scores, len(scores) - width)[len(scores) - width]
    largest = scores > last
    equal = np.flatnonzero(scores == last)
    room = width - np.count_nonzero(largest)
    largest[equal if len(equal) == room else equal[np.argsort(columns[equal])[:room]]] = True
    return largest


def parts_of(work: IntArray, most: int) -> Iterator[slice]:
    """Consecutive slices that cover everything, each of at most so much work where one row has no more.

    Args:
        work: Of each row, shape (n,).
        most: Work of a slice.
    """
    done = np.concatenate([[0], np.cumsum(work)])
    first = 0
    while first < len(work):
        last = max(int(np.searchsorted(done, done[first] + most, side="right")) - 1, first + 1)
        yield slice(first, last)
        first = last
