"""One cell of a column of times: what units there are, how a cell is read in each, and which numbers fit it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Literal

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.interactions import TicksPerSecond

Epoch = Literal["s", "ms", "us", "ns"]
Calendar = Literal["YYYYMMDD", "YYYYMMDDHH", "YYYYMMDDHHMM", "YYYYMMDDHHMMSS"]
TimeUnit = Literal["s", "ms", "us", "ns", "YYYYMMDD", "YYYYMMDDHH", "YYYYMMDDHHMM", "YYYYMMDDHHMMSS", "iso"]

PER_SECOND: dict[Epoch, TicksPerSecond] = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
NAMES: dict[str, str] = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
FORMATS: dict[Calendar, str] = {
    "YYYYMMDD": "%Y%m%d",
    "YYYYMMDDHH": "%Y%m%d%H",
    "YYYYMMDDHHMM": "%Y%m%d%H%M",
    "YYYYMMDDHHMMSS": "%Y%m%d%H%M%S",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_REAL, END_REAL = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1971, 2101))
"""The years of real data, in seconds since 1970."""
FIRST_CALENDAR_YEAR, LAST_CALENDAR_YEAR = 1900, 2100
_LATEST_SECONDS = 10**11  # the year 5138
NANO = 10**9
MOST_TICKS = 2**63 - 1

_WHOLE = re.compile(r"[+-]?\d{1,18}")
NUMBER = re.compile(r"[+-]?(\d{1,25}(\.\d{0,18})?|\.\d{1,18})([eE][+-]?\d{1,2})?")
_FRACTION = re.compile(r"(.{8,11}\d\d:?\d\d:?\d\d)[.,](\d+)(.*)", re.DOTALL)
"""Parts of a second, behind a date with the sign that ends it; Python takes parts of a minute or an hour for such."""
_OFFSET = re.compile(r"[T:].*(Z|[+-]\d\d(:?\d\d){0,2}(\.\d+)?)$", re.IGNORECASE | re.DOTALL)
_TOO_FINE = "a moment with nine digits of a second at most (nanoseconds)"


def reader(unit: TimeUnit, strict: bool) -> Callable[[str], int]:
    """From a cell to nanoseconds since 1970."""
    if unit in PER_SECOND:
        return partial(_number, unit=unit, strict=strict)
    if unit in FORMATS:
        return partial(_calendar, unit=unit)
    return _iso


def _iso(cell: str) -> int:
    divided = "." in cell or "," in cell
    parts = _FRACTION.fullmatch(cell) if divided else None
    try:
        if divided and parts is None:
            raise ValueError
        moment = datetime.fromisoformat(parts[1] + parts[3] if parts else cell)
        past = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        raise ValueError(
            "seconds since 1970 or an ISO date such as 2024-05-31 or 2024-05-31T18:30:00 (all rows alike)"
        ) from None
    digits = parts[2].rstrip("0") if parts else ""
    if len(digits) > 9:
        raise ValueError(_TOO_FINE)
    return (past.days * 86400 + past.seconds) * NANO + past.microseconds * 1000 + int(digits.ljust(9, "0"))


def offset_said(cell: str) -> bool | None:
    """Whether an ISO date says how far its clock is ahead of UTC; None of what is no ISO date."""
    try:
        _iso(cell)
    except ValueError:
        return None
    return _OFFSET.search(cell) is not None


def _calendar(cell: str, unit: Calendar) -> int:
    """A date without separators; 20240131.0, as tables with gaps write it, is 20240131."""
    digits = ""
    if NUMBER.fullmatch(cell):
        number = Decimal(cell)
        digits = str(int(number)) if number == number.to_integral_value() else ""
    try:
        if len(digits) != len(unit):
            raise ValueError
        return int(datetime.strptime(digits, FORMATS[unit]).replace(tzinfo=UTC).timestamp()) * NANO
    except ValueError:
        raise ValueError(f"a date of the form {unit}, as in other rows of the column") from None


def _number(cell: str, unit: Epoch, strict: bool) -> int:
    wanted = f"{NAMES[unit]} since 1970, as in other rows of the column"
    if NUMBER.fullmatch(cell) is None:
        raise ValueError(wanted)
    number = Decimal(cell)
    whole = np.array([whole_part(cell)])
    if not fitting(whole, unit, strict).all():
        others = [name for reading, name in NAMES.items() if are_real(whole, reading).all() and reading != unit]
        looks = f" (this looks like {others[0]})" if others else ""
        raise ValueError(f"{wanted}{looks}; bring the column to one unit")
    nanos = number * (NANO // PER_SECOND[unit])
    if nanos != nanos.to_integral_value():
        raise ValueError(_TOO_FINE)
    return int(nanos)


def whole_part(cell: str) -> int:
    """The whole part of a number, or what 64 bits can hold of it."""
    number = int(cell) if _WHOLE.fullmatch(cell) else int(Decimal(cell))
    return min(max(number, -MOST_TICKS), MOST_TICKS)


def fitting(numbers: IntArray, unit: Epoch, strict: bool) -> BoolArray:
    """Which numbers may be meant in a unit; where it was told from the numbers, fine units need a year of real data."""
    if strict and unit != "s":
        return are_real(numbers, unit)
    return np.abs(numbers) // PER_SECOND[unit] < _LATEST_SECONDS


def are_real(numbers: IntArray, unit: str) -> BoolArray:
    """Which numbers are moments of real data in a unit."""
    seconds = numbers // PER_SECOND[unit]  # type: ignore[index]
    return (seconds >= FIRST_REAL) & (seconds < END_REAL)


def are_dates(numbers: IntArray, unit: Calendar) -> BoolArray:
    """Which numbers look like dates of a form: the digits are in range, the days of each month are not counted."""
    year = 10 ** (len(unit) - 4)
    fits = (numbers >= FIRST_CALENDAR_YEAR * year) & (numbers < (LAST_CALENDAR_YEAR + 1) * year)
    if not fits.any():
        return fits
    rest = numbers
    for part in range((len(unit) - 8) // 2, 0, -1):  # seconds, minutes, hours
        fits &= rest % 100 < (24 if part == 1 else 60)
        rest = rest // 100
    fits &= (rest % 100 >= 1) & (rest % 100 <= 31)
    return fits & (rest // 100 % 100 >= 1) & (rest // 100 % 100 <= 12)
