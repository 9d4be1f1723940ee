"""Sparse matrices row by row: what is computed of a row depends on nothing but that row, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray
from groundlings.environments.sorting import order_of, pair_keys

_SPARE = 12
"""Places for each stored cell of a table that is kept full: six times the bytes, whatever the size of the catalog."""


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


class PairedTable:
    """A table whose rows are multiplied with rows of other matrices, again and again.

    A full table is kept with a number at every place as well, so that a short row beside a long one takes as many steps
    as it has cells, and not as many as both have.

    Args:
        table: Shape (n, m).
    """

    def __init__(self, table: sp.csr_array) -> None:
        self._table = table
        cells = table.shape[0] * table.shape[1]
        self._places = table.toarray() if 0 < cells <= _SPARE * table.nnz else None

    def products(self, left: sp.csr_array, rows: IntArray) -> NDArray[np.float32]:
        """`row_products(left, table[rows])`, to the last bit, shape (n_rows,)."""
        if self._places is None:
            return row_products(left, self._table[rows])
        values = left.data * self._places[np.repeat(rows, np.diff(left.indptr)), left.indices]
        # As of sparse rows, no zeros: how a floating-point sum is rounded depends on how many numbers it has.
        counted = values != 0
        bounds = np.concatenate([[0], np.cumsum(counted)])[left.indptr]
        products = sp.csr_array((values[counted], left.indices[counted], bounds), left.shape)
        return np.asarray(products.sum(axis=1), dtype=np.float32).ravel()


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
    smallest = np.full(matrix.shape[0], -np.inf, dtype=values.dtype)
    smallest[long] = _smallest_of_largest(values, matrix.indptr, long, width)
    floor = np.repeat(smallest, lengths)
    kept = values > floor
    # Of those that equal the smallest kept one, as many as there is room for.
    equal = np.flatnonzero(values == floor)
    rows = np.searchsorted(matrix.indptr, equal, side="right") - 1
    room = width - np.diff(np.concatenate([[0], np.cumsum(kept)])[matrix.indptr])
    disputed = (np.bincount(rows, minlength=matrix.shape[0]) > room)[rows]
    kept[equal[~disputed]] = True
    equal, rows = equal[disputed], rows[disputed]
    by_column = np.lexsort((matrix.indices[equal], rows))
    equal, rows = equal[by_column], rows[by_column]
    kept[equal[np.arange(len(equal)) - np.searchsorted(rows, rows) < room[rows]]] = True
    bounds = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr].astype(matrix.indptr.dtype)
    result = sp.csr_array((matrix.data[kept], matrix.indices[kept], bounds), shape=matrix.shape)
    result.sort_indices()
    return result


def _smallest_of_largest(
    values: NDArray[np.floating], starts: NDArray[np.integer], rows: IntArray, width: int
) -> NDArray[np.floating]:
    """The smallest of the largest values of some rows, each of more than `width` values, shape (n_rows,)."""
    moved = values.copy()
    smallest = np.empty(len(rows), dtype=values.dtype)
    for number, (first, last) in enumerate(zip(starts[rows].tolist(), starts[rows + 1].tolist(), strict=True)):
        row, place = moved[first:last], last - first - width
        row.partition(place)
        smallest[number] = row[place]
    return smallest


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
