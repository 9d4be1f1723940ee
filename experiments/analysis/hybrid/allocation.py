"""How many people of each stratum go into the sample, and what a sample is worth before anybody is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.random_streams import name_keys
from groundlings.experiments.analysis.compare import CONFIDENCE

FEWEST = 2
"""People of each stratum at least: of one, no variance is known."""


def allocated(
    sizes: IntArray, total: int, spreads: FloatArray | None = None, least: IntArray | None = None
) -> IntArray:
    """How many people of each stratum go into a sample, shape (n_strata,).

    With spreads it is Neyman's allocation (1934, "On the two different aspects of the representative method"): in
    proportion to people times spread, which makes the variance of the estimate smallest; without, to people alone.
    Every stratum gets two people where it has them, and those that it has already.

    Args:
        sizes: People of each stratum, shape (n_strata,).
        total: People of the sample; more where the least of all strata together is more.
        spreads: Standard deviation of what is estimated in each stratum, shape (n_strata,); unknown is NaN, and counts
            as the mean of those that are known.
        least: How many of each are in the sample already.
    """
    floor = np.minimum(sizes, FEWEST if least is None else np.maximum(least, FEWEST))
    weights = sizes * (np.ones(len(sizes)) if spreads is None else _filled(spreads, sizes))
    if not weights.any():
        weights = sizes.astype(np.float64)
    weights = np.maximum(weights, 1e-9 * weights.max())  # where nothing was seen to vary, something may
    shares = np.clip(_scaled(weights, floor, sizes, total), floor, sizes)
    found = np.floor(shares + 1e-9).astype(np.int64)
    left = min(total, int(sizes.sum())) - int(found.sum())
    for stratum in np.argsort(found - shares, kind="stable")[: max(left, 0)]:  # the largest remainders first
        found[stratum] += found[stratum] < sizes[stratum]
    return found


def _filled(spreads: FloatArray, sizes: IntArray) -> FloatArray:
    known = ~np.isnan(spreads)
    if not known.any():
        return np.ones(len(spreads))
    mean = float(spreads[known] @ sizes[known] / max(int(sizes[known].sum()), 1))
    return np.where(known, spreads, mean)


def _scaled(weights: FloatArray, floor: IntArray, sizes: IntArray, total: int) -> FloatArray:
    """Weights times the one factor with which, clipped to what is possible, they add up to the total."""
    relative = weights / weights.max()
    low, high = 0.0, float(sizes.max()) / float(relative[relative > 0].min())
    for _ in range(200):
        middle = (low + high) / 2
        if np.clip(relative * middle, floor, sizes).sum() < total:
            low = middle
        else:
            high = middle
    return relative * high


def drawn(user_ids: Sequence[str], strata: IntArray, seed: int) -> IntArray:
    """Each agent's place in the lottery of their stratum, 0 for the first, shape (n_agents,).

    A larger sample holds every smaller one. The lottery is of the seed, and of nobody's behaviour.
    """
    tickets = name_keys(("hybrid sample", seed), user_ids)
    order = np.lexsort((tickets, strata))
    place = np.empty(len(order), dtype=np.int64)
    starts = np.searchsorted(strata[order], strata[order])
    place[order] = np.arange(len(order)) - starts
    return place


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a sample would give, if both minds vary alike.

    Attributes:
        sample: People of it.
        correlation: Assumed between the two minds' values of a person.
        half_width: Of the 95 % interval of a mean, in standard deviations of the language mind's values.
        worth: How many people who decide by the language mind alone would give the same interval.
    """

    sample: int
    correlation: float
    half_width: float
    worth: float


def prospect(sample: int, people: int, correlation: float) -> Prospect:
    """What a simple random sample would give; strata can only help.

    Args:
        sample: People of it, at least 1.
        people: Of the whole audience.
        correlation: Between the two minds' values of a person, whose standard deviations are taken as equal.
    """
    variance = 2 * (1 - correlation) * (1 / sample - 1 / people) + 1 / people
    return Prospect(sample, correlation, float(ndtri((1 + CONFIDENCE) / 2)) * variance**0.5, 1 / variance)
