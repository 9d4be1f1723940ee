"""The occasions of real users, and what they took up again on them: what a repeat model is fitted on.

An occasion is a day on which a user took anything up, as a day of the simulation is one session at most. On each of
them every item that the user knew could be taken up again, and was or was not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray

HELD_OUT = 0.2
"""Share of each user's occasions, the latest, that serve as labels."""


@dataclass(frozen=True, slots=True)
class Chances:
    """Pairs of a user and a known item on an occasion, as they stood before it.

    Attributes:
        users, items: Shape (n,).
        count, first, latest: As in `ownership.Known`, shape (n,).
        day: Of the occasion, shape (n,).
        again: 1 where the item was taken up again, else 0, shape (n,).
        weights: How many such pairs a row stands for, shape (n,).
    """

    users: IntArray
    items: IntArray
    count: IntArray
    first: IntArray
    latest: IntArray
    day: IntArray
    again: FloatArray
    weights: FloatArray


@dataclass(frozen=True)
class Occasions:
    """Days and what was taken up on them, by user, item and day.

    Attributes:
        users, items, days: Each item of each day once, shape (n,), sorted.
        occasion: Of each row: which of its user's occasions it is, 0 for the first, shape (n,).
        place: Of each row: how often its user had taken the item up before, in days, shape (n,).
        first: Day on which its user first took the item up, shape (n,).
        following: The occasion on which it was taken up next, the user's number of occasions where it was not, (n,).
        starts: Where each user's occasions begin in `calendar`, shape (n_users + 1,).
        calendar: The days of all occasions, user by user, ascending.
        n_items: Size of the catalog.
    """

    users: IntArray
    items: IntArray
    days: IntArray
    occasion: IntArray
    place: IntArray
    first: IntArray
    following: IntArray
    starts: IntArray
    calendar: IntArray
    n_items: int

    @classmethod
    def of(cls, users: IntArray, items: IntArray, days: IntArray, n_users: int, n_items: int) -> Occasions:
        """Those of some rows, in any order."""
        order = np.lexsort((days, items, users))
        users, items, days = users[order], items[order].astype(np.int64), days[order]
        fresh = np.ones(len(users), dtype=np.bool_)
        fresh[1:] = (np.diff(users) != 0) | (np.diff(items) != 0) | (np.diff(days) != 0)
        users, items, days = users[fresh], items[fresh], days[fresh]
        earliest = int(days.min()) if len(days) else 0
        width = int(days.max()) - earliest + 1 if len(days) else 1
        visits, which = np.unique(users * width + (days - earliest), return_inverse=True)
        starts = np.searchsorted(visits, np.arange(n_users + 1) * width)
        pairs = np.ones(len(users), dtype=np.bool_)
        pairs[1:] = (np.diff(users) != 0) | (np.diff(items) != 0)
        begins = np.flatnonzero(pairs)
        pair = np.cumsum(pairs) - 1
        occasion = which - starts[users]
        following = np.diff(starts)[users]
        same = np.flatnonzero(~pairs)
        following[same - 1] = occasion[same]
        return cls(
            users, items, days, occasion, np.arange(len(users)) - begins[pair], days[begins[pair]], following,
            starts, visits % width + earliest, n_items,
        )  # fmt: skip

    @property
    def counts(self) -> IntArray:
        """Occasions of each user, shape (n_users,)."""
        return np.diff(self.starts)

    @property
    def labelled_from(self) -> IntArray:
        """The first occasion of each user that serves as a label, shape (n_users,): never their first one."""
        counts = self.counts
        return np.maximum(np.minimum(np.floor((1 - HELD_OUT) * counts).astype(np.int64), counts - 1), 1)

    def before(self, limits: IntArray) -> Occasions:
        """The occasions of each user before one of them, `limits` of shape (n_users,)."""
        kept = self.occasion < limits[self.users]
        rows = self.users[kept], self.items[kept], self.days[kept]
        return Occasions.of(*rows, len(self.starts) - 1, self.n_items)

    def chances(self, most: int, chance: np.random.Generator) -> Chances:
        """What could be taken up again on the labelled occasions, those that were not thinned out to about `most`."""
        lowest = np.maximum(self.occasion + 1, self.labelled_from[self.users])
        highest = np.minimum(self.following, self.counts[self.users] - 1)
        lengths = np.maximum(highest - lowest + 1, 0)
        rows = np.repeat(np.arange(len(self.users)), lengths)
        which = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + lowest[rows]
        again = which == self.following[rows]
        share = min(1.0, most / max(len(rows), 1))
        kept = again | (chance.random(len(rows)) < share)
        rows, which, again = rows[kept], which[kept], again[kept]
        return Chances(
            self.users[rows],
            self.items[rows],
            self.place[rows] + 1,
            self.first[rows],
            self.days[rows],
            self.calendar[self.starts[self.users[rows]] + which],
            again.astype(np.float64),
            np.where(again, 1.0, 1 / share),
        )

    def new_items(self) -> tuple[FloatArray, FloatArray]:
        """New items that each user took up on the labelled occasions, and how many could have been: shape (n_users,).

        An item could have been new on each occasion on which the user did not know it yet.
        """
        n_users = len(self.starts) - 1
        new = self.place == 0
        cells = self.starts[self.users[new]] + self.occasion[new]
        fresh = np.bincount(cells, minlength=len(self.calendar))
        whose = np.repeat(np.arange(n_users), self.counts)
        before = np.cumsum(fresh) - fresh  # of all users so far
        known = before - before[self.starts[whose]]
        labelled: BoolArray = np.arange(len(self.calendar)) - self.starts[whose] >= self.labelled_from[whose]
        taken, unknown = (
            np.bincount(whose[labelled], part[labelled], minlength=n_users) for part in (fresh, self.n_items - known)
        )
        return taken.astype(np.float64), unknown.astype(np.float64)
