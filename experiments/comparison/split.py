"""Two groups of different agents, one an arm: what a test on people has to do, and simulation mostly has not."""

from __future__ import annotations

import numpy as np
from scipy import stats

from environments.arrays import FloatArray
from experiments.compare import CONFIDENCE, Difference


def split_difference(arm: FloatArray, baseline: FloatArray, confidence: float = CONFIDENCE) -> Difference:
    """Difference of the means of two groups, by Welch (1947): their variances may differ.

    Args:
        arm, baseline: One value an agent, shape (n_arm,) and (n_baseline,), NaN where an agent has none.
        confidence: Coverage wanted.
    """
    sides = [side[~np.isnan(side)] for side in (arm, baseline)]
    n, excluded = sum(map(len, sides)), len(arm) + len(baseline) - sum(map(len, sides))
    if min(map(len, sides)) < 2:
        return Difference(None, None, None, None, None, n, excluded)
    difference = float(sides[0].mean() - sides[1].mean())
    parts = [float(side.var(ddof=1)) / len(side) for side in sides]
    error = float(np.sqrt(sum(parts)))
    if error == 0.0:
        return Difference(difference, 0.0, difference, difference, float(difference == 0.0), n, excluded)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    p_value = float(2 * stats.t.sf(abs(difference) / error, freedom))
    return Difference(difference, error, difference - reach, difference + reach, p_value, n, excluded)


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
