"""Many questions, one alpha: Holm for guardrails, Benjamini-Hochberg for exploring, max-T for many arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.comparison.bootstrap import RESAMPLED_AGENTS, resampled_counts
from groundlings.experiments.analysis.comparison.joint_means import normal_draws, places

_RESAMPLES = 4999
_NO_SPREAD = 1e-6
"""Of the standard error of all agents: less than that in a resample is rounding, all its agents having one value."""


def holm(p_values: Sequence[float]) -> FloatArray:
    """Adjusted p values that keep the chance of any false alarm below alpha, however the tests depend.

    Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> FloatArray:
    """Adjusted p values that keep the expected share of false alarms among all alarms below alpha.

    Benjamini and Hochberg (1995), "Controlling the false discovery rate", JRSS B 57; for tests that are independent or
    depend positively, as effects on neighbouring segments do.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.minimum.accumulate((p[order] * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


@dataclass(frozen=True, slots=True)
class MaxT:
    """Many arms against one baseline, judged together.

    Attributes:
        critical: By how many standard errors every true mean is missed at most, with the confidence asked for.
        p_values: Adjusted, shape (n_arms,); NaN of an arm whose effect has no spread to test against.
        ranks: Lowest and highest rank of each arm, the baseline being ranked, too, in 95 % of the resamples; the
            highest mean has rank 1, shape (n_arms, 2).
    """

    critical: float
    p_values: FloatArray
    ranks: IntArray


def max_t(differences: FloatArray, alpha: float = 0.05, *, resamples: int = _RESAMPLES, seed: int = 0) -> MaxT:
    """Single-step max-T over agents: simultaneous intervals and p values that know how arms depend.

    Westfall and Young (1993), "Resampling-based multiple testing"; Romano and Wolf (2005), "Exact and approximate
    stepdown methods for multiple hypothesis testing". Whole agents are resampled, each resample is studentised by its
    own standard error, and the largest |t| of the arms is kept. Arms that resemble each other cost less than Bonferroni
    charges. Of more than `RESAMPLED_AGENTS` agents the effects are drawn from their joint normal distribution, which
    those of resamples then have as well.

    Args:
        differences: Arm minus baseline, shape (n_agents, n_arms), no NaN, at least two agents. A column without any
            variation has no p value, unless its mean is 0, and takes no part in the maximum.
        alpha: Chance of any false alarm.
        resamples: How many.
        seed: Equal seeds and sizes give equal resamples.
    """
    n = len(differences)
    mean, error = differences.mean(axis=0), differences.std(axis=0, ddof=1) / np.sqrt(n)
    if n > RESAMPLED_AGENTS:
        covariance = np.cov(differences, rowvar=False).reshape(len(mean), len(mean)) / n
        found = mean + normal_draws(covariance, resamples)
        return _judged(found, np.broadcast_to(error, found.shape), mean, error, alpha)
    means, errors = [], []
    for counts in resampled_counts(n, resamples, seed):
        means.append(counts @ differences / n)
        spread = np.maximum(counts @ (differences - mean) ** 2 / n - (means[-1] - mean) ** 2, 0.0)
        errors.append(np.sqrt(spread / (n - 1)))
    return _judged(np.concatenate(means), np.concatenate(errors), mean, error, alpha)


def max_t_split(
    baseline: FloatArray, arms: Sequence[FloatArray], alpha: float = 0.05, *, resamples: int = _RESAMPLES, seed: int = 0
) -> MaxT:
    """As `max_t` for arms of different agents: every group is resampled by itself, and Welch's t takes Student's place.

    The arms depend on each other through the baseline that they share (Dunnett 1955), and the resamples carry that.

    Args:
        baseline: One value per agent, shape (n_baseline,), no NaN, at least two agents.
        arms: The same of each arm.
        alpha: Chance of any false alarm.
        resamples: How many.
        seed: Equal seeds and sizes give equal resamples.
    """
    wholes = np.array([group.mean() for group in arms]) - baseline.mean()
    own_part = np.array([group.var(ddof=1) / len(group) for group in arms])
    shared_part = baseline.var(ddof=1) / len(baseline)
    error = np.sqrt(own_part + shared_part)
    if min(map(len, (baseline, *arms))) > RESAMPLED_AGENTS:
        found = wholes + normal_draws(np.diag(own_part) + shared_part, resamples)
        return _judged(found, np.broadcast_to(error, found.shape), wholes, error, alpha)
    means, spreads = [], []
    for place, group in enumerate((baseline, *arms)):
        n, mean, spread = len(group), [], []
        for counts in resampled_counts(n, resamples, seed + place):
            mean.append(counts @ group / n)
            spread.append(np.maximum(counts @ (group - group.mean()) ** 2 / n - (mean[-1] - group.mean()) ** 2, 0.0))
        means.append(np.concatenate(mean))
        spreads.append(np.concatenate(spread) / (n - 1))
    found = np.column_stack(means[1:]) - means[0][:, None]
    own = np.sqrt(np.column_stack(spreads[1:]) + spreads[0][:, None])
    return _judged(found, own, wholes, error, alpha)


def _judged(found: FloatArray, own: FloatArray, mean: FloatArray, error: FloatArray, alpha: float) -> MaxT:
    """From resampled effects and their standard errors, shape (resamples, n_arms), to a judgement of the real ones."""
    resamples, moving = len(found), error > 0
    spread = own > _NO_SPREAD * error
    distance = np.divide(np.abs(found - mean), own, out=np.zeros_like(found), where=spread)
    largest = distance[:, moving].max(axis=1, initial=0.0)
    observed = np.divide(np.abs(mean), error, out=np.where(mean == 0, 0.0, np.inf), where=moving)
    beyond = (largest[:, None] >= observed).sum(axis=0)
    p_values = np.where(moving, (1 + beyond) / (resamples + 1), np.where(mean == 0, 1.0, np.nan))
    rivals = np.column_stack([found, np.zeros(len(found))])  # the baseline differs from itself by nothing
    ranks = np.quantile(places(found, rivals), [0.025, 0.975], axis=0, method="inverted_cdf").T
    return MaxT(float(np.quantile(largest, 1 - alpha)), p_values, ranks.astype(np.int64))
