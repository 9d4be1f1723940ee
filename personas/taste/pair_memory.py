"""Values of pairs of user and item, kept once computed in a table of a fixed size: much is shown to a user again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray

PLACES = 2**21
"""Pairs that are kept, 16 bytes each; a pair takes the place of another one that hashes there."""

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
        self._pairs = np.full(PLACES, -1, dtype=np.int64)
        self._values = np.empty(PLACES)

    def of(self, users: IntArray, items: IntArray) -> FloatArray:
        """The values of some pairs, shape (n,)."""
        pairs = users * self._n_items + items
        places = ((pairs.astype(np.uint64) * _SPREAD) >> _SHIFT).astype(np.int64)
        values = self._values[places]
        missing = np.flatnonzero(self._pairs[places] != pairs)
        if len(missing):
            found = self._compute(users[missing], items[missing])
            values[missing] = found
            # Of two new pairs of one place the last one stays, in both tables.
            self._pairs[places[missing]] = pairs[missing]
            self._values[places[missing]] = found
        return values
