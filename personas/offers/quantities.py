"""How many units are bought at a time: drawn from the real quantities of the user, of the item, or of all purchases."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.shop_actions import MOST_UNITS

_FEWEST = 3
"""Real purchases of which a quantity is drawn; with fewer, those of more people or items are taken."""


class Quantities:
    """Real quantities, to be drawn from.

    A user's own purchases of the item come first, where there are three, then all purchases of the item, then all there
    are. Without known quantities everybody buys one unit.

    Args:
        history: The training part; its `weights` are quantities.
    """

    def __init__(self, history: Interactions) -> None:
        known = np.zeros(len(history), dtype=np.bool_)
        if history.weights is not None:
            known = (history.weights >= 1) & (history.weights <= MOST_UNITS)
            if history.kinds is not None:
                known &= (history.kinds == KINDS.index("purchase")) | (history.kinds == KINDS.index("interaction"))
        self._n_items = history.n_items
        values = np.zeros(0) if history.weights is None else history.weights[known]
        items = history.items[known].astype(np.int64)
        pairs = history.users[known] * self._n_items + items
        self._groups = [_Groups(keys, values) for keys in (pairs, items, np.zeros(len(items), dtype=np.int64))]

    def __len__(self) -> int:
        """How many quantities are known."""
        return self._groups[-1].size

    def draw(self, users: IntArray, items: IntArray, uniform: FloatArray) -> FloatArray:
        """Units of some purchases, shape (n,)."""
        units = np.ones(len(users))
        keys = (users * self._n_items + items, items, np.zeros(len(items), dtype=np.int64))
        for group, key in reversed(list(zip(self._groups, keys, strict=True))):  # the narrowest comes last and stays
            units = group.draw(key, uniform, units)
        return units


class _Groups:
    """Values by group, each group's ascending."""

    def __init__(self, keys: IntArray, values: FloatArray) -> None:
        order = np.lexsort((values, keys))
        self.size = len(values)
        self._values = values[order]
        self._keys, self._starts, self._counts = np.unique(keys[order], return_index=True, return_counts=True)

    def draw(self, keys: IntArray, uniform: FloatArray, otherwise: FloatArray) -> FloatArray:
        """A value of each key's group; `otherwise` where it has too few."""
        if not self.size:
            return otherwise
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        enough = (self._keys[at] == keys) & (self._counts[at] >= _FEWEST)
        places = self._starts[at] + np.floor(uniform * self._counts[at]).astype(np.int64)
        return np.where(enough, self._values[places], otherwise)
