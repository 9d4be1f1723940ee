"""Taste for cold-start items, from their content only.

P(a user interacts with an item) is a logistic model on five features:

    alike      log of the share of similar items in the user's history: kernel ridge regression of the user's row on
               the similarity of items (`groundlings.environments.content`), which is the mean of a Gaussian process
    smoothed   the same for the user's row after a reduction of all rows to 32 singular vectors, which adds items that
               the user would probably interact with, too
    nearest    log of the mean of that smoothed row over the `NEAREST` items most similar to the item
    activity   log(1 + items in the user's history)
    crowd      log of the mean of `alike` over all users: how popular such items are

Its weights are estimated on hidden items, whose interactions are in none of the features, with users of the fitting and
validation thirds only. Interactions with an item under judgement are never read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.linalg import svds
from scipy.special import expit
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.content import Content
from groundlings.environments.errors import DataError
from groundlings.environments.interactions import Interactions
from groundlings.personas.taste.regression import centre_and_scale, fit_logistic

FEATURES = ("alike", "smoothed", "nearest", "activity", "crowd")
"""Names and order of the features; see the module."""

NEAREST = 10
"""Number of most similar items in the feature `nearest`."""

FEWEST_LABELS = 50
"""With fewer interactions with hidden items than this, no weights are estimated."""

MOST_PAIRS = 60_000
"""Most pairs of either class that the weights are estimated on."""

_RIDGE, _SMOOTHED_RIDGE = 30.0, 10.0
_PENALTY = 1.0
_DIMENSIONS = 32
_FLOOR, _CEILING = 0.002, 0.9
_CHUNK = 512

Shares = NDArray[np.float32]


@dataclass(frozen=True)
class ContentTaste:
    """The fitted model, for the items it was made for.

    Attributes:
        items: The cold-start items, ascending.
        histories: Interactions with the other items, shape (n_users, n_old).
        latent, loadings: The histories' leading singular parts, shapes (n_users, d) and (d, n_old).
        pull, smoothed_pull, nearest: What each old item says of each new one, shape (n_old, n_new).
        crowd: The feature, shape (n_new,).
        weights: Intercept and one weight a standardised feature, shape (1 + n_features,).
        centre, scale: Mean and standard deviation of each feature among the labels, shape (n_features,).
        labels: Meetings that the weights were estimated on.
    """

    items: IntArray
    histories: sp.csr_array
    latent: Shares
    loadings: Shares
    pull: Shares
    smoothed_pull: Shares
    nearest: Shares
    crowd: FloatArray
    weights: FloatArray
    centre: FloatArray
    scale: FloatArray
    labels: int

    def chance(self, users: IntArray, items: IntArray) -> FloatArray:
        """P(each person meets each item), shape (n, m).

        Raises:
            DataError: The model was not made for one of the items.
        """
        return np.asarray(expit(self.log_odds(users, items)))

    def log_odds(self, users: IntArray, items: IntArray) -> FloatArray:
        """Of `chance`, shape (n, m)."""
        slopes = self.weights[1:] / self.scale
        total = np.full((len(users), len(items)), self.weights[0])
        for part, columns in self._columns(users, items):
            for slope, centre, column in zip(slopes, self.centre, columns, strict=True):
                total[part] += slope * (column - centre)
        return total

    def describe(self) -> Mapping[str, Any]:
        """Weights and numbers of labels, plain JSON values."""
        return {"weights": dict(zip(FEATURES, self.weights[1:].tolist(), strict=True)), "labels": self.labels}

    def _columns(self, users: IntArray, items: IntArray) -> Iterator[tuple[slice, tuple[FloatArray, ...]]]:
        """The features of some people at a time, each of shape (k, m) or something that broadcasts to it."""
        if not np.isin(items, self.items).all():
            raise DataError("content taste: asked about items that it was not made for; name them in fit_content_taste")
        places = np.searchsorted(self.items, items)
        pull, smoothed_pull, nearest = (each[:, places] for each in (self.pull, self.smoothed_pull, self.nearest))
        with threadpool_limits(1, "blas"):
            for first in range(0, len(users), _CHUNK):
                part = slice(first, first + _CHUNK)
                rows = self.histories[users[part]].toarray()
                smoothed = self.latent[users[part]] @ self.loadings
                yield (
                    part,
                    (
                        _log_share(_regress(rows, pull)),
                        _log_share(_regress(smoothed, smoothed_pull)),
                        _log_share(np.asarray(smoothed @ nearest, dtype=np.float64)),
                        np.log1p(rows.sum(axis=1, dtype=np.float64))[:, None],
                        self.crowd[places][None],
                    ),
                )


def fit_content_taste(
    train: Interactions,
    content: Content,
    new: IntArray,
    *,
    labels: Interactions,
    hidden: IntArray,
    people: IntArray,
    seed: int,
) -> ContentTaste:
    """Measure the features and estimate the weights.

    Args:
        train: The training interactions; none is with an item of `new` or `hidden`.
        content: The content of all items.
        new: The items to judge.
        labels: Interactions with the `hidden` items; rows about other items or users are not read.
        hidden: Items that are not in `train`, to fit the weights on.
        people: The users whose labels are read, ascending.
        seed: Seed of the sampling of pairs.

    Raises:
        DataError: A row of `train` is about a new or hidden item, or the hidden items have too few interactions.
    """
    items = np.union1d(new, hidden).astype(np.int64)
    leaked = int(np.isin(train.items, items).sum())
    if leaked:
        raise DataError(
            f"content taste: {leaked} training rows are about items that count as not yet met; take them out"
        )
    unfitted = _measure(train, content, items)
    met = sp.csr_array(labels.matrix[people][:, hidden])
    if met.nnz < FEWEST_LABELS:
        raise DataError(
            f"content taste: the hidden items were met {met.nnz} times, expected at least {FEWEST_LABELS} to fit on; "
            "hide more items (`cold.share` of a warm-up file), or use data with more interactions"
        )
    values, answers, weights = _labelled(unfitted, met, people, hidden, np.random.default_rng(seed))
    centre, scale = centre_and_scale(values)
    found = fit_logistic((values - centre) / scale, answers, weights, ridge=_PENALTY)
    return replace(unfitted, weights=found, centre=centre, scale=scale, labels=met.nnz)


def _measure(train: Interactions, content: Content, items: IntArray) -> ContentTaste:
    """The features, all weighing nothing yet."""
    old = np.flatnonzero(train.item_counts > 0)
    histories = sp.csr_array(train.matrix[:, old]).astype(np.float32)
    with threadpool_limits(1, "blas"):
        alike = content.similarity(old, old).astype(np.float64)
        towards = content.similarity(old, items).astype(np.float64)
        pulls = [_pull(alike, towards, ridge) for ridge in (_RIDGE, _SMOOTHED_RIDGE)]
        latent, loadings = _singular_parts(histories)
        nearest = _nearest(towards)
        mean_row = np.asarray(histories.mean(axis=0), dtype=np.float32)[None]
        crowd = _log_share(_regress(mean_row, pulls[0]))[0]
    nothing = np.zeros(len(FEATURES))
    weightless = np.zeros(1 + len(FEATURES))
    return ContentTaste(
        items, histories, latent, loadings, pulls[0], pulls[1], nearest, crowd, weightless, nothing, nothing, 0
    )


def _nearest(towards: FloatArray) -> Shares:
    """The items most like each new one, weighing by how alike they are, columns summing to 1."""
    alike = towards.copy()
    np.put_along_axis(alike, np.argsort(-alike, axis=0, kind="stable")[NEAREST:], 0.0, axis=0)
    totals = alike.sum(axis=0)
    return np.divide(alike, totals, out=np.full(alike.shape, 1 / len(alike)), where=totals > 0).astype(np.float32)


def _pull(alike: FloatArray, towards: FloatArray, ridge: float) -> Shares:
    return np.asarray(cho_solve(cho_factor(alike + ridge * np.eye(len(alike))), towards), dtype=np.float32)


def _regress(rows: Shares, pull: Shares) -> FloatArray:
    """Kernel ridge regression of each row about its mean."""
    mean = rows.mean(axis=1, keepdims=True)
    return np.asarray(mean + (rows - mean) @ pull, dtype=np.float64)


def _singular_parts(histories: sp.csr_array) -> tuple[Shares, Shares]:
    size = min(_DIMENSIONS, min(histories.shape) - 1)
    start = np.full(min(histories.shape), 1.0)  # the iteration must begin somewhere, and always there
    left, values, right = svds(histories.astype(np.float64), k=size, v0=start)
    return (left * values).astype(np.float32), right.astype(np.float32)


def _log_share(shares: FloatArray) -> FloatArray:
    return np.log(np.clip(shares, _FLOOR, _CEILING))


def _labelled(
    taste: ContentTaste, met: sp.csr_array, people: IntArray, hidden: IntArray, chance: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Features, labels and weights of pairs: of each kind at most `MOST_PAIRS`, each kind weighing what it is in truth.

    So the intercept is right for all pairs, and the chances are chances.
    """
    known = met.toarray() > 0
    rows, columns, labels, weights = [], [], [], []
    for label, cells in ((1.0, np.flatnonzero(known)), (0.0, np.flatnonzero(~known))):
        drawn = cells if len(cells) <= MOST_PAIRS else np.sort(chance.choice(cells, MOST_PAIRS, replace=False))
        rows.append(drawn // known.shape[1])
        columns.append(drawn % known.shape[1])
        labels.append(np.full(len(drawn), label))
        weights.append(np.full(len(drawn), len(cells) / len(drawn)))
    row, column, weight = np.concatenate(rows), np.concatenate(columns), np.concatenate(weights)
    values = np.empty((len(row), len(FEATURES)))
    for part, features in taste._columns(people, hidden):
        here = np.flatnonzero((row >= part.start) & (row < part.stop))
        for number, feature in enumerate(features):
            whole = np.broadcast_to(feature, (min(part.stop, len(people)) - part.start, len(hidden)))
            values[here, number] = whole[row[here] - part.start, column[here]]
    return values, np.concatenate(labels), weight / weight.mean()
