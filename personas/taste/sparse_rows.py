"""Sparse matrices row by row: what is computed of a row depends on nothing but that row, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray
from groundlings.environments.uneven_rows import among_largest

_SPARE = 12
"""Places for each stored cell of a table that is kept full: six times the bytes, whatever the size of the catalog."""

_MOST_CELLS = 2**23
"""Places of the rows that are kept of another table: 32 MB."""


def matrix_of(
    values: NDArray[np.float32], rows: NDArray[np.integer], columns: NDArray[np.integer], shape: tuple[int, int]
) -> sp.csr_array:
    """The matrix of values at places of which none occurs twice, columns ascending; rows must ascend already."""
    bounds = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))]).astype(np.int32)
    matrix = sp.csr_array((values, columns.astype(np.int32), bounds), shape=shape)
    matrix.sort_indices()
    return matrix


def narrow(matrix: sp.csr_array) -> sp.csr_array:
    """The same with values and places of 32 bits, which later work goes through in half the time."""
    places = (part.astype(np.int32, copy=False) for part in (matrix.indices, matrix.indptr))
    parts = matrix.data.astype(np.float32), *places
    return sp.csr_array(parts, shape=matrix.shape)


def row_products(left: sp.csr_array, right: sp.csr_array) -> NDArray[np.float32]:
    """Inner product of each row with the row beside it, shape (n,)."""
    return np.asarray(left.multiply(right).sum(axis=1)).ravel()


class PairedTable:
    """A table whose rows are multiplied with rows of other matrices, again and again.

    Of a full table all rows, and of another one those that are asked about often, are kept with a number at every place
    as well, so that a short row beside a long one takes as many steps as it has cells, and not as many as both have.

    Args:
        table: Shape (n, m).
        often: Rows that are asked about often, the most often first.
    """

    def __init__(self, table: sp.csr_array, often: IntArray | None = None) -> None:
        self._table = table
        rows, columns = table.shape
        full = rows * columns <= _SPARE * table.nnz
        some = np.zeros(0, dtype=np.int64) if often is None else often[: _MOST_CELLS // max(columns, 1)]
        kept = np.arange(rows) if full else some
        self._place = np.full(rows, -1)
        self._place[kept] = np.arange(len(kept))
        self._numbers = table[kept].toarray() if len(kept) else np.zeros((0, columns), dtype=np.float32)

    def products(self, left: sp.csr_array, rows: IntArray) -> NDArray[np.float32]:
        """`row_products(left, table[rows])`, to the last bit, shape (n_rows,)."""
        places = self._place[rows]
        kept = places >= 0
        if kept.all():
            return self._looked_up(left, places)
        found = np.empty(len(rows), dtype=np.float32)
        found[kept] = self._looked_up(left[kept], places[kept])
        found[~kept] = row_products(left[~kept], self._table[rows[~kept]])
        return found

    def _looked_up(self, left: sp.csr_array, places: IntArray) -> NDArray[np.float32]:
        """The products with rows that lie at some places among the numbers."""
        cells = np.repeat(places * self._numbers.shape[1], np.diff(left.indptr))
        cells += left.indices
        beside = self._numbers.ravel().take(cells)
        met = np.flatnonzero(beside)
        values = left.data[met] * beside[met]
        # As of sparse rows, no zeros: how a floating-point sum is rounded depends on how many numbers it has.
        if not values.all():
            met, values = met[values != 0], values[values != 0]
        products = sp.csr_array((values, left.indices[met], np.searchsorted(met, left.indptr)), left.shape)
        return np.asarray(products.sum(axis=1), dtype=np.float32).ravel()


def scaled_columns(matrix: sp.csr_array, factors: NDArray[np.floating]) -> sp.csr_array:
    """A copy with each column multiplied by its factor, shape (n_columns,)."""
    data = (matrix.data * factors[matrix.indices]).astype(np.float32)
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def keep_largest(
    matrix: sp.csr_array,
    width: int,
    scores: NDArray[np.floating] | None = None,
    numbers: NDArray[np.int32] | None = None,
) -> sp.csr_array:
    """The cells of each row with the largest scores, columns ascending; of equal scores those of the first columns.

    Args:
        matrix: Shape (n, m).
        width: Most cells of a row that are kept.
        scores: Of the stored cells, shape (nnz,); the values themselves if absent.
        numbers: Which columns of the result the columns are, shape (m,); the same if absent.
    """
    values, bounds = matrix.data if scores is None else scores, matrix.indptr
    kept, least = among_largest(values, bounds, width)
    columns = matrix.indices[kept] if numbers is None else numbers[matrix.indices[kept]]
    ends = np.searchsorted(kept, bounds)
    fits = np.ones(len(kept), dtype=np.bool_)
    for row in np.flatnonzero(np.diff(ends) > width).tolist():
        own = slice(ends[row], ends[row + 1])
        equal = np.flatnonzero(values[kept[own]] == least[row])
        surplus = own.stop - own.start - width
        fits[own][equal[np.argsort(columns[own][equal])[-surplus:]]] = False
    if not fits.all():
        kept, columns = kept[fits], columns[fits]
        ends = np.searchsorted(kept, bounds)
    result = sp.csr_array((matrix.data[kept], columns, ends.astype(bounds.dtype)), shape=matrix.shape)
    result.sort_indices()
    return result


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
