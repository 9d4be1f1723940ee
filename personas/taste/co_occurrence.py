"""Which items lie close together in people's histories, and what comes after what.

Two counts carry three features: how often one item comes after another, at most `AHEAD` steps later, and how often
two are at most `WINDOW` steps apart, whichever comes first. `groundlings.personas.taste.item_tables` keeps of them what
the features need.
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
class Steps:
    """Histories one behind the other.

    Attributes:
        n_items: Size of the catalog.
        walk: The item of each step, shape (n_steps,).
        before, after: Steps of the same history before and after each step, shape (n_steps,).
        places: All steps, those of an item together and items ascending, shape (n_steps,).
        starts: Where the places of each item begin, shape (n_items + 1,).
    """

    n_items: int
    walk: NDArray[np.int32]
    before: IntArray
    after: IntArray
    places: IntArray
    starts: IntArray

    @classmethod
    def of(cls, users: IntArray, items: IntArray, n_items: int) -> Steps:
        """The steps of some histories, as `histories` gives them."""
        lengths = np.bincount(users)
        begins = (np.cumsum(lengths) - lengths)[users]
        before = np.arange(len(users)) - begins
        starts = np.concatenate([[0], np.cumsum(np.bincount(items, minlength=n_items))])
        return cls(n_items, items.astype(np.int32), before, lengths[users] - 1 - before, order_of(items), starts)

    def pairs(self, reach: int) -> int:
        """How often two items are at most so many steps apart, each pair counted from both ends."""
        return int((np.minimum(self.before, reach) + np.minimum(self.after, reach)).sum())

    def parts(self, reach: int) -> list[slice]:
        """Items a few at a time, so that what is counted together stays small."""
        work = np.minimum(self.before, reach) + np.minimum(self.after, reach)
        done = np.concatenate([[0], np.cumsum(work[self.places])])[self.starts]
        return list(parts_of(np.diff(done), _PAIRS_AT_ONCE))

    def around(self, items: slice, before: int, after: int) -> sp.csr_array:
        """How often each item is at most so many steps before or after each of some items, shape (n, n_items)."""
        shape = (items.stop - items.start, self.n_items)
        whole = shape[0] * shape[1]
        places = self.places[self.starts[items.start] : self.starts[items.stop]]
        rows = np.repeat(np.arange(shape[0]), np.diff(self.starts[items.start : items.stop + 1]))
        numbers = rows * shape[1]
        cells: Cells = numbers.astype(np.uint32) if whole <= _SHORT else numbers
        found: list[Cells] = [
            *self._at_distance(places, cells, np.minimum(self.before[places], before), -1),
            *self._at_distance(places, cells, np.minimum(self.after[places], after), 1),
        ]
        joined: Cells = np.concatenate(found) if found else cells[:0]
        return _counted(joined, shape)

    def _at_distance(self, places: IntArray, cells: Cells, room: IntArray, way: int) -> Iterator[Cells]:
        """The cell of each pair of a step and one before (`way` -1) or after it, those of one distance together.

        Args:
            places: Steps.
            cells: Where the row of each step's item begins in the table.
            room: How many others are to be looked at from each step.
            way: -1 or 1.
        """
        farthest_first = order_of(room)[::-1]
        places, cells = places[farthest_first], cells[farthest_first]
        enough = len(room) - np.cumsum(np.bincount(room))[:-1]
        for distance, some in enumerate(enough.tolist(), start=1):
            others = self.walk[places[:some] + way * distance]
            yield cells[:some] + others.astype(cells.dtype)


def _counted(cells: Cells, shape: tuple[int, int]) -> sp.csr_array:
    """How often each cell occurs, columns ascending; cells are numbered row by row."""
    if shape[0] * shape[1] <= _CELLS_FOR_A_PAIR * len(cells):
        counted = np.bincount(cells, minlength=shape[0] * shape[1])
        places = np.flatnonzero(counted)
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


def count_neighbours(users: IntArray, items: IntArray, n_items: int) -> sp.csr_array:
    """How often two items lie at most `WINDOW` steps apart, shape (n_items, n_items), symmetric."""
    steps = Steps.of(users, items, n_items)
    return sp.csr_array(sp.vstack([steps.around(part, WINDOW, WINDOW) for part in steps.parts(WINDOW)], format="csr"))


def count_following(users: IntArray, items: IntArray, n_items: int, steps: int = AHEAD) -> sp.csr_array:
    """How often the item of a column comes at most `steps` after that of a row, shape (n_items, n_items)."""
    walked = Steps.of(users, items, n_items)
    return sp.csr_array(sp.vstack([walked.around(part, 0, steps) for part in walked.parts(steps)], format="csr"))
