"""Which items lie close together in people's histories, and what comes after what.

Two counts carry three features: how often one item comes after another, at most `AHEAD` steps later, and how often
two are at most `WINDOW` steps apart, whichever comes first. `groundlings.personas.taste.item_tables` keeps of them what
the features need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.personas.taste.sparse_rows import parts_of

WINDOW = 60
"""Two items of a history are neighbours when at most this many steps apart."""

AHEAD = 20
"""An item of a history follows another when it comes at most this many steps later."""

COUNT_PRIOR = 10.0
"""Neighbour counts that smoothing adds."""

_FORGOTTEN = 1e-3
_STEPS_AT_ONCE = 2_000_000


def histories(train: Interactions) -> tuple[IntArray, IntArray, IntArray]:
    """Users, items and age of each pair, oldest first within a user.

    Age 0 is the latest item; ties in time are broken by the order of rows. An item met twice stands where it was last.
    """
    order = np.lexsort((train.timestamps, train.users))
    users, items = train.users[order], train.items[order].astype(np.int64)
    _, last = np.unique((users * train.n_items + items)[::-1], return_index=True)
    kept = np.sort(len(users) - 1 - last)
    users, items = users[kept], items[kept]
    ends = np.searchsorted(users, users, side="right")
    return users, items, ends - 1 - np.arange(len(users))


def weigh(users: IntArray, items: IntArray, weights: FloatArray, train: Interactions) -> sp.csr_array:
    """Histories whose weights sum to 1 a person, shape (n_users, n_items); what is almost forgotten is left out."""
    kept = weights >= _FORGOTTEN
    users, items, weights = users[kept], items[kept], weights[kept]
    totals = np.bincount(users, weights, minlength=train.n_users)
    shares = (weights / totals[users]).astype(np.float32)
    return sp.csr_array((shares, (users, items)), shape=(train.n_users, train.n_items))


@dataclass(frozen=True, slots=True)
class Steps:
    """Histories one behind the other, with so many empty steps between people that no window reaches across.

    Attributes:
        n_items: Size of the catalog; an empty step has this number.
        reach: Empty steps before, between and behind histories.
        walk: The item of each step, shape (n_steps,).
        places: Steps that hold an item, those of an item together and items ascending, shape (n,).
        starts: Where the places of each item begin, shape (n_items + 1,).
    """

    n_items: int
    reach: int
    walk: NDArray[np.int32]
    places: IntArray
    starts: IntArray

    @classmethod
    def of(cls, users: IntArray, items: IntArray, n_items: int, reach: int) -> Steps:
        """The steps of some histories, as `histories` gives them."""
        _, person = np.unique(users, return_inverse=True)
        place = np.arange(len(users)) + reach * (person + 1)
        walk = np.full(len(users) + reach * (int(person.max(initial=-1)) + 2), n_items, dtype=np.int32)
        walk[place] = items
        starts = np.concatenate([[0], np.cumsum(np.bincount(items, minlength=n_items))])
        return cls(n_items, reach, walk, place[np.argsort(items, kind="stable")], starts)

    def parts(self) -> list[slice]:
        """Items a few at a time, so that what is counted together stays small."""
        return list(parts_of(np.diff(self.starts) * (2 * self.reach + 1), _STEPS_AT_ONCE))

    def around(self, items: slice, before: int, after: int) -> sp.csr_array:
        """How often each item is at most so many steps before or after each of some items, shape (n, n_items)."""
        shape = (items.stop - items.start, self.n_items + 1)
        total: Any = sp.csr_array(shape, dtype=np.float32)  # the stubs lose the shape in a sum
        width = before + after + 1
        windows = np.lib.stride_tricks.sliding_window_view(self.walk, width)
        rows = np.repeat(np.arange(shape[0]), np.diff(self.starts[items.start : items.stop + 1]))
        places = self.places[self.starts[items.start] : self.starts[items.stop]]
        size = max(_STEPS_AT_ONCE // width, 1)
        for first in range(0, len(places), size):
            near = windows[places[first : first + size] - before].ravel()
            n = len(near) // width
            lines = sp.csr_array(
                (np.ones(len(near), dtype=np.float32), near, np.arange(n + 1, dtype=np.int32) * width),
                shape=(n, shape[1]),
            )
            own = (np.ones(n, dtype=np.float32), (rows[first : first + size], np.arange(n)))
            total = total + sp.csr_array(own, shape=(shape[0], n)) @ lines
        return self._others(total, items)

    def _others(self, counts: sp.csr_array, items: slice) -> sp.csr_array:
        """The counts without empty steps and without the items themselves, columns ascending."""
        found = counts.tocoo()
        rows, columns = found.coords
        kept = (columns < self.n_items) & (columns != rows + items.start)
        cells = found.data[kept], (rows[kept], columns[kept])
        return sp.csr_array(cells, shape=(counts.shape[0], self.n_items))


def count_neighbours(users: IntArray, items: IntArray, n_items: int) -> sp.csr_array:
    """How often two items lie at most `WINDOW` steps apart, shape (n_items, n_items), symmetric."""
    steps = Steps.of(users, items, n_items, WINDOW)
    return sp.csr_array(sp.vstack([steps.around(part, WINDOW, WINDOW) for part in steps.parts()], format="csr"))


def count_following(users: IntArray, items: IntArray, n_items: int, steps: int = AHEAD) -> sp.csr_array:
    """How often the item of a column comes at most `steps` after that of a row, shape (n_items, n_items)."""
    walked = Steps.of(users, items, n_items, steps)
    return sp.csr_array(sp.vstack([walked.around(part, 0, steps) for part in walked.parts()], format="csr"))
