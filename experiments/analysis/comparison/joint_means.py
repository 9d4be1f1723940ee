"""Means of several arms together: how they vary with each other, and what resamples of the agents make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.comparison.bootstrap import RESAMPLED_AGENTS, RESAMPLES, resampled_counts

_DRAWS = 20_000
_SEED = 0
_PAIRS_AT_ONCE = 50
_CELLS_AT_ONCE = 4_000_000
"""These bound the memory: of a thousand arms there are half a million pairs."""


@dataclass(frozen=True, slots=True)
class JointMeans:
    """Means of several arms.

    Attributes:
        covariance: Of the means, shape (n_arms, n_arms).
        resamples: The means in resamples of the agents, shape (n_resamples, n_arms).
        freedom: Degrees of freedom of their standard errors.
        agents: How many they rest on.
    """

    covariance: FloatArray
    resamples: FloatArray
    freedom: float
    agents: int


def paired_means(values: FloatArray) -> JointMeans:
    """Means over the same agents in every arm; whole agents are resampled.

    Args:
        values: Shape (n_agents, n_arms), no NaN, at least two agents.
    """
    n, arms = values.shape
    covariance = np.cov(values, rowvar=False).reshape(arms, arms) / n
    if n > RESAMPLED_AGENTS:
        # Means of so many are normal, and so are those of resamples.
        resamples = values.mean(axis=0) + normal_draws(covariance, RESAMPLES)
    else:
        resamples = np.concatenate([counts @ values / n for counts in resampled_counts(n, RESAMPLES, _SEED)])
    return JointMeans(covariance, resamples, n - 1, n)


def split_means(groups: Sequence[FloatArray]) -> JointMeans:
    """Means over different agents in every arm; each group is resampled by itself.

    Args:
        groups: One value per agent of each arm, no NaN, at least two agents each.
    """
    alone = [paired_means(group[:, None]) for group in groups]
    # Each group has its own resamples: the same ones would tie groups together that share nobody.
    rng = np.random.default_rng(_SEED)
    resamples = np.column_stack([rng.permutation(each.resamples[:, 0]) for each in alone])
    return JointMeans(
        covariance=np.diag([float(each.covariance[0, 0]) for each in alone]),
        resamples=resamples,
        freedom=min(each.freedom for each in alone),
        agents=sum(each.agents for each in alone),
    )


def critical_of_all_pairs(joint: JointMeans, alpha: float) -> float:
    """By how many standard errors every difference of two means is missed at most, with confidence 1 - alpha.

    Single-step max-t from the multivariate t distribution with the estimated correlations: Hothorn, Bretz and Westfall
    (2008), "Simultaneous inference in general parametric models", Biometrical Journal 50. Arms that resemble each other
    cost less than Bonferroni charges; for two means it is Student's t.
    """
    first, second = np.triu_indices(len(joint.covariance), k=1)
    variances = np.diag(joint.covariance)
    squares = variances[first] + variances[second] - 2 * joint.covariance[first, second]
    moving = squares > 1e-12 * max(float(variances.max(initial=0.0)), 1e-300)
    single = float(stdtrit(joint.freedom, 1 - alpha / 2))
    if moving.sum() < 2:
        return single
    rng = np.random.default_rng(_SEED)
    drawn = normal_draws(joint.covariance, _DRAWS) / np.sqrt(rng.chisquare(joint.freedom, (_DRAWS, 1)) / joint.freedom)
    largest = np.zeros(_DRAWS)
    for some in np.array_split(np.flatnonzero(moving), -(-int(moving.sum()) // _PAIRS_AT_ONCE)):
        gaps = np.abs(drawn[:, first[some]] - drawn[:, second[some]]) / np.sqrt(squares[some])
        np.maximum(largest, gaps.max(axis=1), out=largest)
    return max(single, float(np.quantile(largest, 1 - alpha)))


def places(means: FloatArray, rivals: FloatArray, tie: float = 0.0) -> IntArray:
    """The place of each arm among its rivals in each resample, shape (n_resamples, n_arms); 1 has the highest mean.

    Args:
        means: Shape (n_resamples, n_arms).
        rivals: Whoever may be higher, the arms among them, shape (n_resamples, n_rivals).
        tie: By how much a rival must be higher; equal means share the better place.
    """
    found = np.empty(means.shape, dtype=np.int64)
    rows = max(1, _CELLS_AT_ONCE // max(means.shape[1] * rivals.shape[1], 1))
    for start in range(0, len(means), rows):
        some = slice(start, start + rows)
        found[some] = 1 + (means[some, :, None] < rivals[some, None, :] - tie).sum(axis=2)
    return found


def normal_draws(covariance: FloatArray, draws: int) -> FloatArray:
    """Draws around zero, shape (draws, n_arms); arms that are copies of each other are no obstacle."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(np.random.default_rng([_SEED, 1]).standard_normal((draws, len(values))) @ root.T)
