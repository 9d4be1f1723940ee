"""Who is the best? Every competitor against every other one on the primary metric, and how often each comes first.

The verdict compares each arm with the baseline. Two arms that both beat it need a comparison of their own: that is
paired over agents where these were in both, and its interval holds together with those of all other pairs (the
baseline's included), at the plan's alpha and over its looks. How often an arm comes first is counted in resamples of
the agents: it measures the noise of the simulation, as every interval here does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy.special import stdtrit

from groundlings.experiments.analysis.compare import Difference, mean_interval
from groundlings.experiments.analysis.comparison.joint_means import JointMeans, critical_of_all_pairs, places
from groundlings.experiments.analysis.comparison.objectives import signs_of
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes
from groundlings.experiments.analysis.comparison.primary_effect import sequential_reach
from groundlings.experiments.analysis.comparison.several_runs import mean_over_runs, pooled
from groundlings.experiments.analysis.comparison.standings import Pair, Standing
from groundlings.experiments.config.decision_plan import PlanConfig

_MIDDLE = (0.025, 0.975)


def standing(
    outcomes: Outcomes, plan: PlanConfig, arms: Sequence[ArmOutcomes], others: Sequence[Outcomes] = ()
) -> Standing:
    """How arms stand to each other.

    Args:
        outcomes: The run.
        plan: What was declared, or stands in for it.
        arms: The competitors.
        others: Variants and replicates of the run: means and pairs are of all of them together, and there is no chance
            to be best, because resampled agents know nothing of what differs between runs.
    """
    runs = (outcomes, *others)
    sides = [_by_name(run) for run in runs]
    means = {
        arm.name: mean_over_runs([mean_interval(side[arm.name].counted(plan.primary)) for side in sides])
        for arm in outcomes.arms
        if all(arm.name in side for side in sides)
    }
    known = [arm for arm in arms if (means[arm.name].n or 0) > 1]
    names = [arm.name for arm in known]
    if outcomes.baseline.name in means and means[outcomes.baseline.name].n > 1:
        names.insert(0, outcomes.baseline.name)
    joint = _joint(outcomes, plan, names)
    pairs = _pairs(runs, plan, [arm.name for arm in known], joint)
    if len(names) < 2 or joint is None or others:
        return Standing(means, pairs)
    sign = signs_of(plan, outcomes.baseline.metrics)[plan.primary]
    means_drawn = sign * joint.resamples
    tie = 1e-9 * max(float(np.ptp(means_drawn)), 1e-300)
    ranked = places(means_drawn, means_drawn, tie)
    first = ranked == 1
    chances = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    ranks = np.quantile(ranked, _MIDDLE, axis=0, method="inverted_cdf").astype(np.int64)
    return Standing(
        means=means,
        pairs=pairs,
        chances=dict(zip(names, map(float, chances), strict=True)),
        ranks={name: (int(ranks[0, place]), int(ranks[1, place])) for place, name in enumerate(names)},
        agents=joint.agents,
    )


def _joint(run: Outcomes, plan: PlanConfig, names: Sequence[str]) -> JointMeans | None:
    sides = _by_name(run)
    return run.estimator.means([sides[name].values(plan.primary) for name in names]) if names else None


def _by_name(run: Outcomes) -> Mapping[str, ArmOutcomes]:
    return {arm.name: arm for arm in run.arms}


def _pairs(
    runs: Sequence[Outcomes], plan: PlanConfig, names: Sequence[str], joint: JointMeans | None
) -> tuple[Pair, ...]:
    found = []
    couples = list(combinations(names, 2))
    joint_reach = None if joint is None else critical_of_all_pairs(joint, plan.alpha)
    tests = len(couples) + len(names)  # those with the baseline are the verdict's, and hold together with these
    for first, second in couples:
        gaps = [_gap(run, plan, first, second) for run in runs]
        gap = gaps[0]
        if gap.difference is None or gap.standard_error is None:
            found.append(Pair(first, second, gap))
            continue
        bonferroni = float(stdtrit(max(gap.n - 1, 1), 1 - plan.alpha / tests / 2))
        reach = bonferroni if joint_reach is None else joint_reach
        planned = sequential_reach(plan, runs[0].run["agents"], gap.n, len(couples))
        critical = max(reach, planned or 0.0)
        if len(runs) > 1:
            effect = pooled(gaps, plan.alpha / len(couples), critical)
        else:
            width = critical * gap.standard_error
            effect = replace(gap, low=gap.difference - width, high=gap.difference + width)
        found.append(Pair(first, second, effect))
    return tuple(found)


def _gap(run: Outcomes, plan: PlanConfig, first: str, second: str) -> Difference:
    sides = _by_name(run)
    return run.estimator.difference(sides[first].values(plan.primary), sides[second].values(plan.primary))
