"""Intervals from resampling agents, for means and ratios of means, many at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import CONFIDENCE

RESAMPLES = 2000
"""Resamples behind each interval; Efron and Tibshirani (1993, section 14.3) ask for 1,000 at least."""

RESAMPLED_AGENTS = 10_000
"""Of more agents than this nobody is resampled: means are normal there but for what an expansion adds, and resamples of
a million agents take minutes for each interval."""

_CELLS_AT_ONCE = 4_000_000
_CELLS_IN_CACHE = 100_000
"""Of which a resample is drawn at a time: the draws are the same, and take half as long as those of whole blocks."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Ends of intervals, shape (n_columns,) each; NaN for a column of fewer than two agents."""

    low: FloatArray
    high: FloatArray


def resampled_counts(n: int, resamples: int, seed: int) -> Iterator[FloatArray]:
    """How often each of n agents occurs in each resample, in blocks of shape (some, n).

    The counts depend on n and the seed only, so every column and every metric meets the same resamples.
    """
    most = RESAMPLES * RESAMPLED_AGENTS
    blocks = _kept_counts(n, resamples, seed) if n * resamples <= most else _drawn_counts(n, resamples, seed)
    for counts in blocks:
        yield counts.astype(np.float64)


@lru_cache(maxsize=1)
def _kept_counts(n: int, resamples: int, seed: int) -> tuple[NDArray[np.integer], ...]:
    """`resampled_counts`, kept for the next metric or arm: 40 MB at most where each count takes two bytes."""
    return tuple(_drawn_counts(n, resamples, seed))


