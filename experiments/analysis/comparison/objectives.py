"""Several objectives at once: each effect, a weighted utility with its own interval, and the arms on the Pareto front.

The utility of an agent in an arm is the weighted sum of the agent's values, so that its interval knows how the metrics
depend on each other; adding up intervals of single metrics does not. With `utility: units` a weight is the
price of one unit of its metric. With `relative` it is the worth of a change by the whole mean of the first arm, and the
interval counts the error of that mean as well (delta method; Deng, Knoblich and Lu 2018).

An arm dominates another one where it is better on every objective. Means alone would call arms dominated that chance
has put there, so an arm is called *dominated* only where the intervals of the differences on all objectives say so, and
*on the front* only where against every other arm it is clearly better on one objective (Mattson and Messac 2005,
"Pareto frontier based concept selection under uncertainty"). Everything else *cannot be told*. All these intervals hold
together: Bonferroni over pairs of arms and objectives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
from scipy.special import stdtrit

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import Difference, student_p_value
from groundlings.experiments.analysis.comparison.estimators import Estimator
from groundlings.experiments.analysis.comparison.objective_effects import (
    ArmObjectives,
    Front,
    ObjectiveEffect,
    Objectives,
)
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes
from groundlings.experiments.analysis.comparison.primary_effect import sequential_reach
from groundlings.experiments.analysis.comparison.several_runs import (
    in_every_run,
    lift_over_runs,
    mean_over_runs,
    pooled,
)
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.summary import mean_of
from groundlings.experiments.config.decision_plan import PlanConfig
from groundlings.experiments.config.objectives import ObjectiveConfig


def weigh(runs: Sequence[Outcomes], plan: PlanConfig, arms: Sequence[ArmOutcomes]) -> Objectives | None:
    """What a plan's objectives say of the arms, over all runs; None where it has none.

    Args:
        runs: The run, and its variants.
        plan: What was declared.
        arms: The competitors.
    """
    outcomes = runs[0]
    if not plan.objectives:
        return None
    asked = plan.objectives
    if plan.primary not in {each.metric for each in asked}:
        asked = (ObjectiveConfig(metric=plan.primary, role="primary"), *asked)
    signs = signs_of(plan, outcomes.baseline.metrics)
    everybody = (outcomes.baseline, *arms)
    weighed = tuple(each.metric for each in asked if each.role != "guardrail")
    tests = max(len(everybody) * (len(everybody) - 1) // 2 * len(weighed), 1)
    confidence = 1 - plan.alpha / tests
    fronts = _fronts(runs, [arm.name for arm in everybody], weighed, signs, confidence)
    return Objectives(
        arms=tuple(
            ArmObjectives(
                arm.name,
                tuple(_effect(each.metric, arm.name, runs, plan) for each in asked),
                None if arm is outcomes.baseline else utility_effect(arm.name, runs, plan, len(arms)),
                *fronts[arm.name],
            )
            for arm in everybody
        ),
        roles={each.metric: each.role for each in asked},
        weights={each.metric: each.weight for each in asked},
        signs={each.metric: signs[each.metric] for each in asked},
        unit=plan.utility,
        confidence=confidence,
        weighed=weighed,
    )


def signs_of(plan: PlanConfig, metrics: Mapping[str, Metric]) -> dict[str, int]:
    """Metric -> 1 where more of it is better, or neither is, and -1 where less is: as the plan says, or as declared."""
    signs = {name: -1 if metric.higher_is_better is False else 1 for name, metric in metrics.items()}
    told = {each.metric: 1 if each.direction == "up" else -1 for each in plan.objectives or () if each.direction}
    return {**signs, **told}


def utility_effect(arm: str, runs: Sequence[Outcomes], plan: PlanConfig, n_arms: int) -> Difference | None:
    """How much higher the weighted utility is in an arm than in the first one; None where nothing has a weight.

    Agents without a value of every weighted metric in both arms are left out and counted.

    Args:
        arm: Which.
        runs: The run, and its variants.
        plan: With the weights.
        n_arms: How many arms compete: their intervals hold together (Bonferroni).
    """
    weighed = [each for each in plan.objectives or () if each.weight]
    if not weighed:
        return None
    signs = signs_of(plan, runs[0].baseline.metrics)
    gaps = in_every_run(partial(_utility, weighed=weighed, signs=signs, plan=plan, n_arms=n_arms), runs, arm)
    critical = _critical(gaps[0], plan, runs[0], n_arms)
    return _judged(pooled(gaps, plan.alpha / n_arms, critical), critical, plan, n_arms)


def _utility(
    how: Estimator,
    arm: ArmOutcomes,
    base: ArmOutcomes,
    *,
    weighed: Sequence[ObjectiveConfig],
    signs: Mapping[str, int],
    plan: PlanConfig,
    n_arms: int,
) -> Difference:
    """The effect on the utility in one run."""
    ours, theirs = _complete(
        [arm.values(each.metric) for each in weighed], [base.values(each.metric) for each in weighed]
    )
    worth = np.array([signs[each.metric] * (each.weight or 0.0) for each in weighed])
    gain = 0.0
    mine, first = worth, worth
    if plan.utility == "relative":
        means = np.array([_mean(each) for each in theirs])
        if np.isnan(means).any() or (means == 0).any():
            return Difference(None, None, None, None, None, 0, len(ours[0]))
        change = np.array([_mean(each) for each in ours]) / means
        # To first order an agent adds (arm - change * first arm) / mean to a relative change; their mean is zero.
        mine, first = worth / np.abs(means), worth * change / np.abs(means)
        gain = float((worth * (change - 1) * np.sign(means)).sum())
    found = how.difference(_weighted(ours, mine), _weighted(theirs, first), 1 - plan.alpha / n_arms)
    if found.difference is not None:  # of a relative change no more than what is known beforehand adjusts
        found = replace(found, difference=gain + found.difference)
    return found


def _critical(found: Difference, plan: PlanConfig, outcomes: Outcomes, n_arms: int) -> float:
    """Half the width of a utility's interval in standard errors; where looks were planned, the primary metric's."""
    planned = sequential_reach(plan, outcomes.run["agents"], found.n, n_arms)
    return planned or float(stdtrit(max(found.n - 1, 1), 1 - plan.alpha / n_arms / 2))


def _judged(found: Difference, critical: float, plan: PlanConfig, n_arms: int) -> Difference:
    """The interval and p value of a utility."""
    if found.difference is None or found.standard_error is None or found.low is None:
        return found
    reach, p_value = critical * found.standard_error, None
    if plan.stopping == "fixed":
        alone = student_p_value(found.difference, found.standard_error, max(found.n - 1, 1))
        p_value = None if alone is None else min(1.0, n_arms * alone)
    return replace(found, low=found.difference - reach, high=found.difference + reach, p_value=p_value)


def _effect(name: str, arm: str, runs: Sequence[Outcomes], plan: PlanConfig) -> ObjectiveEffect:
    mean = mean_over_runs(
        [mean_of(each.counted(name), each.metrics[name]) for run in runs for each in run.arms if each.name == arm]
    )
    if arm == runs[0].baseline.name:
        return ObjectiveEffect(name, mean, None, None)
    gap = partial(_signed_gap, name=name, sign=1, confidence=1 - plan.alpha)
    effect = pooled(in_every_run(gap, runs, arm), plan.alpha)
    return ObjectiveEffect(name, mean, effect, lift_over_runs(runs, arm, name))


def _signed_gap(
    how: Estimator, arm: ArmOutcomes, other: ArmOutcomes, *, name: str, sign: int, confidence: float
) -> Difference:
    return how.difference(sign * arm.values(name), sign * other.values(name), confidence)


def _fronts(
    runs: Sequence[Outcomes], arms: Sequence[str], weighed: Sequence[str], signs: Mapping[str, int], confidence: float
) -> dict[str, tuple[Front, tuple[str, ...], bool]]:
    """Arm -> how it stands, who dominates it, and whether its means are on the front."""
    gaps: dict[tuple[str, str], list[Difference]] = {}
    for one, other in combinations(arms, 2):
        for name in weighed:
            gap = partial(_signed_gap, name=name, sign=signs[name], confidence=confidence)
            over_all = pooled(in_every_run(gap, runs, one, other), 1 - confidence)
            gaps.setdefault((one, other), []).append(over_all)
            gaps.setdefault((other, one), []).append(turned(over_all))
    found: dict[str, tuple[Front, tuple[str, ...], bool]] = {}
    for arm in arms:
        rivals = [other for other in arms if other != arm]
        by = tuple(other for other in rivals if _dominates(gaps[other, arm]))
        ahead = all(any((gap.low or 0.0) > 0 for gap in gaps[arm, other]) for other in rivals)
        best = not any(_better_means(gaps[other, arm]) for other in rivals)
        found[arm] = ("dominated" if by else "on the front" if ahead else "cannot be told", by, best)
    return found


def _dominates(gaps: Sequence[Difference]) -> bool:
    """Whether an arm is surely no worse on any objective and surely better on one."""
    if any(gap.low is None for gap in gaps):
        return False
    lows = [gap.low or 0.0 for gap in gaps]
    return min(lows) >= 0 and max(lows) > 0


def _better_means(gaps: Sequence[Difference]) -> bool:
    found = [gap.difference for gap in gaps]
    return all(gap is not None and gap >= 0 for gap in found) and any(gap for gap in found)


def turned(gap: Difference) -> Difference:
    """The same difference seen from the other arm."""

    def less(value: float | None) -> float | None:
        return None if value is None else 0.0 - value

    return replace(gap, difference=less(gap.difference), low=less(gap.high), high=less(gap.low))


def _complete(ours: Sequence[FloatArray], theirs: Sequence[FloatArray]) -> tuple[list[FloatArray], list[FloatArray]]:
    """The values of agents who have all metrics of an arm; NaN for the others."""
    sides = []
    for values in (ours, theirs):
        known = ~np.isnan(np.array(values)).any(axis=0)
        sides.append([np.where(known, each, np.nan) for each in values])
    both = ~np.isnan(sides[0][0]) & ~np.isnan(sides[1][0])
    if both.any():  # the same agents in both arms; in a split design nobody is
        sides = [[np.where(both, each, np.nan) for each in side] for side in sides]
    return sides[0], sides[1]


def _weighted(values: Sequence[FloatArray], weights: FloatArray) -> FloatArray:
    return np.asarray(sum(weight * each for weight, each in zip(weights, values, strict=True)), dtype=np.float64)


def _mean(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
