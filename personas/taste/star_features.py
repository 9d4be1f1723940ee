"""What training ratings say of everybody's use of the stars, before any weight is put on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg
from numpy.typing import NDArray
from scipy.special import ndtri

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.dataset import RatingScale
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.personas.profile import count_stars
from groundlings.personas.taste.groups import fit_groups

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

BIAS_PRIOR = 5.0
"""Ratings without a bias added to each user and item."""

SHARE_PRIOR = 20.0
"""Ratings added to each person's star counts: those to be expected of somebody with that person's mean."""

MEAN_PRIOR = 5.0
"""Ratings of the overall mean added to each person's mean for that expectation."""

_BIAS_SWEEPS = 10
_TILT_STEPS = 30
_TASTE_RIDGE = 5.0
_RATING_DIMENSIONS = 20
_RATING_WEIGHT = 0.3
_LATEST = 10


@dataclass(frozen=True)
class StarEvidence:
    """Thresholds and features of everybody.

    Attributes:
        scale: The stars in use.
        thresholds: normal_quantile of the smoothed cumulative star shares, shape (n_users, n_stars - 1).
        item_bias: Shape (n_items,).
        usual_bias: Mean item bias of what the person has rated, shape (n_users,).
        group_coefficients: Of the regressions of the person's groups, summed, shape (n_users, d).
        coefficients: Of the person's own regression, shape (n_users, d).
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

    def weighted(self, users: IntArray, weights: FloatArray) -> NDArray[np.float32]:
        """The weighted sum of `STAR_FEATURES`, of all items for some users, shape (n, n_items)."""
        standing, group, taste, drift = weights
        of_item = (standing * self.item_bias).astype(np.float32)
        of_user = (drift * self.drift[users] - standing * self.usual_bias[users]).astype(np.float32)
        coefficients = np.float32(group) * self.group_coefficients[users] + np.float32(taste) * self.coefficients[users]
        return coefficients @ self.item_features.T + of_item + of_user[:, None]


def measure_stars(
    train: Interactions, scale: RatingScale, item_features: NDArray[np.float32], people: People
) -> StarEvidence | None:
    """Measure everybody; None when nobody gave a rating.

    Args:
        train: The training rows.
        scale: The stars in use.
        item_features: What is known of the items besides ratings, shape (n_items, d).
        people: What users said of themselves, for the groups.
    """
    rated = train.take(~np.isnan(train.ratings))
    if not len(rated):
        return None
    user_bias, item_bias, middle = biases(rated)
    left_over = rated.ratings - middle - user_bias[rated.users] - item_bias[rated.items]
    counts = np.bincount(rated.users, minlength=rated.n_users)
    usual = np.bincount(rated.users, item_bias[rated.items], minlength=rated.n_users) / np.maximum(counts, 1)
    features = np.column_stack([item_features, _RATING_WEIGHT * _rating_vectors(rated, left_over)]).astype(np.float32)
    of_groups, own_part = fit_groups(rated, left_over, features, people)
    return StarEvidence(
        scale=scale,
        thresholds=ndtri(np.cumsum(star_shares(rated, scale), axis=1)[:, :-1]),
        item_bias=item_bias,
        usual_bias=usual,
        group_coefficients=of_groups,
        coefficients=_taste_regressions(rated, own_part, features),
        item_features=features,
        drift=_drift(rated, left_over),
    )


def biases(rated: Interactions) -> tuple[FloatArray, FloatArray, float]:
    """User biases, item biases and overall mean, by alternating ridge means."""
    middle = float(rated.ratings.mean())
    per_user = np.bincount(rated.users, minlength=rated.n_users) + BIAS_PRIOR
    per_item = np.bincount(rated.items, minlength=rated.n_items) + BIAS_PRIOR
    user_bias, item_bias = np.zeros(rated.n_users), np.zeros(rated.n_items)
    over = rated.ratings - middle
    for _ in range(_BIAS_SWEEPS):
        item_bias = np.bincount(rated.items, over - user_bias[rated.users], minlength=rated.n_items) / per_item
        user_bias = np.bincount(rated.users, over - item_bias[rated.items], minlength=rated.n_users) / per_user
    return user_bias, item_bias, middle


def star_shares(rated: Interactions, scale: RatingScale) -> FloatArray:
    """Each person's shares of the stars, smoothed, shape (n_users, n_stars).

    Smoothing towards everybody's shares would give all people everybody's spread, which is wider than one
    person's. So each person is smoothed towards everybody's shares *tilted* to that person's own mean, p_k
    proportional to overall_k * exp(tilt * k): of all distributions with that mean the closest to everybody's.
    """
    counts = count_stars(rated, scale)
    stars = np.arange(counts.shape[1])
    given = counts.sum(axis=1)
    overall = (counts.sum(axis=0) + 1) / (counts.sum() + len(stars))
    middle = overall @ stars
    mean = (counts @ stars + MEAN_PRIOR * middle) / (given + MEAN_PRIOR)
    tilt = np.zeros(len(mean))
    for _ in range(_TILT_STEPS):  # Newton's method; steps of at most 1 keep it inside the scale
        tilted = overall * np.exp(tilt[:, None] * (stars - middle))
        tilted /= tilted.sum(axis=1, keepdims=True)
        reached = tilted @ stars
        tilt += np.clip((mean - reached) / np.maximum(tilted @ stars**2 - reached**2, 1e-9), -1, 1)
    return (counts + SHARE_PRIOR * tilted) / (given[:, None] + SHARE_PRIOR)


def _rating_vectors(rated: Interactions, left_over: FloatArray) -> FloatArray:
    """Item vectors from a truncated SVD of what the biases leave over, mean square length 1, shape (n_items, d)."""
    per_user = np.bincount(rated.users, minlength=rated.n_users) + BIAS_PRIOR
    per_item = np.bincount(rated.items, minlength=rated.n_items) + BIAS_PRIOR
    shrunk = left_over / np.sqrt(per_user[rated.users] * per_item[rated.items])
    matrix = sp.csr_array((shrunk, (rated.users, rated.items)), shape=(rated.n_users, rated.n_items))
    size = min(_RATING_DIMENSIONS, *matrix.shape)
    if min(matrix.shape) <= 4 * _RATING_DIMENSIONS:
        vectors = scipy.linalg.svd(matrix.toarray(), full_matrices=False)[2][:size].T
    else:
        # A fixed start makes the iteration repeatable.
        start = np.random.default_rng(0).standard_normal(min(matrix.shape))
        vectors = scipy.sparse.linalg.svds(matrix, size, v0=start)[2].T
    vectors = vectors * np.sqrt(per_item)[:, None]
    return vectors / np.sqrt(max((vectors**2).sum(axis=1).mean(), 1e-12))


def _taste_regressions(
    rated: Interactions, left_over: FloatArray, item_features: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Ridge coefficients of each person, shape (n_users, d), zero for people without ratings."""
    size = item_features.shape[1]
    coefficients = np.zeros((rated.n_users, size), dtype=np.float32)
    order = np.lexsort((rated.timestamps, rated.users))
    people, starts = np.unique(rated.users[order], return_index=True)
    for user, rows in zip(people, np.split(order, starts[1:]), strict=True):
        design = item_features[rated.items[rows]].astype(np.float64)
        gram = design.T @ design + _TASTE_RIDGE * np.eye(size)
        coefficients[user] = np.linalg.solve(gram, design.T @ left_over[rows])
    return coefficients


def _drift(rated: Interactions, left_over: FloatArray) -> FloatArray:
    """Mean left-over of each person's latest ratings, shrunk as if as many more had none, shape (n_users,)."""
    order = np.lexsort((rated.timestamps, rated.users))
    users = rated.users[order]
    age = np.searchsorted(users, users, side="right") - 1 - np.arange(len(users))
    latest = order[age < _LATEST]
    sums = np.bincount(rated.users[latest], left_over[latest], minlength=rated.n_users)
    return sums / (np.bincount(rated.users[latest], minlength=rated.n_users) + _LATEST)
