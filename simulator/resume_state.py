"""What the log of an interrupted run holds of an arm: the sessions that are not simulated again."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray, ItemArray
from groundlings.environments.interactions import Interactions
from groundlings.personas.memory import Memory
from groundlings.simulator.cohorts import clicks_at


@dataclass(frozen=True, slots=True)
class PastDay:
    """The sessions of one day that are in the log, in agent order; none on a day that nobody has lived through.

    Attributes:
        day: 0 for the first.
        agents: Who has been there, row numbers in the population, ascending, shape (n_sessions,).
        clickers, items, stars: Their clicks in order: whose (row in the population), what, and the stars or NaN.
        units: How many of each, NaN for what is no purchase; None where nothing is sold.
        viewers, shown: Whom (row in the population) each impression was shown to, and what; empty where nobody counts
            impressions.
    """

    day: int
    agents: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    clickers: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    items: ItemArray = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    stars: FloatArray = field(default_factory=lambda: np.zeros(0))
    viewers: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    shown: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    units: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.agents)

    def missing(self, arrivals: IntArray) -> IntArray:
        """Those of a day's visitors whose session is not in the log, in the order given."""
        return arrivals[~np.isin(arrivals, self.agents, assume_unique=True)] if len(self) else arrivals

    def clicks(self, users: IntArray, time: int, history: Interactions) -> Interactions:
        """What was clicked in these sessions, in agent order.

        Args:
            users: The real person behind each agent, shape (n_agents,).
            time: When, in seconds since 1970.
            history: Says how many users and items there are.
        """
        return clicks_at(time, users[self.clickers], self.items, self.stars, history, self.units)

    @property
    def sold(self) -> tuple[ItemArray, FloatArray]:
        """Item and units of each purchase."""
        if self.units is None:
            return self.items[:0], np.zeros(0)
        bought = ~np.isnan(self.units)
        return self.items[bought], self.units[bought]


@dataclass(frozen=True, slots=True)
class Past:
    """One arm as far as it is in the log; without arguments, an arm that has not begun.

    Attributes:
        days: The days lived through; of the last one perhaps only a part.
        memories: What the agents have kept of them, oldest first.
    """

    days: tuple[PastDay, ...] = ()
    memories: tuple[Memory, ...] = ()

    def on(self, day: int) -> PastDay:
        """The sessions of a day that are in the log."""
        return next((each for each in self.days if each.day == day), PastDay(day))

    @property
    def whole_days(self) -> int:
        """Days that are certainly over, because sessions of a later day exist."""
        return max((each.day for each in self.days), default=0)
