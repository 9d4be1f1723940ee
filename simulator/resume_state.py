"""What the log of an interrupted run holds of an arm: the sessions that are not simulated again."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.social_turns import Told
from groundlings.personas.memory import Memory
from groundlings.recommenders.learning import Answer
from groundlings.simulator.cohorts import clicks_at
from groundlings.simulator.returns.signals import Signals, Topics


@dataclass(frozen=True, slots=True)
class PastDay:
    """The sessions of one day that are in the log, in agent order; none on a day that nobody has lived through.

    Where people have several sessions on a day, these are the first, or the second, and so on, of each.

    Attributes:
        day: 0 for the first.
        agents: Who has been there, row numbers in the population, ascending, shape (n_sessions,).
        clickers, items, stars: Their clicks in order: whose (row in the population), what, and the stars or NaN.
        units: How many of each, NaN for what is no purchase; None where nothing is sold.
        sim_time: When the sessions were, in seconds since 1970; None = in the morning.
        satisfaction: Mean over the pages that were asked, shape (n_sessions,), NaN where none was; None = not read.
        lost: Which sessions lost a page, shape (n_sessions,); None = none.
        viewers, shown: What was shown to whom (row in the population); None = not read.
        told: What was said to ties, in agent order.
    """

    day: int
    agents: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    clickers: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    items: ItemArray = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    stars: FloatArray = field(default_factory=lambda: np.zeros(0))
    units: FloatArray | None = None
    sim_time: int | None = None
    satisfaction: FloatArray | None = None
    lost: BoolArray | None = None
    viewers: IntArray | None = None
    shown: IntArray | None = None
    told: tuple[Told, ...] = ()

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

    def signals(self, topics: Topics | None) -> Signals:
        """What the sessions left behind, in the order of `agents`, as it was when they were simulated.

        Args:
            topics: None where nobody asks how alike the lists were.
        """
        n = len(self.agents)
        found = np.bincount(np.searchsorted(self.agents, self.clickers), minlength=n).astype(np.float64)
        unknown = np.full(n, np.nan)
        sameness = unknown
        if topics is not None and self.viewers is not None and self.shown is not None:
            sameness = topics.sameness(np.searchsorted(self.agents, self.viewers), self.shown, n)
        return Signals(
            satisfaction=unknown if self.satisfaction is None else self.satisfaction,
            found=found if self.lost is None else np.where(self.lost, np.nan, found),
            sameness=sameness,
        )


@dataclass(frozen=True, slots=True)
class Past:
    """One arm as far as it is in the log; without arguments, an arm that has not begun.

    Attributes:
        days: The days lived through; of the last one perhaps only a part.
        memories: What the agents have kept of them, oldest first.
        answers: What its recommender was told when it learnt by asking.
    """

    days: tuple[PastDay, ...] = ()
    memories: tuple[Memory, ...] = ()
    answers: tuple[Answer, ...] = ()

    def on(self, day: int, sim_time: int | None = None) -> PastDay:
        """The first sessions of a day that are in the log, or those of a later time of the day."""
        later = (each for each in self.days if each.day == day and sim_time in (None, each.sim_time))
        return next(later, PastDay(day))

    def reaches(self, day: int) -> bool:
        """Whether a session of a day, or of a later one, is in the log."""
        return any(each.day >= day for each in self.days)

    @property
    def whole_days(self) -> int:
        """Days that are certainly over, because sessions of a later day exist."""
        return max((each.day for each in self.days), default=0)
