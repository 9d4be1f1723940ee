"""Whether items that a user has interactions with may be shown again: never, always, or after some days.

Days count on the user's own clock. A history that is split user by user ends at another moment for each of them, and
their first simulated day follows that moment, wherever the simulated clock stands; so a user who bought something a
week before the end of their training part bought it a week before the first simulated day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import IntArray
from groundlings.environments.interactions import DISLIKE, Interactions
from groundlings.environments.split import Split

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class RepeatRule:
    """When an item that a user has an interaction with may be shown to them again.

    Attributes:
        after_days: Days after the latest interaction; 0 = at any time, None = never.
    """

    after_days: float | None = None

    @property
    def allowed(self) -> bool:
        """Whether any item comes back."""
        return self.after_days is not None

    @property
    def at_once(self) -> bool:
        """Whether an item may come back on the very day of an interaction."""
        return self.after_days == 0

    def seen(self, history: Interactions, days: IntArray, day: int) -> sp.csr_array:
        """Items that must not be shown to each user on a simulated day, shape (n_users, n_items).

        What a user disliked is not shown again, whatever the rule.

        Args:
            history: Real and simulated interactions.
            days: Of each row on its user's own clock (`own_days`), shape (n_rows,).
            day: The simulated day, 0 for the first.
        """
        if self.after_days is None:
            return history.met
        hidden = np.zeros(len(history), dtype=np.bool_) if history.kinds is None else history.kinds == DISLIKE
        if self.after_days:
            hidden |= day - days < self.after_days
        if not hidden.any():
            return sp.csr_array((history.n_users, history.n_items))
        return history.take(hidden).met

    def describe(self) -> Mapping[str, Any]:
        """Plain JSON values."""
        return {"after_days": self.after_days}


NEVER = RepeatRule()
"""An item that a user has an interaction with is not shown again."""


@dataclass(frozen=True, slots=True)
class OwnClock:
    """Where each user's history ends, and their first simulated day follows.

    Attributes:
        ends: The day number (days since 1970, UTC) of each user's end, shape (n_users,).
        ticks_per_day: Of the timestamps.
    """

    ends: IntArray
    ticks_per_day: int

    @classmethod
    def of(cls, split: Split) -> OwnClock:
        """That of a split: one moment for all users where it has one, else each user's latest training row."""
        train = split.train
        ticks = SECONDS_PER_DAY * train.ticks_per_second
        if split.moment is not None:
            return cls(np.full(train.n_users, split.moment // ticks), ticks)
        latest = np.full(train.n_users, int(train.timestamps.max(initial=0)))
        seen = np.unique(train.users)
        latest[seen] = np.iinfo(np.int64).min
        np.maximum.at(latest, train.users, train.timestamps)
        return cls(latest // ticks, ticks)

    def days(self, rows: Interactions) -> IntArray:
        """Of real rows: how many days before the first simulated day (0) they are, as negative numbers, shape (n,)."""
        return rows.timestamps // self.ticks_per_day - self.ends[rows.users] - 1
