"""What appeal is learnt from: items that people met next, against items that they passed by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from environments.arrays import FloatArray, IntArray
from environments.interactions import Interactions

MOST_PEOPLE = 2000
"""At most this many people give labels: seven weights need no more."""

MOST_PER_PERSON = 20
"""At most this many held-out items a person, so that the busiest people do not decide alone."""

NEGATIVES = 2
"""Passed-by items of each kind for each held-out item."""

LIKE_POPULARITY = 0.015
"""Items of like popularity differ from the held-out one by at most this share of the catalog in rank."""


@dataclass(frozen=True)
class AppealLabels:
    """Pairs with a label, rows of one person together.

    Attributes:
        users, items: Shape (n,).
        met: 1 for what was met next, 0 for what was passed by, shape (n,).
        weights: Negatives share the weight of the positives, shape (n,).
    """

    users: IntArray
    items: IntArray
    met: FloatArray
    weights: FloatArray

    @property
    def positives(self) -> int:
        """How many held-out items there are."""
        return int(self.met.sum())


def choose_labels(train: Interactions, held_out: Interactions, *, seed: int) -> AppealLabels:
    """Sample held-out items and, for each, `NEGATIVES` uniform and `NEGATIVES` of like popularity.

    Nothing that a person met anywhere in `train` is a negative.
    """
    chance = np.random.default_rng(seed)
    by_rank = np.lexsort((np.arange(train.n_items), train.item_counts))
    rank = np.argsort(by_rank)
    reach = max(int(LIKE_POPULARITY * train.n_items), 5)
    people = np.unique(held_out.users)
    if len(people) > MOST_PEOPLE:
        people = np.sort(chance.choice(people, MOST_PEOPLE, replace=False))
    order = np.argsort(held_out.users, kind="stable")
    sorted_users = held_out.users[order]
    starts, ends = (np.searchsorted(sorted_users, people, side=side) for side in ("left", "right"))
    columns: list[tuple[IntArray, IntArray, FloatArray]] = []
    for user, first, last in zip(people, starts, ends, strict=True):
        liked = np.unique(held_out.items[order[first:last]]).astype(np.int64)
        if len(liked) > MOST_PER_PERSON:
            liked = np.sort(chance.choice(liked, MOST_PER_PERSON, replace=False))
        met = train.matrix.indices[train.matrix.indptr[user] : train.matrix.indptr[user + 1]]
        uniform = chance.integers(0, train.n_items, NEGATIVES * len(liked))
        nearby = np.repeat(rank[liked], NEGATIVES) + chance.integers(-reach, reach + 1, NEGATIVES * len(liked))
        similar = by_rank[np.clip(nearby, 0, train.n_items - 1)]
        passed = np.concatenate([uniform, similar])
        passed = passed[~np.isin(passed, met)]
        items = np.concatenate([liked, passed])
        met_next = (np.arange(len(items)) < len(liked)).astype(np.float64)
        columns.append((np.full(len(items), user), items, met_next))
    return _joined(columns)


def _joined(columns: list[tuple[IntArray, IntArray, FloatArray]]) -> AppealLabels:
    if not columns:
        nothing = np.zeros(0, dtype=np.int64)
        return AppealLabels(nothing, nothing, np.zeros(0), np.zeros(0))
    users, items, met = (np.concatenate(column) for column in zip(*columns, strict=True))
    passed = max(len(met) - met.sum(), 1.0)
    weights = np.where(met > 0, 1.0, met.sum() / passed)
    return AppealLabels(users.astype(np.int64), items.astype(np.int64), met, weights)
