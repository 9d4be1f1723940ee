"""The differences of a run that declared a plan, so that a summary tells the same effect as the verdict does."""

from __future__ import annotations

from collections.abc import Mapping

from groundlings.experiments.analysis.compare import Difference
from groundlings.experiments.analysis.comparison.checks import competitors
from groundlings.experiments.analysis.comparison.outcomes import Outcomes, read_outcomes
from groundlings.experiments.analysis.comparison.primary_effect import headlines
from groundlings.experiments.analysis.metrics.totals import RunTotals
from groundlings.simulator.log.reader import LogReader


def planned_differences(
    log: LogReader, measured: RunTotals, outcomes: Outcomes | None = None
) -> Mapping[str, Mapping[str, Difference]]:
    """Arm -> metric -> difference to the first arm, as the plan says it; {} where none was declared.

    Outcomes are adjusted and winsorised as declared. The effect of a competitor on the primary metric is that of the
    verdict, whose interval holds over all arms and looks; every other interval is one of 95 % by itself.

    Args:
        log: The run's.
        measured: Its totals.
        outcomes: Its outcomes, where they were read before.
    """
    if not log.run()["config"].get("plan"):
        return {}
    outcomes = outcomes or read_outcomes(log, measured=measured)
    if outcomes.plan is None or outcomes.preference is not None:
        return {}
    base, primary = outcomes.baseline, outcomes.plan.primary
    rivals = competitors(outcomes) if primary in base.metrics else []
    effects = headlines((outcomes,), rivals, outcomes.plan, {arm.name: None for arm in rivals}).by_arm if rivals else {}
    return {
        arm.name: {
            name: effects[arm.name].effect
            if name == primary and arm.name in effects
            else outcomes.estimator.difference(arm.values(name), base.values(name))
            for name in arm.metrics
        }
        for arm in outcomes.arms[1:]
    }
