"""The likelihood of gaps: people differ in their median gap, and the medians lie on a grid.

Given a person's median, gaps are independent; log-medians are normal between people, on a grid of fixed values, so that
few gaps of a person are pulled towards everybody's (shrinkage, as of the gamma-Poisson model of repeat buying). A last
gap that is still open says that the person left for good or is not back yet (Boag 1949, mixture of a cured and an
uncured part).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.special import logsumexp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.personas.returning.families import Family, cumulative_hazard

NODES = np.linspace(np.log(0.25), np.log(4_000.0), 65)
"""Log-medians in days that a person may have."""

_LEAST = 1e-300


@dataclass(frozen=True)
class Gaps:
    """Gaps of some people, counted.

    Attributes:
        counts: How often each person had each completed gap, shape (n_people, n_lengths).
        lengths: Those gaps in days, shape (n_lengths,).
        still_open: Days without a session at the end, shape (n_people,); 0 = none that is known.
    """

    counts: sp.csr_array
    lengths: IntArray
    still_open: IntArray

    @classmethod
    def of(cls, people: IntArray, gaps: IntArray, still_open: IntArray) -> Gaps:
        """Count gaps.

        Args:
            people: Whose each completed gap is, 0 to n_people - 1, shape (n_gaps,).
            gaps: Days, 1 or more, shape (n_gaps,).
            still_open: As of the class, shape (n_people,).
        """
        lengths, column = np.unique(gaps, return_inverse=True)
        shape = (len(still_open), len(lengths))
        counts = sp.csr_array((np.ones(len(gaps)), (people, column.ravel())), shape=shape)
        return cls(counts, lengths.astype(np.int64), still_open)

    def __len__(self) -> int:
        return len(self.still_open)

    @cached_property
    def completed(self) -> FloatArray:
        """Completed gaps per person, shape (n_people,)."""
        return np.asarray(self.counts.sum(axis=1), dtype=np.float64).ravel()

    def by_node(self, family: Family, shape: float, churn: float, nodes: FloatArray = NODES) -> FloatArray:
        """Log-likelihood of each person's gaps at each log-median, shape (n_people, n_nodes).

        Args:
            family, shape: Of the gaps.
            churn: P(never back after a session).
            nodes: Log-medians.
        """
        by_person: FloatArray = np.asarray(self.counts @ log_chance(family, self.lengths, nodes, shape))
        days, place = np.unique(self.still_open, return_inverse=True)
        away = np.exp(-cumulative_hazard(family, days[:, None].astype(np.float64), nodes[None], shape))
        by_person += np.log(np.maximum(churn + (1 - churn) * away, _LEAST))[place.ravel()] * (days > 0)[place][:, None]
        if churn:
            by_person += (self.completed * np.log1p(-churn))[:, None]
        return by_person

    def likelihood(self, family: Family, shape: float, churn: float, centre: float, spread: float) -> float:
        """Log-likelihood of everybody.

        Args:
            family, shape, churn: As of `by_node`.
            centre: Mean log-median.
            spread: Standard deviation of log-medians between people; 0 = all alike.
        """
        if spread == 0:
            return float(self.by_node(family, shape, churn, np.array([centre])).sum())
        by_person = self.by_node(family, shape, churn) + log_prior(centre, spread)
        return float(logsumexp(by_person, axis=1).sum())


def log_chance(family: Family, gaps: IntArray, nodes: FloatArray, shape: float) -> FloatArray:
    """Log-probability of gaps at log-medians, shape (n_gaps, n_nodes)."""
    days = gaps[:, None].astype(np.float64)
    before = cumulative_hazard(family, days - 1, nodes[None], shape)
    step = cumulative_hazard(family, days, nodes[None], shape) - before
    return -before + np.log(np.maximum(-np.expm1(-step), _LEAST))


def log_prior(centre: float, spread: float) -> FloatArray:
    """Log-probability of each node, shape (n_nodes,)."""
    density = -0.5 * ((NODES - centre) / spread) ** 2
    normalised: FloatArray = density - logsumexp(density)
    return normalised
