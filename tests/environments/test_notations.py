"""Moments that are read many at a time are those that Python's own `datetime` reads one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from groundlings.environments.datasets.tables import Table
from groundlings.environments.datasets.time_cells import TimeUnit
from groundlings.environments.datasets.times import read_times
from groundlings.environments.errors import DataError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NANO = 10**9

numbers = st.integers(0, 99).map("{:02d}".format)
parts = st.one_of(
    st.just(""),
    st.tuples(st.sampled_from("T _"), numbers, st.sampled_from(":."), numbers).map("".join),
    st.tuples(st.sampled_from("T "), numbers, st.just(":"), numbers, st.just(":"), numbers).map("".join),
)
fractions = st.one_of(st.just(""), st.from_regex(r"[.,][0-9]{1,11}", fullmatch=True))
zones = st.one_of(
    st.just(""), st.sampled_from(["Z", "z", "+01", "+1:00"]), st.from_regex(r"[+-]\d\d:?\d\d", fullmatch=True)
)
days = st.tuples(st.integers(0, 2030), st.integers(0, 13), st.integers(0, 32)).map(
    lambda day: f"{day[0]:04d}-{day[1]:02d}-{day[2]:02d}"
)
isos = st.tuples(days, parts, fractions, zones).map("".join)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 12, 31))


def read(cells: list[str], unit: TimeUnit | None) -> list[int] | None:
    """Nanoseconds since 1970 of each cell; None where the column is refused."""
    table = Table(Path("t"), pa.table({"when": cells}), is_csv=False)
    try:
        found = read_times(table.column("when", "t"), unit)
    except DataError:
        return None
    return [tick * (NANO // found.per_second) for tick in found.ticks.tolist()]


def by_hand(cell: str) -> int | None:
    """The same of one ISO date, None where it is none."""
    clock, fraction = cell, ""
    sign = max(cell.find("."), cell.find(","))
    if sign >= 0:
        end = sign + 1
        while end < len(cell) and cell[end].isdigit():
            end += 1
        if end == sign + 1 or ":" not in cell[:sign]:
            return None
        clock, fraction = cell[:sign] + cell[end:], cell[sign + 1 : end].rstrip("0")
    try:
        moment = datetime.fromisoformat(clock)
    except ValueError:
        return None
    past = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    return None if len(fraction) > 9 else past // timedelta(seconds=1) * NANO + int(fraction.ljust(9, "0"))


@given(st.one_of(isos, moments.map(str), moments.map(datetime.isoformat)))
@example("2024-02-29T23:59:59.999999999-23:59")
@example("1900-02-29")
@example("0001-01-01T00:00:00+14:00")
@example("2024-03-01T24:00:00")
@example("2024-03-01 10:00:60")
@example("2024-03-01T10:00:00+10:60")
@example("2024-03-01T10:00:00+24:00")
def test_iso_dates_are_those_of_python(cell):
    wanted = by_hand(cell)
    assert read([cell], "iso") == (None if wanted is None else [wanted])


@given(st.lists(moments, min_size=1, max_size=20), st.sampled_from(["", "Z", "+05:30", "-0130"]))
def test_a_column_of_dates_of_several_lengths_is_read_row_by_row(times, zone):
    cells = [each.isoformat(sep=" ") + zone for each in times]
    assert read(cells, None) == [by_hand(cell) for cell in cells]


@pytest.mark.parametrize("bare", ["2024-03-01", "2024-03-01T10:00:00", "20240301T100000", "2024-03-01x10:00"])
@pytest.mark.parametrize("zoned", ["2024-03-01T10:00:00Z", "2024-03-01 10:00-05", "20240301T100000+0100"])
def test_moments_without_an_offset_are_counted_where_others_have_one(bare, zoned):
    for cells, counted in (([bare, bare], 0), ([zoned, zoned], 0), ([zoned, bare, bare], 2)):
        table = Table(Path("t"), pa.table({"when": cells}), is_csv=False)
        assert read_times(table.column("when", "t"), None).bare == counted


@pytest.mark.parametrize("unit", ["YYYYMMDD", "YYYYMMDDHH", "YYYYMMDDHHMM", "YYYYMMDDHHMMSS"])
@given(number=st.integers(0, 10**15), moment=moments, spoil=st.booleans())
def test_dates_in_digits_are_those_of_python(unit, number, moment, spoil):
    form = {"YYYYMMDD": "%Y%m%d", "YYYYMMDDHH": "%Y%m%d%H", "YYYYMMDDHHMM": "%Y%m%d%H%M"}.get(unit, "%Y%m%d%H%M%S")
    cell = str(number)[: len(unit)] if spoil else moment.strftime(form)
    try:
        wanted = int(datetime.strptime(cell, form).replace(tzinfo=UTC).timestamp()) * NANO
    except ValueError:
        wanted = None
    if len(cell) != len(unit):
        wanted = None
    assert read([cell], unit) == (None if wanted is None else [wanted])


@given(st.decimals(-(10**10), 10**10, places=9), st.integers(0, 9))
def test_decimal_seconds_are_read_to_the_last_digit(number, places):
    cell = str(round(number, places)) + ("." if places == 0 else "")
    assert read([cell, "0.5"], "s") == [int(Decimal(cell) * NANO), NANO // 2]
