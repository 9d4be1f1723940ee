"""Values of pairs of user and item, kept once computed in a table of a fixed size: much is shown to a user again.

The table lies in memory that forked processes share, so that those of tomorrow know what a worker computes today. No
process waits for another: beside each value stands its pair, scrambled with the value itself, so that what two of
them wrote half each is no pair's (Hyatt and Mann 2002, "A lock-less transposition table implementation for parallel
search", ICGA Journal).
"""

from __future__ import annotations

import mmap
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray

PLACES = 2**21
"""Pairs that are kept, 16 bytes each; a pair takes the place of another one that hashes there. Memory that no pair has
come to is none yet."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - 21)


class PairMemory:
    """Asks a function about pairs, each time only about those that are not kept.

    Args:
        compute: The value of some pairs, users and items of shape (n,), to shape (n,); that of a pair must not depend
            on the others.
        n_items: Size of the catalog.
    """

    def __init__(self, compute: Callable[[IntArray, IntArray], FloatArray], n_items: int) -> None:
        self._compute = compute
        self._n_items = n_items
        shared = mmap.mmap(-1, 16 * PLACES)
        self._values = np.frombuffer(shared, np.float64, PLACES)
        self._checks = np.frombuffer(shared, np.uint64, PLACES, 8 * PLACES)

    def of(self, users: IntArray, items: IntArray) -> FloatArray:
        """The values of some pairs, shape (n,)."""
        # From 1 on: an empty place, which holds zeros, is that of pair 0.
        pairs = (users * self._n_items + items + 1).astype(np.uint64)
        places = ((pairs * _SPREAD) >> _SHIFT).astype(np.int64)
        values = self._values[places]
        missing = np.flatnonzero((self._checks[places] ^ _scrambled(values)) != pairs)
        if len(missing):
            found = np.ascontiguousarray(self._compute(users[missing], items[missing]), dtype=np.float64)
            values[missing] = found
            # Of two new pairs of one place the last one stays, in both columns.
            self._values[places[missing]] = found
            self._checks[places[missing]] = pairs[missing] ^ _scrambled(found)
        return values


def _scrambled(values: FloatArray) -> NDArray[np.uint64]:
    """A word per value; 0 for 0."""
    words = values.view(np.uint64) * _SPREAD
    return np.asarray(words ^ (words >> np.uint64(29)))
