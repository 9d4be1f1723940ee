"""Sparse matrices row by row: what is computed of a row depends on nothing but that row, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.sorting import order_of, pair_keys

_CELLS_AT_ONCE = 4_000_000


def matrix_of(
    values: NDArray[np.float32], rows: NDArray[np.integer], columns: NDArray[np.integer], shape: tuple[int, int]
) -> sp.csr_array:
    """The matrix of values at places of which none occurs twice, columns ascending."""
    order = order_of(pair_keys(rows, columns, shape[1])[0])
    bounds = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))]).astype(np.int32)
    return sp.csr_array((values[order], columns[order].astype(np.int32), bounds), shape=shape)


def narrow(matrix: sp.csr_array) -> sp.csr_array:
    """A copy with values and places of 32 bits, which later work goes through in half the time."""
    parts = matrix.data.astype(np.float32), matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return sp.csr_array(parts, shape=matrix.shape)


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
    lengths = np.diff(matrix.indptr)
    long = np.flatnonzero(lengths > width)
    if not len(long):
        matrix.sort_indices()
        return matrix
    kept = np.ones(len(values), dtype=np.bool_)
    long = long[order_of(lengths[long])]
    for part in _of_one_length(lengths[long]):
        starts, counts = matrix.indptr[long[part]].astype(np.int64), lengths[long[part]].astype(np.int64)
        rows = np.repeat(np.arange(len(counts)), counts)
        places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        cells = places + np.repeat(starts, counts)
        padded = np.full((len(counts), int(counts.max())), -np.inf, dtype=values.dtype)
        padded[rows, places] = values[cells]
        kept[cells] = _largest(padded, width, rows, places, matrix.indices[cells])
    bounds = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    result = sp.csr_array((matrix.data[kept], matrix.indices[kept], bounds), shape=matrix.shape)
    result.sort_indices()
    return result


def _of_one_length(lengths: IntArray) -> Iterator[slice]:
    """Rows whose lengths ascend, so many at a time that they stay small when all are made as long as the longest."""
    first = 0
    while first < len(lengths):
        ahead = lengths[first : first + max(_CELLS_AT_ONCE // int(lengths[first]), 1)]
        filled = ahead * np.arange(1, len(ahead) + 1)
        last = first + max(int(np.searchsorted(filled, _CELLS_AT_ONCE, side="right")), 1)
        yield slice(first, last)
        first = last


def _largest(
    padded: NDArray[np.floating], width: int, rows: IntArray, places: IntArray, columns: NDArray[np.integer]
) -> BoolArray:
    """Which cells are the largest of their row, those of the first columns where some are equal, shape (n_cells,).

    Args:
        padded: Scores by row and place, -inf behind the last.
        width: How many of each row.
        rows, places: Of each cell, rows ascending.
        columns: Of each cell.
    """
    scores = padded[rows, places]
    smallest = np.partition(padded, padded.shape[1] - width, axis=1)[:, padded.shape[1] - width][rows]
    largest = scores > smallest
    equal = np.flatnonzero(scores == smallest)
    equal = equal[np.lexsort((columns[equal], rows[equal]))]
    room = width - np.bincount(rows[largest], minlength=len(padded))
    whose = rows[equal]
    largest[equal[np.arange(len(equal)) - np.searchsorted(whose, whose) < room[whose]]] = True
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
