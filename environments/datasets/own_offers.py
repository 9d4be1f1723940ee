"""Your own table of offers, or one clear error that names file, row and fix."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.datasets.amounts import amount
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.ids import places_of, unknown_ids
from groundlings.environments.datasets.offer_columns import OfferColumns
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import DataError, shown
from groundlings.environments.offers import FOR_EVER, FROM_THE_BEGINNING, Offers, overlap

_ISO = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|\+00:00)?)?")
_NUMBER = re.compile(r"-?\d{1,6}")
_YES, _NO = ("1", "true", "yes", "y"), ("0", "false", "no", "n")
_EMPTY = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class _Days:
    """A column of days: numbers (days since 1970 where they are dates), `_EMPTY` where a cell is."""

    column: Column
    numbers: IntArray
    dated: bool | None


def read_offers(config: OfferColumns, table: Table, item_ids: tuple[str, ...]) -> Offers:
    """The offers in a table.

    Args:
        config: Names of columns.
        table: The file.
        item_ids: Of the catalog, in the order of item numbers.

    Raises:
        DataError: A cell says something impossible, an item is not known, or two offers of one item overlap.
    """
    ids = table.ids(config.item, "own.offers.item")
    ids.refuse_empty("an item's id")
    places = places_of(ids.values, item_ids).astype(np.int32)[ids.codes]
    if (places < 0).any():
        row = int(np.argmax(places < 0))
        missing = [ids.cells[each] for each in np.flatnonzero(places < 0)]
        ids.fail(row, unknown_ids("item", missing, item_ids, "the items file"))
    first, last, dated = _periods(config, table, places)
    n_rows = len(places)
    nothing = np.full(n_rows, np.nan)
    price = nothing if config.price is None else _amounts(table.column(config.price, "own.offers.price"), _price)
    stock = nothing if config.stock is None else _amounts(table.column(config.stock, "own.offers.stock"), _units)
    return Offers(
        places,
        first,
        last,
        price,
        stock,
        np.zeros(n_rows, dtype=np.bool_) if config.promoted is None else _promoted(config.promoted, table),
        len(item_ids),
        dated,
        _begins(config, dated),
        config.currency,
    )


def unit_costs(column: Column) -> FloatArray:
    """The seller's cost per unit, NaN where unknown, shape (n_rows,)."""
    return _amounts(column, _cost)


def _periods(config: OfferColumns, table: Table, items: ItemArray) -> tuple[IntArray, IntArray, bool]:
    """First and last days, and whether they are dates; an offer without an end holds until the item's next one."""
    n_rows = len(items)
    if config.first_day is None:
        where = table.column(config.item, "own.offers.item")
        _refuse_overlap(where, items, np.zeros(n_rows, dtype=np.int64), np.zeros(n_rows, dtype=np.int64), dated=False)
        return np.full(n_rows, FROM_THE_BEGINNING), np.full(n_rows, FOR_EVER), False
    starts = _days(table.column(config.first_day, "own.offers.first_day"))
    starts.column.refuse_empty("a day")
    ends = None if config.last_day is None else _days(table.column(config.last_day, "own.offers.last_day"))
    dated = bool(starts.dated)
    if ends is not None and ends.dated is not None and ends.dated != dated:
        ends.column.fail(0, "one of first_day and last_day has dates, and the other numbers; bring both to one form")
    first = starts.numbers
    last = np.full(n_rows, _EMPTY) if ends is None else ends.numbers.copy()
    order = np.lexsort((first, items))
    following = np.full(n_rows, FOR_EVER + 1)
    same = items[order][1:] == items[order][:-1]
    following[order[:-1][same]] = first[order[1:]][same]
    last = np.where(last == _EMPTY, np.maximum(following - 1, first), last)
    backwards = np.flatnonzero(last < first)
    if len(backwards):
        row = int(backwards[0])
        starts.column.fail(
            row,
            f"the period ends on {_spelt(int(last[row]), dated)}, before it begins on "
            f"{_spelt(int(first[row]), dated)}; exchange the two days",
        )
    _refuse_overlap(starts.column, items, first, last, dated=dated)
    return first, last, dated


def _refuse_overlap(column: Column, items: ItemArray, first: IntArray, last: IntArray, *, dated: bool) -> None:
    pair = overlap(items, first, last)
    if pair is None:
        return
    earlier, later = pair
    if first[earlier] == first[later] and first[earlier] == last[earlier] and not dated:
        what = f"the item of {column.table.where(earlier)} stands here again"
    else:
        what = (
            f"this offer begins on {_spelt(int(first[later]), dated)}, while that of {column.table.where(earlier)} for "
            f"the same item holds until {_spelt(int(last[earlier]), dated)}"
        )
    column.fail(later, f"{what}; an item has one offer a day: end one the day before, or remove one of the two")


def _days(column: Column) -> _Days:
    """A column of dates or of numbers, never of both."""
    kinds = {_is_date(value) for value in column.values if value}
    if len(kinds) > 1:
        row = next(row for row, cell in enumerate(column.cells) if cell and not _is_date(cell))
        column.fail(row, f"found {shown(column.cells[row])} among dates; write all days as dates, or all as numbers")
    dated = kinds.pop() if kinds else None
    return _Days(column, column.parsed(_date if dated else _number, np.int64), dated)


def _is_date(cell: str) -> bool:
    return _ISO.fullmatch(cell) is not None or not _NUMBER.fullmatch(cell)


def _date(cell: str) -> int:
    """Days since 1970."""
    if not cell:
        return int(_EMPTY)
    match = _ISO.fullmatch(cell)
    try:
        if match is None:
            raise ValueError
        return int(np.datetime64("-".join(match.groups()), "D").astype(np.int64))
    except ValueError:
        raise ValueError("a date such as 2024-01-31, or the number of a simulated day") from None


def _number(cell: str) -> int:
    return int(cell) if cell else int(_EMPTY)


def _spelt(day: int, dated: bool) -> str:
    return str(np.datetime64(day, "D")) if dated and abs(day) < FOR_EVER else f"day {day}"


def _begins(config: OfferColumns, dated: bool) -> int | None:
    if config.begins is None:
        return None
    text = str(config.begins)
    if _is_date(text) != dated:
        raise DataError(
            f"dataset.own.offers.begins: found {shown(config.begins)}, expected a "
            f"{'date such as 2024-01-31' if dated else 'number of a simulated day'}, as the table has them"
        )
    try:
        return _date(text) if dated else _number(text)
    except ValueError as error:
        raise DataError(f"dataset.own.offers.begins: found {shown(config.begins)}, expected {error}") from None


def _amounts(column: Column, parse: Callable[[str], float]) -> FloatArray:
    return np.asarray(column.parsed(lambda cell: parse(column.with_point(cell)), np.float64), dtype=np.float64)


def _price(cell: str) -> float:
    return amount(cell, "a price of at least 0, such as 3.99 without a currency sign, or nothing if unknown")


def _cost(cell: str) -> float:
    return amount(cell, "a cost of at least 0, such as 2.50 without a currency sign, or nothing if unknown")


def _units(cell: str) -> float:
    return amount(cell, "units in stock, a number of at least 0, or nothing where nobody counts them")


def _promoted(name: str, table: Table) -> BoolArray:
    column = table.column(name, "own.offers.promoted")
    return np.asarray(column.parsed(_yes, np.bool_), dtype=np.bool_)


def _yes(cell: str) -> bool:
    plain = cell.casefold().removesuffix(".0")
    if plain in _YES:
        return True
    if plain in _NO:
        return False
    raise ValueError("1 or 0, true or false, yes or no")
