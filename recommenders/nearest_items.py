"""The nearest neighbours of each item of a large data set, by products of sparse rows, some items at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, IntArray
from groundlings.environments.cores import usable_cores
from groundlings.recommenders.candidates import CELLS_AT_ONCE, best_stored

LARGE = 50_000
"""Users from which on this is done, and not what irspack does: that sorts all cells of a row and takes eight times as
long with a million users. Of equal cosines it is then the first items that are kept."""

_LEAST = 1e-6
"""Added to every denominator, as irspack does."""


def nearest_items(counts: sp.csr_matrix, weighted: sp.csr_matrix, neighbours: int, shrinkage: float) -> sp.csr_array:
    """Cosines of each item with its nearest, itself left out, shape (n_items, n_items).

    As irspack's `CosineSimilarityComputer` has it, the item itself is one of the `neighbours`.

    Args:
        counts: How strongly each user is known to have met each item, shape (n_users, n_items).
        weighted: The same with the weights of users.
        neighbours: How many each item keeps.
        shrinkage: Added to the denominator.
    """
    takers = short(sp.csr_array(counts.T.tocsr()))
    histories = short(sp.csr_array(weighted))
    lengths, others = (np.sqrt(np.asarray(each.multiply(each).sum(axis=0)).ravel()) for each in (counts, weighted))
    work = np.asarray(takers.astype(bool).astype(np.int64) @ np.diff(histories.indptr))

    def found(items: slice) -> tuple[IntArray, IntArray, np.ndarray]:
        cosines = sp.csr_array(takers[items] @ histories)
        own = np.repeat(lengths[items], np.diff(cosines.indptr))
        cosines.data /= own * others[cosines.indices] + shrinkage + _LEAST
        best = best_stored(cosines, neighbours)
        rows = np.arange(items.start, items.stop)[:, None]
        kept = (best.items != NO_ITEM) & (best.scores > 0) & (best.items != rows)
        return np.broadcast_to(rows, kept.shape)[kept], best.items[kept].astype(np.int64), best.scores[kept]

    with ThreadPoolExecutor(usable_cores()) as threads:
        parts = list(threads.map(found, _parts(work)))
    row, item, cosine = (np.concatenate(column) for column in zip(*parts, strict=True))
    return sp.csr_array((cosine, (row, item)), shape=(counts.shape[1], counts.shape[1]))


def _parts(work: IntArray) -> Iterator[slice]:
    """Items in order, so many at a time as take about `CELLS_AT_ONCE`, and at least one."""
    done = np.concatenate([[0], np.cumsum(work)])
    first = 0
    while first < len(work):
        last = max(int(np.searchsorted(done, done[first] + CELLS_AT_ONCE, side="right")) - 1, first + 1)
        yield slice(first, last)
        first = last


def short(matrix: sp.csr_array) -> sp.csr_array:
    """The same with places of 32 bits, by which products take less time."""
    places = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return sp.csr_array((matrix.data, *places), shape=matrix.shape)
