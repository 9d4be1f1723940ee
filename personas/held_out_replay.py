"""Real held-out interactions, for grounded replay: minds may read them, recommenders never can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.interactions import Interactions


@dataclass(frozen=True)
class Grounding:
    """Held-out behaviour that can be looked up pair by pair.

    Attributes:
        met: 1 plus the row of `stars` for every pair that was met, shape (n_users, n_items), sparse.
        stars: What was given, NaN for nothing, shape (n_pairs,).
    """

    met: sp.csr_array
    stars: FloatArray

    @classmethod
    def of(cls, held_out: Interactions) -> Grounding:
        """From the held-out part; of several rows of a pair the latest one counts."""
        order = np.lexsort((-held_out.timestamps, held_out.items, held_out.users))
        pairs = held_out.users[order] * held_out.n_items + held_out.items[order]
        latest = order[np.unique(pairs, return_index=True)[1]]
        cells = (held_out.users[latest], held_out.items[latest])
        numbers = np.arange(1, len(latest) + 1)
        shape = (held_out.n_users, held_out.n_items)
        return cls(sp.csr_array((numbers, cells), shape=shape), held_out.ratings[latest])

    def look_up(self, users: IntArray, items: ItemArray) -> tuple[BoolArray, FloatArray]:
        """Whether each pair is an interaction, and its stars (NaN for none), shape as `items` (n, m)."""
        shown = items >= 0
        rows = np.broadcast_to(users[:, None], items.shape)[shown]
        numbers = np.zeros(items.shape, dtype=np.int64)
        numbers[shown] = np.asarray(self.met[rows, items[shown]]).ravel()
        known = numbers > 0
        stars = np.full(items.shape, np.nan)
        stars[known] = self.stars[numbers[known] - 1]
        return known, stars
