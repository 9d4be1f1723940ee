"""Which items lie close together in people's histories, and what comes after what.

Two counts carry three features: how often one item comes after another, at most `AHEAD` steps later, and how often
two are at most `WINDOW` steps apart, whichever comes first. Each pair of steps is counted once, and read from both of
its ends. `groundlings.personas.taste.item_tables` keeps of the counts what the features need.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.row_order import by_user_and_time
from groundlings.environments.sorting import order_of
from groundlings.personas.taste.sparse_rows import matrix_of, parts_of

WINDOW = 60
"""Two items of a history are neighbours when at most this many steps apart."""

AHEAD = 20
"""An item of a history follows another when it comes at most this many steps later."""

COUNT_PRIOR = 10.0
"""Neighbour counts that smoothing adds."""

_FORGOTTEN = 1e-3
_PAIRS_AT_ONCE = 500_000
_CELLS_FOR_A_PAIR = 8
"""So many cells of a table are counted one by one for each pair; of a sparser one those that occur are sorted."""

_SHORT = 2**32
"""Cells of a part that 32 bits can number."""

Cells = NDArray[np.integer]


def histories(train: Interactions) -> tuple[IntArray, IntArray, IntArray]:
    """Users, items and age of each pair, oldest first within a user.

    Age 0 is the latest item; ties in time are broken by the order of rows. An item met twice stands where it was last.
    """
    order = by_user_and_time(train)
    users, items = train.users[order], train.items[order].astype(np.int64)
    if train.met.nnz < len(train):
        _, last = np.unique((users * train.n_items + items)[::-1], return_index=True)
        kept = np.sort(len(users) - 1 - last)
        users, items = users[kept], items[kept]
    ends = np.cumsum(np.bincount(users, minlength=train.n_users))[users]
    return users, items, ends - 1 - np.arange(len(users))


def weigh(users: IntArray, items: IntArray, weights: FloatArray, train: Interactions) -> sp.csr_array:
    """Histories whose weights sum to 1 a person, shape (n_users, n_items); what is almost forgotten is left out."""
    kept = weights >= _FORGOTTEN
    users, items, weights = users[kept], items[kept], weights[kept]
    totals = np.bincount(users, weights, minlength=train.n_users)
    shares = (weights / totals[users]).astype(np.float32)
    del weights, kept  # of a million users each takes some hundred megabytes while the rest is sorted
    return matrix_of(shares, users, items, (train.n_users, train.n_items))


@dataclass(frozen=True, slots=True)
class NearCounts:
    """How often items lie near each other in histories, shape (n_items, n_items) each.

    Attributes:
        following: How often the item of a row comes at most `AHEAD` steps after that of a column.
        after, before: How often it comes at most `WINDOW` steps after that of a column, and before it.
    """

    following: sp.csr_array
    after: sp.csr_array
    before: sp.csr_array

    def near(self, items: slice) -> sp.csr_array:
        """How often each of some items is at most `WINDOW` steps from each item, shape (n, n_items)."""
        return sp.csr_array(self.after[items] + self.before[items])

    def parts(self) -> Iterator[slice]:
        """Items a few at a time, so that what is made of their counts stays small."""
        return parts_of(np.diff(self.after.indptr) + np.diff(self.before.indptr), _PAIRS_AT_ONCE)


def count_near(
    users: IntArray, items: IntArray, n_items: int, *, ahead: int = AHEAD, window: int = WINDOW
) -> NearCounts:
    """Count what lies near each other in some histories, as `histories` gives them."""
    steps = Steps.of(users, items, n_items)
    following = steps.earlier(1, ahead)
    after = sp.csr_array(following + steps.earlier(ahead + 1, window))
    return NearCounts(following, after, sp.csr_array(after.T.tocsr()))


@dataclass(frozen=True, slots=True)
class Steps:
    """Histories one behind the other.

    Attributes:
        n_items: Size of the catalog.
        walk: The item of each step, shape (n_steps,).
        before: Steps of the same history before each step, shape (n_steps,).
        places: All steps, those of an item together and items ascending, shape (n_steps,).
        starts: Where the places of each item begin, shape (n_items + 1,).
    """

    n_items: int
    walk: NDArray[np.int32]
    before: IntArray
    places: IntArray
    starts: IntArray

    @classmethod
    def of(cls, users: IntArray, items: IntArray, n_items: int) -> Steps:
        """The steps of some histories, as `histories` gives them."""
        lengths = np.bincount(users)
        begins = (np.cumsum(lengths) - lengths)[users]
        starts = np.concatenate([[0], np.cumsum(np.bincount(items, minlength=n_items))])
        return cls(n_items, items.astype(np.int32), np.arange(len(users)) - begins, order_of(items), starts)

    def earlier(self, nearest: int, farthest: int) -> sp.csr_array:
        """How often the item of a column stands so many steps before that of a row, shape (n_items, n_items)."""
        work = np.maximum(np.minimum(self.before, farthest) - nearest + 1, 0)
        done = np.concatenate([[0], np.cumsum(work[self.places])])[self.starts]
        counted = [self._earlier(part, nearest, farthest) for part in parts_of(np.diff(done), _PAIRS_AT_ONCE)]
        return sp.csr_array(sp.vstack(counted, format="csr"))

    def _earlier(self, items: slice, nearest: int, farthest: int) -> sp.csr_array:
        """The rows of some items, shape (n, n_items)."""
        shape = (items.stop - items.start, self.n_items)
        places = self.places[self.starts[items.start] : self.starts[items.stop]]
        rows = np.repeat(np.arange(shape[0]), np.diff(self.starts[items.start : items.stop + 1]))
        numbers = rows * shape[1]
        cells: Cells = numbers.astype(np.uint32) if shape[0] * shape[1] <= _SHORT else numbers
        room = np.minimum(self.before[places], farthest)
        farthest_first = order_of(room)[::-1]
        places, cells = places[farthest_first], cells[farthest_first]
        enough = len(room) - np.cumsum(np.bincount(room))[:-1]
        found: list[Cells] = [cells[:0]]
        for distance, some in enumerate(enough[nearest - 1 :].tolist(), start=nearest):
            found.append(cells[:some] + self.walk[places[:some] - distance].astype(cells.dtype))
        return _counted(np.concatenate(found), shape)


def _counted(cells: Cells, shape: tuple[int, int]) -> sp.csr_array:
    """How often each cell occurs, columns ascending; cells are numbered row by row."""
    if shape[0] * shape[1] <= _CELLS_FOR_A_PAIR * len(cells):
        counted = np.bincount(cells.astype(np.int64), minlength=shape[0] * shape[1])
        places = np.flatnonzero(counted != 0)  # of truth values it takes a third of the time
        bounds = np.searchsorted(places, np.arange(shape[0] + 1) * shape[1]).astype(np.int32)
        columns = places - np.repeat(np.arange(shape[0]) * shape[1], np.diff(bounds))
        return sp.csr_array((counted[places].astype(np.float32), columns.astype(np.int32), bounds), shape=shape)
    cells.sort()
    new = np.ones(len(cells), dtype=np.bool_)
    np.not_equal(cells[1:], cells[:-1], out=new[1:])
    starts = np.flatnonzero(new)
    distinct = cells[starts]
    counts = np.diff(starts, append=len(cells)).astype(np.float32)
    ends = np.searchsorted(distinct, (np.arange(1, shape[0]) * shape[1]).astype(cells.dtype))
    bounds = np.concatenate([[0], ends, [len(distinct)]]).astype(np.int32)
    return sp.csr_array((counts, (distinct % cells.dtype.type(shape[1])).astype(np.int32), bounds), shape=shape)
