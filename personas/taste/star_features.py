"""What training ratings say of everybody's use of the stars, before any weight is put on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.cores import in_two_threads
from groundlings.environments.dataset import RatingScale
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.row_order import by_user_and_time
from groundlings.environments.sorting import order_of
from groundlings.personas.profile import count_stars
from groundlings.personas.taste.groups import fit_groups
from groundlings.personas.taste.left_over import LeftOver, rating_vectors
from groundlings.personas.taste.many_users import MANY

STAR_FEATURES = ("standing", "group", "taste", "drift")
"""Names and order of what leans a person towards more stars.

standing: The item's bias above the mean bias of what the person has rated, from regularised user and item biases
    (Koren 2010, "Factor in the neighbors", ACM TKDD 4(1), section 2.1).
group: What ridge regressions, one for each demographic group the person belongs to, make of the item's features: they
    are fitted together to what the biases leave over of everybody's ratings (`groundlings.personas.taste.groups`); 0
    where nothing is known of the person.
taste: The same for the person alone, fitted to what biases and groups leave over of the person's own ratings.
drift: What the biases leave over of the person's latest ratings, shrunk.
"""

SHARE_PRIOR = 20.0
"""Ratings added to each person's star counts: those to be expected of somebody with that person's mean."""

MEAN_PRIOR = 5.0
"""Ratings of the overall mean added to each person's mean for that expectation."""

_TILT_STEPS = 30
_TILT_STEPS_OF_MANY = 8
"""Newton's method has doubled its exact digits often enough by then, from a start of 0."""
_TASTE_RIDGE = 5.0
_RATING_WEIGHT = 0.3
_LATEST = 10
_PAIRS_AT_ONCE = 20_000
_ROWS_TOGETHER = 8
_CELLS_AT_ONCE = 200_000


@dataclass(frozen=True)
class StarEvidence:
    """Thresholds and features of everybody.

    Attributes:
        scale: The stars in use.
        thresholds: normal_quantile of the smoothed cumulative star shares, shape (n_users, n_stars - 1).
        item_bias: Shape (n_items,).
        usual_bias: Mean item bias of what the person has rated, shape (n_users,).
        group_coefficients: Of the regressions of the person's groups, summed, shape (n_users, d).
        coefficients: Of the person's own regression, shape (n_users, d); NaN for people of whom nothing was asked.
        item_features: What it regresses on, shape (n_items, d).
        drift: Shape (n_users,).
    """

    scale: RatingScale
    thresholds: FloatArray
    item_bias: FloatArray
    usual_bias: FloatArray
    group_coefficients: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    item_features: NDArray[np.float32]
    drift: FloatArray

    def pairs(self, users: IntArray, items: IntArray) -> FloatArray:
        """`STAR_FEATURES` of some pairs, shape (n_pairs, 4)."""
        standing = self.item_bias[items] - self.usual_bias[users]
        features = self.item_features[items]
        group = np.einsum("nd,nd->n", self.group_coefficients[users], features)
        taste = np.einsum("nd,nd->n", self.coefficients[users], features)
        return np.column_stack([standing, group, taste, self.drift[users]])

    def weighted_pairs(self, users: IntArray, items: IntArray, weights: FloatArray) -> FloatArray:
        """The weighted sum of `STAR_FEATURES` of some pairs, shape (n_pairs,); a pair's is the same in any company."""
        total = np.empty(len(users))
        for first in range(0, len(users), _PAIRS_AT_ONCE):
            part = slice(first, first + _PAIRS_AT_ONCE)
            columns = self.pairs(users[part], items[part]).T
            # Added one by one: the last bits of a matrix product depend on its other rows.
            total[part] = sum(weight * column for weight, column in zip(weights, columns, strict=True))
        return total

    def weighted(self, users: IntArray, weights: FloatArray) -> NDArray[np.float32]:
        """The weighted sum of `STAR_FEATURES`, of all items for some users, shape (n, n_items)."""
        standing, group, taste, drift = weights
        of_item = (standing * self.item_bias).astype(np.float32)
        of_user = (drift * self.drift[users] - standing * self.usual_bias[users]).astype(np.float32)
        coefficients = np.float32(group) * self.group_coefficients[users] + np.float32(taste) * self.coefficients[users]
        return coefficients @ self.item_features.T + of_item + of_user[:, None]


def measure_stars(
    left: LeftOver,
    scale: RatingScale,
    item_features: NDArray[np.float32],
    people: People,
    asked: IntArray | None = None,
    vectors: FloatArray | None = None,
) -> StarEvidence:
    """Measure everybody.

    Args:
        left: The ratings.
        scale: The stars in use.
        item_features: What is known of the items besides ratings, shape (n_items, d).
        people: What users said of themselves, for the groups.
        asked: Users whose own coefficients are wanted; None = everybody's.
        vectors: `rating_vectors` of a sample of users; those of these ratings if absent.
    """
    rated, item_bias, left_over = left.rated, left.item_bias, left.ratings
    counts = np.bincount(rated.users, minlength=rated.n_users)
    usual = np.bincount(rated.users, item_bias[rated.items], minlength=rated.n_users) / np.maximum(counts, 1)
    alike = rating_vectors(left) if vectors is None else vectors
    features = np.column_stack([item_features, _RATING_WEIGHT * alike]).astype(np.float32)
    of_groups, own_part = fit_groups(rated, left_over, features, people)
    return StarEvidence(
        scale=scale,
        thresholds=ndtri(np.cumsum(star_shares(rated, scale), axis=1)[:, :-1]),
        item_bias=item_bias,
        usual_bias=usual,
        group_coefficients=of_groups,
        coefficients=_taste_regressions(rated, own_part, features, asked),
        item_features=features,
        drift=_drift(rated, left_over),
    )


