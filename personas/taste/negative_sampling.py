"""What appeal is learnt from: items that people met next, against all that they passed by.

The whole shelf of unmet items is what a click must be told from, but almost all of it is easy to tell. So negatives are
drawn from two sources at once, uniformly and among items as popular as the held-out ones, and each drawn item stands
for 1 / (expected times it is drawn) of the shelf, over both sources together: the balance heuristic of multiple
importance sampling (Veach and Guibas 1995, "Optimally combining sampling techniques for Monte Carlo rendering",
SIGGRAPH). Weighting a sample that was stratified by its outcome back to its population gives consistent estimates of
every weight, that of popularity included (Manski and Lerman 1977, "The estimation of choice probabilities from choice
based samples", Econometrica 45). Without the weights, items of like popularity would teach the model that popularity
says little.

A person with more held-out items than `MOST_PER_PERSON` gives a sample of them, and as small a share of the shelf, so
that the busiest people do not decide alone and a busy person's higher rate stays higher.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import Interactions

MOST_PEOPLE = 2000
"""At most this many people give labels: eight weights need no more."""

MOST_PER_PERSON = 20
"""At most this many held-out items a person."""

NEGATIVES = 4
"""Passed-by items from each source for each held-out item."""

LIKE_POPULARITY = 0.015
"""Items of like popularity differ from the held-out one by at most this share of the catalog in rank."""


@dataclass(frozen=True)
class AppealLabels:
    """Pairs with a label, rows of one person together.

    Attributes:
        users, items: Shape (n,).
        met: 1 for what was met next, 0 for what was passed by, shape (n,).
        weights: 1 for what was met; for what was passed by, how many items of the shelf it stands for, shape (n,).
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
class _Shelf:
    """Items in the order of popularity: the item at each rank, each item's rank, and how far like popularity goes."""

    by_rank: IntArray
    rank: IntArray
    reach: int

    def draw(self, liked: IntArray, chance: np.random.Generator) -> IntArray:
        """`NEGATIVES` of each source for each liked item; a rank beyond the ends is drawn in vain."""
        size, n_items = NEGATIVES * len(liked), len(self.rank)
        uniform = chance.integers(0, n_items, size)
        nearby = np.repeat(self.rank[liked], NEGATIVES) + chance.integers(-self.reach, self.reach + 1, size)
        return np.concatenate([uniform, self.by_rank[nearby[(nearby >= 0) & (nearby < n_items)]]])

    def times(self, liked: IntArray) -> FloatArray:
        """How often `draw` is expected to give each item, shape (n_items,)."""
        n_items = len(self.rank)
        edges = np.zeros(n_items + 1)
        np.add.at(edges, np.maximum(self.rank[liked] - self.reach, 0), 1.0)
        np.add.at(edges, np.minimum(self.rank[liked] + self.reach + 1, n_items), -1.0)
        near = np.cumsum(edges)[self.rank] / (2 * self.reach + 1)
        return NEGATIVES * (near + len(liked) / n_items)


def choose_labels(train: Interactions, held_out: Interactions, *, seed: int) -> AppealLabels:
    """Sample held-out items, and passed-by ones to stand for the rest of the shelf.

    Nothing that a person met anywhere in `train` is a negative.
    """
    chance = np.random.default_rng(seed)
    by_rank = np.lexsort((np.arange(train.n_items), train.item_counts))
    shelf = _Shelf(by_rank, np.argsort(by_rank), max(int(LIKE_POPULARITY * train.n_items), 5))
    people = np.unique(held_out.users)
    if len(people) > MOST_PEOPLE:
        people = np.sort(chance.choice(people, MOST_PEOPLE, replace=False))
    order = np.argsort(held_out.users, kind="stable")
    sorted_users = held_out.users[order]
    starts, ends = (np.searchsorted(sorted_users, people, side=side) for side in ("left", "right"))
    columns: list[tuple[IntArray, IntArray, FloatArray, FloatArray]] = []
    for user, first, last in zip(people, starts, ends, strict=True):
        ahead = np.unique(held_out.items[order[first:last]]).astype(np.int64)
        liked = ahead
        if len(ahead) > MOST_PER_PERSON:
            liked = np.sort(chance.choice(ahead, MOST_PER_PERSON, replace=False))
        met = train.matrix.indices[train.matrix.indptr[user] : train.matrix.indptr[user + 1]]
        passed = shelf.draw(liked, chance)
        passed = passed[~np.isin(passed, met)]
        stands_for = len(liked) / len(ahead) / shelf.times(liked)[passed]
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
