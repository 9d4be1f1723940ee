"""Who did what with which item, when: the one table every recommender learns from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray, ItemArray, seal_arrays
from groundlings.environments.errors import DataError

USER = "user"
ITEM = "item"
RATING = "rating"
TIMESTAMP = "timestamp"
SYNTHETIC = "synthetic"

TicksPerSecond = Literal[1, 1000, 1_000_000, 1_000_000_000]
TICKS_PER_SECOND: Final[tuple[TicksPerSecond, ...]] = get_args(TicksPerSecond)
"""How fine a clock may be: seconds, milliseconds, microseconds, nanoseconds."""


@dataclass(frozen=True)
class Interactions:
    """Interactions as columns of equal length, users and items as row numbers.

    All arms share one history, so columns and `matrix` refuse to be written: a recommender copies what it changes.

    Attributes:
        users: Row numbers of users, shape (n,).
        items: Row numbers of items, shape (n,).
        ratings: Stars on the data set's scale, shape (n,), NaN where the person gave none.
        timestamps: Ticks since 1970, shape (n,): whole seconds, unless `ticks_per_second` says otherwise.
        synthetic: True where a simulated agent acted, shape (n,); such rows never pass for real ones.
        n_users, n_items: Sizes of the world, which may exceed what occurs here.
        ticks_per_second: 1 where times are whole seconds; 1,000, 1,000,000 or 1,000,000,000 where the data tells
            moments within a second.
    """

    users: IntArray
    items: ItemArray
    ratings: FloatArray
    timestamps: IntArray
    synthetic: BoolArray
    n_users: int
    n_items: int
    ticks_per_second: TicksPerSecond = 1

    def __post_init__(self) -> None:
        lengths = {len(column) for column in (self.items, self.ratings, self.timestamps, self.synthetic)}
        if lengths != {len(self.users)}:
            raise DataError(f"interactions: {len(self.users)} users, but columns of lengths {sorted(lengths)}")
        for name, column, size in (("user", self.users, self.n_users), ("item", self.items, self.n_items)):
            if len(column) and not (0 <= column.min() and column.max() < size):
                raise DataError(f"interactions: {name} numbers must lie in 0..{size - 1}")
        seal_arrays(self, "users", "items", "ratings", "timestamps", "synthetic")

    @classmethod
    def of(
        cls,
        users: NDArray[np.integer],
        items: NDArray[np.integer],
        ratings: NDArray[np.floating] | None,
        timestamps: NDArray[np.integer],
        *,
        n_users: int,
        n_items: int,
        synthetic: bool = False,
        ticks_per_second: TicksPerSecond = 1,
    ) -> Interactions:
        """Build from plain arrays; `ratings=None` means that nobody gave any."""
        stars = np.full(len(users), np.nan) if ratings is None else ratings.astype(np.float64)
        return cls(
            users.astype(np.int64),
            items.astype(np.int32),
            stars,
            timestamps.astype(np.int64),
            np.full(len(users), synthetic),
            n_users,
            n_items,
            ticks_per_second,
        )

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: NDArray[np.integer] | BoolArray) -> Interactions:
        """Some rows, by number or mask."""
        return Interactions(
            self.users[rows],
            self.items[rows],
            self.ratings[rows],
            self.timestamps[rows],
            self.synthetic[rows],
            self.n_users,
            self.n_items,
            self.ticks_per_second,
        )

    def chronological(self) -> Interactions:
        """The same rows by time, then user; rows of one user at one moment keep the order they have.

        Everything that asks for the latest or the next item of a person breaks ties in time by the order of rows.
        """
        return self.take(np.lexsort((self.users, self.timestamps)))

    def first_meetings(self) -> Interactions:
        """The earliest row of each pair of a user and an item, in the order they have; itself where none repeats."""
        if self.matrix.nnz == len(self):
            return self
        order = np.lexsort((self.timestamps, self.items, self.users))  # stable: equal moments keep their order
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = (np.diff(self.users[order]) != 0) | (np.diff(self.items[order]) != 0)
        return self.take(np.sort(order[new]))

    @property
    def seconds(self) -> FloatArray | IntArray:
        """Times in seconds since 1970, shape (n,): whole numbers where the clock is no finer."""
        return self.timestamps if self.ticks_per_second == 1 else self.timestamps / self.ticks_per_second

    @property
    def next_second(self) -> int:
        """The first whole second after all of these rows, in seconds since 1970; 1 where there are none."""
        return int(self.timestamps.max(initial=0)) // self.ticks_per_second + 1

    def joined(self, *later: Interactions) -> Interactions:
        """These rows and then the later ones, all about the same world."""
        for each in later:
            if (self.n_users, self.n_items) != (each.n_users, each.n_items):
                raise DataError(
                    f"interactions: cannot join {self.n_users} users x {self.n_items} items "
                    f"with {each.n_users} users x {each.n_items} items; the row numbers would mean different things"
                )
            if each.ticks_per_second != self.ticks_per_second:
                raise DataError(
                    f"interactions: cannot join times of {self.ticks_per_second:,} and {each.ticks_per_second:,} ticks "
                    "per second; bring both to one clock"
                )
        parts = (self, *later)
        return Interactions(
            np.concatenate([part.users for part in parts]),
            np.concatenate([part.items for part in parts]),
            np.concatenate([part.ratings for part in parts]),
            np.concatenate([part.timestamps for part in parts]),
            np.concatenate([part.synthetic for part in parts]),
            self.n_users,
            self.n_items,
            self.ticks_per_second,
        )

    def met_by(self, users: IntArray) -> sp.csr_array:
        """The rows of `matrix` of some users, shape (n, n_items)."""
        matrix = self.matrix
        if len(users) != 1:
            return sp.csr_array(matrix[users])
        # A language agent comes alone, and scipy's slicing takes longer than the ranking.
        start, end = matrix.indptr[users[0]], matrix.indptr[users[0] + 1]
        bounds = np.array([0, end - start], dtype=matrix.indptr.dtype)
        data, indices = matrix.data[start:end].copy(), matrix.indices[start:end].copy()
        return sp.csr_array((data, indices, bounds), shape=(1, self.n_items))

    @cached_property
    def matrix(self) -> sp.csr_array:
        """Who met what: 1.0 for each pair that occurs, shape (n_users, n_items)."""
        ones = np.ones(len(self))
        matrix = sp.csr_array((ones, (self.users, self.items)), shape=(self.n_users, self.n_items))
        matrix.data[:] = 1.0  # a pair that occurs twice was summed; it still counts once
        seal_arrays(matrix, "data", "indices", "indptr")
        return matrix

    @cached_property
    def item_counts(self) -> IntArray:
        """People per item, shape (n_items,)."""
        return np.bincount(self.matrix.indices, minlength=self.n_items).astype(np.int64)

    def frame(self) -> pd.DataFrame:
        """The columns as a data frame; times in seconds since 1970, with fractions where the clock has them."""
        return pd.DataFrame(
            {
                USER: self.users,
                ITEM: self.items,
                RATING: self.ratings,
                TIMESTAMP: self.seconds,
                SYNTHETIC: self.synthetic,
            }
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the columns, in hexadecimal."""
        digest = hashlib.sha256(f"{self.n_users} {self.n_items}".encode())
        if self.ticks_per_second != 1:
            digest.update(f"{self.ticks_per_second} ticks per second".encode())
        for column in (self.users, self.items, self.ratings, self.timestamps, self.synthetic):
            digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()
