"""What biases of users and items leave over of ratings, and vectors of items made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray
from groundlings.environments.interactions import Interactions
from groundlings.personas.taste.leading_vectors import leading_eigenvectors

BIAS_PRIOR = 5.0
"""Ratings without a bias added to each user and item."""

_BIAS_SWEEPS = 10
_RATING_DIMENSIONS = 20
_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class LeftOver:
    """Ratings, and what biases leave over of them.

    Attributes:
        rated: The rows that have a rating.
        item_bias: Shape (n_items,).
        ratings: Each rating less the mean and both biases, shape (n_rated,).
    """

    rated: Interactions
    item_bias: FloatArray
    ratings: FloatArray


def left_over_of(train: Interactions) -> LeftOver | None:
    """What biases leave over of the ratings among some rows; None where nobody gave one."""
    rated = train.take(~np.isnan(train.ratings))
    if not len(rated):
        return None
    user_bias, item_bias, middle = biases(rated)
    return LeftOver(rated, item_bias, rated.ratings - middle - user_bias[rated.users] - item_bias[rated.items])


def biases(rated: Interactions) -> tuple[FloatArray, FloatArray, float]:
    """User biases, item biases and overall mean, by alternating ridge means."""
    middle = float(rated.ratings.mean())
    per_user = np.bincount(rated.users, minlength=rated.n_users) + BIAS_PRIOR
    per_item = np.bincount(rated.items, minlength=rated.n_items) + BIAS_PRIOR
    user_bias, item_bias = np.zeros(rated.n_users), np.zeros(rated.n_items)
    over = rated.ratings - middle
    for _ in range(_BIAS_SWEEPS):
        item_bias = _sums(over, rated.users, user_bias, rated.items, rated.n_items) / per_item
        user_bias = _sums(over, rated.items, item_bias, rated.users, rated.n_users) / per_user
    return user_bias, item_bias, middle


def _sums(
    over: FloatArray, others: NDArray[np.integer], bias: FloatArray, groups: NDArray[np.integer], n_groups: int
) -> FloatArray:
    """Of each group, the sum of its rows less the others' biases, shape (n_groups,); as of `bincount`, to the last bit.

    A few rows at a time stay in the cache, where whole columns of many ratings are made of new memory each time.
    """
    sums = np.zeros(n_groups)
    for first in range(0, len(over), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        np.add.at(sums, groups[part], over[part] - bias[others[part]])
    return sums


def rating_vectors(left: LeftOver, *, quick: bool = False) -> FloatArray:
    """Item vectors from a truncated SVD of what the biases leave over, mean square length 1, shape (n_items, d).

    Args:
        left: The ratings.
        quick: Whether they are of a sample of very many users: then in single precision, as of `leading_eigenvectors`.
    """
    rated = left.rated
    left_over: NDArray[np.floating] = left.ratings.astype(np.float32) if quick else left.ratings
    per_user = (np.bincount(rated.users, minlength=rated.n_users) + BIAS_PRIOR).astype(left_over.dtype)
    per_item = (np.bincount(rated.items, minlength=rated.n_items) + BIAS_PRIOR).astype(left_over.dtype)
    shrunk = left_over / np.sqrt(per_user[rated.users] * per_item[rated.items])
    matrix = sp.csr_array((shrunk, (rated.users, rated.items)), shape=(rated.n_users, rated.n_items))
    turned = matrix.T.tocsr()
    size = min(_RATING_DIMENSIONS, *matrix.shape)

    def squared(columns: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray(turned @ np.asarray(matrix @ columns))

    # Right singular vectors are eigenvectors of the matrix's square over items.
    _, vectors = leading_eigenvectors(squared, rated.n_items, size, quick=quick)
    vectors = vectors * np.sqrt(per_item)[:, None]
    return vectors / np.sqrt(max((vectors**2).sum(axis=1).mean(), 1e-12))
