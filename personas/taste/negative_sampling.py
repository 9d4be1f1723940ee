"""Negative sampling for the appeal model: which unobserved items stand for "not clicked", and with which weights.

A click must be separated from all unobserved items, most of which are easy negatives. So negatives are sampled from two
sources at once, uniformly and among items as popular as the held-out ones. Each sampled item is weighted by
1 / (expected times it is sampled), over both sources together: the balance heuristic of multiple importance sampling
(Veach and Guibas 1995, "Optimally combining sampling techniques for Monte Carlo rendering", SIGGRAPH). Weighting a
sample that was stratified by its outcome back to its population gives consistent estimates of every weight, that of
popularity included (Manski and Lerman 1977, "The estimation of choice probabilities from choice based samples",
Econometrica 45). Without the weights, items of similar popularity would teach the model that popularity says little.

Positives are capped at `MOST_PER_PERSON` per user, so that the most active users do not dominate. Their negatives are
down-weighted by the same factor, so that the higher click rate of an active user stays higher.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.sorting import distinct, order_of

MOST_PEOPLE = 2000
"""Labels come from at most this many users: eight weights need no more."""

MOST_PER_PERSON = 20
"""At most this many held-out items per user."""

NEGATIVES = 4
"""Negatives from each source per held-out item."""

LIKE_POPULARITY = 0.015
"""Items of similar popularity differ from the held-out one in popularity rank by at most this share of the catalog."""


@dataclass(frozen=True)
class AppealLabels:
    """Pairs with a label, rows of one person together.

    Attributes:
        users, items: Shape (n,).
        met: 1 for a positive (held-out) item, 0 for a negative, shape (n,).
        weights: 1 for a positive; for a negative, how many unobserved items it stands for, shape (n,).
    """

    users: IntArray
    items: IntArray
    met: FloatArray
    weights: FloatArray

    @property
    def positives(self) -> int:
        """How many held-out items there are."""
        return int(self.met.sum())


@dataclass(frozen=True)
class _Candidates:
    """All items by popularity: the item at each rank, each item's rank, and how many ranks count as similar."""

    by_rank: IntArray
    rank: IntArray
    reach: int

    def draw(self, liked: IntArray, chance: np.random.Generator) -> IntArray:
        """`NEGATIVES` of each source per positive item; a rank beyond the ends gives no item."""
        size, n_items = NEGATIVES * len(liked), len(self.rank)
        uniform = chance.integers(0, n_items, size)
        nearby = np.repeat(self.rank[liked], NEGATIVES) + chance.integers(-self.reach, self.reach + 1, size)
        return np.concatenate([uniform, self.by_rank[nearby[(nearby >= 0) & (nearby < n_items)]]])

    def times(self, liked: IntArray, drawn: IntArray) -> FloatArray:
        """How often `draw` is expected to give each of some items, shape as `drawn`."""
        n_items, ranks = len(self.rank), self.rank[drawn]
        # Each positive covers the ranks within `reach`: so many windows have begun, and so many ended before a rank.
        centres = np.sort(self.rank[liked])
        begun = np.searchsorted(centres, ranks + self.reach, side="right")
        ended = np.searchsorted(centres, ranks - self.reach, side="left")
        near = (begun - ended) / (2 * self.reach + 1)
        return np.asarray(NEGATIVES * (near + len(liked) / n_items), dtype=np.float64)


def choose_labels(train: Interactions, held_out: Interactions, *, seed: int) -> AppealLabels:
    """Sample positives among the held-out items, and weighted negatives among the unobserved ones.

    No item of a user's `train` rows is a negative for that user.
    """
    chance = np.random.default_rng(seed)
    by_rank = np.lexsort((np.arange(train.n_items), train.item_counts))
    candidates = _Candidates(by_rank, np.argsort(by_rank), max(int(LIKE_POPULARITY * train.n_items), 5))
    people = distinct(held_out.users)
    if len(people) > MOST_PEOPLE:
        people = np.sort(chance.choice(people, MOST_PEOPLE, replace=False))
    order = order_of(held_out.users)
    sorted_users = held_out.users[order]
    starts, ends = (np.searchsorted(sorted_users, people, side=side) for side in ("left", "right"))
    columns: list[tuple[IntArray, IntArray, FloatArray, FloatArray]] = []
    for user, first, last in zip(people, starts, ends, strict=True):
        ahead = np.unique(held_out.items[order[first:last]]).astype(np.int64)
        liked = ahead
        if len(ahead) > MOST_PER_PERSON:
            liked = np.sort(chance.choice(ahead, MOST_PER_PERSON, replace=False))
        met = train.matrix.indices[train.matrix.indptr[user] : train.matrix.indptr[user + 1]]
        passed = candidates.draw(liked, chance)
        passed = passed[~np.isin(passed, met)]
        stands_for = len(liked) / len(ahead) / candidates.times(liked, passed)
        items = np.concatenate([liked, passed])
        met_next = (np.arange(len(items)) < len(liked)).astype(np.float64)
        weights = np.concatenate([np.ones(len(liked)), stands_for])
        columns.append((np.full(len(items), user), items, met_next, weights))
    return _joined(columns)


def _joined(columns: list[tuple[IntArray, IntArray, FloatArray, FloatArray]]) -> AppealLabels:
    if not columns:
        nothing = np.zeros(0, dtype=np.int64)
        return AppealLabels(nothing, nothing, np.zeros(0), np.zeros(0))
    users, items, met, weights = (np.concatenate(column) for column in zip(*columns, strict=True))
    return AppealLabels(users.astype(np.int64), items.astype(np.int64), met, weights)
