"""What demographic groups have in common: ridge regressions of their ratings on the features of items.

Each level of each attribute ("gender: F", "age: 25") gets one vector of coefficients, and a person's groups add up. The
attributes are fitted in turn to what the others leave over (backfitting; Buja, Hastie and Tibshirani 1989, "Linear
smoothers and additive models", Annals of Statistics). That women rate an item for women higher is then known of a woman
who has rated nothing, which biases and her own regression cannot know.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People

MOST_LEVELS = 30
"""An attribute with more values than this names people, not groups, unless its values are numbers."""

MOST_NUMBERS = 120
"""Numbers of more different values than this (postal codes) name people, too."""

BANDS = 5
"""Numbers of more than `MOST_LEVELS` values are cut into so many groups of about the same size."""

_RIDGE = 30.0
_SWEEPS = 3


def group_levels(people: People) -> tuple[IntArray, ...]:
    """The level of each person for each attribute that names groups, shape (n_users,) each, -1 where unknown."""
    names = dict.fromkeys(name for known in people.attributes for name in known)
    found = (_levels([known.get(name) for known in people.attributes]) for name in names)
    return tuple(levels for levels in found if levels is not None)


def fit_groups(
    rated: Interactions, left_over: FloatArray, item_features: NDArray[np.float32], people: People
) -> tuple[NDArray[np.float32], FloatArray]:
    """The sum of the coefficients of each person's groups, and what they leave over of each rating.

    Returns:
        Coefficients of shape (n_users, d), 0 for people of whom nothing is known; the rest, shape (n,).

    Args:
        rated: Interactions with ratings.
        left_over: What is to be explained of each, shape (n,).
        item_features: Shape (n_items, d).
        people: For the groups.
    """
    features = item_features.astype(np.float64)
    rest = left_over.copy()
    total = np.zeros((rated.n_users, features.shape[1]), dtype=np.float32)
    attributes = [_Attribute(levels, rated, features) for levels in group_levels(people)]
    for _ in range(_SWEEPS if len(attributes) > 1 else 1):
        for attribute in attributes:
            rest = attribute.fit(rest)
    for attribute in attributes:
        known = attribute.levels >= 0
        total[known] += attribute.coefficients[attribute.levels[known]].astype(np.float32)
    return total, rest


class _Attribute:
    """The regressions of one attribute's levels.

    Sums over (level, item) hold all that a regression needs of the ratings, so no step is larger than that table or
    the ratings themselves.
    """

    def __init__(self, levels: IntArray, rated: Interactions, features: FloatArray) -> None:
        self.levels = levels
        self._features = features
        self._rows = np.flatnonzero(levels[rated.users] >= 0)
        self._size = (int(levels.max()) + 1, len(features))
        # The cell of a rating in the table of levels x items, row by row.
        self._cells = levels[rated.users[self._rows]] * self._size[1] + rated.items[self._rows]
        self._grams = [
            features.T @ (count[:, None] * features) + _RIDGE * np.eye(features.shape[1])
            for count in self._sums(np.ones(len(self._rows)))
        ]
        self.coefficients = np.zeros((self._size[0], features.shape[1]))

    def fit(self, rest: FloatArray) -> FloatArray:
        """Fit to what is left over and this attribute's own part of it; returns what is left then, shape (n,)."""
        own = rest[self._rows] + self._predicted()
        sums = self._sums(own) @ self._features
        self.coefficients = np.stack([np.linalg.solve(gram, row) for gram, row in zip(self._grams, sums, strict=True)])
        left = rest.copy()
        left[self._rows] = own - self._predicted()
        return left

    def _predicted(self) -> FloatArray:
        table = self.coefficients @ self._features.T
        return np.asarray(table.ravel()[self._cells])

    def _sums(self, values: FloatArray) -> FloatArray:
        sums = np.bincount(self._cells, values, minlength=self._size[0] * self._size[1])
        return sums.reshape(self._size).astype(np.float64)


def _levels(values: list[str | None]) -> IntArray | None:
    """Numbers of the levels, None for an attribute that names no groups."""
    distinct = sorted({value for value in values if value})
    if len(distinct) < 2:
        return None
    if len(distinct) <= MOST_LEVELS:
        place = {value: number for number, value in enumerate(distinct)}
        return np.array([place[value] if value else -1 for value in values], dtype=np.int64)
    try:
        numbers = np.array([float(value) if value else np.nan for value in values])
    except ValueError:
        return None
    known = np.isfinite(numbers)
    if len(distinct) > MOST_NUMBERS or not known.any():
        return None
    edges = np.unique(np.quantile(numbers[known], np.arange(1, BANDS) / BANDS))
    return np.where(known, np.searchsorted(edges, np.where(known, numbers, 0.0), side="right"), -1).astype(np.int64)
