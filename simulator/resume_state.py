"""What an interrupted arm has lived through already, as its log tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray, ItemArray
from groundlings.environments.interactions import Interactions
from groundlings.personas.memory import Memory


@dataclass(frozen=True, slots=True)
class PastDay:
    """The visits of one day that are in the log, in agent order.

    Attributes:
        day: 0 for the first.
        agents: Who has been there, row numbers in the population, ascending, shape (n_visits,).
        clickers, items, stars: Their clicks in order: whose (row in the population), what, and the stars or NaN.
    """

    day: int
    agents: IntArray
    clickers: IntArray
    items: ItemArray
    stars: FloatArray

    def interactions(self, users: IntArray, history: Interactions, now: int) -> Interactions:
        """What a recommender heard of that day."""
        return synthetic_interactions(users[self.clickers], self.items, self.stars, now, history)


@dataclass(frozen=True, slots=True)
class Past:
    """One arm as far as it is in the log.

    Attributes:
        days: The days lived through; of the last one perhaps only a part.
        memories: What the agents have kept of them, oldest first.
    """

    days: tuple[PastDay, ...]
    memories: tuple[Memory, ...] = ()

    def on(self, day: int) -> PastDay | None:
        """What is known of a day, None where nobody has been there."""
        return next((each for each in self.days if each.day == day), None)

    @property
    def whole_days(self) -> int:
        """Days that are certainly over, because visits of a later day exist."""
        return max((each.day for each in self.days), default=0)


def synthetic_interactions(
    users: IntArray, items: ItemArray, stars: FloatArray, now: int, history: Interactions
) -> Interactions:
    """Clicks of simulated people at one moment, marked as synthetic."""
    return Interactions.of(
        users,
        items,
        stars,
        np.full(len(users), now),
        n_users=history.n_users,
        n_items=history.n_items,
        synthetic=True,
    )
