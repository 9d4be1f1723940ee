"""How many stars a person would give: an ordinal model with each person's own thresholds.

Behind each rating stands a hidden liking, normal with variance 1 around a leaning m_ui. Person u gives at most
star k when the liking is below a threshold c_uk. The thresholds come from the person's own star shares, so that
somebody who gives many fives keeps giving many fives; the leaning only says for which items. Ratings drawn from
this have the person's spread, which a point prediction loses.

    leaning     m_ui = w1 standing_ui + w2 taste_ui + w3 drift_u
    thresholds  c_uk = stretch * normal_quantile(smoothed share of ratings up to k) + shift

standing is the item's bias above the mean bias of the items that the person has rated, from regularised user
and item biases (Koren 2010, "Factor in the neighbors", ACM TKDD 4(1), section 2.1). taste is a ridge regression of
what the biases leave over on the item's vector and genres, one for each person. drift is what the biases leave
over of the person's latest ratings. stretch, shift and the three weights are estimated on held-out ratings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from environments.arrays import FloatArray, IntArray
from environments.dataset import RatingScale
from environments.interactions import Interactions
from personas.profile import star_columns
from personas.regression import OrdinalFit, fit_ordinal

STAR_FEATURES = ("standing", "taste", "drift")

WITHOUT_DATA = OrdinalFit(stretch=1.1, shift=0.0, weights=np.array([0.9, 0.9, 0.3]))
"""What is believed of a data set with hardly any held-out ratings: about what MovieLens-100K gives."""

_BIAS_PRIOR = 5.0
_BIAS_SWEEPS = 10
_TASTE_RIDGE = 5.0
_SHARE_PRIOR = 5.0
_LATEST = 10


@dataclass(frozen=True)
class StarEvidence:
    """What training ratings say of everybody's leanings, before any weight.

    Attributes:
        scale: The stars in use.
        thresholds: normal_quantile of the smoothed cumulative star shares, shape (n_users, n_stars - 1).
        item_bias: Shape (n_items,).
        usual_bias: Mean item bias of what the person has rated, shape (n_users,).
        coefficients: Of the person's taste regression, shape (n_users, d).
        features: Item vectors and genres, shape (n_items, d).
        drift: Mean left-over of the latest ratings, shrunk, shape (n_users,).
    """

    scale: RatingScale
    thresholds: FloatArray
    item_bias: FloatArray
    usual_bias: FloatArray
    coefficients: NDArray[np.float32]
    features: NDArray[np.float32]
    drift: FloatArray

    def pairs(self, users: IntArray, items: IntArray) -> FloatArray:
        """The features of some pairs, shape (n_pairs, 3)."""
        standing = self.item_bias[items] - self.usual_bias[users]
        taste = np.einsum("nd,nd->n", self.coefficients[users], self.features[items])
        return np.column_stack([standing, taste, self.drift[users]])

    def leaning(self, users: IntArray, weights: FloatArray) -> NDArray[np.float32]:
        """m of all items for some users, shape (n, n_items)."""
        taste = self.coefficients[users] @ self.features.T
        ours = (weights[2] * self.drift[users] - weights[0] * self.usual_bias[users]).astype(np.float32)
        return np.float32(weights[1]) * taste + (weights[0] * self.item_bias).astype(np.float32) + ours[:, None]


@dataclass(frozen=True)
class StarModel:
    """The fitted model of ratings.

    Attributes:
        evidence: From the training rows.
        fit: Stretch, shift and weights.
        labels: Held-out ratings they were estimated on.
    """

    evidence: StarEvidence
    fit: OrdinalFit
    labels: int

    @property
    def scale(self) -> RatingScale:
        """The stars in use."""
        return self.evidence.scale

    def cuts(self, users: IntArray) -> FloatArray:
        """c of some users, shape (n, n_stars - 1)."""
        return self.fit.stretch * self.evidence.thresholds[users] + self.fit.shift

    def leaning(self, users: IntArray) -> NDArray[np.float32]:
        """m of all items for some users, shape (n, n_items)."""
        return self.evidence.leaning(users, self.fit.weights)

    def shares(self, users: IntArray, items: IntArray) -> FloatArray:
        """P(each star value) for some pairs, shape (n_pairs, n_stars), columns as in `scale.values`."""
        leaning = self.evidence.pairs(users, items) @ self.fit.weights
        below = ndtr(self.cuts(users) - leaning[:, None])
        return np.diff(np.pad(below, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1))), axis=1)


def measure_stars(train: Interactions, scale: RatingScale, item_features: NDArray[np.float32]) -> StarEvidence | None:
    """Biases, taste regressions and star shares of everybody; None when nobody gave a rating."""
    rated = train.take(~np.isnan(train.ratings))
    if not len(rated):
        return None
    user_bias, item_bias, middle = _biases(rated)
    left_over = rated.ratings - middle - user_bias[rated.users] - item_bias[rated.items]
    counts = np.bincount(rated.users, minlength=rated.n_users)
    usual = np.bincount(rated.users, item_bias[rated.items], minlength=rated.n_users) / np.maximum(counts, 1)
    return StarEvidence(
        scale=scale,
        thresholds=_thresholds(rated, scale),
        item_bias=item_bias,
        usual_bias=usual,
        coefficients=_taste_regressions(rated, left_over, item_features),
        features=item_features,
        drift=_drift(rated, left_over),
    )


def fit_stars(earlier: StarEvidence, held_out: Interactions, final: StarEvidence) -> StarModel:
    """Estimate the weights on held-out ratings.

    Args:
        earlier: Measured without the held-out rows.
        held_out: Rated rows of the people that may be fitted on.
        final: Measured on all training rows; what the model then works with.
    """
    fit = fit_ordinal(
        earlier.pairs(held_out.users, held_out.items.astype(np.int64)),
        earlier.thresholds[held_out.users],
        star_columns(held_out.ratings, final.scale),
        prior=WITHOUT_DATA,
        ridge=10.0,
    )
    return StarModel(final, fit, len(held_out))


def _biases(rated: Interactions) -> tuple[FloatArray, FloatArray, float]:
    """User biases, item biases and overall mean, by alternating ridge means."""
    middle = float(rated.ratings.mean())
    per_user = np.bincount(rated.users, minlength=rated.n_users) + _BIAS_PRIOR
    per_item = np.bincount(rated.items, minlength=rated.n_items) + _BIAS_PRIOR
    user_bias, item_bias = np.zeros(rated.n_users), np.zeros(rated.n_items)
    for _ in range(_BIAS_SWEEPS):
        over = rated.ratings - middle
        item_bias = np.bincount(rated.items, over - user_bias[rated.users], minlength=rated.n_items) / per_item
        user_bias = np.bincount(rated.users, over - item_bias[rated.items], minlength=rated.n_users) / per_user
    return user_bias, item_bias, middle


def _thresholds(rated: Interactions, scale: RatingScale) -> FloatArray:
    """Normal quantiles of each person's cumulative star shares, smoothed towards everybody's."""
    width = len(scale.values)
    cells = rated.users * width + star_columns(rated.ratings, scale)
    counts = np.bincount(cells, minlength=rated.n_users * width).reshape(rated.n_users, width)
    overall = (counts.sum(axis=0) + 1) / (counts.sum() + width)
    shares = (counts + _SHARE_PRIOR * overall) / (counts.sum(axis=1, keepdims=True) + _SHARE_PRIOR)
    return ndtri(np.cumsum(shares, axis=1)[:, :-1])


def _taste_regressions(
    rated: Interactions, left_over: FloatArray, item_features: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Ridge coefficients of each person, shape (n_users, d), zero for people without ratings."""
    size = item_features.shape[1]
    coefficients = np.zeros((rated.n_users, size), dtype=np.float32)
    order = np.argsort(rated.users, kind="stable")
    people, starts = np.unique(rated.users[order], return_index=True)
    for user, rows in zip(people, np.split(order, starts[1:]), strict=True):
        design = item_features[rated.items[rows]].astype(np.float64)
        gram = design.T @ design + _TASTE_RIDGE * np.eye(size)
        coefficients[user] = np.linalg.solve(gram, design.T @ left_over[rows])
    return coefficients


def _drift(rated: Interactions, left_over: FloatArray) -> FloatArray:
    """Mean left-over of each person's latest ratings, shrunk as if as many more had none, shape (n_users,)."""
    order = np.lexsort((rated.items, rated.timestamps, rated.users))
    users = rated.users[order]
    age = np.searchsorted(users, users, side="right") - 1 - np.arange(len(users))
    latest = order[age < _LATEST]
    sums = np.bincount(rated.users[latest], left_over[latest], minlength=rated.n_users)
    return sums / (np.bincount(rated.users[latest], minlength=rated.n_users) + _LATEST)
