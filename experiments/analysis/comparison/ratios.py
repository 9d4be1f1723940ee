"""Ratios of totals, such as clicks over impressions: the delta method, with the agent as unit.

Deng, Knoblich and Lu (2018), "Applying the delta method in metric analytics", KDD: with sums Y and X over independent
agents, R = Y / X is near normal around its truth with variance  var(y - R x) / (n mean(x)^2). Impressions of one
agent depend on each other, and the formula does not care.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import CONFIDENCE, Difference, Estimate, unvaried_p_value


def ratio_estimate(numerator: FloatArray, denominator: FloatArray, confidence: float = CONFIDENCE) -> Estimate:
    """sum(numerator) / sum(denominator) over agents, shape (n_agents,) each, with its interval."""
    n = len(numerator)
    if n == 0 or denominator.sum() == 0:
        return Estimate(None, None, None, None, 0, n)
    ratio = float(numerator.sum() / denominator.sum())
    if n == 1:
        return Estimate(ratio, None, None, None, n, 0)
    error = float(np.std(influence(numerator, denominator), ddof=1) / np.sqrt(n))
    reach = float(ndtri((1 + confidence) / 2)) * error
    return Estimate(ratio, error, ratio - reach, ratio + reach, n, 0)


def influence(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """What each agent adds to the ratio, to first order: the ratio is its own value plus the mean of these (zero)."""
    ratio = numerator.sum() / denominator.sum()
    return (numerator - ratio * denominator) / denominator.mean()


def paired_ratio_difference(
    arm: tuple[FloatArray, FloatArray], baseline: tuple[FloatArray, FloatArray], confidence: float = CONFIDENCE
) -> Difference:
    """Difference of two ratios that the same agents lived through.

    Each agent's influence on both ratios is subtracted first, so what the arms share cancels out.

    Args:
        arm, baseline: Numerator and denominator, shape (n_agents,) each, agents in the same order.
        confidence: Coverage wanted.
    """
    n = len(arm[0])
    if n < 2 or arm[1].sum() == 0 or baseline[1].sum() == 0:
        return Difference(None, None, None, None, None, 0, n)
    error = float(np.std(influence(*arm) - influence(*baseline), ddof=1) / np.sqrt(n))
    return _difference(_ratio(arm) - _ratio(baseline), error, n, confidence)


def split_ratio_difference(
    arm: tuple[FloatArray, FloatArray], baseline: tuple[FloatArray, FloatArray], confidence: float = CONFIDENCE
) -> Difference:
    """As `paired_ratio_difference` for two different groups of agents."""
    sides = (arm, baseline)
    n = sum(len(side[0]) for side in sides)
    if min(len(side[0]) for side in sides) < 2 or any(side[1].sum() == 0 for side in sides):
        return Difference(None, None, None, None, None, 0, n)
    error = float(np.sqrt(sum(np.var(influence(*side), ddof=1) / len(side[0]) for side in sides)))
    return _difference(_ratio(arm) - _ratio(baseline), error, n, confidence)


def relative_lift(arm: FloatArray, baseline: FloatArray, confidence: float = CONFIDENCE) -> Estimate:
    """mean(arm) / mean(baseline) - 1 over agents with a value in both, with its delta-method interval.

    The same formula again: numerator and denominator are the two arms' values of one agent. Agents without a value in
    either arm are left out and counted; no lift exists where the baseline's mean is zero.
    """
    known = ~np.isnan(arm - baseline)
    excluded = int(len(known) - known.sum())
    found = ratio_estimate(arm[known], baseline[known], confidence)
    if found.mean is None:
        return Estimate(None, None, None, None, 0, excluded)
    low, high = (None if end is None else end - 1 for end in (found.low, found.high))
    return Estimate(found.mean - 1, found.standard_error, low, high, found.n, excluded)


def split_lift(arm: FloatArray, baseline: FloatArray, confidence: float = CONFIDENCE) -> Estimate:
    """As `relative_lift` for two different groups of agents, one value each, no NaN."""
    n = len(arm) + len(baseline)
    if min(len(arm), len(baseline)) < 2 or baseline.mean() == 0:
        return Estimate(None, None, None, None, 0, n)
    quotient = float(arm.mean() / baseline.mean())
    parts = (arm.var(ddof=1) / len(arm), quotient**2 * baseline.var(ddof=1) / len(baseline))
    error = float(np.sqrt(sum(parts)) / abs(baseline.mean()))
    if error == 0.0 and quotient != 1.0:  # as of their difference: there is no spread to tell chance by
        return Estimate(quotient - 1, 0.0, None, None, n, 0)
    reach = float(ndtri((1 + confidence) / 2)) * error
    return Estimate(quotient - 1, error, quotient - 1 - reach, quotient - 1 + reach, n, 0)


def _ratio(side: tuple[FloatArray, FloatArray]) -> float:
    return float(side[0].sum() / side[1].sum())


def _difference(difference: float, error: float, n: int, confidence: float) -> Difference:
    if error == 0.0:
        ends = difference if difference == 0.0 else None  # two agents who opened one item each tell no chance
        return Difference(difference, 0.0, ends, ends, unvaried_p_value(difference), n, 0)
    reach = float(ndtri((1 + confidence) / 2)) * error
    p_value = float(2 * ndtr(-(abs(difference) / error)))
    return Difference(difference, error, difference - reach, difference + reach, p_value, n, 0)
