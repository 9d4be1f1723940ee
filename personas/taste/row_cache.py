"""Rows of all items, kept once computed, for as many people as memory allows: for bounds and labs.

A decision reads nothing of this: it asks about what is shown (`Taste.known_pairs`). Rows are for who ranks or counts
all items of a catalog: oracles, the levels of users who meet items again, and scorers in the labs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import IntArray

if TYPE_CHECKING:
    from groundlings.personas.taste.model import Taste

CACHE_BYTES = 512 * 2**20
"""Memory that kept rows may take."""

BLOCK = 64
"""People whose rows are computed together, by user number.

The blocks are fixed because the last bits of a matrix product depend on what else is in the matrix: a row must not
depend on who else was asked about.
"""

_PART = 512


class CatalogRows:
    """Appeal and leaning of all items for the people that were asked about.

    Attributes:
        capacity: How many people may be asked about at once.
        appeal: `Taste.appeal`, one row per slot, shape (n_slots, n_items).
        leaning: `StarModel.leaning` likewise, None without ratings.
    """

    def __init__(self, taste: Taste, cache_bytes: int = CACHE_BYTES) -> None:
        self._taste = taste
        blocks = -(-taste.evidence.n_users // BLOCK)
        self._capacity = min(blocks, max(cache_bytes // (8 * taste.n_items * BLOCK), 1))
        # Where not all blocks fit, each of the people asked about could be in a block of their own.
        self.capacity = max(taste.evidence.n_users, 1) if self._capacity == blocks else self._capacity
        self.appeal = np.empty((self._capacity * BLOCK, taste.n_items), dtype=np.float32)
        self.leaning = np.empty_like(self.appeal) if taste.stars else None
        self._place = np.full(blocks, -1, dtype=np.int64)
        self._used = 0

    def slots(self, users: IntArray) -> IntArray:
        """Where each person's row stands in `appeal` and `leaning`, shape (n,); valid until the next call."""
        blocks = users // BLOCK
        missing = np.unique(blocks[self._place[blocks] < 0])
        if self._used + len(missing) > self._capacity:
            self._place[:] = -1
            self._used = 0
            missing = np.unique(blocks)
            if len(missing) > self._capacity:
                raise ValueError(f"asked about people of {len(missing)} blocks; memory holds {self._capacity}")
        for block in missing:
            self._compute(int(block))
        return self._place[blocks] * BLOCK + users % BLOCK

    def parts(self, users: IntArray) -> Iterator[tuple[slice, IntArray]]:
        """The people a few at a time: their place in `users`, and `slots` of them."""
        size = min(self.capacity, _PART)
        for first in range(0, len(users), size):
            part = slice(first, first + size)
            yield part, self.slots(users[part])

    def _compute(self, block: int) -> None:
        users = np.arange(block * BLOCK, min((block + 1) * BLOCK, self._taste.evidence.n_users), dtype=np.int64)
        rows = slice(self._used * BLOCK, self._used * BLOCK + len(users))
        # One thread: how many a machine has must not change the last bits, and so the digest, of a run.
        with threadpool_limits(1, "blas"):
            self.appeal[rows] = self._taste.appeal(users)
            if self.leaning is not None and self._taste.stars is not None:
                self.leaning[rows] = self._taste.stars.leaning(users)
        self._place[block] = self._used
        self._used += 1