def _drawn_counts(n: int, resamples: int, seed: int) -> Iterator[NDArray[np.integer]]:
    rng = np.random.default_rng([seed, n])
    block, few = (max(1, cells // max(n, 1)) for cells in (_CELLS_AT_ONCE, _CELLS_IN_CACHE))
    for start in range(0, resamples, block):
        counts = np.empty((min(block, resamples - start), n), np.uint16 if n < 2**16 else np.int64)
        for first in range(0, len(counts), few):
            part = counts[first : first + few]
            picks = rng.integers(0, n, size=part.shape) + n * np.arange(len(part))[:, None]
            part[:] = np.bincount(picks.ravel(), minlength=part.size).reshape(part.shape)
        yield counts


def bca_interval(
    values: FloatArray,
    weights: FloatArray | None = None,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Bias-corrected and accelerated intervals for means over agents, or for ratios of means.

    Efron (1987), "Better bootstrap confidence intervals", JASA 82: percentiles of the resampled statistic, moved by
    its median bias z0 and by the acceleration a, the skewness of its jackknife values. It is second-order accurate
    where Student's t is first-order: worth having for counts of likes, which are skew. Of more than `RESAMPLED_AGENTS`
    the percentiles come from Edgeworth's expansion, which resamples follow to the same order (Hall 1992, "The bootstrap
    and Edgeworth expansion", section 3.10).

    Args:
        values: Shape (n_agents, n_columns) or (n_agents,), no NaN.
        weights: Denominators of the same shape: then the statistic is sum(values) / sum(weights), else the mean.
        confidence: Coverage wanted.
        resamples: How many.
        seed: Equal seeds and sizes give equal resamples.
    """
    table = values.reshape(len(values), -1)
    ground = np.ones_like(table) if weights is None else weights.reshape(table.shape)
    n, columns = table.shape
    if n < 2:
        return Interval(np.full(columns, np.nan), np.full(columns, np.nan))
    if n > RESAMPLED_AGENTS:
        return _expanded(table, ground, confidence)
    found = np.concatenate(
        [(counts @ table) / (counts @ ground) for counts in resampled_counts(n, resamples, seed)], axis=0
    )
    whole = table.sum(axis=0) / ground.sum(axis=0)
    # Resamples that hold everybody once equal the whole but for rounding; half of the ties count as below.
    tie = 1e-9 * np.ptp(found, axis=0)
    below = ((found < whole - tie).sum(axis=0) + (found <= whole + tie).sum(axis=0)) / (2 * resamples)
    bias = ndtri(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
    acceleration = _jackknife(table, ground)[1]
    ordered = np.sort(found, axis=0)
    ends = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        shifted = bias + ndtri(tail)
        level = ndtr(bias + shifted / (1 - acceleration * shifted))
        ends.append(_quantile(ordered, level))
    return Interval(*ends)


def _jackknife(table: FloatArray, ground: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Standard error and acceleration of each column, shape (n_columns,) each."""
    n = len(table)
    left_out = (table.sum(axis=0) - table) / (ground.sum(axis=0) - ground)
    gap = left_out.mean(axis=0) - left_out
    squares = (gap**2).sum(axis=0)
    acceleration = np.divide((gap**3).sum(axis=0), 6 * squares**1.5, out=np.zeros(table.shape[1]), where=squares > 0)
    return np.sqrt((n - 1) / n * squares), acceleration


def _expanded(table: FloatArray, ground: FloatArray, confidence: float) -> Interval:
    """As `bca_interval`, with the percentiles of resamples from Edgeworth's expansion.

    Its median bias z0 and its acceleration are both a sixth of the skewness of a mean.
    """
    whole = table.sum(axis=0) / ground.sum(axis=0)
    error, sixth = _jackknife(table, ground)
    return Interval(*(whole + error * steps for steps in _steps(sixth, confidence)))


def _expanded_gap(arm: FloatArray, baseline: FloatArray, confidence: float) -> list[FloatArray]:
    """The same of the difference of two groups' means: both ends."""
    sides = [(group - group.mean(), len(group)) for group in (arm, baseline)]
    error = np.sqrt(sum((gap**2).sum() / (n - 1) / n for gap, n in sides))
    thirds = [(gap**3).mean() / n**2 for gap, n in sides]
    sixth = np.asarray((thirds[0] - thirds[1]) / error**3 / 6)
    return [arm.mean() - baseline.mean() + error * steps for steps in _steps(sixth, confidence)]


def _steps(sixth: FloatArray, confidence: float) -> list[FloatArray]:
    """How many standard errors from the estimate each end lies, by a sixth of the skewness."""
    ends = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        shifted = sixth + ndtri(tail)
        level = sixth + shifted / (1 - sixth * shifted)
        ends.append(level + sixth * (level**2 - 1))
    return ends


def bca_split_interval(
    arm: FloatArray, baseline: FloatArray, *, confidence: float = CONFIDENCE, seed: int = 0
) -> tuple[float | None, float | None]:
    """Ends of the BCa interval of the difference of two groups' means, by scipy; None with fewer than two agents
    each, and where the groups differ and nobody within them does.

    Each group is resampled by itself (Efron and Tibshirani 1993, section 8.3).

    Args:
        arm, baseline: One value per agent, shape (n_arm,) and (n_baseline,), no NaN.
        confidence: Coverage wanted.
        seed: Equal seeds and sizes give equal resamples.
    """
    if min(len(arm), len(baseline)) < 2:
        return None, None
    if arm.var() + baseline.var() == 0:
        return (0.0, 0.0) if arm.mean() == baseline.mean() else (None, None)
    if min(len(arm), len(baseline)) > RESAMPLED_AGENTS:
        low, high = (float(end) for end in _expanded_gap(arm, baseline, confidence))
        return low, high
    from scipy.stats import bootstrap

    batch = max(1, min(200, _CELLS_AT_ONCE // (len(arm) + len(baseline))))
    found = bootstrap(
        (arm, baseline), _gap_of_means, n_resamples=RESAMPLES, confidence_level=confidence, method="BCa", batch=batch,
        random_state=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


def _gap_of_means(arm: FloatArray, baseline: FloatArray, axis: int = -1) -> FloatArray:
    return arm.mean(axis=axis) - baseline.mean(axis=axis)


def _quantile(ordered: FloatArray, level: FloatArray) -> FloatArray:
    """One level a column of sorted values, interpolated as numpy's default does."""
    place = np.clip(level, 0, 1) * (len(ordered) - 1)
    floor = np.floor(place).astype(np.int64)
    above = np.minimum(floor + 1, len(ordered) - 1)
    columns = np.arange(ordered.shape[1])
    low, high = ordered[floor, columns], ordered[above, columns]
    return low + (place - floor) * (high - low)
