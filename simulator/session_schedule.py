"""Who comes on which day: return times are events in Mesa's scheduler, people and segments are its agents and sets."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol

import mesa
import numpy as np
from mesa.experimental.devs.simulator import Simulator
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray
from groundlings.environments.random_streams import Draws

PEOPLE_PER_AGENT = 4_096
"""A Mesa agent with its event takes 1.7 kB and some 100 microseconds per day, which its people share."""

_EVENING = 0.5


class Returns(Protocol):
    """When people come back.

    The schedule asks it for everybody's first session before the first day, and for the next session in the evening of
    each session, so a rule may read what happened on the day that is over.
    """

    def next_sessions(self, rows: IntArray, after_day: int, days: int) -> IntArray:
        """The next day on which each person has a session, shape (n,).

        Args:
            rows: Who, row numbers in the population, shape (n,).
            after_day: The day of their last session, -1 before the first day; every answer is later.
            days: How many days there are; people who do not come back within them get `days`.
        """
        ...


@dataclass(frozen=True, slots=True)
class DailyChance:
    """People come on each day with the same probability, whenever they came last.

    Attributes:
        users: Row number of the real person behind each agent, shape (n_agents,).
        probability: P(a person has a session on a day).
        seed: The run's seed. The draw of a person and a day depends on nothing else.
    """

    users: IntArray
    probability: float
    seed: int

    def next_sessions(self, rows: IntArray, after_day: int, days: int) -> IntArray:
        """See `Returns.next_sessions`: the first later day whose draw succeeds. No draw is made twice."""
        found = np.full(len(rows), days, dtype=np.int64)
        waiting = np.arange(len(rows))
        for day in range(after_day + 1, days):
            if not len(waiting):
                break
            comes = Draws.for_sessions(self.seed, self.users[rows[waiting]], day).uniform("come") < self.probability
            found[waiting[comes]] = day
            waiting = waiting[~comes]
        return found


class SessionSchedule:
    """Next sessions of a population, by day.

    Each Mesa agent stands for up to `people_per_agent` people of one segment and has at most one event in Mesa's
    scheduler: the earliest next session among its people. Nobody is scheduled beyond the last day.

    Mesa refers to every model it ever made, so arrays belong to this object and to agents, never to the model, and
    `close` takes the agents away.

    Args:
        segments: The segment of each person, shape (n_people,).
        returns: When people come back.
        days: How many days there are.
        people_per_agent: How many people share a Mesa agent; 1 gives each person an agent.

    Example:
        >>> users = np.arange(4)
        >>> segments = np.array(["new", "new", "loyal", "new"])
        >>> schedule = SessionSchedule(segments, DailyChance(users, 1.0, seed=7), days=2)
        >>> schedule.invite("new")
        >>> schedule.arrivals(0).tolist()
        [0, 1, 3]
    """

    def __init__(
        self, segments: NDArray[Any], returns: Returns, days: int, people_per_agent: int = PEOPLE_PER_AGENT
    ) -> None:
        self.returns = returns
        self.days = days
        self._here: list[IntArray] = []
        self._model = mesa.Model(rng=0)
        self._clock = _Clock()
        self._clock.setup(self._model)
        for segment in np.unique(segments):
            rows = np.flatnonzero(segments == segment)
            for start in range(0, len(rows), people_per_agent):
                Visitors(self._model, self, segment, rows[start : start + people_per_agent])

    def invite(self, segment: Hashable) -> None:
        """Schedule the first sessions of a segment; call it before the first day."""
        self._model.agents.select(lambda visitors: visitors.segment == segment).do("plan", after_day=-1)

    def arrivals(self, day: int) -> IntArray:
        """Who comes on a day, row numbers in ascending order; days are asked for in order."""
        self._clock.run_until(_morning(day))
        here, self._here = self._here, []
        # Agents come in the order of their events; a stable sort merges their ascending runs.
        return np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *here]), kind="stable")

    def close(self) -> None:
        """Take all agents and events away; nothing comes after."""
        self._clock.reset()
        self._model.remove_all_agents()

    def arrive(self, rows: IntArray) -> None:
        """Called by an agent whose people come now."""
        self._here.append(rows)

    def call_at(self, time: float, action: Callable[[int], None], day: int) -> None:
        """Called by an agent to make an event: `action(day)` at a time of Mesa's clock."""
        self._clock.schedule_event_absolute(action, time, function_args=[day])


class Visitors(mesa.Agent):  # type: ignore[misc]
    """People of one segment, whose next sessions one Mesa agent schedules.

    Attributes:
        segment: Their segment.
        rows: Row numbers in the population, ascending, shape (n,).
        next_days: The day of each one's next session, or of the last while that day is not over, shape (n,).
    """

    def __init__(self, model: mesa.Model, schedule: SessionSchedule, segment: Hashable, rows: IntArray) -> None:
        super().__init__(model)
        self.segment = segment
        self.rows = rows
        self.next_days = np.full(len(rows), -1, dtype=np.int64)
        self._schedule = schedule

    def come(self, day: int) -> None:
        """Event: those whose next session is today arrive. In the evening they plan the next one."""
        self._schedule.arrive(self.rows[self.next_days == day])
        if day + 1 < self._schedule.days:
            self._schedule.call_at(_morning(day) + _EVENING, self.plan, day)

    def plan(self, after_day: int) -> None:
        """Event: those who came on a day plan their next session, and the earliest among all becomes an event."""
        came = self.next_days == after_day
        self.next_days[came] = self._schedule.returns.next_sessions(self.rows[came], after_day, self._schedule.days)
        earliest = int(self.next_days.min())
        if earliest < self._schedule.days:
            self._schedule.call_at(_morning(earliest), self.come, earliest)


class _Clock(Simulator):  # type: ignore[misc]
    """Mesa's event scheduler in fractions of a day.

    `DEVSimulator` is the same, but from Mesa 3.5 on it warns users that Mesa 4 will do without it.
    """

    def __init__(self) -> None:
        super().__init__(time_unit=float, start_time=0.0)

    def check_time_unit(self, time: float) -> bool:
        """Any number is a time."""
        return isinstance(time, (int, float))


def _morning(day: int) -> float:
    """When a day's sessions begin on Mesa's clock; 0 is before the first day, and Mesa executes what lies after it."""
    return float(day + 1)
