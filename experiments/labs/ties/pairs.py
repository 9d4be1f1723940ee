"""Pairs of items of which a person really took one: the held-out item, and one that is as popular and was not met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray
from groundlings.environments.ties import Ties

HELD_OUT = 0.2
"""Share of each history that recommenders and ties do not see."""

WITHIN = 0.1
"""How far the popularity of the other item may lie from that of the held-out one, as a share of it."""

_DRAWS = 50
_PART = 256


@dataclass(frozen=True)
class Pairs:
    """Held-out items beside others.

    Attributes:
        users: Row numbers of users, shape (n,).
        chosen, other: Items: the held-out one, and one that the user never met, shape (n,).
    """

    users: IntArray
    chosen: IntArray
    other: IntArray

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: BoolArray) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.users[rows], self.chosen[rows], self.other[rows])

    def differences(self, scores: sp.csr_array) -> FloatArray:
        """Score of the held-out item less that of the other, shape (n,); scores have shape (n_users, n_items)."""
        found: FloatArray = np.asarray(scores[self.users, self.chosen] - scores[self.users, self.other])
        return found


@dataclass(frozen=True)
class HeldOut:
    """A split of the histories and its pairs.

    Attributes:
        training: 1.0 where a user met an item and the lab sees it, shape (n_users, n_items).
        pairs: One for each held-out item that has a match.
        unmatched: Held-out items without one.
    """

    training: sp.csr_array
    pairs: Pairs
    unmatched: int


def hold_out(met: sp.csr_array, chance: np.random.Generator) -> HeldOut:
    """Hide a share of the histories, and give each hidden item a partner of about the same popularity in the rest.

    Args:
        met: 1.0 where a user met an item, shape (n_users, n_items).
        chance: Of the split and of partners.
    """
    users, items = (column.astype(np.int64) for column in met.nonzero())
    hidden = chance.random(len(users)) < HELD_OUT
    training = sp.csr_array((np.ones((~hidden).sum()), (users[~hidden], items[~hidden])), shape=met.shape)
    pairs = Pairs(users[hidden], items[hidden], _partners(met, training, users[hidden], items[hidden], chance))
    matched = pairs.other != NO_ITEM
    return HeldOut(training, pairs.take(matched), int((~matched).sum()))


def _partners(
    met: sp.csr_array, training: sp.csr_array, users: IntArray, items: IntArray, chance: np.random.Generator
) -> IntArray:
    """An item of like popularity that the user never met, `NO_ITEM` where draws found none, shape (n,)."""
    popularity = popularity_of(training)
    order = np.argsort(popularity, kind="stable")
    low = np.searchsorted(popularity[order], np.ceil(popularity[items] * (1 - WITHIN)), "left")
    high = np.searchsorted(popularity[order], np.floor(popularity[items] * (1 + WITHIN)), "right")
    partners, waiting = np.full(len(items), NO_ITEM, dtype=np.int64), np.arange(len(items))
    for _ in range(_DRAWS):
        if not len(waiting):  # a sparse matrix is no array of its cells where none is asked for
            break
        width = high[waiting] - low[waiting]
        drawn = order[low[waiting] + (chance.random(len(waiting)) * width).astype(np.int64)]
        new = np.asarray(met[users[waiting], drawn]) == 0
        partners[waiting[new]] = drawn[new]
        waiting = waiting[~new]
    return partners


def popularity_of(training: sp.csr_array) -> FloatArray:
    """How many people met each item, shape (n_items,)."""
    return np.bincount(training.indices, minlength=training.shape[1]).astype(np.float64)


def knn_differences(training: sp.csr_array, pairs: Pairs, neighbours: int) -> FloatArray:
    """Differences of the square roots of item kNN's scores, shape (n,).

    Args:
        training: What item kNN learns from.
        pairs: Sorted by user, as `hold_out` gives them.
        neighbours: Of each item.
    """
    from groundlings.recommenders.item_knn import ItemKnnRecommender

    recommender = ItemKnnRecommender(neighbours=neighbours)
    recommender.learn(training)
    people, row = np.unique(pairs.users, return_inverse=True)
    found = np.empty(len(pairs))
    for first in range(0, len(people), _PART):
        some = (row >= first) & (row < first + _PART)
        scores = np.sqrt(recommender.affinity(people[first : first + _PART]))
        found[some] = scores[row[some] - first, pairs.chosen[some]] - scores[row[some] - first, pairs.other[some]]
    return found


def tie_differences(ties: Ties, training: sp.csr_array, pairs: Pairs) -> FloatArray:
    """Differences of log(1 + n), n being how many of the user's ties met the item, shape (n,)."""
    return pairs.differences(sp.csr_array(ties.counts(training).log1p()))


def wins(differences: FloatArray) -> FloatArray:
    """1 where the held-out item scores higher, 0.5 where both score the same, 0 otherwise, shape (n,)."""
    return (differences > 0) + 0.5 * (differences == 0)
