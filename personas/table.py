"""Rows of a taste, kept once computed: what every decision reads, for as many people as memory allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from environments.arrays import IntArray

if TYPE_CHECKING:
    from personas.taste import Taste

CACHE_BYTES = 512 * 2**20
"""Memory that kept rows may take."""

_CHUNK = 512


class TasteTable:
    """Appeal and leaning of all items for people that have been asked about, computed once.

    Attributes:
        capacity: People whose rows fit; at most this many may be asked about at once.
        appeal: `Taste.appeal`, one row a slot, shape (capacity, n_items).
        leaning: `StarModel.leaning` likewise, None without ratings.
    """

    def __init__(self, taste: Taste, cache_bytes: int = CACHE_BYTES) -> None:
        n_users = taste.evidence.n_users
        row_bytes = 8 * taste.n_items
        self.capacity = min(n_users, max(cache_bytes // row_bytes, 1))
        self.appeal = np.empty((self.capacity, taste.n_items), dtype=np.float32)
        self.leaning = np.empty_like(self.appeal) if taste.stars else None
        self._taste = taste
        self._slots = np.full(n_users, -1, dtype=np.int64)
        self._used = 0

    def slots(self, users: IntArray) -> IntArray:
        """Where each person's row stands in `appeal` and `leaning`, shape (n,); valid until the next call."""
        missing = np.unique(users[self._slots[users] < 0])
        if self._used + len(missing) > self.capacity:
            self._slots[:] = -1
            self._used = 0
            missing = np.unique(users)
            if len(missing) > self.capacity:
                raise ValueError(f"asked about {len(missing)} people at once; memory holds {self.capacity}")
        for first in range(0, len(missing), _CHUNK):
            some = missing[first : first + _CHUNK]
            rows = slice(self._used, self._used + len(some))
            self.appeal[rows] = self._taste.appeal(some)
            if self.leaning is not None and self._taste.stars is not None:
                self.leaning[rows] = self._taste.stars.leaning(some)
            self._slots[some] = np.arange(rows.start, rows.stop)
            self._used = rows.stop
        return self._slots[users]
