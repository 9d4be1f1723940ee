"""The longest run of items that a history shares with any of a set of others, word for word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray
from groundlings.environments.interactions import Interactions

LONGEST = 100
"""Runs of this length or longer count as this long."""

_BASE = np.uint64(0x9E3779B97F4A7C15)


def longest_shared_runs(rows: Interactions, others: Interactions) -> IntArray:
    """For each user of `rows`, ascending, the longest run of consecutive items that some user of `others` has as well.

    Runs are compared by a polynomial hash of 64 bits, so that a false match is as good as impossible. A run of n + 1
    can only go on where one of n stood, so each step looks at fewer places.

    Args:
        rows, others: By user, then by time.
    """
    people, owner = np.unique(rows.users, return_inverse=True)
    longest = np.zeros(len(people), dtype=np.int64)
    sides = [_Places(rows), _Places(others)]
    for length in range(1, LONGEST + 1):
        for side in sides:
            side.extend(length)
        ours, theirs = sides
        kept = np.isin(ours.hashes, theirs.hashes)
        if not kept.any():
            break
        theirs.keep(np.isin(theirs.hashes, ours.hashes[kept]))
        ours.keep(kept)
        longest[owner[ours.places]] = length
    return longest


class _Places:
    """Where runs begin that may still go on, and their hashes."""

    def __init__(self, rows: Interactions) -> None:
        self._items = _scattered(rows.items)
        self._ends = np.searchsorted(rows.users, rows.users, side="right")
        self.places = np.arange(len(rows))
        self.hashes: NDArray[np.uint64] = np.zeros(len(rows), dtype=np.uint64)

    def extend(self, length: int) -> None:
        """Make every run one item longer, to `length`; those that their history ends before are dropped."""
        last = self.places + length - 1
        self.keep(last < self._ends[self.places])
        self.hashes = self.hashes * _BASE + self._items[self.places + length - 1]

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Drop all others."""
        self.places, self.hashes = self.places[which], self.hashes[which]


def _scattered(items: NDArray[np.integer]) -> NDArray[np.uint64]:
    """A 64-bit word for each item (the finaliser of MurmurHash3), so that sums of neighbours do not fall together."""
    words = items.astype(np.uint64) + np.uint64(1)
    for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53)):
        words = (words ^ (words >> np.uint64(shift))) * np.uint64(factor)
    return words ^ (words >> np.uint64(33))
