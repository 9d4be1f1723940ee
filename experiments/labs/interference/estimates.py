"""What a split test among people with ties estimates: naively, and with the effect of ties' arms apart.

The outcome of an agent is taken to be linear in its own arm and in the arms of its ties (the linear exposure model of
Eckles, Karrer and Ugander 2017, "Design and analysis of experiments in networks", Journal of Causal Inference):

    outcome = a + direct * own arm + spillover * share of its ties in the arm + rest

with both for every arm but the first. Total = direct + spillover is what changes when everybody moves to the arm, which
is what a launch does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.ties import Ties
from groundlings.experiments.labs.resampling import Resamples, interval

_COLLINEAR = 1e10
"""Condition number from which on direct effect and spillover cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % interval over clusters; None where the data do not tell."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, resampled: FloatArray) -> Estimate:
        """From a figure and its resamples, shape (1 + times,)."""
        value = None if np.isnan(resampled[0]) else float(resampled[0])
        return cls(value, *interval(resampled))

    def holds(self, value: float) -> bool:
        """Whether a value lies in the interval."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Estimates:
    """What one test tells of an arm against the first, in outcomes per agent.

    Attributes:
        naive: Difference of the means of the two groups, as tests without ties take it.
        direct, spillover, total: See the module; of agents with ties.
    """

    naive: Estimate
    direct: Estimate
    spillover: Estimate
    total: Estimate


def shares_of_ties(ties: Ties, users: IntArray, home: IntArray) -> FloatArray:
    """Share of each agent's ties that are in the second arm, shape (n_agents, 1); NaN for an agent without ties.

    Args:
        ties: Who knows whom.
        users: Row numbers of the agents' users, shape (n_agents,).
        home: The arm of each agent, 0 or 1, shape (n_agents,).
    """
    there = np.zeros(ties.graph.shape[0])
    there[users] = home
    agents = np.zeros(len(there))
    agents[users] = 1.0
    known, second = (np.asarray(ties.graph @ each)[users] for each in (agents, there))
    return np.divide(second, known, out=np.full(len(users), np.nan), where=known > 0)[:, None]


def estimate(
    outcome: FloatArray, home: IntArray, shares: FloatArray, clusters: IntArray, resamples: Resamples
) -> tuple[Estimates, ...]:
    """What a split test tells of each arm but the first.

    Args:
        outcome: Of each agent, shape (n_agents,), no NaN.
        home: The arm of each agent, 0 for the first, shape (n_agents,).
        shares: Share of its ties in each other arm, shape (n_agents, n_arms - 1); NaN for an agent without ties.
        clusters: From `clusters_of`.
        resamples: Of the clusters.
    """
    others = range(1, shares.shape[1] + 1)
    tied = ~np.isnan(shares[:, 0])
    everybody = np.column_stack([np.ones(len(home)), *(home == arm for arm in others)])
    columns = np.column_stack([everybody, shares])[tied]
    naive = _least_squares(everybody, outcome, clusters, resamples)
    weights = _least_squares(columns, outcome[tied], clusters[tied], resamples)
    found = ((naive[:, arm], weights[:, arm], weights[:, arm + len(others)]) for arm in others)
    return tuple(
        Estimates(Estimate.of(apart), Estimate.of(direct), Estimate.of(over), Estimate.of(direct + over))
        for apart, direct, over in found
    )


def _least_squares(columns: FloatArray, outcome: FloatArray, clusters: IntArray, resamples: Resamples) -> FloatArray:
    """Coefficients under each resample of clusters, shape (1 + times, n_columns); NaN where columns are collinear."""
    n_clusters, width = resamples.weights.shape[1], columns.shape[1]
    squares, products = np.zeros((n_clusters, width, width)), np.zeros((n_clusters, width))
    np.add.at(squares, clusters, columns[:, :, None] * columns[:, None, :])
    np.add.at(products, clusters, columns * outcome[:, None])
    left = np.tensordot(resamples.weights, squares, axes=1)
    right = resamples.weights @ products
    found = np.full(right.shape, np.nan)
    sound = np.linalg.cond(left) < _COLLINEAR
    found[sound] = np.linalg.solve(left[sound], right[sound][..., None])[..., 0]
    return found
