"""One question, two designs: how far are two arms apart, and how sure is that?

Everything else in a comparison (guardrails, segments, days, the headline) asks an estimator and does not know whether
the same people were in both arms. Arms come as one value per agent of the whole run, NaN for those who were not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.analysis.compare import CONFIDENCE, Difference, Estimate, paired_difference
from groundlings.experiments.analysis.comparison.bootstrap import bca_interval, bca_split_interval
from groundlings.experiments.analysis.comparison.joint_means import JointMeans, paired_means, split_means
from groundlings.experiments.analysis.comparison.multiplicity import MaxT, max_t, max_t_split
from groundlings.experiments.analysis.comparison.persona_columns import (
    TRAITS,
    LoggedPersonas,
    PersonaColumns,
    persona_columns,
)
from groundlings.experiments.analysis.comparison.ratios import (
    paired_ratio_difference,
    relative_lift,
    split_lift,
    split_ratio_difference,
)
from groundlings.experiments.analysis.comparison.segments import heterogeneity_p_value, welch_anova_p_value
from groundlings.experiments.analysis.comparison.split import adjusted_outcomes, cluster_values, split_difference
from groundlings.experiments.config.designs import SplitDesign, assigned_arms, shares_of
from groundlings.simulator.assignment import Assignment

Parts = tuple[FloatArray, FloatArray]


class Estimator(Protocol):
    """How two arms of one design are compared; shapes are (n_agents,) throughout."""

    @property
    def words(self) -> str:
        """What is compared with what."""
        ...

    def among(self, agents: BoolArray) -> Estimator:
        """The same for some of the agents."""
        ...

    def difference(self, arm: FloatArray, baseline: FloatArray, confidence: float = CONFIDENCE) -> Difference:
        """Mean of the arm minus mean of the baseline."""
        ...

    def ratio(self, arm: Parts, baseline: Parts) -> Difference:
        """As `difference`, for ratios of totals, by the delta method."""
        ...

    def lift(self, arm: FloatArray, baseline: FloatArray) -> Estimate:
        """Mean of the arm over mean of the baseline, minus 1."""
        ...

    def bootstrap(self, arm: FloatArray, baseline: FloatArray) -> tuple[float | None, float | None]:
        """Ends of the BCa interval of the difference; None with too few agents."""
        ...

    def together(self, arms: Sequence[FloatArray], baseline: FloatArray, alpha: float) -> MaxT | None:
        """Several arms against one baseline, judged together; None with too few agents."""
        ...

    def means(self, arms: Sequence[FloatArray]) -> JointMeans | None:
        """Means of several arms together; None with too few agents."""
        ...

    def heterogeneity(self, groups: Sequence[tuple[FloatArray, FloatArray]]) -> float | None:
        """p of "the effect is the same in all groups of agents"; None where it cannot be tested."""
        ...


class Paired:
    """The same agents in both arms: what they share cancels out."""

    words = "paired"

    def among(self, agents: BoolArray) -> Paired:  # noqa: ARG002 - pairs are pairs
        """See `Estimator.among`."""
        return self

    def difference(self, arm: FloatArray, baseline: FloatArray, confidence: float = CONFIDENCE) -> Difference:
        """See `Estimator.difference`."""
        return paired_difference(arm, baseline, confidence)

    def ratio(self, arm: Parts, baseline: Parts) -> Difference:
        """See `Estimator.ratio`."""
        return paired_ratio_difference(arm, baseline)

    def lift(self, arm: FloatArray, baseline: FloatArray) -> Estimate:
        """See `Estimator.lift`."""
        return relative_lift(arm, baseline)

    def bootstrap(self, arm: FloatArray, baseline: FloatArray) -> tuple[float | None, float | None]:
        """See `Estimator.bootstrap`."""
        known = _known(arm - baseline)
        if len(known) < 2:
            return None, None
        found = bca_interval(known)
        return float(found.low[0]), float(found.high[0])

    def together(self, arms: Sequence[FloatArray], baseline: FloatArray, alpha: float) -> MaxT | None:
        """See `Estimator.together`; agents with a value in all arms count."""
        gaps = np.column_stack([arm - baseline for arm in arms])
        complete = gaps[~np.isnan(gaps).any(axis=1)]
        return max_t(complete, alpha) if len(complete) > 1 else None

    def means(self, arms: Sequence[FloatArray]) -> JointMeans | None:
        """See `Estimator.means`; agents with a value in all arms count."""
        values = np.column_stack(arms)
        known = values[~np.isnan(values).any(axis=1)]
        return paired_means(known) if len(known) > 1 else None

    def heterogeneity(self, groups: Sequence[tuple[FloatArray, FloatArray]]) -> float | None:
        """See `Estimator.heterogeneity`; Welch's analysis of variance on the agents' differences."""
        return welch_anova_p_value([_known(arm - baseline) for arm, baseline in groups])


@dataclass(frozen=True)
class Split:
    """Different agents in each arm, by Welch, after taking out what was known of them beforehand (CUPED).

    Attributes:
        homes: The arm that each agent was assigned to, shape (n_agents,).
        before: What is known of each agent from their history, shape (n_agents, n_covariates), no NaN; None = nothing.
        clusters: What was assigned where it was no single agents: the cluster of each, shape (n_agents,). Clusters are
            then the independent units, and of several metrics at once as well.
        words: See `Estimator`.
    """

    homes: IntArray
    before: FloatArray | None = None
    clusters: IntArray | None = None
    words: str = "between groups, adjusted for histories (CUPED)"

    def among(self, agents: BoolArray) -> Split:
        """See `Estimator.among`."""
        before = None if self.before is None else self.before[agents]
        clusters = None if self.clusters is None else self.clusters[agents]
        return replace(self, homes=self.homes[agents], before=before, clusters=clusters)

    def difference(self, arm: FloatArray, baseline: FloatArray, confidence: float = CONFIDENCE) -> Difference:
        """See `Estimator.difference`."""
        ours, theirs = self._units(arm, baseline)
        found = split_difference(ours, theirs, confidence)
        known = ~np.isnan(arm) | ~np.isnan(baseline)
        concerned, n = np.isin(self.homes, self.homes[known]), int(known.sum())
        return replace(found, n=n, excluded=int(concerned.sum()) - n)

    def ratio(self, arm: Parts, baseline: Parts) -> Difference:
        """See `Estimator.ratio`."""
        ours, theirs = (self._of_clusters(*side) for side in (arm, baseline))
        found = split_ratio_difference(ours, theirs)
        return replace(found, n=int((arm[1] > 0).sum() + (baseline[1] > 0).sum()))

    def lift(self, arm: FloatArray, baseline: FloatArray) -> Estimate:
        """See `Estimator.lift`."""
        ours, theirs = self._units(arm, baseline)
        found = split_lift(ours, theirs)
        return replace(found, n=int((~np.isnan(arm)).sum() + (~np.isnan(baseline)).sum()))

    def bootstrap(self, arm: FloatArray, baseline: FloatArray) -> tuple[float | None, float | None]:
        """See `Estimator.bootstrap`; the agents of each arm, or its clusters, are resampled among themselves."""
        ours, theirs = self._units(arm, baseline)
        return bca_split_interval(ours, theirs)

    def together(self, arms: Sequence[FloatArray], baseline: FloatArray, alpha: float) -> MaxT | None:
        """See `Estimator.together`."""
        groups = self._units(baseline, *arms)
        return max_t_split(groups[0], groups[1:], alpha) if min(map(len, groups)) > 1 else None

    def means(self, arms: Sequence[FloatArray]) -> JointMeans | None:
        """See `Estimator.means`."""
        groups = self._units(*arms)
        return split_means(groups) if min(map(len, groups)) > 1 else None

    def heterogeneity(self, groups: Sequence[tuple[FloatArray, FloatArray]]) -> float | None:
        """See `Estimator.heterogeneity`; Cochran's Q over the groups' effects, not where they share clusters."""
        if self.clusters is not None:
            return None
        return heterogeneity_p_value([split_difference(arm, baseline) for arm, baseline in groups])

    def _units(self, *groups: FloatArray) -> list[FloatArray]:
        """What is independent: one value per agent of each group, or per cluster, adjusted for histories."""
        adjusted = groups if self.before is None else adjusted_outcomes(groups, self.before)
        if self.clusters is None:
            return [_known(each) for each in adjusted]
        return [cluster_values(each, self.clusters) for each in adjusted]

    def _of_clusters(self, numerator: FloatArray, denominator: FloatArray) -> Parts:
        """The parts of a ratio, of agents or clusters with a denominator."""
        if self.clusters is not None:
            numerator, denominator = (
                np.bincount(self.clusters, weights=part).astype(np.float64) for part in (numerator, denominator)
            )
        return numerator[denominator > 0], denominator[denominator > 0]


def estimator_of(
    design: object,
    seed: int,
    arms: Sequence[str],
    user_ids: Sequence[str],
    personas: Iterable[Mapping[str, Any]] | PersonaColumns | LoggedPersonas,
    assignment: Assignment | None = None,
) -> Estimator:
    """The estimator of a run.

    Args:
        design: As configured.
        seed: The run's.
        arms: Names in the order of the YAML.
        user_ids: The data set's own id of each agent.
        personas: As logged, in the same order; read in a split design only.
        assignment: As logged: who lives where, if ties may join agents of different arms.
    """
    if not isinstance(design, SplitDesign):
        return Paired()
    before = known_before(personas)
    if assignment is None:
        return Split(assigned_arms(seed, user_ids, shares_of(design, arms)), before)
    if design.by == "agents":
        return Split(assignment.homes, before)
    words = "between groups of clusters, adjusted for histories (CUPED)"
    return Split(assignment.homes, before, assignment.clusters, words)


def known_before(personas: Iterable[Mapping[str, Any]] | PersonaColumns | LoggedPersonas) -> FloatArray | None:
    """What the training histories tell of each agent, shape (n_agents, n_covariates), standardised, no NaN.

    Length of the history (its logarithm), mean and spread of the stars, and the measured traits. What is unknown of
    somebody is set to the mean; what does not vary is left out. Settled before anybody was assigned to an arm.
    """
    columns = persona_columns(personas)
    of_traits = (columns.values[trait] for trait in TRAITS)
    table = np.column_stack([np.log1p(columns.history_length), columns.mean, columns.spread, *of_traits])
    known = ~np.isnan(table)
    counts = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, table - np.where(known, table, 0).sum(axis=0) / counts, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / counts)
    varies: BoolArray = spread > 0
    return centred[:, varies] / spread[varies] if varies.any() else None


def _known(values: FloatArray) -> FloatArray:
    return values[~np.isnan(values)]
