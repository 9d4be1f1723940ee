"""Who has the items that most users have, a bit for each: it is looked up in a fraction of a search in a history."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, IntArray

MOST_BYTES = 2**26
"""What all bits may take: those of 53,000 items with 10,000 users, of 530 with a million."""

_FLAGS_AT_ONCE = 2**22
_BITS = 8


class PopularItems:
    """Flags of as many items as `MOST_BYTES` has room for.

    Args:
        met: 1 for each pair that occurs, shape (n_users, n_items).
        items: Items in the order in which they get flags.
    """

    def __init__(self, met: sp.csr_array, items: IntArray) -> None:
        n_users, n_items = met.shape
        flagged = items[: _BITS * (MOST_BYTES // max(n_users, 1))]
        self._place = np.full(n_items, -1, dtype=np.int32)
        self._place[flagged] = np.arange(len(flagged))
        self._bits = np.empty((n_users, -(-len(flagged) // _BITS)), dtype=np.uint8)
        step = max(_FLAGS_AT_ONCE // max(len(flagged), 1), 1)
        for first in range(0, n_users, step):
            bounds = met.indptr[first : first + step + 1]
            places = self._place[met.indices[bounds[0] : bounds[-1]]]
            flags = np.zeros((len(bounds) - 1, len(flagged)), dtype=np.bool_)
            flags[np.repeat(np.arange(len(flags)), np.diff(bounds))[places >= 0], places[places >= 0]] = True
            self._bits[first : first + step] = np.packbits(flags, axis=1)

    def hold(self, items: IntArray) -> BoolArray:
        """Whether items have flags, shape (n,)."""
        return self._place[items] >= 0

    def have(self, users: NDArray[np.integer], items: IntArray) -> BoolArray:
        """Whether some users have an item that has flags, one item per row of users, shape (n, width)."""
        byte, bit = np.divmod(self._place[items], _BITS)
        cells = users * np.int64(self._bits.shape[1])
        cells += byte[:, None]
        asked = np.right_shift(1 << (_BITS - 1), bit).astype(np.uint8)
        return (self._bits.ravel().take(cells) & asked[:, None]) != 0
