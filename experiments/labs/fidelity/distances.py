"""Distances between two distributions, and the spread of a population between and within users."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray

Weights = NDArray[np.number]
"""Weights of the same categories, shape (n,); only their shares matter."""


def jensen_shannon(first: Weights, second: Weights) -> float:
    """Jensen-Shannon divergence in bits, 0 to 1 (Lin 1991): the divergence itself, not its root."""
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2
    return float((_divergence(p, middle) + _divergence(q, middle)) / 2)


def wasserstein(first: Weights, second: Weights, step: float = 1.0) -> float:
    """Earth mover's distance between histograms on an even scale with distance `step` between values."""
    return float(np.abs(_gap(first, second)).sum() * step)


def kolmogorov_smirnov_of_histograms(first: Weights, second: Weights) -> float:
    """Largest distance between the distribution functions of two histograms of the same values, 0 to 1."""
    return float(np.abs(_gap(first, second)).max())


def kolmogorov_smirnov(first: FloatArray, second: FloatArray) -> float:
    """Largest distance between two empirical distribution functions, 0 to 1; NaN values are left out."""
    a, b = np.sort(first[~np.isnan(first)]), np.sort(second[~np.isnan(second)])
    if not len(a) or not len(b):
        return float("nan")
    at = np.concatenate([a, b])
    apart = np.searchsorted(a, at, side="right") / len(a) - np.searchsorted(b, at, side="right") / len(b)
    return float(np.abs(apart).max())


def mean_and_spread(counts: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each user's stars, shape (n_people,) each, NaN for a user without any.

    Args:
        counts: How often each user gave each value, shape (n_people, n_values).
        values: The values, ascending.
    """
    total = counts.sum(axis=1)
    nothing = np.full(len(counts), np.nan)
    mean = np.divide(counts @ values, total, out=nothing.copy(), where=total > 0)
    square = np.divide(counts @ values**2, total, out=nothing.copy(), where=total > 0)
    return mean, np.sqrt(np.maximum(square - mean**2, 0))


def intraclass_correlation(counts: FloatArray, values: FloatArray) -> float:
    """ICC(1) of the one-way random-effects model (Shrout and Fleiss 1979), unequal groups; NaN where undefined.

    Args:
        counts, values: As in `mean_and_spread`.
    """
    size, mean, within, overall = _analysis(counts, values)
    k, n = len(size), size.sum()
    if k < 2 or n == k:
        return float("nan")
    mean_square = within / (n - k)
    between = (size * (mean - overall) ** 2).sum() / (k - 1)
    typical = (n - (size**2).sum() / n) / (k - 1)
    total = between + (typical - 1) * mean_square
    return float((between - mean_square) / total) if total > 0 else float("nan")


def spreads(counts: FloatArray, values: FloatArray) -> dict[str, float]:
    """Standard deviations: of all stars, of users' means, and within users (root of the pooled variance)."""
    size, mean, within, overall = _analysis(counts, values)
    total = within + (size * (mean - overall) ** 2).sum()
    return {
        "overall": float(np.sqrt(total / size.sum())),
        "between people": float(mean.std()),
        "within people": float(np.sqrt(within / max(size.sum() - len(size), 1))),
    }


def _analysis(counts: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray, float, float]:
    """Size and mean of each user with ratings, sum of squares within users, and the overall mean."""
    given = counts[counts.sum(axis=1) > 0]
    mean, spread = mean_and_spread(given, values)
    size = given.sum(axis=1)
    return size, mean, float((size * spread**2).sum()), float((size * mean).sum() / size.sum())


def _gap(first: Weights, second: Weights) -> FloatArray:
    return np.asarray(np.cumsum(first / first.sum() - second / second.sum()), dtype=np.float64)


def _divergence(p: FloatArray, q: FloatArray) -> float:
    where = p > 0
    return float((p[where] * np.log2(p[where] / q[where])).sum())
