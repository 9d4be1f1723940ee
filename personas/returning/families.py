"""Distributions of the days from a session to the next, as hazards that a session can raise or lower.

A gap of g days (1 = the next day) has the probability S(g - 1) - S(g), with S(t) = exp(-H(t)) and H the cumulative
hazard of a distribution in continuous time: days are its grouped observations. What happened in a session multiplies
the hazard (proportional hazards in grouped time: Prentice and Gloeckler 1978, "Regression analysis of grouped survival
data with application to breast cancer data", Biometrics), so that

    P(back on day g | not before) = 1 - exp(-(H(g) - H(g - 1)) * exp(effect)).

Every distribution is told by its median in days, which differs between people, and a shape, which does not.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy.special import log_ndtr

from groundlings.environments.arrays import FloatArray

Family = Literal["exponential", "weibull", "log_normal"]
FAMILIES: tuple[Family, ...] = get_args(Family)
"""`exponential`: the same chance on every day; `weibull`: hazard falls (shape < 1) or rises with the gap; `log_normal`:
the hazard rises to a peak and falls."""

LARGEST_LOG = 300.0
"""Of a hazard, and of what raises it: the chance is 1 long before, and their product still is a number."""

_LOG_2 = float(np.log(2.0))


def cumulative_hazard(family: Family, days: FloatArray, log_median: FloatArray, shape: float) -> FloatArray:
    """H(days), in the shape that `days` and `log_median` broadcast to; 0 at day 0.

    Args:
        family: Which distribution.
        days: 0 or more.
        log_median: Natural logarithm of the median gap in days.
        shape: Weibull's exponent, or the standard deviation of log-days; not read for `exponential`.
    """
    with np.errstate(divide="ignore"):
        log_ratio = np.log(days) - log_median
    if family == "log_normal":
        hazard: FloatArray = -log_ndtr(-log_ratio / shape)
        return hazard
    return _LOG_2 * np.exp(np.minimum(log_ratio if family == "exponential" else shape * log_ratio, LARGEST_LOG))


def hazard_of_day(family: Family, gap: int, log_median: FloatArray, shape: float) -> FloatArray:
    """H(gap) - H(gap - 1): the hazard of the day that lies `gap` days after the last session, shape of `log_median`."""
    if family == "exponential":  # without a difference of large numbers, so that a chance of 1 can be told
        with np.errstate(over="ignore"):
            same: FloatArray = _LOG_2 * np.exp(-log_median)
            return same
    until = cumulative_hazard(family, np.array(float(gap)), log_median, shape)
    before = cumulative_hazard(family, np.array(float(gap - 1)), log_median, shape)
    step: FloatArray = until - before
    return step


def log_median_of_chance(chance: float) -> float:
    """The logarithm of the median gap of people who come on each day with the same chance; -inf where it is 1."""
    if chance >= 1:
        return -np.inf
    return float(np.log(_LOG_2) - np.log(-np.log1p(-chance)))
