"""Differences between two arms that the same agents lived through.

The unit is the agent. Impressions and sessions of one agent depend on each other, so an interval that counts
them as independent is too narrow: a test of two identical arms then raises a false alarm far more often than it
claims to (Deng, Knoblich and Lu 2018, "Applying the delta method in metric analytics", section 2). Each agent
therefore enters with one number per arm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from groundlings.environments.arrays import FloatArray

CONFIDENCE = 0.95
"""Coverage of every interval that Groundlings prints."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over agents and its t interval.

    Attributes:
        mean: None without an agent.
        standard_error: Of the mean; None with fewer than two agents.
        low, high: Ends of the interval, None likewise.
        n: Agents that have a value.
        excluded: Agents that have none.
    """

    mean: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    n: int
    excluded: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher an arm is than its baseline, on agents that have a value in both.

    Attributes:
        difference: Mean over agents of (arm - baseline); None without such an agent.
        standard_error: Of that mean; None with fewer than two agents.
        low, high: Ends of the t interval, None likewise.
        p_value: Of the two-sided paired t test of "no difference", None likewise, and where all agents differ by the
            same amount other than zero: there is no spread to test against.
        n: Agents with a value in both arms.
        excluded: Agents that lack one in either.
    """

    difference: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    p_value: float | None
    n: int
    excluded: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high


def mean_interval(values: FloatArray, confidence: float = CONFIDENCE) -> Estimate:
    """Mean of one number per agent, with Student's t interval for it ("Student" 1908).

    Args:
        values: One value per agent, shape (n_agents,), NaN where an agent has none.
        confidence: Coverage of the interval.
    """
    known = values[~np.isnan(values)]
    n, excluded = len(known), len(values) - len(known)
    if n == 0:
        return Estimate(None, None, None, None, n, excluded)
    error = float(known.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    return interval_of_mean(float(known.mean()), error, n, excluded, confidence)


def interval_of_mean(
    mean: float, standard_error: float, n: int, excluded: int, confidence: float = CONFIDENCE
) -> Estimate:
    """As `mean_interval`, of values that somebody has added up: of none or one there is no interval.

    Args:
        mean, standard_error: Of the values that are known, whatever they are where there are fewer than one and two.
        n: Agents that have a value.
        excluded: Agents that have none.
        confidence: Coverage of the interval.
    """
    if n < 2:
        return Estimate(mean if n else None, None, None, None, n, excluded)
    reach = float(stdtrit(n - 1, (1 + confidence) / 2)) * standard_error
    return Estimate(mean, standard_error, mean - reach, mean + reach, n, excluded)


def within_one(found: Estimate) -> Estimate:
    """The estimate of a share, which lies between 0 and 1, with an interval that does as well.

    Student's interval knows no bounds. What it has beyond them is no possible value, so its coverage stays. Where
    nobody of n has it, or everybody, it has no width, as if that were certain of everybody else. Then the interval is
    Wilson's (1927), "Probable inference, the law of succession, and statistical inference", of 0 or all of n: no other
    values between 0 and 1 vary more than yes and no.
    """
    return within(found, 0.0, 1.0)


def within(found: Estimate, least: float | None, most: float | None) -> Estimate:
    """As `within_one`, of values between two others; None = no bound on that side."""
    low, high = -np.inf if least is None else least, np.inf if most is None else most
    if found.mean is None or found.low is None or found.high is None or not low <= found.mean <= high:
        return found
    if (low, high) == (0.0, 1.0) and found.low == found.high and found.mean in (low, high):
        squared = float(ndtri((1 + CONFIDENCE) / 2)) ** 2
        reach = squared / (found.n + squared)
        return replace(found, high=reach) if found.mean == low else replace(found, low=1.0 - reach)
    return replace(found, low=max(found.low, low), high=min(found.high, high))


def paired_difference(arm: FloatArray, baseline: FloatArray, confidence: float = CONFIDENCE) -> Difference:
    """Mean of the agents' own differences, with the interval and p value of the paired t test.

    Where both arms share their random numbers, what an agent would have done anyway cancels out of the
    difference. Two arms that behave alike give exactly 0, an interval of width 0 and p = 1. Where every agent differs
    by one other amount there is no p value: chance is measured by how much agents differ, and they do not.

    Args:
        arm: One value per agent, shape (n_agents,), NaN where an agent has none.
        baseline: The same agents in the other arm, same shape and order.
        confidence: Coverage of the interval.
    """
    if arm.shape != baseline.shape:
        raise ValueError(f"paired arms need the same agents, found shapes {arm.shape} and {baseline.shape}")
    gain = mean_interval(arm - baseline, confidence)
    p_value = None
    if gain.mean is not None and gain.standard_error is not None:
        p_value = student_p_value(gain.mean, gain.standard_error, gain.n - 1)
    return Difference(gain.mean, gain.standard_error, gain.low, gain.high, p_value, gain.n, gain.excluded)


def student_p_value(difference: float, standard_error: float, freedom: float) -> float | None:
    """The two-sided p of "no difference" by Student's distribution; None without a spread to test against.

    Where nothing differs, neither values nor means, p is 1.
    """
    if standard_error == 0.0:
        return unvaried_p_value(difference)
    return float(2 * stdtr(freedom, -(abs(difference) / standard_error)))


def unvaried_p_value(difference: float) -> float | None:
    """The p of "no difference" where no value varies: 1 of no difference, unknown of any other."""
    return 1.0 if difference == 0.0 else None
