"""Offers: what items cost, how many there are, and which are promoted, by day.

A table of offers has one row per item and period. A period without a row says nothing of the item: its price is
unknown, and nobody counts its stock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.errors import DataError

PRICE, PROMOTED, STOCK = "offer_price", "offer_promoted", "offer_stock"
"""What a page shows of the offers in its slots: names in `groundlings.environments.page.Page.further`. The log has the
first two as kinds of events."""

FROM_THE_BEGINNING, FOR_EVER = -999_999, 999_999
"""First and last day of an offer without an end: 2,700 years before and after day 0."""

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class DayOffers:
    """All offers of one day in one arm, by item number; a shop knows all of it.

    Attributes:
        prices: Per unit, shape (n_items,), NaN where unknown.
        promoted: Whether the item is promoted, shape (n_items,).
        stock: Units left when the day begins, shape (n_items,), NaN where nobody counts them.
        currency: What prices are in, as people write it; "" where the data do not say.
    """

    prices: FloatArray
    promoted: BoolArray
    stock: FloatArray
    currency: str = ""

    @property
    def sold_out(self) -> BoolArray:
        """Items of which no unit is left, shape (n_items,): they are not shown."""
        return self.stock < 1

    def on_page(self, items: ItemArray) -> Mapping[str, NDArray[Any]]:
        """What is shown beside some items, each in their shape: NaN and False where a slot is empty."""
        shown = items != NO_ITEM
        places = np.where(shown, items, 0)
        return {
            PRICE: np.where(shown, self.prices[places], np.nan),
            PROMOTED: shown & self.promoted[places],
            STOCK: np.where(shown, self.stock[places], np.nan),
        }


@dataclass(frozen=True)
class Offers:
    """A table of offers as columns, shape (n,) each; both days of a period are included.

    Attributes:
        items: Row numbers of items.
        first_day, last_day: Days since 1970 where `dated`, else numbers of simulated days, 0 for the first.
        price: Per unit, NaN where unknown.
        stock: Units there are when the period begins, NaN where nobody counts them.
        promoted: Whether the item is promoted.
        n_items: Size of the catalog.
        dated: Whether days are dates.
        begins: The day of the table that is simulated first; None for the day after the history (dates) or 0.
        currency: What prices are in, as people write it ("EUR"); "" where the data do not say.
    """

    items: ItemArray
    first_day: IntArray
    last_day: IntArray
    price: FloatArray
    stock: FloatArray
    promoted: BoolArray
    n_items: int
    dated: bool = True
    begins: int | None = None
    currency: str = ""

    def __post_init__(self) -> None:
        columns = (self.first_day, self.last_day, self.price, self.stock, self.promoted)
        if {len(column) for column in columns} != {len(self.items)}:
            raise DataError(f"offers: {len(self.items)} items, but columns of lengths {[len(c) for c in columns]}")
        if len(self.items) and not (0 <= self.items.min() and self.items.max() < self.n_items):
            raise DataError(f"offers: item numbers must lie in 0..{self.n_items - 1}")
        wrong = (self.first_day > self.last_day) | (self.price < 0) | (self.stock < 0)
        wrong |= np.isinf(self.price) | np.isinf(self.stock)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"offers, row {row}: days {self.first_day[row]} to {self.last_day[row]}, price {self.price[row]:g}, "
                f"stock {self.stock[row]:g}; expected days in order, and a price and a stock of at least 0"
            )
        if (pair := overlap(self.items, self.first_day, self.last_day)) is not None:
            raise DataError(f"offers: rows {pair[0]} and {pair[1]} are of one item and overlap; an item has one a day")

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: IntArray, items: ItemArray, n_items: int) -> Offers:
        """Some of the rows, with other numbers of items.

        Args:
            rows: Which, shape (n_taken,).
            items: The new numbers of all rows, shape (n,); those of rows that are not taken do not matter.
            n_items: Size of the new catalog.
        """
        names = ("first_day", "last_day", "price", "stock", "promoted")
        columns = {name: getattr(self, name)[rows] for name in names}
        return replace(self, items=items[rows], n_items=n_items, **columns)

    @property
    def has_prices(self) -> bool:
        """Whether any price is known."""
        return bool((~np.isnan(self.price)).any())

    def opening(self, opening_time: int) -> int:
        """The day of the table that is the first simulated one.

        Args:
            opening_time: When the simulation begins, in seconds since 1970.
        """
        if self.begins is not None:
            return self.begins
        return opening_time // SECONDS_PER_DAY if self.dated else 0

    def rows_on(self, day: int) -> IntArray:
        """The row of each item on a day of the table, shape (n_items,), -1 where it has none."""
        rows = np.full(self.n_items, -1, dtype=np.int64)
        there = np.flatnonzero((self.first_day <= day) & (day <= self.last_day))
        rows[self.items[there]] = there
        return rows

    def on(self, day: int, sold: FloatArray | None = None) -> DayOffers:
        """What is offered on a day of the table.

        Args:
            day: Of the table; see `opening`.
            sold: Units sold of each row so far, shape (n,); none if absent.
        """
        rows = self.rows_on(day)
        known = rows >= 0
        at = np.where(known, rows, 0)
        if not len(self):
            nothing = np.full(self.n_items, np.nan)
            return DayOffers(nothing, np.zeros(self.n_items, dtype=np.bool_), nothing.copy(), self.currency)
        left = self.stock if sold is None else np.maximum(self.stock - sold, 0.0)
        return DayOffers(
            np.where(known, self.price[at], np.nan),
            known & self.promoted[at],
            np.where(known, left[at], np.nan),
            self.currency,
        )

    def usual_prices(self, before: int) -> FloatArray:
        """Each item's usual price, shape (n_items,): the median over days before `before`, NaN where none is known.

        An item without a known price before then has the median of its rows.
        """
        known = ~np.isnan(self.price)
        days = np.minimum(self.last_day, before - 1) - np.maximum(self.first_day, before - _LONG_AGO) + 1
        past = known & (days > 0)
        has_past = np.zeros(self.n_items, dtype=np.bool_)
        has_past[self.items[past]] = True
        used = past | (known & ~has_past[self.items])
        weights = np.where(past, days, 1)[used].astype(np.float64)
        return _weighted_medians(self.items[used], self.price[used], weights, self.n_items)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all columns, in hexadecimal."""
        digest = hashlib.sha256(repr((self.n_items, self.dated, self.begins, self.currency)).encode())
        for column in (self.items, self.first_day, self.last_day, self.price, self.stock, self.promoted):
            digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()


