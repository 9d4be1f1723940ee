"""Stars of real users, trivial predictors and the mind, for the same held-out pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.dataset import RatingScale
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.experiments.labs.fidelity.stage import Stage

BIAS_DAMPING = 5.0
"""Number of average ratings added to every user and every item in the user+item bias (Koren 2010, section 2.1)."""

_SWEEPS = 10
_AT_ONCE = 256


@dataclass(frozen=True)
class RatedPairs:
    """Rated pairs of some users, rows of one user together.

    Attributes:
        stage: The data.
        users, items: Shape (n,).
        real: The real stars, shape (n,).
    """

    stage: Stage
    users: IntArray
    items: IntArray
    real: FloatArray

    @property
    def scale(self) -> RatingScale:
        """The stars in use."""
        return self.stage.dataset.scale

    @cached_property
    def shares(self) -> FloatArray | None:
        """P(each star value) of the mind, shape (n, n_stars); None where the data set has no ratings."""
        stars = self.stage.taste.stars
        return None if stars is None else np.asarray(stars.shares(self.users, self.items))

    @cached_property
    def predictors(self) -> dict[str, FloatArray]:
        """Point predictions of the trivial scorers, from training ratings only, shape (n,) each."""
        train = self.stage.train
        known = train.take(~np.isnan(train.ratings))
        middle, by_user, by_item = user_and_item_bias(known)
        bias = middle + by_user[self.users] + by_item[self.items]
        found = {
            "item mean": _mean_of(known.items, known.ratings, train.n_items, middle)[self.items],
            "user mean": _mean_of(known.users, known.ratings, train.n_users, middle)[self.users],
            "user+item bias": np.clip(bias, self.scale.low, self.scale.high),
        }
        found["user+item bias, rounded"] = nearest_star(found["user+item bias"], self.scale)
        return found

    def sample(self, round_: int) -> FloatArray:
        """Stars drawn by the mind for every pair, with the random numbers of one day, shape (n,)."""
        model = self.stage.taste.stars
        if model is None:
            raise ValueError("this data set has no ratings")
        draws = Draws.for_sessions(self.stage.seed, self.users, round_)
        leaning = np.empty(len(self.users))
        people, rows = np.unique(self.users, return_inverse=True)
        for first in range(0, len(people), _AT_ONCE):
            here = (rows >= first) & (rows < first + _AT_ONCE)
            table = model.leaning(people[first : first + _AT_ONCE])
            leaning[here] = table[rows[here] - first, self.items[here]]
        columns = model.draw(self.users, leaning, draws.uniform("mood"), draws.uniform("stars", self.items))
        return np.array(self.scale.values)[columns]


def held_out_ratings(stage: Stage, users: IntArray) -> RatedPairs:
    """The rated held-out rows of some users."""
    return rated_rows(stage, stage.split.test, users)


def rated_rows(stage: Stage, part: Interactions, users: IntArray) -> RatedPairs:
    """The rated rows of some users in one part of the history."""
    rows = np.flatnonzero(np.isin(part.users, users) & ~np.isnan(part.ratings))
    rows = rows[np.lexsort((part.items[rows], part.users[rows]))]
    return RatedPairs(stage, part.users[rows], part.items[rows].astype(np.int64), part.ratings[rows])


def user_and_item_bias(known: Interactions) -> tuple[float, FloatArray, FloatArray]:
    """Overall mean, user biases and item biases, by alternating damped means."""
    middle = float(known.ratings.mean())
    by_user, by_item = np.zeros(known.n_users), np.zeros(known.n_items)
    for _ in range(_SWEEPS):
        over = known.ratings - middle - by_user[known.users]
        by_item = _damped(known.items, over, known.n_items)
        over = known.ratings - middle - by_item[known.items]
        by_user = _damped(known.users, over, known.n_users)
    return middle, by_user, by_item


def nearest_star(values: FloatArray, scale: RatingScale) -> FloatArray:
    """Each value as the nearest legal rating."""
    steps = np.rint((np.clip(values, scale.low, scale.high) - scale.low) / scale.step)
    return scale.low + scale.step * steps


def _damped(groups: IntArray | np.ndarray, values: FloatArray, size: int) -> FloatArray:
    sums = np.bincount(groups, values, minlength=size)
    return sums / (np.bincount(groups, minlength=size) + BIAS_DAMPING)


def _mean_of(groups: IntArray | np.ndarray, values: FloatArray, size: int, otherwise: float) -> FloatArray:
    counts = np.bincount(groups, minlength=size)
    sums = np.bincount(groups, values, minlength=size)
    return np.divide(sums, counts, out=np.full(size, otherwise), where=counts > 0)
