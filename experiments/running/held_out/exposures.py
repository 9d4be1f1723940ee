"""What a log of exposures says of an arm: how people took to the items that it would have put first.

The target policy shows one of the first fifth of the arm's list, each with the same chance. Its rate of positive
outcomes is estimated from the shown items by inverse propensities, self-normalised over people (Swaminathan and
Joachims 2015, "The self-normalized estimator for counterfactual learning", NeurIPS): sum of y / p over the rows whose
item is in that fifth, divided by the sum of 1 / p. Under a uniformly random policy all p are equal, and it is the plain
rate.
A positive outcome is an opened item, or, where the log does not say what was opened, a liked one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray
from groundlings.environments.datasets.exposures import load_exposures
from groundlings.environments.exposures import Exposures
from groundlings.environments.interactions import rows_of
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.environments.split import test_people
from groundlings.experiments.analysis.comparison.held_out import RealEffect, Source
from groundlings.experiments.analysis.comparison.ratios import paired_ratio_difference, ratio_estimate
from groundlings.experiments.running.plan import Plan
from groundlings.experiments.running.short_sessions import PEOPLE_AT_ONCE
from groundlings.recommenders.base import AsyncRecommender

TOP = 0.2
"""The first share of a list of all candidates in which outcomes are counted."""

_DAYS = 4
"""Lists of a recommender that draws them at random are averaged over so many."""

Sums = tuple[FloatArray, FloatArray]
"""Weighted positive outcomes and weights of each person, shape (n_people,) each."""


@dataclass(frozen=True)
class ExposureSample:
    """Exposures that can tell what other lists would have brought.

    Attributes:
        rows: With a known outcome, of people with training interactions.
        outcome: 1 or 0, shape (n_rows,).
        what: The outcome in a word: opened or liked.
        people: Their users, ascending, shape (n_people,).
        place: Each row's person, shape (n_rows,).
        weights: 1 / P(shown), up to a constant, shape (n_rows,).
    """

    rows: Exposures
    outcome: FloatArray
    what: str
    people: IntArray
    place: IntArray
    weights: FloatArray

    @property
    def source(self) -> Source:
        """What kind of evidence it is."""
        return "random exposures" if self.rows.policy == "random" else "logged exposures"


def exposure_sample(plan: Plan) -> ExposureSample | None:
    """The exposures that the experiment file names; None where there are none, or their propensities are not known.

    People of whose exposures a calibration may have been fitted are left out (`exposures.hold_out`).

    Raises:
        DataError: The file is missing or damaged.
    """
    config = plan.config.exposures
    if config is None:
        return None
    rows = load_exposures(config, plan.config.base, plan.dataset)
    if rows.policy != "random" and not rows.has_propensities:
        return None
    opened, what = rows.opened, "opened"
    if np.isnan(opened).all():
        opened, what = rows.liked(plan.dataset.scale.like), "liked"
    train = plan.split.train
    known = ~np.isnan(opened) & (np.bincount(train.users, minlength=train.n_users) > 0)[rows.users]
    if config.hold_out:
        known &= test_people(plan.dataset.people.user_ids, plan.config.split.salt)[rows.users]
    rows, outcome = rows.take(known), opened[known]
    people, place = np.unique(rows.users, return_inverse=True)
    weights = np.ones(len(rows)) if rows.policy == "random" else 1 / rows.propensities
    return ExposureSample(rows, outcome, what, people, place, weights) if len(people) > 1 else None


async def exposure_sums(plan: Plan, sample: ExposureSample, recommender: AsyncRecommender) -> Sums:
    """What an arm's first fifth brought each person, and how much of it was shown.

    Args:
        plan: The data and the seed.
        sample: The exposures.
        recommender: Fitted on the training part.
    """
    found = [await _on_day(plan, sample, recommender, day) for day in range(_DAYS if recommender.randomised else 1)]
    gained, weight = (np.mean([each[part] for each in found], axis=0) for part in (0, 1))
    return gained, weight


def exposure_effect(sample: ExposureSample, arm: Mapping[str, Sums], name: str, baseline: str) -> RealEffect | None:
    """The effect of an arm against the first one; None where either was not measured."""
    if name not in arm or baseline not in arm:
        return None
    metric = f"share {sample.what} of the shown items that its first fifth holds"
    gap = paired_ratio_difference(arm[name], arm[baseline])
    return RealEffect(sample.source, metric, ratio_estimate(*arm[name]), gap)


async def _on_day(plan: Plan, sample: ExposureSample, recommender: AsyncRecommender, day: int) -> Sums:
    train = plan.split.train
    inside = np.zeros(len(sample.rows))
    for first in range(0, len(sample.people), PEOPLE_AT_ONCE):
        some = sample.people[first : first + PEOPLE_AT_ONCE]
        draws = Draws.for_sessions(plan.config.seed, some, day)
        size = int(np.ceil(TOP * train.n_items))
        request = RankingRequest(some, size, rows_of(plan.first_seen, some), draws)
        top = np.ceil(TOP * request.unseen_counts()).astype(np.int64)
        items = (await recommender.rank(request)).items
        listed = (items != NO_ITEM) & (np.arange(items.shape[1]) < top[:, None])
        who, ranks = np.nonzero(listed)
        pairs = np.sort(who * train.n_items + items[who, ranks])
        rows = np.flatnonzero((sample.place >= first) & (sample.place < first + len(some)))
        asked = (sample.place[rows] - first) * train.n_items + sample.rows.items[rows]
        inside[rows] = np.isin(asked, pairs)
    n, weights = len(sample.people), sample.weights * inside
    gained, weight = (np.bincount(sample.place, part, minlength=n) for part in (weights * sample.outcome, weights))
    return gained.astype(np.float64), weight.astype(np.float64)
