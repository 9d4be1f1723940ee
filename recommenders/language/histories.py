"""The latest items of each user, as a recommender may know them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import IntArray, ItemArray, KindArray
from groundlings.environments.interactions import KINDS, Interactions, Kind
from groundlings.recommenders.base import hash_of


@dataclass(frozen=True, slots=True)
class Histories:
    """The latest different items of each user, the earliest first; dislikes are no part of them.

    An item that occurs again stands where it occurred last. They hold what `fit` and `observe` were handed and nothing
    else: no held-out interaction, no persona.

    Attributes:
        starts: Where each user's items begin in `items`, and the end of the last, shape (n_users + 1,).
        items: Item numbers, user by user, at most `length` each.
        kinds: What each was, as places in `interactions.KINDS`, shape of `items`.
        times: When, in ticks of the data, shape of `items`.
        length: The most items of a user.
    """

    starts: IntArray
    items: ItemArray
    kinds: KindArray
    times: IntArray
    length: int

    @classmethod
    def of(cls, interactions: Interactions, length: int) -> Histories:
        """The histories in some interactions."""
        rows = interactions.chosen()
        kinds = np.zeros(len(rows), dtype=np.int8) if rows.kinds is None else rows.kinds
        return _latest(rows.users, rows.items, kinds, rows.timestamps, rows.n_users, length)

    def followed_by(self, interactions: Interactions) -> Histories:
        """The histories with later interactions behind them."""
        rows = interactions.chosen()
        kinds = np.zeros(len(rows), dtype=np.int8) if rows.kinds is None else rows.kinds
        users = np.repeat(np.arange(len(self.starts) - 1, dtype=np.int64), np.diff(self.starts))
        return _latest(
            np.concatenate([users, rows.users]),
            np.concatenate([self.items, rows.items]),
            np.concatenate([self.kinds, kinds]),
            np.concatenate([self.times, rows.timestamps]),
            rows.n_users,
            self.length,
        )

    def of_user(self, user: int) -> tuple[list[int], tuple[Kind, ...]]:
        """A user's items, the earliest first, and the kinds that occur among them, in the order of `KINDS`."""
        mine = slice(int(self.starts[user]), int(self.starts[user + 1]))
        return self.items[mine].tolist(), tuple(KINDS[kind] for kind in np.unique(self.kinds[mine]))

    def hash(self) -> str:
        """A short hash of all that prompts may be made of."""
        return hash_of(self.starts, self.items, self.kinds)


def _latest(
    users: IntArray, items: ItemArray, kinds: KindArray, times: IntArray, n_users: int, length: int
) -> Histories:
    """The last row of each pair, and of each user the last `length` of these; equal times keep the order of rows."""
    order = np.lexsort((times, users))  # stable
    users, items, kinds, times = users[order], items[order], kinds[order], times[order]
    by_pair = np.lexsort((np.arange(len(users)), items, users))
    last = np.ones(len(users), dtype=np.bool_)
    last[by_pair[:-1]] = (np.diff(users[by_pair]) != 0) | (np.diff(items[by_pair]) != 0)
    users, items, kinds, times = users[last], items[last], kinds[last], times[last]
    ends = np.cumsum(np.bincount(users, minlength=n_users))
    kept = ends[users] - np.arange(len(users)) <= length
    counts = np.bincount(users[kept], minlength=n_users)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Histories(starts, items[kept], kinds[kept], times[kept], length)
