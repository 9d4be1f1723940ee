"""Who did what with which item, when: the one table every recommender learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray, ItemArray, KindArray, seal_arrays
from groundlings.environments.errors import DataError, shown

if TYPE_CHECKING:
    import pandas as pd

USER = "user"
ITEM = "item"
RATING = "rating"
TIMESTAMP = "timestamp"
SYNTHETIC = "synthetic"
KIND = "kind"
WEIGHT = "weight"

Kind = Literal["interaction", "view", "click", "add_to_cart", "purchase", "play", "rating", "like", "dislike"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""What a user did with an item; the codes of `Interactions.kinds`. The first stands for an event of unnamed kind."""

DISLIKE: Final = KINDS.index("dislike")

TicksPerSecond = Literal[1, 1000, 1_000_000, 1_000_000_000]
TICKS_PER_SECOND: Final[tuple[TicksPerSecond, ...]] = get_args(TicksPerSecond)
"""How fine a clock may be: seconds, milliseconds, microseconds, nanoseconds."""

_Cell = TypeVar("_Cell", np.int8, np.float64)


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
        kinds: What each row is, as places in `KINDS`, shape (n,); None where the data do not tell kinds apart.
        weights: Quantity bought or time played, shape (n,), in a unit of the data's own; NaN where it is unknown, None
            where the data give none.
    """

    users: IntArray
    items: ItemArray
    ratings: FloatArray
    timestamps: IntArray
    synthetic: BoolArray
    n_users: int
    n_items: int
    ticks_per_second: TicksPerSecond = 1
    kinds: KindArray | None = None
    weights: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.ticks_per_second not in TICKS_PER_SECOND:
            expected = ", ".join(f"{ticks:,}" for ticks in TICKS_PER_SECOND)
            raise DataError(f"interactions: ticks_per_second is {shown(self.ticks_per_second)}; expected {expected}")
        optional = [column for column in (self.kinds, self.weights) if column is not None]
        lengths = {len(column) for column in (self.items, self.ratings, self.timestamps, self.synthetic, *optional)}
        if lengths != {len(self.users)}:
            raise DataError(f"interactions: {len(self.users)} users, but columns of lengths {sorted(lengths)}")
        for name, column, size in (("user", self.users, self.n_users), ("item", self.items, self.n_items)):
            if len(column) and not (0 <= column.min() and column.max() < size):
                raise DataError(f"interactions: {name} numbers must lie in 0..{size - 1}")
        if self.kinds is not None and len(self.kinds) and not (0 <= self.kinds.min() <= self.kinds.max() < len(KINDS)):
            raise DataError(f"interactions: kinds must lie in 0..{len(KINDS) - 1}, the places of {', '.join(KINDS)}")
        if self.weights is not None and ((self.weights < 0) | np.isinf(self.weights)).any():
            raise DataError("interactions: weights must be finite and at least 0, or NaN where unknown")
        seal_arrays(self, "users", "items", "ratings", "timestamps", "synthetic", "kinds", "weights")

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
        kinds: NDArray[np.integer] | None = None,
        weights: NDArray[np.floating] | None = None,
    ) -> Interactions:
        """Build from plain arrays; `ratings=None` means that nobody gave any, `kinds` and `weights` are as above.

        Raises:
            DataError: Users, items or times are no whole numbers, or columns do not fit together.
        """
        stars = np.full(len(users), np.nan) if ratings is None else ratings.astype(np.float64)
        return cls(
            _whole(users, "users"),
            _whole(items, "items", 2**31 - 1).astype(np.int32),
            stars,
            _whole(timestamps, "timestamps"),
            np.full(len(users), synthetic),
            n_users,
            n_items,
            ticks_per_second,
            None if kinds is None else kinds.astype(np.int8),
            None if weights is None else weights.astype(np.float64),
        )

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: NDArray[np.integer] | BoolArray) -> Interactions:
        """Some rows, by number or mask; itself where a mask has all of them."""
        rows = np.asarray(rows)
        if rows.dtype == np.bool_ and rows.all():
            return self
        return Interactions(
            self.users[rows],
            self.items[rows],
            self.ratings[rows],
            self.timestamps[rows],
            self.synthetic[rows],
            self.n_users,
            self.n_items,
            self.ticks_per_second,
            None if self.kinds is None else self.kinds[rows],
            None if self.weights is None else self.weights[rows],
        )

    def chronological(self) -> Interactions:
        """The same rows by time, then user; rows of one user at one moment keep the order they have.

        Everything that asks for the latest or the next item of a person breaks ties in time by the order of rows.
        """
        return self.take(np.lexsort((self.users, self.timestamps)))

    def first_meetings(self) -> Interactions:
        """The earliest row of each pair of a user and an item, in the order they have; itself where none repeats."""
        if self.met.nnz == len(self):
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
        """These rows and then the later ones, all about the same world.

        Where only some of them tell kinds, the others' rows are of the kind "interaction"; likewise, their weights are
        unknown.
        """
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
            _filled([(part.kinds, len(part)) for part in parts], np.int8(0)),
            _filled([(part.weights, len(part)) for part in parts], np.float64(np.nan)),
        )

    def rated(self, ratings: FloatArray) -> Interactions:
        """The same rows with other ratings, shape (n,), NaN for none."""
        return replace(self, ratings=ratings)

    def chosen(self) -> Interactions:
        """The rows less the dislikes, which nobody should take for a choice; itself where there are none."""
        if self.kinds is None or not (self.kinds == DISLIKE).any():
            return self
        return self.take(self.kinds != DISLIKE)

    def met_by(self, users: IntArray) -> sp.csr_array:
        """The rows of `met` of some users, shape (n, n_items)."""
        return rows_of(self.met, users)

    @cached_property
    def matrix(self) -> sp.csr_array:
        """Who chose what: 1.0 for each pair that occurs, dislikes apart, shape (n_users, n_items).

        Recommenders learn from it. A pair that is both disliked and otherwise met is in it.
        """
        return self.chosen().met

    @cached_property
    def met(self) -> sp.csr_array:
        """Who met what, dislikes included: 1.0 for each pair that occurs, shape (n_users, n_items)."""
        matrix = sp.csr_array((np.ones(len(self)), (self.users, self.items)), shape=(self.n_users, self.n_items))
        matrix.data[:] = 1  # a pair that occurs twice counts once
        seal_arrays(matrix, "data", "indices", "indptr")
        return matrix

    @cached_property
    def item_counts(self) -> IntArray:
        """People per item, shape (n_items,)."""
        return np.bincount(self.matrix.indices, minlength=self.n_items).astype(np.int64)

    def frame(self) -> pd.DataFrame:
        """The columns as a data frame; times in seconds since 1970, with fractions where the clock has them.

        The columns `kind` (by name) and `weight` are there where the data have them.
        """
        import pandas as pd

        columns: dict[str, object] = {
            USER: self.users,
            ITEM: self.items,
            RATING: self.ratings,
            TIMESTAMP: self.seconds,
            SYNTHETIC: self.synthetic,
        }
        if self.kinds is not None:
            columns[KIND] = pd.Categorical.from_codes(self.kinds, categories=pd.Index(KINDS))
        if self.weights is not None:
            columns[WEIGHT] = self.weights
        return pd.DataFrame(columns)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the columns, in hexadecimal."""
        digest = hashlib.sha256(f"{self.n_users} {self.n_items}".encode())
        if self.ticks_per_second != 1:
            digest.update(f"{self.ticks_per_second} ticks per second".encode())
        for column in (self.users, self.items, self.ratings, self.timestamps, self.synthetic):
            digest.update(np.ascontiguousarray(column).tobytes())
        # Data without these are hashed as they always were, so that their runs can be resumed.
        for name, optional in ((KIND, self.kinds), (WEIGHT, self.weights)):
            if optional is not None:
                digest.update(name.encode() + np.ascontiguousarray(optional).tobytes())
        return digest.hexdigest()


