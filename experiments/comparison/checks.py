"""The checks that an experiment has to pass before its effects are looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.compare import Difference, paired_difference
from experiments.comparison.findings import Headline
from experiments.comparison.integrity import ALARM, attrition_p_value, sample_ratio_p_value
from experiments.comparison.outcomes import ArmOutcomes, Outcomes
from experiments.comparison.verdict import Check
from experiments.config import PlanConfig
from experiments.metrics.definitions import METRICS


def check_run(outcomes: Outcomes, alpha: float) -> tuple[Check, ...]:
    """Checks that concern all arms."""
    return (_finished(outcomes), _assigned(outcomes), _completed(outcomes), _control(outcomes), _twins(outcomes, alpha))


def check_arm(arm: ArmOutcomes, baseline: ArmOutcomes, plan: PlanConfig, headline: Headline) -> tuple[Check, ...]:
    """Checks of one arm against the baseline.

    Args:
        arm, baseline: Their outcomes.
        plan: What was declared, or stands in for it.
        headline: The effect on the primary metric.
    """
    return (
        _attrition(arm, baseline),
        _left_out(arm, baseline, plan.primary, headline.effect, headline.pooled),
        _resampled(arm, headline),
    )


def competitors(outcomes: Outcomes) -> list[ArmOutcomes]:
    """Arms that an effect is claimed for: no bounds, and no second copy of the baseline."""
    base = outcomes.baseline
    return [arm for arm in outcomes.arms[1:] if not arm.bound and arm.policy != base.policy]


def _finished(outcomes: Outcomes) -> Check:
    status = outcomes.run["status"]
    return Check("the run is finished", "passed" if status == "done" else "failed", f"status {status}")


def _assigned(outcomes: Outcomes) -> Check:
    counts = [int((arm.totals.columns["sessions"] > 0).sum()) for arm in outcomes.arms]
    return _ratio("as many agents assigned to each arm", counts)


def _completed(outcomes: Outcomes) -> Check:
    counts = [int((arm.completed & (arm.totals.columns["sessions"] > 0)).sum()) for arm in outcomes.arms]
    return _ratio("as many agents completed each arm", counts)


def _ratio(name: str, counts: Sequence[int]) -> Check:
    if len(counts) < 2 or not sum(counts):
        return Check(name, "not run", "fewer than two arms with agents")
    p_value = sample_ratio_p_value(counts)
    listed = "all " + f"{counts[0]:,}" if len(set(counts)) == 1 else ", ".join(f"{count:,}" for count in counts)
    return Check(name, "passed" if p_value >= ALARM else "failed", f"{listed} (chi-square p {p_value:.2g})")


def _control(outcomes: Outcomes) -> Check:
    """A negative control: whether people come is drawn before any arm shows them anything."""
    name = "negative control: the number of visits, which no arm can change"
    base = outcomes.baseline.totals.columns["sessions"]
    wrong = [arm.name for arm in outcomes.arms[1:] if not np.array_equal(arm.totals.columns["sessions"], base)]
    if len(outcomes.arms) < 2:
        return Check(name, "not run", "there is one arm only")
    return Check(
        name, "failed" if wrong else "passed", f"differs in {', '.join(wrong)}" if wrong else "equal, agent by agent"
    )


def _twins(outcomes: Outcomes, alpha: float) -> Check:
    """A/A: two arms of one policy have to agree, exactly where nothing but the arm's name differs."""
    name = "A/A: two arms of the same recommender agree"
    pairs = [
        (first, second)
        for place, first in enumerate(outcomes.arms)
        for second in outcomes.arms[place + 1 :]
        if first.policy == second.policy
    ]
    if not pairs:
        return Check(name, "not run", "no two arms have the same recommender and options; add one to the file")
    tests = [
        paired_difference(second.values(metric.name), first.values(metric.name)).p_value or 0.0
        for first, second in pairs
        for metric in METRICS
        if not np.isnan(first.values(metric.name)).all()
    ]
    if all(p_value == 1.0 for p_value in tests):
        return Check(name, "passed", f"{pairs[0][1].name} and {pairs[0][0].name} differ by exactly nothing")
    exact = outcomes.run["mind"].get("kind") != "language"
    lowest = min(tests) * len(tests)
    fine = not exact and lowest >= alpha
    return Check(
        name,
        "passed" if fine else "failed",
        f"lowest p of {len(tests)} metrics and pairs, corrected: {min(lowest, 1):.2g}",
    )


def _attrition(arm: ArmOutcomes, baseline: ArmOutcomes) -> Check:
    came = (arm.totals.columns["sessions"] > 0) & (baseline.totals.columns["sessions"] > 0)
    p_value = attrition_p_value(arm.completed[came], baseline.completed[came])
    lost = int((~arm.completed[came]).sum()), int((~baseline.completed[came]).sum())
    name = f"attrition: as many agents lost in {arm.name} as in {baseline.name}"
    return Check(
        name, "passed" if p_value >= ALARM else "failed", f"{lost[0]:,} and {lost[1]:,} lost (McNemar p {p_value:.2g})"
    )


def _left_out(
    arm: ArmOutcomes, baseline: ArmOutcomes, primary: str, headline: Difference, pooled: Difference | None
) -> Check:
    """Whether the sign survives when nobody is left out: totals pooled, and the missing counted as zero."""
    name = f"nobody's absence decides: {arm.name}"
    if headline.difference is None:
        return Check(name, "not run", "there is no effect to check", spoils=False)
    zeros = paired_difference(np.nan_to_num(arm.values(primary)), np.nan_to_num(baseline.values(primary)))
    others = [zeros.difference] + ([pooled.difference] if pooled is not None else [])
    kept = all(other is not None and other * headline.difference >= 0 for other in others)
    said = f"{headline.excluded:,} agents have no value; counting them as zero gives {zeros.difference:+.4g}"
    if pooled is not None and pooled.difference is not None:
        said += f", totals of all agents {pooled.difference:+.4g}"
    # A sign that turns in noise says nothing about who is missing.
    return Check(name, "passed" if kept or not headline.excludes_zero else "failed", said, spoils=False)


def _resampled(arm: ArmOutcomes, headline: Headline) -> Check:
    """Student's interval leans on many agents; the bootstrap leans on them less."""
    name = f"the bootstrap agrees: {arm.name}"
    low, high = headline.bootstrap_low, headline.bootstrap_high
    if low is None or high is None:
        return Check(name, "not run", "too few agents to resample", spoils=False)
    agrees = not headline.clear or not low <= 0 <= high
    return Check(name, "passed" if agrees else "failed", f"BCa interval [{low:+.4g}, {high:+.4g}]", spoils=False)
