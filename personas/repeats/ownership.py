"""What each user has taken up and when: count, first day and latest day of every pair of a user and an item.

A day counts once, however often an item was taken on it: two packets in one basket are no repeat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of some pairs, all arrays of one shape.

    Attributes:
        known: Whether the user has taken the item up before.
        count: On how many days; 0 where not.
        first, latest: On which days, own clock (`OwnClock`); of no meaning where not.
    """

    known: BoolArray
    count: IntArray
    first: IntArray
    latest: IntArray

    def take(self, which: BoolArray) -> Known:
        """Some of the pairs, in one row."""
        return Known(self.known[which], self.count[which], self.first[which], self.latest[which])


@dataclass(frozen=True, slots=True)
class Ownership:
    """All pairs that occur, by user and item.

    Attributes:
        n_items: Size of the catalog.
        keys: user * n_items + item, ascending, shape (n_pairs,).
        count, first, latest: As in `Known`, shape (n_pairs,).
    """

    n_items: int
    keys: IntArray
    count: IntArray
    first: IntArray
    latest: IntArray

    @classmethod
    def of(cls, users: IntArray, items: IntArray, days: IntArray, n_items: int) -> Ownership:
        """The pairs of some rows, in any order, each day counted once."""
        keys = users * n_items + items
        order = np.lexsort((days, keys))
        keys, days = keys[order], days[order]
        fresh = np.ones(len(keys), dtype=np.bool_)
        fresh[1:] = (keys[1:] != keys[:-1]) | (days[1:] != days[:-1])
        keys, days = keys[fresh], days[fresh]
        found, starts, count = np.unique(keys, return_index=True, return_counts=True)
        return cls(n_items, found, count.astype(np.int64), days[starts], days[starts + count - 1])

    def after(self, users: IntArray, items: IntArray, day: int) -> Ownership:
        """The same with what was taken up on a day; those before are earlier, or this one."""
        keys = np.unique(users * self.n_items + items)
        place = np.searchsorted(self.keys, keys)
        there = self.keys[np.minimum(place, len(self.keys) - 1)] == keys if len(self.keys) else place < 0
        count, latest = self.count.copy(), self.latest.copy()
        again = place[there]
        count[again] += latest[again] < day
        latest[again] = day
        new = ~there
        at, today = place[new], np.full(int(new.sum()), day)
        return Ownership(
            self.n_items,
            np.insert(self.keys, at, keys[new]),
            np.insert(count, at, 1),
            np.insert(self.first, at, today),
            np.insert(latest, at, today),
        )

    def of_pairs(self, users: IntArray, items: IntArray) -> Known:
        """What is known of some pairs; `users` and `items` of shapes that go together."""
        keys = users * self.n_items + items
        if not len(self.keys):
            nothing = np.zeros(keys.shape, dtype=np.int64)
            return Known(np.zeros(keys.shape, dtype=np.bool_), nothing, nothing, nothing)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[place] == keys
        return Known(known, np.where(known, self.count[place], 0), self.first[place], self.latest[place])

    def items_of(self, user: int) -> IntArray:
        """Items that a user has taken up, ascending."""
        ends = np.searchsorted(self.keys, [user * self.n_items, (user + 1) * self.n_items])
        return self.keys[ends[0] : ends[1]] - user * self.n_items
