"""What each agent did in each arm, in totals: numerators and denominators of all metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.directions import as_planned, contradicted
from groundlings.experiments.analysis.metrics.values import MetricReader
from groundlings.simulator.log.parts import RESTORE
from groundlings.simulator.log.reader import TOTALS, LogReader

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TOTALS", "RunTotals", "Totals"]


class Totals:
    """`TOTALS` of every agent in one arm (and perhaps on one day), zero for agents who never came.

    Args:
        sessions: Rows as `LogReader.session_totals` gives them.
        agents: The log's numbers of the agents.
        own: Parts of metrics of one's own, by `Metric.totals`, shape (n_agents,) each.

    Attributes:
        columns: Name of a total -> shape (n_agents,), in the order of `agents` given.
    """

    def __init__(
        self, sessions: pd.DataFrame, agents: pd.Index[int], own: Mapping[str, FloatArray] | None = None
    ) -> None:
        summed = sessions.groupby("agent_id")[list(TOTALS)].sum().reindex(agents, fill_value=0.0)
        self.columns: dict[str, FloatArray] = {name: summed[name].to_numpy(np.float64) for name in TOTALS}
        self.columns |= own or {}

    def values(self, metric: Metric) -> FloatArray:
        """A metric of each agent, shape (n_agents,), NaN where the agent has none."""
        numerator, denominator = (self.columns[name] for name in metric.totals)
        nothing = np.full(len(numerator), np.nan)
        return np.divide(numerator, denominator, out=nothing, where=denominator > 0)


class RunTotals:
    """The totals of a run, arm by arm and day by day.

    Args:
        log: The run's.
        like_from: From this many stars on, a rating is a like.
        metrics: Whose parts are wanted.

    Attributes:
        metrics: As given, with the directions of the run's plan.
        contradicted: Those of them of which the plan calls better what the metric calls worse, by name.
        sessions: One row per session, as `LogReader.session_totals` gives them.
        agents: The log's numbers of the agents, in its order.
        n_days: Days with a session, from the first to the last.
        missing: Name of a metric that cannot be told -> why.

    Raises:
        RunDirectoryError: A session belongs to an agent or an arm that is not there: its figures would be left out.
    """

    def __init__(self, log: LogReader, like_from: float, metrics: Sequence[Metric]) -> None:
        import pandas as pd

        plan = log.run()["config"].get("plan")
        self.metrics, self.contradicted = as_planned(metrics, plan), contradicted(plan, metrics)
        self.sessions = log.session_totals(like_from)
        self.agents = pd.Index(log.agent_ids(), dtype="int64")
        for column, known in (("agent_id", self.agents), ("arm_id", [arm.arm_id for arm in log.logged_arms()])):
            for lost in np.setdiff1d(self.sessions[column].unique(), known)[:1]:
                raise RunDirectoryError(
                    f"{log}: the log is damaged: sessions.{column} holds {lost}, a number that no "
                    f"{column.removesuffix('_id')} has; {RESTORE}"
                )
        self.n_days = int(self.sessions.day.max()) + 1 if len(self.sessions) else 0
        reader = MetricReader(log)
        own = [metric for metric in self.metrics if not metric.shipped]
        self._own = {metric: reader.values(metric) for metric in own}
        self._own_by_day = {metric: reader.values_by_day(metric, self.n_days) for metric in own}
        self.missing = reader.missing
        self._of: dict[int, Totals] = {}
        self._by_day: dict[int, tuple[Totals, ...]] = {}

    @property
    def came(self) -> int:
        """Agents with a session in any arm."""
        return int(self.sessions.agent_id.nunique())

    def of(self, arm_id: int) -> Totals:
        """Of all days of one arm; the same ones each time."""
        if arm_id not in self._of:
            self._of[arm_id] = self._totals(self._sessions_in(arm_id), arm_id, self._own)
        return self._of[arm_id]

    def by_day(self, arm_id: int) -> tuple[Totals, ...]:
        """Of each day of one arm, the same ones each time; metrics whose SQL names no day have no value on any."""
        if arm_id not in self._by_day:
            only = self.n_days == 1 and not self._own
            self._by_day[arm_id] = (self.of(arm_id),) if only else tuple(self._each_day(arm_id))
        return self._by_day[arm_id]

    def _each_day(self, arm_id: int) -> Iterator[Totals]:
        rows = self._sessions_in(arm_id)
        for day in range(self.n_days):
            own = {metric: found.get(day) for metric, found in self._own_by_day.items()}
            yield self._totals(rows[rows.day == day], arm_id, own)

    def _sessions_in(self, arm_id: int) -> pd.DataFrame:
        return self.sessions[self.sessions.arm_id == arm_id]

    def _totals(self, rows: pd.DataFrame, arm_id: int, own: Mapping[Metric, pd.DataFrame | None]) -> Totals:
        columns: dict[str, FloatArray] = {}
        for metric, found in own.items():
            for key, part in zip(metric.totals, ("numerator", "denominator"), strict=True):
                if found is None:
                    columns[key] = np.zeros(len(self.agents))
                    continue
                here = found[found.arm_id == arm_id].set_index("agent_id")[part]
                columns[key] = here.reindex(self.agents, fill_value=0.0).to_numpy(np.float64)
        return Totals(rows, self.agents, columns)
