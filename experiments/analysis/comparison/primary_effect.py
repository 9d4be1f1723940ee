"""The effect on the primary metric, with the interval that the verdict rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import Difference, Estimate, mean_interval
from groundlings.experiments.analysis.comparison.effects import Headline, Logged, Variants
from groundlings.experiments.analysis.comparison.estimators import Estimator, Paired, Split
from groundlings.experiments.analysis.comparison.multiplicity import benjamini_hochberg
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes
from groundlings.experiments.analysis.comparison.power import beyond_interval
from groundlings.experiments.analysis.comparison.sequential import TUNED_FOR, boundaries, sequence_reach
from groundlings.experiments.analysis.comparison.several_runs import in_every_run, pooled, runs_decide
from groundlings.experiments.config.decision_plan import PlanConfig

_ROUNDING = 1e-12
"""Of a figure: a standard error below it comes from adding up, not from agents that differ."""

STUDENT = {Paired: "Student's t", Split: "Welch's t"}
"""Name of the test behind one difference."""


@dataclass(frozen=True, slots=True)
class Headlines:
    """The headline of each arm, by its name.

    Attributes:
        by_arm: Of all runs together.
        alone: Of the first run.
    """

    by_arm: Mapping[str, Headline]
    alone: Mapping[str, Headline]


@dataclass(frozen=True, slots=True)
class _Rule:
    """How wide an interval must be.

    Attributes:
        words: What it is.
        critical: Half its width in standard errors; None = Student's.
        adjusted: Arm name -> corrected p value, where there is one.
    """

    words: str
    critical: float | None
    adjusted: Mapping[str, float]


def headlines(
    runs: Sequence[Outcomes], arms: Sequence[ArmOutcomes], plan: PlanConfig, variants: Mapping[str, Variants | None]
) -> Headlines:
    """One headline an arm.

    Args:
        runs: The run, and its variants.
        arms: The competitors.
        plan: What was declared, or stands in for it.
        variants: Effects in all runs, by arm name; None of one run.
    """
    outcomes = runs[0]
    base, estimator = outcomes.baseline.values(plan.primary), outcomes.estimator
    gaps = {arm.name: estimator.difference(arm.values(plan.primary), base, 1 - plan.alpha) for arm in arms}
    student = f"{STUDENT[type(estimator)]}, {estimator.words}"
    rule = _Rule(student, None, {name: gap.p_value for name, gap in gaps.items() if gap.p_value is not None})
    joint = estimator.together([arm.values(plan.primary) for arm in arms], base, plan.alpha) if len(arms) > 1 else None
    if joint is not None:
        names = [arm.name for arm in arms]
        adjusted = {
            name: float(p_value) for name, p_value in zip(names, joint.p_values, strict=True) if not np.isnan(p_value)
        }
        rule = _Rule(f"max-T over {len(arms)} arms, {estimator.words}", joint.critical, adjusted)
    if outcomes.plan is None:
        rule = _Rule(
            f"{student}, p by Benjamini-Hochberg over all metrics and arms", None, _exploring(runs, arms, plan)
        )
    elif plan.stopping != "fixed":
        rule = _sequential(plan, outcomes.run["agents"], min((gap.n for gap in gaps.values()), default=0), len(arms))
    alone = {arm.name: _headline(arm, outcomes, plan, gaps[arm.name], rule) for arm in arms}
    together = {}
    for name, headline in alone.items():
        found = variants[name]
        together[name] = headline if found is None else _over_variants(name, headline, found, plan, rule, runs)
    return Headlines(together, alone)


def sequential_reach(plan: PlanConfig, people: int, n: int, arms: int) -> float | None:
    """Half the width, in standard errors, of an interval that stays right over the looks planned; None for one look.

    Bonferroni over the arms: the boundaries know of one arm only.

    Args:
        plan: What was declared.
        people: Agents of the run.
        n: Agents that an effect rests on.
        arms: How many compete.
    """
    if plan.stopping == "fixed":
        return None
    alpha = plan.alpha / max(arms, 1)
    if plan.stopping == "confidence_sequence":
        return sequence_reach(max(n, 2), TUNED_FOR, alpha)
    return boundaries(plan.looks, alpha)[_look(plan, people)]


def _look(plan: PlanConfig, people: int) -> int:
    return int(np.searchsorted(plan.looks, people)) if people <= plan.looks[-1] else len(plan.looks) - 1


def _sequential(plan: PlanConfig, people: int, n: int, arms: int) -> _Rule:
    reach = sequential_reach(plan, people, n, arms)
    if plan.stopping == "confidence_sequence":
        return _Rule("asymptotic confidence sequence", reach, {})
    return _Rule(f"group-sequential, look {_look(plan, people) + 1} of {len(plan.looks)}", reach, {})


def _exploring(runs: Sequence[Outcomes], arms: Sequence[ArmOutcomes], plan: PlanConfig) -> dict[str, float]:
    def p_value(arm: str, metric: str) -> float | None:
        gaps = in_every_run(lambda how, ours, base: how.difference(ours.values(metric), base.values(metric)), runs, arm)
        return pooled(gaps, plan.alpha).p_value

    tests = {(arm.name, metric.name): p_value(arm.name, metric.name) for arm in arms for metric in runs[0].metrics}
    known = {key: p_value for key, p_value in tests.items() if p_value is not None}
    adjusted = dict(zip(known, benjamini_hochberg(list(known.values())), strict=True))
    return {arm: float(p_value) for (arm, metric), p_value in adjusted.items() if metric == plan.primary}


def _headline(
    arm: ArmOutcomes,
    outcomes: Outcomes,
    plan: PlanConfig,
    gap: Difference,
    rule: _Rule,
) -> Headline:
    base, declared, estimator = outcomes.baseline, outcomes.plan, outcomes.estimator
    ours, theirs = arm.values(plan.primary), base.values(plan.primary)
    critical = _critical(rule, plan, gap)
    effect = _gap_as_wide(gap, critical)
    clear = effect.excludes_zero
    unvaried = is_unvaried(effect, ours, theirs)
    if declared is None and not unvaried:
        clear = clear and rule.adjusted.get(arm.name, 1.0) < plan.alpha
    low, high = estimator.bootstrap(ours, theirs)
    return Headline(
        effect=effect,
        interval=rule.words,
        adjusted_p=rule.adjusted.get(arm.name),
        clear=clear,
        lift=_as_wide(estimator.lift(ours, theirs), critical),
        bootstrap_low=low,
        bootstrap_high=high,
        detectable=_detectable(critical, gap, plan),
        smallest=None if declared is None else declared.smallest_effect * abs(mean_interval(theirs).mean or 0.0),
        pooled=_pooled(arm, base, plan.primary, estimator),
        identical=arm.identical,
        unvaried=unvaried,
        logged=_logged(arm, base, plan, estimator, critical),
    )


def _logged(
    arm: ArmOutcomes, base: ArmOutcomes, plan: PlanConfig, estimator: Estimator, critical: float
) -> Logged | None:
    """The effect as it was logged, where the plan takes something out of it or caps it."""
    if not plan.take_out_luck and plan.primary not in (plan.winsorise or {}):
        return None
    ours, theirs = (side.totals.values(side.metrics[plan.primary]) for side in (arm, base))
    return Logged(
        mean=mean_interval(ours).mean,
        baseline=mean_interval(theirs).mean,
        effect=_gap_as_wide(estimator.difference(ours, theirs), critical),
        lift=_as_wide(estimator.lift(ours, theirs), critical),
    )


def is_unvaried(effect: Difference, *sides: FloatArray) -> bool:
    """Whether the standard error of a difference between two arms' values, in one run or several, is rounding alone."""
    if effect.standard_error is None:
        return False
    scale = max(float(np.nanmax(np.abs(side), initial=0.0)) for side in sides)
    return effect.standard_error <= _ROUNDING * scale