_LONG_AGO = 3650
"""Days: what an offer without a beginning counts for at most, beside others of its item."""


def overlap(items: ItemArray, first_day: IntArray, last_day: IntArray) -> tuple[int, int] | None:
    """Two rows of one item that have a day in common, the earlier period first; None where no two have."""
    order = np.lexsort((first_day, items))
    same = items[order][1:] == items[order][:-1]
    late = first_day[order][1:] <= last_day[order][:-1]
    found = np.flatnonzero(same & late)
    return (int(order[found[0]]), int(order[found[0] + 1])) if len(found) else None


def _weighted_medians(items: ItemArray, values: FloatArray, weights: FloatArray, n_items: int) -> FloatArray:
    """The smallest value of each item at which half of its weight is reached, NaN for items without a value."""
    medians = np.full(n_items, np.nan)
    order = np.lexsort((values, items))
    items, values, weights = items[order], values[order], weights[order]
    totals = np.bincount(items, weights, minlength=n_items)
    reached = np.cumsum(weights) - np.concatenate([[0.0], np.cumsum(totals)])[items]
    half = np.flatnonzero(reached * 2 >= totals[items] * (1 - 1e-12))
    first = half[np.unique(items[half], return_index=True)[1]]
    medians[items[first]] = values[first]
    return medians
