"""What each agent did in each arm, in totals: one grouped pass over the impressions.

Impressions are first summed by session, in the order they lie on disk or of their index, and only then joined
to arms and agents: 5 million impressions of 500,000 sessions take about five seconds on one slow core. Grouping
them by arm and agent at once takes twice as long, because the database has to sort every impression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sqlalchemy import text

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.metrics.definitions import Metric

if TYPE_CHECKING:
    from sqlalchemy import Engine

TOTALS = ("sessions", "pages", "satisfaction", "asked", "shown", "known", "clicks", "ratings", "likes", "stars")
"""Columns that are summed: `known` are the slots whose outcome is known, `asked` the sessions with a satisfaction."""

_SESSIONS = """
SELECT session_id, arm_id, agent_id, day, 1 AS sessions, pages, satisfaction, satisfaction IS NOT NULL AS asked
FROM sessions
"""

_IMPRESSIONS = """
SELECT session_id, count(*) AS shown, count(clicked) AS known, count(CASE WHEN clicked THEN 1 END) AS clicks,
       count(rating) AS ratings, count(CASE WHEN rating >= :like_from THEN 1 END) AS likes, sum(rating) AS stars
FROM impressions
GROUP BY session_id
"""


def session_totals(engine: Engine, like_from: float) -> pd.DataFrame:
    """One row a session: arm_id, agent_id, day and `TOTALS` as numbers."""
    sums = pd.read_sql_query(text(_IMPRESSIONS), engine, params={"like_from": like_from})
    # Joined here and not in SQL: SQLite would build an index over the sums first.
    frame = pd.read_sql_query(_SESSIONS, engine).merge(sums, on="session_id", how="left")
    frame[list(TOTALS)] = frame[list(TOTALS)].astype(np.float64).fillna(0.0)
    return frame


class Totals:
    """`TOTALS` of every agent in one arm (and perhaps on one day), zero for agents who never came.

    Attributes:
        columns: Name of a total -> shape (n_agents,), in the order of `agents` given.
    """

    def __init__(self, sessions: pd.DataFrame, agents: pd.Index[int]) -> None:
        summed = sessions.groupby("agent_id")[list(TOTALS)].sum().reindex(agents, fill_value=0.0)
        self.columns: dict[str, FloatArray] = {name: summed[name].to_numpy(np.float64) for name in TOTALS}

    def values(self, metric: Metric) -> FloatArray:
        """A metric of each agent, shape (n_agents,), NaN where the agent has none."""
        numerator, denominator = self.columns[metric.numerator], self.columns[metric.denominator]
        nothing = np.full(len(numerator), np.nan)
        return np.divide(numerator, denominator, out=nothing, where=denominator > 0)
