"""What each agent did in each arm, in totals: the sums of its sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.metrics.definitions import Metric
from groundlings.simulator.log.reader import TOTALS

__all__ = ["TOTALS", "Totals"]


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
