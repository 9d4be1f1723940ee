"""A column of times as whole ticks since 1970: which notation it uses, and how fine its clock is.

Numbers are told apart by the years they give. Each reading (seconds, milliseconds, microseconds, nanoseconds, and dates
such as YYYYMMDD) has its own range of numbers for the years of real data. The reading that fits most of a column is
meant, and what does not fit it is refused by row. Where two readings give such years the column is refused, with both,
and `own.interactions.time_unit` says which is right. Numbers without such a year, as of data that counts seconds from a
day of its own, are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.datasets.column_codes import whole_numbers
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.notations import Moments, of_calendar, of_decimals, of_iso, of_timestamps
from groundlings.environments.datasets.time_cells import (
    FIRST_REAL,
    FORMATS,
    MOST_TICKS,
    NANO,
    PER_SECOND,
    Epoch,
    TimeUnit,
    are_dates,
    are_real,
    fitting,
    offset_said,
    reader,
)
from groundlings.environments.datasets.time_units import are_numbers, told_apart
from groundlings.environments.interactions import TICKS_PER_SECOND, Interactions, TicksPerSecond


@dataclass(frozen=True, slots=True)
class Times:
    """Moments of interactions.

    Attributes:
        ticks: Since 1970, shape (n,).
        per_second: Ticks per second: the fewest of 1, 1000, ... that tell all moments of the column exactly.
        bare: Rows that say no offset from UTC where others do; such a moment is taken for one of UTC.
    """

    ticks: IntArray
    per_second: TicksPerSecond
    bare: int = 0


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
    if unit in (None, "iso") and (moments := of_timestamps(column.stored)) is not None:
        return _fewest_ticks(moments.seconds, moments.nanos)
    if unit is None and (quick := _of_one_unit(column)) is not None:
        return quick
    integers = column.integers
    told = unit or (told_apart(column, integers) if integers is not None or are_numbers(column) else "iso")
    if told in PER_SECOND and integers is not None:
        return _of_integers(column, integers, told, strict=unit is None)
    moments = _moments(column, integers, told, strict=unit is None)
    per_second = _clock_of(moments.nanos)
    far = np.abs(moments.seconds) >= MOST_TICKS // per_second
    if far.any():
        _reject_far(column, far, per_second)
    ticks = np.where(far, 0, moments.seconds) * per_second + moments.nanos // (NANO // per_second)
    bare = int((moments.read & ~moments.zoned)[column.codes].sum()) if moments.zoned.any() else 0
    return Times(ticks[column.codes], per_second, bare)


def _clock_of(nanos: IntArray) -> TicksPerSecond:
    """The fewest ticks per second that tell these parts of a second exactly."""
    return next(each for each in TICKS_PER_SECOND if each == NANO or not (nanos % (NANO // each)).any())


def _fewest_ticks(seconds: IntArray, nanos: IntArray) -> Times:
    per_second = _clock_of(nanos)
    return Times(seconds * per_second + nanos // (NANO // per_second), per_second)


def _of_one_unit(column: Column) -> Times | None:
    """The moments of whole numbers that all fit one unit and none of them another; None of any other column.

    That is told from the rows as they stand: a column of a million moments has about as many distinct ones.
    """
    if not pa.types.is_integer(column.stored.type) or column.stored.null_count:
        return None
    numbers = whole_numbers(column.stored.combine_chunks())
    if numbers is None:
        return None
    fits: list[tuple[TimeUnit, BoolArray]] = [(unit, are_real(numbers, unit)) for unit in PER_SECOND]
    fits += [(unit, are_dates(numbers, unit)) for unit in FORMATS]
    some = [(unit, here) for unit, here in fits if here.any()]
    if len(some) != 1 or not some[0][1].all():
        return None
    unit = some[0][0]
    if unit in PER_SECOND:
        return _in_fewest_ticks(numbers, PER_SECOND[unit])
    moments = of_calendar(numbers, len(unit))
    return _fewest_ticks(moments.seconds, moments.nanos) if moments.read.all() else None


def _moments(column: Column, integers: IntArray | None, unit: TimeUnit, *, strict: bool) -> Moments:
    """The moment of each distinct cell: the usual notations all at a time, what is left one by one."""
    if unit in FORMATS and integers is not None:
        found = of_calendar(integers, len(unit))
    elif unit == "iso":
        found = of_iso(column.texts)
    elif unit == "s":
        found = of_decimals(column.texts)
        found.read[:] &= fitting(found.seconds, unit, strict)
    else:
        found = Moments.unread(len(column.distinct))
    left = np.flatnonzero(~found.read)
    nanos = column.each(reader(unit, strict), left)
    found.seconds[left] = [nano // NANO for nano in nanos]
    found.nanos[left] = [nano % NANO for nano in nanos]
    if unit == "iso":
        said = [offset_said(cell) for cell in column.texts_at(left)]
        found.read[left], found.zoned[left] = [each is not None for each in said], [each is True for each in said]
    return found


def remark_on_times(history: Interactions) -> str:
    """What to say of times that give no date of real data and so were taken for seconds, "" of others."""
    first, last = (int(history.timestamps[place]) // history.ticks_per_second for place in (0, -1))
    if first < 0 or last >= FIRST_REAL:
        return ""
    told = " to ".join(f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}" for moment in (first, last))
    return (
        f"its times give no date of real data, so they are taken for seconds since a day of its own ({told}); if they "
        "count days or hours, write dates, or say own.interactions.time_unit: s"
    )


def _of_integers(column: Column, distinct: IntArray, unit: Epoch, *, strict: bool) -> Times:
    """The same for whole numbers, one per distinct cell."""
    fits = fitting(distinct, unit, strict)
    if not fits.all():
        column.each(reader(unit, strict), np.flatnonzero(~fits))  # names the rows
        distinct = np.where(fits, distinct, 0)
    found = _in_fewest_ticks(distinct, PER_SECOND[unit])
    return Times(found.ticks[column.codes], found.per_second)


def _in_fewest_ticks(ticks: IntArray, per_second: TicksPerSecond) -> Times:
    """The same moments on the coarsest clock that tells them all."""
    while per_second > 1 and not (ticks % 1000).any():
        ticks, per_second = ticks // 1000, TICKS_PER_SECOND[TICKS_PER_SECOND.index(per_second) - 1]
    return Times(ticks, per_second)


def _reject_far(column: Column, far: BoolArray, per_second: int) -> None:
    rows = far[column.codes]
    cell = column.cell(int(np.argmax(rows)))
    column.reject(
        rows,
        f"{cell} is too far from 1970 to be told in parts of 1/{per_second:,} s, as fine as other "
        "rows are; mend the cell, or round the column",
    )
