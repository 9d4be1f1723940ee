"""A column of times as whole ticks since 1970: which notation it uses, and how fine its clock is.

Numbers are told apart by the years they give. Each reading (seconds, milliseconds, microseconds, nanoseconds, and dates
such as YYYYMMDD) has its own range of numbers for the years of real data. The reading that fits most of a column is
meant, and what does not fit it is refused by row. Where two readings give such years the column is refused, with both,
and `own.interactions.time_unit` says which is right. Numbers without such a year, as of data that counts seconds from a
day of its own, are seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Literal, NoReturn

import numpy as np
import pyarrow as pa

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.datasets.notations import Moments, of_calendar, of_decimals, of_iso
from groundlings.environments.datasets.tables import Column
from groundlings.environments.interactions import TICKS_PER_SECOND, Interactions, TicksPerSecond

Epoch = Literal["s", "ms", "us", "ns"]
Calendar = Literal["YYYYMMDD", "YYYYMMDDHH", "YYYYMMDDHHMM", "YYYYMMDDHHMMSS"]
TimeUnit = Literal["s", "ms", "us", "ns", "YYYYMMDD", "YYYYMMDDHH", "YYYYMMDDHHMM", "YYYYMMDDHHMMSS", "iso"]

_PER_SECOND: dict[Epoch, TicksPerSecond] = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
_NAMES: dict[str, str] = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_FORMATS: dict[Calendar, str] = {
    "YYYYMMDD": "%Y%m%d",
    "YYYYMMDDHH": "%Y%m%d%H",
    "YYYYMMDDHHMM": "%Y%m%d%H%M",
    "YYYYMMDDHHMMSS": "%Y%m%d%H%M%S",
}

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

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _END = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1971, 2101))
"""The years of real data, in seconds since 1970."""
_FIRST_CALENDAR_YEAR, _LAST_CALENDAR_YEAR = 1900, 2100
_LATEST_SECONDS = 10**11  # the year 5138
_NANO = 10**9
_MOST_TICKS = 2**63 - 1

_WHOLE = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d{1,25}(\.\d{0,18})?|\.\d{1,18})([eE][+-]?\d{1,2})?")
_FRACTION = re.compile(r"(.+:\d\d)[.,](\d+)(.*)", re.DOTALL)
_TOO_FINE = "a moment with nine digits of a second at most (nanoseconds)"


@dataclass(frozen=True, slots=True)
class Times:
    """Moments of interactions.

    Attributes:
        ticks: Since 1970, shape (n,).
        per_second: Ticks per second: the fewest of 1, 1000, ... that tell all moments of the column exactly.
    """

    ticks: IntArray
    per_second: TicksPerSecond


def read_times(column: Column, unit: TimeUnit | None) -> Times:
    """Every moment of a column, exactly.

    Args:
        column: As it stands in the file.
        unit: What its cells are; None tells it from the cells.

    Raises:
        DataError: A cell is no moment, or the column can be read in two ways.
    """
    kind = column.table.data.column(column.name).type
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        column.table.fail(
            0, f"column {column.name!r}: holds {kind}, which cannot tell seconds apart; store times as whole numbers"
        )
    if pa.types.is_time(kind):
        column.table.fail(0, f"column {column.name!r}: holds {kind}, which names no moment; store times with their day")
    integers = _integers(column.values)
    numeric = integers is not None or _NUMBER.fullmatch(column.values[column.codes[0]]) is not None
    told = unit or (_told_apart(column, integers) if numeric else "iso")
    if told in _PER_SECOND and integers is not None:
        return _of_integers(column, integers, told, strict=unit is None)
    moments = _moments(column, integers, told, strict=unit is None)
    per_second = next(each for each in TICKS_PER_SECOND if each == _NANO or not (moments.nanos % (_NANO // each)).any())
    far = np.abs(moments.seconds) >= _MOST_TICKS // per_second
    if far.any():
        _reject_far(column, far, per_second)
    ticks = np.where(far, 0, moments.seconds) * per_second + moments.nanos // (_NANO // per_second)
    return Times(ticks[column.codes], per_second)


def _integers(cells: tuple[str, ...]) -> IntArray | None:
    """The whole numbers that all cells are; None where some are none. A file may have millions of them."""
    if not all(map(_WHOLE.fullmatch, cells)):
        return None
    return np.array([int(cell) for cell in cells], dtype=np.int64)


def _moments(column: Column, integers: IntArray | None, unit: TimeUnit, *, strict: bool) -> Moments:
    """The moment of each distinct cell: the usual notations all at a time, what is left one by one."""
    if unit in _FORMATS and integers is not None:
        found = of_calendar(integers, len(unit))
    elif unit == "iso":
        found = of_iso(column.values)
    elif unit == "s":
        found = of_decimals(column.values)
        found.read[:] &= _fitting(found.seconds, unit, strict)
    else:
        found = Moments.unread(len(column.values))
    left = np.flatnonzero(~found.read)
    nanos = column.each(_reader(unit, strict), left)
    found.seconds[left] = [nano // _NANO for nano in nanos]
    found.nanos[left] = [nano % _NANO for nano in nanos]
    return found


def remark_on_times(history: Interactions) -> str:
    """What to say of times that give no date of real data and so were taken for seconds, "" of others."""
    first, last = (int(history.timestamps[place]) // history.ticks_per_second for place in (0, -1))
    if first < 0 or last >= _FIRST:
        return ""
    told = " to ".join(f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}" for moment in (first, last))
    return (
        f"its times give no date of real data, so they are taken for seconds since a day of its own ({told}); if they "
        "count days or hours, write dates, or say own.interactions.time_unit: s"
    )


def _of_integers(column: Column, distinct: IntArray, unit: Epoch, *, strict: bool) -> Times:
    """The same for whole numbers, one per distinct cell."""
    fits = _fitting(distinct, unit, strict)
    if not fits.all():
        column.each(_reader(unit, strict), np.flatnonzero(~fits))  # names the rows
        distinct = np.where(fits, distinct, 0)
    per_second = _PER_SECOND[unit]
    while per_second > 1 and not (distinct % 1000).any():
        distinct, per_second = distinct // 1000, TICKS_PER_SECOND[TICKS_PER_SECOND.index(per_second) - 1]
    return Times(distinct[column.codes], per_second)


def _reject_far(column: Column, far: BoolArray, per_second: int) -> None:
    rows = far[column.codes]
    cell = column.values[column.codes[int(np.argmax(rows))]]
    column.reject(
        rows,
        f"{cell} is too far from 1970 to be told in parts of 1/{per_second:,} s, as fine as other "
        "rows are; mend the cell, or round the column",
    )


def _reader(unit: TimeUnit, strict: bool) -> Callable[[str], int]:
    """From a cell to nanoseconds since 1970."""
    if unit in _PER_SECOND:
        return partial(_number, unit=unit, strict=strict)
    if unit in _FORMATS:
        return partial(_calendar, unit=unit)
    return _iso


def _iso(cell: str) -> int:
    parts = _FRACTION.fullmatch(cell) if "." in cell or "," in cell else None
    try:
        moment = datetime.fromisoformat(parts[1] + parts[3] if parts else cell)
        past = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        raise ValueError(
            "seconds since 1970 or an ISO date such as 2024-05-31 or 2024-05-31T18:30:00 (all rows alike)"
        ) from None
    digits = parts[2].rstrip("0") if parts else ""
    if len(digits) > 9:
        raise ValueError(_TOO_FINE)
    return (past.days * 86400 + past.seconds) * _NANO + past.microseconds * 1000 + int(digits.ljust(9, "0"))


def _calendar(cell: str, unit: Calendar) -> int:
    """A date without separators; 20240131.0, as tables with gaps write it, is 20240131."""
    digits = ""
    if _NUMBER.fullmatch(cell):
        number = Decimal(cell)
        digits = str(int(number)) if number == number.to_integral_value() else ""
    try:
        if len(digits) != len(unit):
            raise ValueError
        return int(datetime.strptime(digits, _FORMATS[unit]).replace(tzinfo=UTC).timestamp()) * _NANO
    except ValueError:
        raise ValueError(f"a date of the form {unit}, as in other rows of the column") from None


def _number(cell: str, unit: Epoch, strict: bool) -> int:
    wanted = f"{_NAMES[unit]} since 1970, as in other rows of the column"
    if _NUMBER.fullmatch(cell) is None:
        raise ValueError(f"{_NAMES[unit]} since 1970, as in the first row")
    number = Decimal(cell)
    whole = np.array([_integer(cell)])
    if not _fitting(whole, unit, strict).all():
        others = [name for reading, name in _NAMES.items() if _real(whole, reading).all() and reading != unit]
        looks = f" (this looks like {others[0]})" if others else ""
        raise ValueError(f"{wanted}{looks}; bring the column to one unit")
    nanos = number * (_NANO // _PER_SECOND[unit])
    if nanos != nanos.to_integral_value():
        raise ValueError(_TOO_FINE)
    return int(nanos)


def _integer(cell: str) -> int:
    """The whole part of a number, or what 64 bits can hold of it."""
    number = int(cell) if _WHOLE.fullmatch(cell) else int(Decimal(cell))
    return min(max(number, -_MOST_TICKS), _MOST_TICKS)


def _fitting(numbers: IntArray, unit: Epoch, strict: bool) -> BoolArray:
    """Which numbers may be meant in a unit; where it was told from the numbers, fine units need a year of real data."""
    if strict and unit != "s":
        return _real(numbers, unit)
    return np.abs(numbers) // _PER_SECOND[unit] < _LATEST_SECONDS


def _told_apart(column: Column, integers: IntArray | None) -> TimeUnit:
    """The unit that most numbers of a column fit; fails where they fit two.

    Args:
        column: The cells.
        integers: Their values, where all are whole numbers.
    """
    cells = list(column.values) if integers is not None else [cell for cell in column.values if _NUMBER.fullmatch(cell)]
    numbers = np.array([_integer(cell) for cell in cells], dtype=np.int64) if integers is None else integers
    fits: dict[TimeUnit, BoolArray] = {unit: _real(numbers, unit) for unit in _PER_SECOND}
    fits |= {unit: _dates(numbers, unit) for unit in _FORMATS}
    likely = [unit for unit, here in fits.items() if 2 * np.count_nonzero(here) > len(cells)]
    if len(likely) > 1:
        _refuse_ambiguous(column, cells, likely, fits)
    if not likely:
        _refuse_other_dates(column, cells, numbers)
    return likely[0] if likely else "s"


def _refuse_other_dates(column: Column, cells: list[str], numbers: IntArray) -> None:
    """Refuse numbers that all are dates in a form that is not read: as seconds they would be 1970, in a wrong order."""
    first, last = _SPREADSHEET_DAYS
    forms = " or ".join(form for form in _OTHER_DATES if _all_of_form(numbers, form))
    looks = f"a date of the form {forms}" if forms else ""
    if not looks and len(numbers) > 1 and ((numbers >= first) & (numbers < last)).all():
        looks = "a day as spreadsheets count them, since 1900"
    if looks:
        column.fail(
            column.cells.index(cells[0]),
            f"{cells[0]} looks like {looks}, as all rows do; write dates as YYYYMMDD or 2024-05-31, or say that they "
            "are seconds with own.interactions.time_unit: s",
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
        fits &= (years >= _FIRST_CALENDAR_YEAR) & (years <= _LAST_CALENDAR_YEAR)
    for place, most in ((month, 12), (day, 31 if month else 366)):
        if place:
            here = numbers // place % (100 if month else 1000)
            fits &= (here >= 1) & (here <= most)
    return bool(fits.all())


def _real(numbers: IntArray, unit: str) -> BoolArray:
    """Which numbers are moments of real data in a unit."""
    seconds = numbers // _PER_SECOND[unit]  # type: ignore[index]
    return (seconds >= _FIRST) & (seconds < _END)


def _dates(numbers: IntArray, unit: Calendar) -> BoolArray:
    """Which numbers look like dates of a form: the digits are in range, the days of each month are not counted."""
    fits = np.ones(len(numbers), dtype=np.bool_)
    rest = numbers
    for part in range((len(unit) - 8) // 2, 0, -1):  # seconds, minutes, hours
        fits &= rest % 100 < (24 if part == 1 else 60)
        rest = rest // 100
    fits &= (rest % 100 >= 1) & (rest % 100 <= 31)
    fits &= (rest // 100 % 100 >= 1) & (rest // 100 % 100 <= 12)
    years = rest // 10_000
    return fits & (years >= _FIRST_CALENDAR_YEAR) & (years <= _LAST_CALENDAR_YEAR)


def _refuse_ambiguous(
    column: Column, cells: list[str], units: list[TimeUnit], fits: Mapping[TimeUnit, BoolArray]
) -> NoReturn:
    both = np.logical_and.reduce([fits[unit] for unit in units])  # more than half fit each, so one fits two
    cell = cells[int(np.argmax(both))]
    told = [f"{_day(cell, unit)} as {_NAMES.get(unit, unit)}{' since 1970' * (unit in _NAMES)}" for unit in units]
    column.fail(
        column.cells.index(cell),
        f"{cell} is {' and '.join(told)}; say which it is with own.interactions.time_unit: {' or '.join(units)}",
    )


def _day(cell: str, unit: TimeUnit) -> str:
    try:
        seconds = _reader(unit, strict=False)(cell) // _NANO
    except ValueError:  # a 31st of April
        return "a date"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
