"""Two groups of different agents, one an arm: what a test on people has to do, and simulation mostly has not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr, stdtrit

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.compare import CONFIDENCE, Difference, unvaried_p_value

AGENTS_A_COVARIATE = 20
"""Fewer agents than this for each covariate are not adjusted: slopes fitted on a handful make errors look small."""


def split_difference(arm: FloatArray, baseline: FloatArray, confidence: float = CONFIDENCE) -> Difference:
    """Difference of the means of two groups, by Welch (1947): their variances may differ.

    Args:
        arm, baseline: One value per agent, shape (n_arm,) and (n_baseline,), NaN where an agent has none.
        confidence: Coverage wanted.

    Returns:
        Without interval and p value where nobody differs from anybody of the same group, and the groups differ.
    """
    sides = [side[~np.isnan(side)] for side in (arm, baseline)]
    n, excluded = sum(map(len, sides)), len(arm) + len(baseline) - sum(map(len, sides))
    if min(map(len, sides)) < 2:
        return Difference(None, None, None, None, None, n, excluded)
    difference = float(sides[0].mean() - sides[1].mean())
    parts = [float(side.var(ddof=1)) / len(side) for side in sides]
    error = float(np.sqrt(sum(parts)))
    if error == 0.0:
        ends = difference if difference == 0.0 else None  # groups without any spread tell no chance from an effect
        return Difference(difference, 0.0, ends, ends, unvaried_p_value(difference), n, excluded)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    p_value = float(2 * stdtr(freedom, -(abs(difference) / error)))
    return Difference(difference, error, difference - reach, difference + reach, p_value, n, excluded)


def cluster_values(values: FloatArray, clusters: IntArray) -> FloatArray:
    """One value per cluster that has any, with the mean of the agents, and spread as far as clusters differ.

    With sums Y and numbers X of the agents with a value in each cluster, and the mean R of all of them, a cluster has
    R + (Y - R X) / mean(X): the delta method for a ratio, clusters being the independent units (Deng, Knoblich and Lu
    2018, "Applying the delta method in metric analytics", KDD). What is made for one value per agent then serves.

    Args:
        values: Shape (n_agents,), NaN where an agent has none.
        clusters: The cluster of each agent, from 0, shape (n_agents,).
    """
    known = ~np.isnan(values)
    if not known.any():
        return np.zeros(0)
    number = np.bincount(clusters[known])
    total = np.bincount(clusters[known], weights=values[known])[number > 0]
    number = number[number > 0]
    mean = float(values[known].mean())
    return np.asarray(mean + (total - mean * number) / number.mean(), dtype=np.float64)


def cuped_difference(
    arm: FloatArray,
    baseline: FloatArray,
    arm_before: FloatArray,
    baseline_before: FloatArray,
    confidence: float = CONFIDENCE,
) -> Difference:
    """As `split_difference`, after taking out what was known of each agent before the experiment.

    Deng, Xu, Kohavi and Walker (2013), "Improving the sensitivity of online controlled experiments by utilizing
    pre-experiment data", WSDM: y - theta (x - mean x) with theta = cov(y, x) / var(x), within groups and pooled. It
    keeps the mean and leaves 1 - corr(x, y)^2 of the variance. The covariate must be settled before assignment: an
    outcome of an earlier period, or one predicted from the profile.

    Args:
        arm, baseline: Outcomes, shape (n_arm,) and (n_baseline,), no NaN.
        arm_before, baseline_before: The covariate of the same agents, same shapes, no NaN.
        confidence: Coverage wanted.
    """
    pairs = ((arm, arm_before), (baseline, baseline_before))
    shared = sum(float(((y - y.mean()) * (x - x.mean())).sum()) for y, x in pairs)
    spread = sum(float(((x - x.mean()) ** 2).sum()) for _, x in pairs)
    theta = shared / spread if spread > 0 else 0.0
    centre = float(np.concatenate([arm_before, baseline_before]).mean())
    return split_difference(
        arm - theta * (arm_before - centre), baseline - theta * (baseline_before - centre), confidence
    )


def adjusted_outcomes(groups: Sequence[FloatArray], before: FloatArray) -> tuple[FloatArray, ...]:
    """Outcomes of groups, less what several covariates predicted; the mean of all agents together stays.

    CUPED with more than one covariate is the regression adjustment of Lin (2013), "Agnostic notes on regression
    adjustments to experimental data", Annals of Applied Statistics 7, with common slopes: theta solves the pooled
    within-group normal equations.

    Args:
        groups: One value per agent of the run, shape (n_agents,) each, NaN for agents of other groups.
        before: Covariates settled before assignment, shape (n_agents, n_covariates), no NaN.
    """
    here = [~np.isnan(group) for group in groups]
    sizes = [int(mask.sum()) for mask in here]
    if min(sizes) < 2 or sum(sizes) < AGENTS_A_COVARIATE * before.shape[1]:
        return tuple(groups)
    centred = np.concatenate([before[mask] - before[mask].mean(axis=0) for mask in here])
    gaps = np.concatenate([group[mask] - group[mask].mean() for group, mask in zip(groups, here, strict=True)])
    theta = np.linalg.lstsq(centred, gaps, rcond=None)[0]
    centre = np.concatenate([before[mask] for mask in here]).mean(axis=0)
    return tuple(group - (before - centre) @ theta for group in groups)