def _whole(column: NDArray[Any], name: str, most: int = 2**63 - 1) -> IntArray:
    """Whole numbers as such; `DataError` of anything that would only become one by being cut."""
    kind = column.dtype.kind
    if kind in "iu":
        fits = np.abs(column) <= most if len(column) and column.max() > most else np.ones(len(column), dtype=np.bool_)
    elif kind == "f":  # of larger ones the last digits are not there
        fits = (column == np.trunc(column)) & (np.abs(column) <= min(most, 2**53))
    else:
        fits = np.zeros(len(column), dtype=np.bool_)
    if not fits.all():
        row = int(np.argmin(fits))
        found = shown(column[row].item() if kind in "iuf" else str(column[row]))
        raise DataError(
            f"interactions: {name}: found {found} in row {row} of an array of {column.dtype}; expected whole numbers"
            + (", ticks since 1970, as many per second as ticks_per_second says" if name == "timestamps" else "")
        )
    return column.astype(np.int64)


def _filled(parts: Sequence[tuple[NDArray[_Cell] | None, int]], missing: _Cell) -> NDArray[_Cell] | None:
    """Columns one after another, `missing` for the rows of a part that has none; None where no part has any."""
    if all(column is None for column, _ in parts):
        return None
    return np.concatenate([np.full(n, missing) if column is None else column for column, n in parts])


def rows_of(matrix: sp.csr_array, users: IntArray) -> sp.csr_array:
    """The rows of some users, shape (n, n_items)."""
    if len(users) != 1:
        return sp.csr_array(matrix[users])
    # A language agent comes alone, and scipy's slicing takes longer than the ranking.
    start, end = matrix.indptr[users[0]], matrix.indptr[users[0] + 1]
    bounds = np.array([0, end - start], dtype=matrix.indptr.dtype)
    data, indices = matrix.data[start:end].copy(), matrix.indices[start:end].copy()  # a view could be written through
    row = copy(_empty_row(matrix.shape[1]))
    row.data, row.indices, row.indptr = data, indices, bounds
    return row


@lru_cache(maxsize=8)
def _empty_row(n_items: int) -> sp.csr_array:
    """A row to be copied and filled: making one looks through all numbers, which takes twenty times as long."""
    return sp.csr_array((1, n_items))
