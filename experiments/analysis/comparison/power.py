"""How many agents an effect needs, and which effect a number of agents can show.

The paired t test's power from the noncentral t distribution (Cohen 1988, "Statistical power analysis", chapter 2). The
rule of thumb is n = 7.85 (sd / effect)^2 for alpha .05 and power .8.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv, ndtr, stdtrit

from groundlings.environments.arrays import FloatArray

_LEVELS = 4000
MOST_AGENTS = 10**12
"""An effect that takes more is found by no number of agents."""


def power(effect: float, sd: float, n: int, alpha: float = 0.05) -> float:
    """P(the two-sided paired t test finds the effect).

    Args:
        effect: True mean of the agents' differences.
        sd: Standard deviation of these differences.
        n: Agents, at least two.
        alpha: Of the test.
    """
    bar = float(stdtrit(n - 1, 1 - alpha / 2)) * _estimated_spreads(n - 1)
    shift = abs(effect) / sd * math.sqrt(n)
    return float((ndtr(-(bar - shift)) + ndtr(-bar - shift)).mean())


@lru_cache(maxsize=64)
def _estimated_spreads(freedom: int) -> FloatArray:
    """Equally likely values of (estimated sd) / (true sd): the normal's tail averaged over them is the noncentral t's.

    scipy's own noncentral t turns to NaN for the large shifts that a search passes through.
    """
    levels = (np.arange(_LEVELS) + 0.5) / _LEVELS
    return np.sqrt(2 * gammaincinv(freedom / 2, levels) / freedom)


def needed_agents(effect: float, sd: float, alpha: float = 0.05, wanted: float = 0.8) -> int | None:
    """The fewest agents that find the effect with the wanted power; None where no number does (effect 0).

    Agents that never vary (sd 0) show any effect: two are enough.
    """
    if sd == 0:
        return 2 if effect else None
    if effect == 0:
        return None
    low, high = 2, 4
    while power(effect, sd, high, alpha) < wanted:
        low, high = high, high * 2
        if high > MOST_AGENTS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(effect, sd, middle, alpha) >= wanted else (middle, high)
    return low if power(effect, sd, low, alpha) >= wanted else high


def detectable_effect(sd: float, n: int, alpha: float = 0.05, wanted: float = 0.8) -> float:
    """The smallest effect that n agents find with the wanted power (the MDE), in the units of `sd`."""
    if sd == 0:
        return 0.0
    most = 20 * sd * float(stdtrit(n - 1, 1 - alpha / 2)) / math.sqrt(n)
    from scipy.optimize import brentq  # takes longer to load than a small run to simulate

    return float(brentq(lambda effect: power(effect, sd, n, alpha) - wanted, 0.0, most))


def beyond_interval(critical: float, standard_error: float, n: int, wanted: float = 0.8) -> float:
    """The MDE of any interval mean -/+ critical * standard_error: (critical + t quantile of the power) * error.

    For intervals that are wider than Student's, because there are many arms or many looks.
    """
    return (critical + float(stdtrit(n - 1, wanted))) * standard_error
