"""Log-odds of opening what an agent knows, on one scale with what they do not, as the simulated days go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.personas.repeats.model import RepeatModel
from groundlings.personas.repeats.ownership import Known, Ownership


@dataclass
class KnownItems:
    """What the agents of one arm know, and how likely they take it up again.

    Attributes:
        model: Of real repeats.
        shift: What the log-odds of a real occasion lack to those of a session here. The mind's other log-odds give new
            items the level of the model's `new_share` before the same shift.
    """

    model: RepeatModel
    shift: float = 0.0
    _owned: Ownership = field(init=False)

    def __post_init__(self) -> None:
        self._owned = self.model.owned

    def notice(self, day: int, interactions: Interactions) -> None:
        """Remember what was taken up on a simulated day, 0 for the first."""
        self._owned = self._owned.after(interactions.users, interactions.items.astype(np.int64), day)

    def put(self, odds: FloatArray, users: IntArray, items: NDArray[np.integer], day: int) -> FloatArray:
        """The log-odds with those of known items in their place.

        Args:
            odds: Of the items as if they were new, shape (n, m); not changed.
            users: Shape (n,).
            items: Shape (n, m).
            day: The simulated day.
        """
        whose, what = np.broadcast_arrays(users[:, None], items.astype(np.int64))
        return self._placed(odds, self._owned.of_pairs(whose, what), whose, what, day)

    def put_in_catalog(self, odds: FloatArray, users: IntArray) -> FloatArray:
        """The same for all items, shape (n, n_items), as it is before the first simulated day."""
        result = odds.copy()
        for row, user in enumerate(users.tolist()):
            items = self.model.owned.items_of(user)
            whose = np.full(len(items), user)
            known = self.model.owned.of_pairs(whose, items)
            result[row, items] = self._placed(odds[row, items], known, whose, items, 0)
        return result

    def describe(self) -> Mapping[str, Any]:
        """Plain JSON values, for manifests."""
        return {**self.model.describe(), "shift": self.shift}

    def _placed(self, odds: FloatArray, known: Known, users: IntArray, items: IntArray, day: int) -> FloatArray:
        here = known.known
        if not here.any():
            return odds
        found = known.take(here)
        result = odds.astype(np.float64)
        state = users[here], items[here], found.count, found.first, found.latest
        result[here] = self.model.log_odds(*state, day) + self.shift
        return result
