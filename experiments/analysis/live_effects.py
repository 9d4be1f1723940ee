"""Effects while a run goes on, with intervals that allow looking at any time.

An interval for one look at the end is too narrow for whoever looks every few seconds and stops when it excludes zero.
These are asymptotic confidence sequences (`comparison.sequential.sequence_reach`): all of them together, from the
first look to the last, cover the truth with 95 %. The users' own values change as days are added, so every day has
a sequence of its own, and the 5 % are shared out over the days that the run may have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from groundlings.experiments.analysis.comparison.sequential import sequence_reach
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.definitions import METRICS, OF_LIKES
from groundlings.experiments.analysis.metrics.registry import ALL_SHIPPED, BUILT_IN
from groundlings.simulator.log.reader import TOTALS, LogReader, ReadUpTo, Spent

ALPHA = 0.05
FEWEST = 20
"""Below this many users a standard deviation says little, and no interval is shown."""


@dataclass(frozen=True, slots=True)
class SoFar:
    """One arm until now.

    Attributes:
        arm: Its name.
        sessions: In the log.
        mean: Of the users' own values; None while there is none.
        difference: To the baseline, over users and days that both arms have; None for the baseline itself.
        low, high: Ends of its band; None with fewer than `FEWEST` users.
        users: So many are in the difference, or in the mean where there is no difference.
    """

    arm: str
    sessions: int
    mean: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    users: int = 0


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """What a log has told until now.

    Attributes:
        metric: What is measured; None where the metric that decides is no ratio of totals, and is known at the end.
        arms: The baseline first.
        spent: Calls, tokens and what could not be read.
        unknown: Impressions whose outcome is not known, and all.
    """

    metric: Metric | None
    arms: tuple[SoFar, ...]
    spent: Spent
    unknown: tuple[int, int]


class LiveEffects:
    """Reads a log again and again while it is written, every row once.

    Sums by arm, user and day are kept between looks: their number grows with the users, not with the impressions.

    Example:
        >>> effects = LiveEffects()
        >>> with LogReader(directory) as log:
        ...     figures = effects.look(log)
    """

    def __init__(self) -> None:
        self._read, self._spent = ReadUpTo(), Spent()
        self._sums = pd.DataFrame(columns=list(TOTALS), dtype=np.float64)
        self._known: tuple[Metric | None, dict[int, str], int, float] | None = None

    def look(self, log: LogReader) -> LiveFigures:
        """The figures with what was written since the last look.

        Args:
            log: The same run's as before.

        Raises:
            RunDirectoryError: The log cannot be read, or holds no run yet.
        """
        if self._known is None:
            run = log.run()
            names = {arm.arm_id: arm.name for arm in log.visited_arms() if not arm.sees_hidden_preference}
            days = int(run["config"].get("simulation", {}).get("days", 1))
            self._known = (_deciding(log, run["config"]), names, days, float(run["like_from"]))
        metric, names, days, like_from = self._known
        newer, self._read = log.newer_session_totals(like_from, self._read)
        if len(newer):
            added = newer.groupby(["arm_id", "agent_id", "day"])[list(TOTALS)].sum()
            self._sums = added if self._sums.empty else self._sums.add(added, fill_value=0.0)
        self._spent = log.spent_since(self._spent)
        arms = _so_far(self._sums, names, metric, ALPHA / max(days * (len(names) - 1), 1))
        shown, known = (int(self._sums[name].sum()) for name in ("shown", "known"))
        return LiveFigures(metric, arms, self._spent, (shown - known, shown))


def _deciding(log: LogReader, config: Mapping[str, Any]) -> Metric | None:
    """The metric of the plan, or the first one; None where it is summed up only when a run is done.

    No code that the file names is imported: the run may be a stranger's.
    """
    actions = log.action_names() or ("click",)
    shipped = [metric.name for metric in METRICS if not metric.lacking(actions)]
    named = config.get("metrics") or [ALL_SHIPPED]
    names = [name for each in named for name in (shipped if each == ALL_SHIPPED else [each])]
    plan = config.get("plan") or {}
    found = BUILT_IN.get(plan.get("primary") or names[0]) if names else None
    if found is None or not found.shipped or not set(found.totals) <= set(TOTALS):
        return None
    return OF_LIKES.get(found.name, found) if "like" in actions and "rate" not in actions else found


def _so_far(sums: pd.DataFrame, names: Mapping[int, str], metric: Metric | None, alpha: float) -> tuple[SoFar, ...]:
    if sums.empty:
        return tuple(SoFar(name, 0, None) for name in names.values())
    begun = set(sums.index.get_level_values("arm_id"))
    by_arm = {arm: sums.loc[[arm]].droplevel("arm_id") for arm in names if arm in begun}
    baseline = by_arm.get(next(iter(names)))
    found = []
    for place, (arm, name) in enumerate(names.items()):
        rows = by_arm.get(arm)
        if rows is None:
            found.append(SoFar(name, 0, None))
            continue
        sessions = int(rows["sessions"].sum())
        if metric is None:
            found.append(SoFar(name, sessions, None))
            continue
        own = _values(rows, metric)
        mean = float(own.mean()) if len(own) else None
        if place == 0 or baseline is None:
            found.append(SoFar(name, sessions, mean, users=len(own)))
            continue
        both = rows.index.intersection(baseline.index)
        gaps = _values(rows.loc[both], metric).sub(_values(baseline.loc[both], metric)).dropna().to_numpy(np.float64)
        found.append(SoFar(name, sessions, mean, *_band(gaps, alpha), users=len(gaps)))
    return tuple(found)


def _values(rows: pd.DataFrame, metric: Metric) -> pd.Series[float]:
    """One value per user, without those who have none."""
    numerator, denominator = metric.totals
    summed = rows.groupby(level="agent_id")[[numerator, denominator]].sum()
    return (summed[numerator] / summed[denominator].where(summed[denominator] > 0)).dropna()


def _band(gaps: Sequence[float] | np.ndarray, alpha: float) -> tuple[float | None, float | None, float | None]:
    """Mean of the users' differences and the ends of its confidence sequence."""
    if len(gaps) == 0:
        return None, None, None
    mean = float(np.mean(gaps))
    if len(gaps) < FEWEST:
        return mean, None, None
    reach = sequence_reach(len(gaps), alpha=alpha) * float(np.std(gaps, ddof=1)) / np.sqrt(len(gaps))
    return mean, mean - float(reach), mean + float(reach)
