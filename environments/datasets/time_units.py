"""Which unit a column of numbers is a time in: the one that most of its cells fit, or an error that names two."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NoReturn

import numpy as np
import pyarrow.compute as pc

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.datasets.column_codes import plain_numbers
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.notations import of_decimals
from groundlings.environments.datasets.time_cells import (
    FIRST_CALENDAR_YEAR,
    FORMATS,
    LAST_CALENDAR_YEAR,
    NAMES,
    NANO,
    NUMBER,
    PER_SECOND,
    TimeUnit,
    are_dates,
    are_real,
    reader,
    whole_part,
)

_OTHER_DATES: dict[str, tuple[int, int | None, int | None]] = {
    "DDMMYYYY": (1, 10_000, 1_000_000),
    "MMDDYYYY": (1, 1_000_000, 10_000),
    "YYYYMM": (100, 1, None),
    "YYYY": (1, None, None),
    "YYYYDDD": (1000, None, 1),
    "YYMMDD": (10_000, 100, 1),
    "DDMMYY": (1, 100, 10_000),
    "MMDDYY": (1, 10_000, 100),
}
"""Dates as people write them that are not read, with the places of year, month and day in the number."""

_LEAST_OF_SIX_DIGITS = 10_000
"""Of a date with a year of two digits; smaller numbers count something."""

_SPREADSHEET_DAYS = (32_874, 54_789)
"""From 1990 to the end of 2049 in days since 1900, as spreadsheets count them."""


def are_numbers(column: Column) -> bool:
    """Whether at least half of the distinct cells are numbers, as which a table with gaps may not begin."""
    # All at a time: nanoseconds since 1970 have 19 digits from 2001 on, and fewer before.
    usual = int(pc.sum(pc.match_substring_regex(column.texts, f"^({NUMBER.pattern})$")).as_py() or 0)
    return 2 * usual >= len(column.texts) if usual else NUMBER.fullmatch(column.cell(0)) is not None


def told_apart(column: Column, integers: IntArray | None) -> TimeUnit:
    """The unit that most numbers of a column fit; fails where they fit two.

    Args:
        column: The cells.
        integers: Their values, where all are whole numbers.
    """
    codes, numbers = _numbers(column) if integers is None else (np.arange(len(integers)), integers)
    fits: dict[TimeUnit, BoolArray] = {unit: are_real(numbers, unit) for unit in PER_SECOND}
    fits |= {unit: are_dates(numbers, unit) for unit in FORMATS}
    likely = [unit for unit, here in fits.items() if 2 * np.count_nonzero(here) > len(numbers)]
    if len(likely) > 1:
        _refuse_ambiguous(column, codes, likely, fits)
    if not likely:
        _refuse_other_dates(column, codes, numbers)
    elif likely == ["s"]:
        _reject_days(column, codes[fits["YYYYMMDD"]])
    return likely[0] if likely else "s"


def _numbers(column: Column) -> tuple[IntArray, IntArray]:
    """The distinct cells that are numbers, as codes, and the whole part of each: the usual ones all at a time."""
    whole, decimals = plain_numbers(column.texts), of_decimals(column.texts)
    found, is_number = whole.numbers + decimals.seconds, whole.read | decimals.read
    others = np.flatnonzero(~is_number)
    for code, cell in zip(others.tolist(), column.texts_at(others), strict=True):
        if NUMBER.fullmatch(cell):
            is_number[code], found[code] = True, whole_part(cell)
    codes = np.flatnonzero(is_number)
    return codes, found[codes]


def _refuse_other_dates(column: Column, codes: IntArray, numbers: IntArray) -> None:
    """Refuse numbers that all are dates in a form that is not read: as seconds they would be 1970, in a wrong order."""
    first, last = _SPREADSHEET_DAYS
    forms = " or ".join(form for form in _OTHER_DATES if _all_of_form(numbers, form))
    looks = f"a date of the form {forms}" if forms else ""
    if not looks and len(numbers) > 1 and ((numbers >= first) & (numbers < last)).all():
        looks = "a day as spreadsheets count them, since 1900"
    if looks:
        row = int(np.argmax(column.codes == codes[0]))
        column.fail(
            row,
            f"{column.cell(row)} looks like {looks}, as all rows do; write dates as YYYYMMDD or 2024-05-31, or say "
            "that they are seconds with own.interactions.time_unit: s",
        )


def _reject_days(column: Column, codes: IntArray) -> None:
    """Reject rows with days in digits among seconds since 1970: as seconds, all of them would be the summer of 1970."""
    rows = np.isin(column.codes, codes)
    column.reject(
        rows,
        f"{column.cell(int(np.argmax(rows)))} looks like a date of the form YYYYMMDD, and other rows hold seconds "
        "since 1970; bring the column to one notation",
    )


def _all_of_form(numbers: IntArray, form: str) -> bool:
    """Whether all numbers are dates of a form that is not read; years of two digits need two dates to be believed."""
    year, month, day = _OTHER_DATES[form]
    short = "YYYY" not in form
    if short and len(numbers) < 2:
        return False
    years = numbers // year % 10_000
    fits = (numbers >= _LEAST_OF_SIX_DIGITS * short) & (numbers < 10 ** len(form))
    if not short:
        fits &= (years >= FIRST_CALENDAR_YEAR) & (years <= LAST_CALENDAR_YEAR)
    for place, most in ((month, 12), (day, 31 if month else 366)):
        if place:
            here = numbers // place % (100 if month else 1000)
            fits &= (here >= 1) & (here <= most)
    return bool(fits.all())


def _refuse_ambiguous(
    column: Column, codes: IntArray, units: list[TimeUnit], fits: Mapping[TimeUnit, BoolArray]
) -> NoReturn:
    both = np.logical_and.reduce([fits[unit] for unit in units])  # more than half fit each, so one fits two
    row = int(np.argmax(column.codes == codes[int(np.argmax(both))]))
    cell = column.cell(row)
    told = [f"{_day(cell, unit)} as {NAMES.get(unit, unit)}{' since 1970' * (unit in NAMES)}" for unit in units]
    column.fail(
        row,
        f"{cell} is {' and '.join(told)}; say which it is with own.interactions.time_unit: {' or '.join(units)}",
    )


def _day(cell: str, unit: TimeUnit) -> str:
    try:
        seconds = reader(unit, strict=False)(cell) // NANO
    except ValueError:  # a 31st of April
        return "a date"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
