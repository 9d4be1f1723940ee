"""What recommenders that rank by ratings have in common: the rated rows, and the biases of users and items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray, ItemArray
from groundlings.environments.errors import DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.words import plural

_SWEEPS = 10


@dataclass(frozen=True)
class Biases:
    """How much higher than the mean users rate and items are rated.

    Attributes:
        middle: Mean of all ratings, 0 where there are none.
        by_user: Shape (n_users,), 0 for a user without ratings.
        by_item: Shape (n_items,), likewise.
    """

    middle: float
    by_user: FloatArray
    by_item: FloatArray

    def residuals(self, rated: Interactions) -> FloatArray:
        """What is left of each rating, shape (n,)."""
        left: FloatArray = rated.ratings - self.middle - self.by_user[rated.users] - self.by_item[rated.items]
        return left


def rated_rows(interactions: Interactions, name: str) -> Interactions:
    """The rows with a rating.

    Args:
        interactions: What a recommender is fitted on.
        name: The recommender, for the message.

    Raises:
        DataError: Real interactions are there, and not one rating: nothing could be ranked by.
    """
    known = ~np.isnan(interactions.ratings)
    if not known.any() and not interactions.synthetic.all():
        raise DataError(
            f"{name}: it ranks by ratings, and none of {plural(len(interactions), 'interaction')} has one; choose a "
            "recommender that learns from interactions, such as popular, item_knn or als"
        )
    return interactions.take(known)


def fit_biases(rated: Interactions, damping: float) -> Biases:
    """Mean, user biases and item biases by alternating damped means (Koren 2010, "Factor in the neighbors", 2.1).

    Args:
        rated: Rows with ratings.
        damping: Number of average ratings added to every user and every item.
    """
    by_user, by_item = np.zeros(rated.n_users), np.zeros(rated.n_items)
    if not len(rated):
        return Biases(0.0, by_user, by_item)
    middle = float(rated.ratings.mean())
    for _ in range(_SWEEPS):
        by_item = _damped(rated.items, rated.ratings - middle - by_user[rated.users], rated.n_items, damping)
        by_user = _damped(rated.users, rated.ratings - middle - by_item[rated.items], rated.n_users, damping)
    return Biases(middle, by_user, by_item)


def _damped(groups: IntArray | ItemArray, values: FloatArray, size: int, damping: float) -> FloatArray:
    counts = np.bincount(groups, minlength=size)
    sums = np.bincount(groups, values, minlength=size)
    return np.divide(sums, counts + damping, out=np.zeros(size), where=counts > 0)
