"""Sequences of interactions of the same users, real and synthetic, brought to the same length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_key
from groundlings.environments.repeats import SECONDS_PER_DAY
from groundlings.experiments.exports.quality.real import RealData, of_users

MOST_PEOPLE = 2_000
MOST_ROWS = 50
"""Of each user's sequence."""

FEWEST_ROWS = 3
FEWEST_PEOPLE = 20
"""With fewer users than this nothing is measured on sequences."""


@dataclass(frozen=True)
class Sequences:
    """Sequences of interactions, one per user, each at least one row long.

    Attributes:
        rows: By user, then by time.
    """

    rows: Interactions

    @cached_property
    def users(self) -> IntArray:
        """Whose sequences they are, ascending, shape (n,)."""
        return np.unique(self.rows.users)

    @cached_property
    def starts(self) -> IntArray:
        """The first row of each sequence, and the number of rows, shape (n + 1,)."""
        return np.append(np.searchsorted(self.rows.users, self.users), len(self.rows)).astype(np.int64)

    @cached_property
    def lengths(self) -> IntArray:
        """Rows of each sequence, shape (n,)."""
        return np.diff(self.starts)

    @cached_property
    def owners(self) -> IntArray:
        """The sequence of each row, 0 to n - 1."""
        return np.repeat(np.arange(len(self.users)), self.lengths)

    @cached_property
    def items(self) -> IntArray:
        """The item of each row."""
        return self.rows.items.astype(np.int64)

    @cached_property
    def days(self) -> IntArray:
        """Day number of each row, since 1970."""
        return np.asarray(self.rows.timestamps // (SECONDS_PER_DAY * self.rows.ticks_per_second), dtype=np.int64)

    @cached_property
    def sets(self) -> sp.csr_array:
        """Which items occur in each sequence, 1.0 each, shape (n, n_items)."""
        matrix = sp.csr_array(
            (np.ones(len(self.items)), (self.owners, self.items)), shape=(len(self.users), self.rows.n_items)
        )
        matrix.data[:] = 1.0
        return matrix

    @cached_property
    def follows(self) -> IntArray:
        """Rows that follow another one of the same sequence."""
        return np.flatnonzero(np.diff(self.owners, prepend=-1) == 0).astype(np.int64)

    def known(self, train: Interactions) -> np.ndarray:
        """Whether each row's user has its item in the training part, shape (n_rows,)."""
        met = train.met_by(self.users)
        keys = np.repeat(np.arange(met.shape[0], dtype=np.int64), np.diff(met.indptr)) * met.shape[1] + met.indices
        return np.isin(self.owners * met.shape[1] + self.items, keys)

    def taken_before(self) -> np.ndarray:
        """Whether each row's item occurs earlier in the same sequence, shape (n_rows,)."""
        keys = self.owners * self.rows.n_items + self.items
        _, first = np.unique(keys, return_index=True)
        again = np.ones(len(keys), dtype=np.bool_)
        again[first] = False
        return again

    def of(self, users: IntArray) -> Sequences:
        """The sequences of some of these users."""
        return Sequences(of_users(self.rows, users))


@dataclass(frozen=True)
class Pair:
    """Sequences of the same users with the same lengths.

    Attributes:
        real: What they really did first in the held-out part.
        synthetic: What they did first in the log.
        missing: Why there are none, "" where there are.
    """

    real: Sequences
    synthetic: Sequences
    missing: str = ""


def matched(real: RealData, log: Interactions) -> Pair:
    """The first interactions of each agent in the held-out part and in the log, as many of both.

    A user without `FEWEST_ROWS` of both is left out. With sequences of different lengths the length of the run would
    tell real and synthetic ones apart.

    Args:
        real: The real data.
        log: The synthetic interactions.
    """
    both = [of_users(rows, real.agents) for rows in (real.held_out, log)]
    counts = [np.bincount(rows.users, minlength=rows.n_users) for rows in both]
    length = np.minimum(np.minimum(*counts), MOST_ROWS)
    users = np.flatnonzero(length >= FEWEST_ROWS)
    order = sorted(users.tolist(), key=lambda user: name_key("sequences", real.seed, real.context.user_ids[user]))
    length[order[MOST_PEOPLE:]] = 0
    length[length < FEWEST_ROWS] = 0
    theirs, ours = (Sequences(_first(rows, length)) for rows in both)
    return Pair(theirs, ours, _missing(real, log, int((length > 0).sum())))


def whole(real: RealData, log: Interactions) -> Sequences:
    """The whole synthetic histories of `MOST_PEOPLE` agents at most, those that come first by a hash."""
    rows = of_users(log, real.agents)
    users = np.unique(rows.users).tolist()
    order = sorted(users, key=lambda user: name_key("sequences", real.seed, real.context.user_ids[user]))
    return Sequences(of_users(rows, np.array(order[:MOST_PEOPLE], dtype=np.int64)))


def _first(rows: Interactions, length: IntArray) -> Interactions:
    """The first `length` rows of each user; `rows` are by user and time."""
    starts = np.searchsorted(rows.users, rows.users)
    return rows.take(np.arange(len(rows)) - starts < length[rows.users])


def _missing(real: RealData, log: Interactions, people: int) -> str:
    if people >= FEWEST_PEOPLE:
        return ""
    if not len(real.held_out):
        return "nothing is held out, so there is nothing real to hold the log against"
    if not len(log):
        return "the log holds no interaction of these agents"
    return (
        f"{people} agents have {FEWEST_ROWS} interactions or more both in the held-out part and in the log; "
        f"{FEWEST_PEOPLE} are needed"
    )
