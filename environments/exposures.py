"""What was shown to whom, at which place, and what came of it: the rows that tell looking, opening and leaving apart.

Interactions say what people met. An exposure is one item shown to one person, opened or not, so it also tells what
people passed over. Which quantities a table of exposures can tell depends on its columns and on how items were chosen:
`Exposures.unidentified` names those that it cannot, each with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.errors import DataError
from groundlings.environments.interactions import TicksPerSecond

Policy = Literal["random", "logged"]
"""How the shown items were chosen: uniformly at random for each place, or by some recommender."""

Shape = Literal["list", "grid", "flat"]
"""How shown items lie: looked at from the top, row by row, or all at once."""

Quantity = Literal["position", "level", "opened", "repeat", "liked", "exit", "returns"]
"""What exposures may tell; `opened` and `liked` are the outcomes of which weights of a utility can be fitted."""

UNKNOWN: Final = -1
"""Stands in a column of whole numbers where the file says nothing."""

_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Exposures:
    """Shown items as columns of equal length, users and items as row numbers of a data set.

    Attributes:
        users: Shape (n,).
        items: Shape (n,).
        lists: Number of the list or page that the row belongs to, shape (n,); `UNKNOWN` where the file has none.
        pages: Which page of its session that is, from 1, shape (n,); `UNKNOWN` likewise.
        sessions: Number of the session, shape (n,); `UNKNOWN` likewise.
        positions: Place in the list, from 1, shape (n,); `UNKNOWN` likewise.
        opened: 1 opened, 0 not, NaN unknown, shape (n,).
        ratings: Stars, NaN where there are none, shape (n,).
        propensities: P(this item at this place) of the logging policy, NaN where unknown, shape (n,).
        censored: Whether the session's end is not the person's doing (the last page, the end of the log), shape (n,).
        policy: How the items were chosen.
        n_users, n_items: Sizes of the world.
        timestamps: Ticks since 1970, shape (n,); None where the file has no times.
        ticks_per_second: As in `Interactions`.
        left_out: Why -> rows of the file that are not among these, all named on purpose.
    """

    users: IntArray
    items: ItemArray
    lists: IntArray
    pages: IntArray
    sessions: IntArray
    positions: IntArray
    opened: FloatArray
    ratings: FloatArray
    propensities: FloatArray
    censored: BoolArray
    policy: Policy
    n_users: int
    n_items: int
    timestamps: IntArray | None = None
    ticks_per_second: TicksPerSecond = 1
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.users)
        wrong = sorted(name for name, column in self._columns() if len(column) != n)
        if wrong:
            raise DataError(f"exposures: {n} users, but other lengths of {', '.join(wrong)}")
        for name, column, size in (("user", self.users, self.n_users), ("item", self.items, self.n_items)):
            if n and not (0 <= column.min() and column.max() < size):
                raise DataError(f"exposures: {name} numbers must lie in 0..{size - 1}")
        for name, numbers in (("positions", self.positions), ("pages", self.pages)):
            if n and ((numbers < 1) & (numbers != UNKNOWN)).any():
                raise DataError(f"exposures: {name} count from 1, found {int(numbers.min())}")
        if not np.isin(self.opened[~np.isnan(self.opened)], (0.0, 1.0)).all():
            raise DataError("exposures: opened must be 1, 0 or NaN (unknown)")
        known = self.propensities[~np.isnan(self.propensities)]
        if len(known) and not (0 < known.min() and known.max() <= 1):
            raise DataError("exposures: propensities must be above 0 and at most 1; a shown item had some chance")

    @classmethod
    def of(
        cls,
        users: NDArray[np.integer],
        items: NDArray[np.integer],
        *,
        n_users: int,
        n_items: int,
        policy: Policy,
        lists: NDArray[np.integer] | None = None,
        pages: NDArray[np.integer] | None = None,
        sessions: NDArray[np.integer] | None = None,
        positions: NDArray[np.integer] | None = None,
        opened: NDArray[np.floating] | BoolArray | None = None,
        ratings: NDArray[np.floating] | None = None,
        propensities: NDArray[np.floating] | None = None,
        censored: BoolArray | None = None,
        timestamps: NDArray[np.integer] | None = None,
        ticks_per_second: TicksPerSecond = 1,
        left_out: Mapping[str, int] | None = None,
    ) -> Exposures:
        """Build from plain arrays; a column that is None is unknown throughout."""
        n = len(users)

        def whole(column: NDArray[np.integer] | None) -> IntArray:
            return np.full(n, UNKNOWN, dtype=np.int64) if column is None else column.astype(np.int64)

        def number(column: NDArray[np.floating] | BoolArray | None) -> FloatArray:
            return np.full(n, np.nan) if column is None else column.astype(np.float64)

        return cls(
            users=users.astype(np.int64),
            items=items.astype(np.int32),
            lists=whole(lists),
            pages=whole(pages),
            sessions=whole(sessions),
            positions=whole(positions),
            opened=number(opened),
            ratings=number(ratings),
            propensities=number(propensities),
            censored=np.zeros(n, dtype=np.bool_) if censored is None else censored,
            policy=policy,
            n_users=n_users,
            n_items=n_items,
            timestamps=None if timestamps is None else timestamps.astype(np.int64),
            ticks_per_second=ticks_per_second,
            left_out=left_out or {},
        )

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: NDArray[np.integer] | BoolArray) -> Exposures:
        """Some rows, by number or mask."""
        return replace(
            self,
            users=self.users[rows],
            items=self.items[rows],
            lists=self.lists[rows],
            pages=self.pages[rows],
            sessions=self.sessions[rows],
            positions=self.positions[rows],
            opened=self.opened[rows],
            ratings=self.ratings[rows],
            propensities=self.propensities[rows],
            censored=self.censored[rows],
            timestamps=None if self.timestamps is None else self.timestamps[rows],
        )

    def _columns(self) -> list[tuple[str, NDArray[np.generic]]]:
        columns: list[tuple[str, NDArray[np.generic] | None]] = [
            ("users", self.users), ("items", self.items), ("lists", self.lists), ("pages", self.pages),
            ("sessions", self.sessions), ("positions", self.positions), ("opened", self.opened),
            ("ratings", self.ratings), ("propensities", self.propensities), ("censored", self.censored),
            ("timestamps", self.timestamps),
        ]  # fmt: skip
        return [(name, column) for name, column in columns if column is not None]

    @property
    def days(self) -> IntArray | None:
        """Days since 1970 (UTC), shape (n,); None without times."""
        return None if self.timestamps is None else self.timestamps // (self.ticks_per_second * _SECONDS_PER_DAY)

    @cached_property
    def shown_before(self) -> IntArray | None:
        """How often each row's person had been shown the item earlier, shape (n,); None without times.

        Rows of one moment count in the order in which they stand.
        """
        if self.timestamps is None:
            return None
        order = np.lexsort((self.timestamps, self.items, self.users))  # stable: equal moments keep their order
        pair = self.users[order] * self.n_items + self.items[order]
        first = np.r_[True, pair[1:] != pair[:-1]] if len(pair) else np.zeros(0, dtype=np.bool_)
        place = np.arange(len(pair))
        before = np.empty(len(pair), dtype=np.int64)
        before[order] = place - np.maximum.accumulate(np.where(first, place, 0))
        return before

    def liked(self, like_from: float) -> FloatArray:
        """1 where the stars are a like, 0 where they are not, NaN where there are none, shape (n,)."""
        return np.where(np.isnan(self.ratings), np.nan, self.ratings >= like_from)

    @property
    def has_propensities(self) -> bool:
        """Whether every row has one."""
        return len(self) > 0 and not np.isnan(self.propensities).any()

    @property
    def at_several_positions(self) -> BoolArray:
        """Rows of items that were shown at more than one known position, shape (n,)."""
        known = self.positions != UNKNOWN
        highest = np.full(self.n_items, 0)
        lowest = np.full(self.n_items, np.iinfo(np.int64).max)
        np.maximum.at(highest, self.items[known], self.positions[known])
        np.minimum.at(lowest, self.items[known], self.positions[known])
        return known & (highest > lowest)[self.items]

    def unidentified(self, *, everything_seen: bool = False) -> dict[Quantity, str]:
        """What these rows cannot tell, and why; a quantity that is not listed can be estimated.

        Args:
            everything_seen: Whether all that is shown is looked at (a layout without an order).
        """
        reasons: dict[Quantity, str | None] = {
            "position": self._no_position(),
            "level": self._no_level(everything_seen),
            "opened": None if self._has_outcomes(self.opened) else self._no_opens(),
            "repeat": self._no_repeat(),
            "liked": self._no_likes(),
            "exit": self._no_exit(),
            "returns": self._no_returns(),
        }
        return {quantity: reason for quantity, reason in reasons.items() if reason is not None}

    def _no_position(self) -> str | None:
        if not self._has_outcomes(self.opened):
            return self._no_opens()
        known = self.positions[self.positions != UNKNOWN]
        if not len(known):
            return "no column says at which position an item was shown"
        if known.min() == known.max():
            return f"every item was shown at position {known[0]}"
        if self.policy == "random" or self.has_propensities or self.at_several_positions.any():
            return None
        return (
            "the logged policy showed each item at one position only and gives no propensities, so what a position "
            "does is not told from what the items there are"
        )

    def _no_level(self, everything_seen: bool) -> str | None:
        if not self._has_outcomes(self.opened):
            return self._no_opens()
        if not everything_seen and (self.positions == UNKNOWN).all():
            return "without positions, items that were not looked at cannot be told from items that were not wanted"
        if self.policy == "random" or self.has_propensities:
            return None
        return "the shown items are a recommender's choice, and no propensities say how it chose"

    def _no_opens(self) -> str:
        known = self.opened[~np.isnan(self.opened)]
        if not len(known):
            return "no column says which shown items were opened and which were not"
        said = f"the {len(known):,} rows" if len(known) == len(self) else f"the {len(known):,} rows that say it"
        return f"all of {said} were opened" if known[0] else f"none of {said} was opened"

    def _no_repeat(self) -> str | None:
        if not self._has_outcomes(self.opened):
            return self._no_opens()
        if self.shown_before is None:
            return "no column says when an item was shown"
        return None if self.shown_before.any() else "nobody was shown an item twice"

    def _no_likes(self) -> str | None:
        if np.isnan(self.ratings).all():
            return "no column says how many stars the shown items got"
        unopened = self.opened == 0
        if unopened.any() and np.isnan(self.ratings[unopened]).all():
            return "only opened items have stars, so P(like | shown) would rest on what people chose"
        return None if self._has_outcomes(self.ratings) else "all shown items got the same stars"

    def _no_exit(self) -> str | None:
        if (self.sessions == UNKNOWN).all():
            return "no column says which pages belong to one session"
        if (self.pages == UNKNOWN).all():
            return "no column says which page of its session a row is on"
        return None if not self.censored.all() else "no session ended by the person's own choice"

    def _no_returns(self) -> str | None:
        if self.timestamps is None:
            return "no column says when the items were shown"
        assert self.days is not None
        return None if np.ptp(self.days) > 0 else "all rows are of one day"

    @staticmethod
    def _has_outcomes(outcome: FloatArray) -> bool:
        """Whether what is known differs between rows."""
        known = outcome[~np.isnan(outcome)]
        return len(known) > 0 and known.min() < known.max()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the columns, in hexadecimal."""
        digest = hashlib.sha256(f"{self.n_users} {self.n_items} {self.policy} {self.ticks_per_second}".encode())
        for name, column in self._columns():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()