def star_shares(rated: Interactions, scale: RatingScale) -> FloatArray:
    """Each person's shares of the stars, smoothed, shape (n_users, n_stars)."""
    counts = count_stars(rated, scale)
    if len(counts) <= MANY:
        return _smoothed_shares(counts, counts.sum(axis=0), _TILT_STEPS)
    parts = (counts[first : first + MANY] for first in range(0, len(counts), MANY))
    return np.concatenate([_smoothed_shares(part, counts.sum(axis=0), _TILT_STEPS_OF_MANY) for part in parts])


def _smoothed_shares(counts: IntArray, of_everybody: IntArray, steps: int) -> FloatArray:
    """The shares of some people, shape (n, n_stars).

    Smoothing towards everybody's shares would give all people everybody's spread, which is wider than one
    person's. So each person is smoothed towards everybody's shares *tilted* to that person's own mean, p_k
    proportional to overall_k * exp(tilt * k): of all distributions with that mean the closest to everybody's.

    Args:
        counts: How often each gave each star value, shape (n, n_stars).
        of_everybody: How often all people together did, shape (n_stars,).
        steps: Of Newton's method.
    """
    stars = np.arange(counts.shape[1])
    given = counts.sum(axis=1)
    overall = (of_everybody + 1) / (of_everybody.sum() + len(stars))
    middle = overall @ stars
    mean = (counts @ stars + MEAN_PRIOR * middle) / (given + MEAN_PRIOR)
    tilt = np.zeros(len(mean))
    for _ in range(steps):  # steps of at most 1 keep it inside the scale
        tilted = overall * np.exp(tilt[:, None] * (stars - middle))
        tilted /= tilted.sum(axis=1, keepdims=True)
        reached = tilted @ stars
        tilt += np.clip((mean - reached) / np.maximum(tilted @ stars**2 - reached**2, 1e-9), -1, 1)
    return (counts + SHARE_PRIOR * tilted) / (given[:, None] + SHARE_PRIOR)


def _taste_regressions(
    rated: Interactions, left_over: FloatArray, item_features: NDArray[np.float32], asked: IntArray | None = None
) -> NDArray[np.float32]:
    """Ridge coefficients of each person, shape (n_users, d), zero for people without ratings, NaN for those not asked.

    People with about as many ratings are solved for together; rows of 0, which say nothing, bring them to one number.
    Where features are more than ratings, the dual form is solved (Saunders, Gammerman and Vovk 1998, "Ridge regression
    learning algorithm in dual variables", ICML), which has the same solution.
    """
    size = item_features.shape[1]
    coefficients = np.zeros((rated.n_users, size), dtype=np.float32)
    order = order_of(rated.users)
    if asked is not None:
        wanted = np.zeros(rated.n_users, dtype=np.bool_)
        wanted[asked] = True
        coefficients[~wanted] = np.nan
        order = order[wanted[rated.users[order]]]
    people, starts, counts = np.unique(rated.users[order], return_index=True, return_counts=True)
    lengths = -(-counts // _ROWS_TOGETHER) * _ROWS_TOGETHER
    # One more row, all 0, which empty places refer to.
    features = np.vstack([item_features, np.zeros((1, size), dtype=np.float32)]).astype(np.float64)
    items, targets = np.append(rated.items[order], rated.n_items), np.append(left_over[order], 0.0)

    def solve(some: IntArray) -> None:
        places = np.arange(lengths[some[0]])[None]
        rows = np.where(places < counts[some, None], starts[some, None] + places, len(order))
        coefficients[people[some]] = _ridge_solutions(features[items[rows]], targets[rows])

    for length in np.unique(lengths).tolist():
        alike, step = np.flatnonzero(lengths == length), max(_CELLS_AT_ONCE // (length * size), 1)
        in_two_threads(solve, [alike[first : first + step] for first in range(0, len(alike), step)])
    return coefficients


def _ridge_solutions(designs: FloatArray, targets: FloatArray) -> FloatArray:
    """Ridge coefficients of a stack of regressions, shapes (n, rows, d) and (n, rows) to (n, d)."""
    turned = np.swapaxes(designs, 1, 2)
    rows, size = designs.shape[1:]
    if rows < size:
        dual = np.linalg.solve(designs @ turned + _TASTE_RIDGE * np.eye(rows), targets[:, :, None])
        return np.asarray((turned @ dual)[:, :, 0])
    primal = np.linalg.solve(turned @ designs + _TASTE_RIDGE * np.eye(size), turned @ targets[:, :, None])
    return np.asarray(primal[:, :, 0])


def _drift(rated: Interactions, left_over: FloatArray) -> FloatArray:
    """Mean left-over of each person's latest ratings, shrunk as if as many more had none, shape (n_users,)."""
    order = by_user_and_time(rated)
    users = rated.users[order]
    age = np.cumsum(np.bincount(users, minlength=rated.n_users))[users] - 1 - np.arange(len(users))
    latest = order[age < _LATEST]
    sums = np.bincount(rated.users[latest], left_over[latest], minlength=rated.n_users)
    return sums / (np.bincount(rated.users[latest], minlength=rated.n_users) + _LATEST)
