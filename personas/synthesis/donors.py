"""Whose histories a synthetic user's is made from: some real users who are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.random_streams import Draws, row_keys
from groundlings.personas.synthesis.traits import UserTraits

FEWEST_DONORS, MOST_DONORS = 5, 20
"""Real users that one history is made from."""

_NEAR = 2
"""The others are drawn from so many times as many of the nearest."""

_MOST_OF_FIRST = 0.4
"""The first donor gives no more than this share."""

_SAMPLE = 500
"""Users whose nearest are looked for, to see how much real users share."""

_AT_ONCE = 4_096
"""Users that are compared at once, and with so many at most: a user among more has the nearest of a part of them."""


@dataclass(frozen=True)
class Neighbourhoods:
    """The nearest real users of each real user.

    Attributes:
        traits: Of the real users.
        nearest: Row numbers, nearest first, the user apart, shape (n_users, n_near).
        widths: The share of the catalog in which each donor is asked, the first one's first, shape (n_donors,).
        seed: Of the parts that are looked at.
    """

    traits: UserTraits
    nearest: IntArray
    widths: FloatArray
    seed: int

    @classmethod
    def of(cls, traits: UserTraits, met: sp.csr_array, seed: int) -> Neighbourhoods:
        """Found by the distance of weighted normal scores.

        Args:
            traits: Of the users.
            met: 1 for each pair that occurs, shape (n_users, n_items).
            seed: Of the parts that are looked at.
        """
        points = traits.scores * traits.weights
        n = len(points)
        width = min(_NEAR * (MOST_DONORS - 1), n - 1)
        nearest = np.empty((n, width), dtype=np.int64)
        for first in range(0, n, _AT_ONCE):
            some = np.arange(first, min(first + _AT_ONCE, n))
            among = _part(n, seed, first)
            apart = _distances(points[some], points[among])
            apart[some[:, None] == among] = np.inf
            few = np.argpartition(apart, width - 1, axis=1)[:, :width]
            order = np.argsort(np.take_along_axis(apart, few, axis=1), axis=1, kind="stable")
            nearest[some] = among[np.take_along_axis(few, order, axis=1)]
        return cls(traits, nearest, _widths(met, nearest, seed), seed)

    def closest(self, scores: FloatArray, part: int) -> IntArray:
        """The real user nearest to each row of scores, among a part of them, shape (n,)."""
        points, weights = self.traits.scores, self.traits.weights
        among = _part(len(points), self.seed, part)
        return among[_distances(scores * weights, points[among] * weights).argmin(axis=1)]

    def donors(self, first: IntArray, draws: Draws) -> IntArray:
        """Each first donor and others drawn from those near it, shape (n, n_donors)."""
        others = len(self.widths) - 1
        near = min(_NEAR * others, self.nearest.shape[1])
        lots = draws.uniform("donors", np.broadcast_to(np.arange(near), (len(first), near)))
        drawn = np.sort(np.argpartition(lots, others - 1, axis=1)[:, :others], axis=1)
        return np.column_stack([first, np.take_along_axis(self.nearest[first], drawn, axis=1)])


def _widths(met: sp.csr_array, nearest: IntArray, seed: int) -> FloatArray:
    """As much for the first donor as real users share with the one who is nearest to them; the others share the rest.

    Who takes a share w from a donor, and the rest from others who are like that donor, has about w + (1 - w) o of their
    items in common with the donor, where o is what real users have in common with those others.
    """
    n = len(nearest)
    some = np.sort(np.random.default_rng(seed).permutation(n)[:_SAMPLE])
    lengths = np.diff(met.indptr).astype(np.float64)
    shared = (met[some] @ met.T).toarray()
    jaccard = shared / np.maximum(lengths[some][:, None] + lengths[None] - shared, 1)
    jaccard[np.arange(len(some)), some] = 0.0
    closest = float(np.median(jaccard.max(axis=1)))
    wanted = 2 * closest / (1 + closest)
    around = np.take_along_axis(shared, nearest[some], axis=1)[:, : _NEAR * FEWEST_DONORS]
    usual = float(np.median((around / lengths[some][:, None]).mean(axis=1)))
    first = float(np.clip((wanted - usual) / max(1 - usual, 0.5), 1 / MOST_DONORS, _MOST_OF_FIRST))
    donors = min(int(np.clip(np.ceil(2 / first), FEWEST_DONORS, MOST_DONORS)), nearest.shape[1] + 1)
    first = max(first, 1 / donors)
    return np.concatenate([[first], np.full(donors - 1, (1 - first) / (donors - 1))])


def _part(n: int, seed: int, number: int) -> IntArray:
    """Row numbers of at most `_AT_ONCE` users, ascending: all of them where there are no more."""
    if n <= _AT_ONCE:
        return np.arange(n)
    keys = row_keys(seed, np.arange(n), np.full(n, number))
    return np.sort(np.argpartition(keys, _AT_ONCE)[:_AT_ONCE])


def _distances(first: FloatArray, second: FloatArray) -> FloatArray:
    """Squared distances less what all of a row share, shape (n, m)."""
    return np.asarray((second**2).sum(axis=1) - 2 * (first @ second.T), dtype=np.float32)