def _gap_as_wide(gap: Difference, critical: float) -> Difference:
    """The difference with an interval of so many standard errors to either side."""
    if gap.difference is None or gap.standard_error is None or gap.low is None:
        return gap
    reach = critical * gap.standard_error
    return replace(gap, low=gap.difference - reach, high=gap.difference + reach)


def _as_wide(lift: Estimate, critical: float) -> Estimate:
    """The lift with an interval of as many standard errors as the effect has: over all arms and looks together."""
    if lift.mean is None or lift.standard_error is None or lift.low is None:
        return lift
    reach = critical * lift.standard_error
    return replace(lift, low=lift.mean - reach, high=lift.mean + reach)


def _critical(rule: _Rule, plan: PlanConfig, gap: Difference) -> float:
    if rule.critical is not None:
        return rule.critical
    return float(stdtrit(max(gap.n - 1, 1), 1 - plan.alpha / 2))


def _over_variants(
    name: str, alone: Headline, found: Variants, plan: PlanConfig, rule: _Rule, every: Sequence[Outcomes]
) -> Headline:
    """The headline of an arm in all runs from that in the first one."""
    critical, declared = _critical(rule, plan, alone.effect), every[0].plan is not None
    own = [arm for run in every for arm in run.arms if arm.name == name]
    sides = [arm.values(plan.primary) for arm in (*own, *(run.baseline for run in every))]
    effect, lift = (pooled(gaps, plan.alpha, critical) for gaps in (found.differences, found.lifts))
    runs = len(found.effects)
    words = f"as wide as in one of {runs} runs: {alone.interval}"
    if runs_decide(found.differences, plan.alpha, critical):
        words = f"Student's t over {runs} runs"
    adjusted = None if declared else alone.adjusted_p
    return replace(
        alone,
        effect=effect,
        interval=words,
        adjusted_p=adjusted,
        clear=effect.excludes_zero and (declared or (1.0 if adjusted is None else adjusted) < plan.alpha),
        lift=Estimate(lift.difference, lift.standard_error, lift.low, lift.high, lift.n, lift.excluded),
        detectable=_detectable(critical, effect, plan),
        pooled=None,
        identical=all(arm.identical for arm in own),
        unvaried=is_unvaried(effect, *sides),
    )


def _detectable(critical: float, gap: Difference, plan: PlanConfig) -> float | None:
    if gap.standard_error is None:
        return None
    return beyond_interval(critical, gap.standard_error, gap.n, plan.power)


def _pooled(arm: ArmOutcomes, base: ArmOutcomes, metric: str, estimator: Estimator) -> Difference | None:
    found = estimator.ratio(arm.parts(metric), base.parts(metric))
    return None if found.difference is None else found
