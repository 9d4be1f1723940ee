"""What ties carry from arm to arm, where a split design puts agents with ties into different arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from groundlings.experiments.analysis.comparison.outcomes import Outcomes
from groundlings.experiments.analysis.comparison.verdict import Check
from groundlings.experiments.config.designs import SplitDesign
from groundlings.experiments.labs.interference.estimates import Estimates, estimate
from groundlings.experiments.labs.resampling import Resamples
from groundlings.simulator.assignment import in_percent

_TIMES, _SEED = 1000, 0


@dataclass(frozen=True, slots=True)
class Spillover:
    """What ties carry from arm to arm, on the primary metric.

    Attributes:
        by: What was assigned to arms.
        across: Share of the ties that join agents of different arms.
        clusters: How many clusters there are.
        arms: Name of each arm but the baseline -> its effect, that of its share of an agent's ties, and their sum;
            intervals are over clusters.
    """

    by: Literal["agents", "clusters"]
    across: float
    clusters: int
    arms: Mapping[str, Estimates]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def spillover(outcomes: Outcomes, metric: str) -> Spillover | None:
    """What ties carry from arm to arm; None where ties join no agents of different arms, or there are none.

    Args:
        outcomes: Of the run.
        metric: The primary metric.
    """
    assignment, design = outcomes.assignment, outcomes.design
    if assignment is None or not isinstance(design, SplitDesign) or not assignment.across > 0:
        return None
    homes, number = assignment.homes, int(assignment.clusters.max()) + 1
    values = np.column_stack([arm.values(metric) for arm in outcomes.arms])
    outcome = np.take_along_axis(values, homes[:, None], axis=1)[:, 0]
    known = ~np.isnan(outcome)
    resamples = Resamples.draw(number, _TIMES, np.random.default_rng(_SEED))
    shares, clusters = assignment.shares[known, 1:], assignment.clusters[known]
    found = estimate(outcome[known], homes[known], shares, clusters, resamples)
    names = [arm.name for arm in outcomes.arms[1:]]
    return Spillover(design.by, assignment.across, number, dict(zip(names, found, strict=True)))


def ties_check(outcomes: Outcomes) -> tuple[Check, ...]:
    """Whether ties join agents of one arm, asked where they may do otherwise.

    Ties across arms spoil every effect of a split by agents. Clusters keep most of an effect, and what is left is
    estimated, so there they only keep it from being validated.
    """
    assignment, design = outcomes.assignment, outcomes.design
    if assignment is None or not isinstance(design, SplitDesign) or np.isnan(assignment.across):
        return ()
    said = f"{in_percent(assignment.across)} of them join agents of different arms"
    said += ", who hear of each other's lists" if assignment.across else ""
    status: Literal["passed", "failed"] = "failed" if assignment.across else "passed"
    return (Check("ties join agents of one arm", status, said, spoils=design.by == "agents"),)
