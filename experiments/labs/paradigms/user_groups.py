"""What arms are worth to groups of users, by activity, taste and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import Estimate, mean_interval, within_one
from groundlings.experiments.analysis.comparison.persona_columns import LoggedPersonas
from groundlings.experiments.analysis.comparison.segments import in_order, levels_of
from groundlings.experiments.analysis.comparison.split import split_difference
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.summary import mean_of
from groundlings.experiments.labs.paradigms.findings import GroupFigure
from groundlings.simulator.log.reader import LogReader

FEWEST = 10
"""Agents that a group needs to be shown; an interval of fewer says nothing."""

_TOO_FEW = f"fewer than {FEWEST} users of the most or the least active third have a value"


def group_means(
    of_users: Mapping[str, Mapping[str, FloatArray]], metrics: Mapping[str, Metric], log: LogReader
) -> list[GroupFigure]:
    """Mean of each figure in each group with enough agents who have a value.

    Args:
        of_users: Figure -> arm -> one value per agent, in the order of the log, NaN where there is none.
        metrics: Those of the figures that are metrics; the others are shares.
        log: The run's.
    """
    rows = []
    for attribute, of_agents in levels_of(LoggedPersonas(log).columns()).items():
        for level in in_order(of_agents.known):
            for figure, arms in of_users.items():
                metric = metrics.get(figure)
                for arm, values in arms.items():
                    own = values[of_agents.are(level)]
                    value = within_one(mean_interval(own)) if metric is None else mean_of(own, metric)
                    if value.n >= FEWEST:
                        rows.append(GroupFigure(arm, "users", attribute, level, figure, value))
    return rows


def activity_gap(values: Mapping[str, FloatArray], log: LogReader) -> Mapping[str, Estimate] | str:
    """Mean of the most active third of the run's users less that of the least active, by arm, or why there is none.

    Equal users stay together: a third holds everybody who has as many interactions as its last one.

    Args:
        values: Arm -> one value per agent.
        log: The run's.
    """
    lengths = LoggedPersonas(log).columns().history_length
    # As an order statistic, so that the ends are users' own numbers and each third has a third of them at least.
    ordered, third = np.sort(lengths), -(-len(lengths) // 3)
    if not third:
        return _TOO_FEW
    least, most = lengths <= ordered[third - 1], lengths >= ordered[-third]
    if (least & most).any():
        return "users do not differ in activity"
    found: dict[str, Estimate] = {}
    for arm, ours in values.items():
        gap = split_difference(ours[most], ours[least])
        parts = [int((~np.isnan(ours[of])).sum()) for of in (most, least)]
        if min(parts) < FEWEST:
            return _TOO_FEW
        found[arm] = Estimate(gap.difference, gap.standard_error, gap.low, gap.high, sum(parts), len(ours) - sum(parts))
    return found
