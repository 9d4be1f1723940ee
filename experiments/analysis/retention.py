"""Who comes back, day by day after the first session: retention curves of the arms, with users as units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.compare import Difference
from groundlings.experiments.analysis.comparison.estimators import Estimator, estimator_of
from groundlings.experiments.analysis.comparison.persona_columns import LoggedPersonas
from groundlings.experiments.config.designs import design_of
from groundlings.personas.exposure.intervals import share_of_totals
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd

_MOST_POINTS = 61


@dataclass(frozen=True, slots=True)
class Share:
    """A share of users with Wilson's 95 % interval; None without a user."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RetentionPoint:
    """One arm so many days after its users' first sessions.

    Attributes:
        day: Days after the first session; 0 is its day.
        users: Users whose first session was so many days or more before the last day of the run.
        back: Those of them with a session on that very day.
        rolling: Those of them with a session on that day or later; near the end of a run little time is left for one.
        difference: `back` less that of the first arm; None of the first arm.
        rolling_difference: `rolling` less that of the first arm.
    """

    day: int
    users: int
    back: Share
    rolling: Share
    difference: Difference | None = None
    rolling_difference: Difference | None = None


def retention_by_arm(log: LogReader) -> Mapping[str, tuple[RetentionPoint, ...]]:
    """The retention curve of each arm, arm name -> day 0 first; long runs have a point every few days."""
    rows = log.session_days()
    arms, run = log.visited_arms(), log.run()
    agents = np.asarray(list(log.agent_ids()), dtype=np.int64)
    last_day = int(rows.day.max()) if len(rows) else 0
    days = np.unique(np.round(np.linspace(0, last_day, min(_MOST_POINTS, last_day + 1))).astype(np.int64))
    estimator = estimator_of(
        design_of(run["config"]),
        run["seed"],
        [arm.name for arm in arms],
        log.user_ids(),
        LoggedPersonas(log),
        log.assignment(),
    )
    sides: dict[str, _Returns] = {}
    for arm in arms:
        own = rows[rows.arm_id == arm.arm_id]
        place = np.searchsorted(agents, own.agent_id.to_numpy(np.int64))
        sides[arm.name] = _Returns(place, own.day.to_numpy(np.int64), len(agents), last_day)
    found: dict[str, list[RetentionPoint]] = {name: [] for name in sides}
    for day in map(int, days):  # one day at a time: of all of them there would be a table of users by days
        baseline: tuple[FloatArray, FloatArray] | None = None
        for name, side in sides.items():
            values = side.after(day)
            found[name].append(_point(day, *values, estimator, baseline))
            baseline = baseline or values
    return {name: tuple(points) for name, points in found.items()}


def retention_frame(log: LogReader) -> pd.DataFrame:
    """The same as a data frame, one row per arm and day."""
    import pandas as pd

    rows = [
        {
            "arm": arm,
            "day": point.day,
            "users": point.users,
            **_columns("back", point.back, point.difference),
            **_columns("rolling", point.rolling, point.rolling_difference),
        }
        for arm, curve in retention_by_arm(log).items()
        for point in curve
    ]
    return pd.DataFrame(rows)


def _columns(name: str, share: Share, difference: Difference | None) -> dict[str, float]:
    found = {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}
    if difference is None:
        found |= dict.fromkeys((f"{name}_difference", f"{name}_difference_low", f"{name}_difference_high"))
    else:
        found |= {
            f"{name}_difference": difference.difference,
            f"{name}_difference_low": difference.low,
            f"{name}_difference_high": difference.high,
        }
    return {key: np.nan if value is None else value for key, value in found.items()}


class _Returns:
    """The days on which each agent of one arm had a session.

    Args:
        place: Of the agent, one entry per agent and day with a session.
        day: Which day, same shape.
        agents: How many there are.
        last_day: Of the run.
    """

    def __init__(self, place: IntArray, day: IntArray, agents: int, last_day: int) -> None:
        self._place, self._last_day = place, last_day
        self._first = np.full(agents, last_day + 1)
        np.minimum.at(self._first, place, day)
        self._last = np.full(agents, -1)
        np.maximum.at(self._last, place, day)
        self._since = day - self._first[place]

    def after(self, days: int) -> tuple[FloatArray, FloatArray]:
        """Whether each agent was back so many days after the first session, and then or later, shape (n_agents,); NaN
        of agents of whom nobody can say."""
        wanted = self._first + days
        known = wanted <= self._last_day
        back = np.where(known, 0.0, np.nan)
        back[self._place[self._since == days]] = 1.0
        return back, np.where(known, self._last >= wanted, np.nan)


def _point(
    day: int,
    back: FloatArray,
    rolling: FloatArray,
    estimator: Estimator,
    baseline: tuple[FloatArray, FloatArray] | None,
) -> RetentionPoint:
    return RetentionPoint(
        day=day,
        users=int((~np.isnan(back)).sum()),
        back=_share(back),
        rolling=_share(rolling),
        difference=None if baseline is None else estimator.difference(back, baseline[0]),
        rolling_difference=None if baseline is None else estimator.difference(rolling, baseline[1]),
    )


def _share(values: FloatArray) -> Share:
    known = values[~np.isnan(values)]
    if not len(known):
        return Share(None, None, None)
    value, low, high = share_of_totals(known, np.ones(len(known)))
    return Share(value, min(low, value), max(high, value))  # but for the last digit, a share lies in its interval
