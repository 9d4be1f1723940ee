"""The figures of a run as its verdict sees them, so that tables and verdict have one figure for one thing."""

from __future__ import annotations

from dataclasses import replace

from groundlings.experiments.analysis.compare import Difference, mean_interval
from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes
from groundlings.experiments.analysis.metrics import ArmSummary, Summary


def as_judged(summary: Summary, outcomes: Outcomes, comparison: Comparison) -> Summary:
    """A summary whose means and differences are those of the verdict.

    Where a plan takes luck out or winsorises, means are of the values that it makes; and the difference of the primary
    metric has the interval that the verdict rests on. Days, counts and everything else stay. `summary.json` keeps what
    was logged, without any of this.

    Args:
        summary: As `metrics.summarise` makes it.
        outcomes: Of the same run.
        comparison: Of the same run.
    """
    if comparison.preference is not None:
        return summary  # the two drafted arms have no outcome of their own
    sides = {arm.name: arm for arm in outcomes.arms}
    if set(sides) != {arm.name for arm in summary.arms}:
        return summary
    headlines = {arm.name: arm.headline.effect for arm in comparison.arms}
    changed = any(arm.control_variates is not None or arm.caps for arm in outcomes.arms)
    return replace(
        summary,
        arms=tuple(
            _arm(arm, sides[arm.name], outcomes, headlines.get(arm.name), comparison.plan.primary, changed=changed)
            for arm in summary.arms
        ),
    )


def _arm(
    arm: ArmSummary,
    side: ArmOutcomes,
    outcomes: Outcomes,
    headline: Difference | None,
    primary: str,
    *,
    changed: bool,
) -> ArmSummary:
    metrics, differences = dict(arm.metrics), dict(arm.differences)
    if changed:
        base = outcomes.baseline
        metrics = {name: mean_interval(side.values(name)) for name in metrics}
        differences = {
            name: outcomes.estimator.difference(side.values(name), base.values(name)) for name in differences
        }
    if headline is not None and primary in differences:
        differences[primary] = headline
    return replace(arm, metrics=metrics, differences=differences)
