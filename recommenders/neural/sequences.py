"""Histories as sequences of items in the order of time, and as rows of fixed length for a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.interactions import Interactions

_LAST_ALONE = 0.1
"""Rows of an epoch in which `bert4rec` hides the last item alone, as it is asked for it when lists are made."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """What each user chose, the earliest first; an item stands there as often as it was chosen, dislikes never.

    Attributes:
        starts: Where each user's items begin in `items`, and the end of the last, shape (n_users + 1,).
        items: Item numbers, user by user.
        times: When, in ticks of the data, shape of `items`.
        n_items: Size of the catalogue; this number fills up rows.
    """

    starts: IntArray
    items: IntArray
    times: IntArray
    n_items: int

    @classmethod
    def of(cls, interactions: Interactions) -> Sequences:
        """All that was chosen, by time; interactions of one moment keep the order of rows."""
        rows = interactions.chosen()
        return _ordered(rows.users, rows.items.astype(np.int64), rows.timestamps, rows.n_users, rows.n_items)

    def followed_by(self, interactions: Interactions) -> Sequences:
        """The sequences with further interactions in them."""
        rows = interactions.chosen()
        return _ordered(
            np.concatenate([np.repeat(np.arange(len(self)), self.lengths), rows.users]),
            np.concatenate([self.items, rows.items.astype(np.int64)]),
            np.concatenate([self.times, rows.timestamps]),
            len(self),
            self.n_items,
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> IntArray:
        """Items of each user, shape (n_users,)."""
        return np.diff(self.starts)

    def latest(self, users: IntArray, length: int) -> IntArray:
        """The latest items of some users, at most `length`, at the end of a row that `n_items` fills up in front.

        Args:
            users: Row numbers, shape (n,).
            length: Numbers of a row.

        Returns:
            Shape (n, length).
        """
        places = self.starts[users + 1][:, None] - np.arange(length, 0, -1)
        there = places >= self.starts[users][:, None]
        return np.where(there, np.append(self.items, self.n_items)[np.where(there, places, -1)], self.n_items)

    def without_last(self, users: IntArray) -> tuple[Sequences, IntArray]:
        """The sequences less the last item of some users, who have one, and these items, shape of `users`."""
        last = self.starts[users + 1] - 1
        kept = np.ones(len(self.items), dtype=np.bool_)
        kept[last] = False
        lengths = self.lengths.copy()
        lengths[users] -= 1
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return Sequences(starts, self.items[kept], self.times[kept], self.n_items), self.items[last]

    def with_clicks(self, users: IntArray, rows: IntArray, items: NDArray[np.integer]) -> Sequences:
        """The sequences of a request's users, row by row, with clicked items behind them.

        Args:
            users: Of the request, shape (n,).
            rows: Which row of the request clicked, ascending, shape (n_clicks,).
            items: What it clicked, in order.
        """
        lengths = self.lengths[users]
        own = np.repeat(np.arange(len(users)), lengths)
        within = np.arange(len(own)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        before = self.items[self.starts[users][own] + within]
        order = np.argsort(np.concatenate([own, rows]), kind="stable")
        starts = np.concatenate([[0], np.cumsum(lengths + np.bincount(rows, minlength=len(users)))]).astype(np.int64)
        joined = np.concatenate([before, items.astype(np.int64)])[order]
        return Sequences(starts, joined, np.zeros(len(joined), dtype=np.int64), self.n_items)

    def windows(self, length: int) -> IntArray:
        """All items in rows of `length`, cut from the end of each sequence, filled up in front, shape (n, length).

        Neighbouring rows of a user share one item, so that every item but the first of a user follows another one in
        some row. Users with a single item have no row.
        """
        step = length - 1
        counts = np.where(self.lengths > 1, -(-(self.lengths - 1) // max(1, step)), 0)
        users = np.repeat(np.arange(len(self)), counts)
        number = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
        places = (self.starts[users + 1] - number * step)[:, None] - np.arange(length, 0, -1)
        there = places >= self.starts[users][:, None]
        return np.where(there, np.append(self.items, self.n_items)[np.where(there, places, -1)], self.n_items)


def _ordered(users: IntArray, items: IntArray, times: IntArray, n_users: int, n_items: int) -> Sequences:
    order = np.lexsort((times, users))  # stable
    starts = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=n_users))]).astype(np.int64)
    return Sequences(starts, items[order], times[order], n_items)


def hidden_items(rows: IntArray, padding: int, share: float, rng: np.random.Generator) -> BoolArray:
    """Which items of each row `bert4rec` hides and has to tell, at least one of each, shape as `rows`."""
    there = rows != padding
    hidden = there & (rng.random(rows.shape) < share)
    last_alone = (rng.random(len(rows)) < _LAST_ALONE) | ~hidden.any(axis=1)
    hidden[last_alone] = False
    hidden[last_alone, -1] = True
    return hidden
