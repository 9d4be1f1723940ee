"""Columns of your own tables: the cells are those of the file, and no Python object is made for a row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.config import OwnData
from groundlings.environments.datasets.ids import by_length
from groundlings.environments.datasets.own import load_own
from groundlings.environments.datasets.tables import Table
from groundlings.environments.datasets.times import read_times

texts = st.text(st.sampled_from("a1 é\t\u00a0-+."), max_size=4)
moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1))
cells = st.one_of(
    st.lists(st.none() | texts, min_size=1).map(lambda row: pa.array(row, pa.string())),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1).map(lambda row: pa.array(row, pa.int64())),
    st.lists(st.integers(0, 2**64 - 1), min_size=1).map(lambda row: pa.array(row, pa.uint64())),
    st.lists(st.none() | st.sampled_from([0.0, -0.0, 0.5, -1.25, 1e300]), min_size=1).map(
        lambda row: pa.array(row, pa.float64())
    ),
    st.lists(st.none() | moments, min_size=1).map(lambda row: pa.array(row, pa.timestamp("us"))),
    st.lists(st.booleans(), min_size=1).map(pa.array),
)


def column_of(stored: pa.Array, pieces: int = 1) -> Column:
    cut = np.linspace(0, len(stored), pieces + 1).astype(int)
    chunks = [stored.slice(start, end - start) for start, end in pairwise(cut)]
    return Table(Path("t"), pa.table({"c": pa.chunked_array(chunks, stored.type)}), is_csv=False).column("c", "key")


@given(cells, st.integers(1, 3))
def test_the_cells_are_those_that_arrow_writes_as_text(stored, pieces):
    column = column_of(stored, pieces)
    as_told = column.table._as_told("c", lists=False, infinite=False)
    expected = [(text or "").strip() for text in as_told.cast(pa.string()).to_pylist()]
    assert column.cells == expected
    assert [column.cell(row) for row in range(len(expected))] == expected
    assert column.values == tuple(column.texts_at(np.arange(len(column.distinct))))


@given(st.lists(st.one_of(texts, st.integers(-(10**19), 10**19).map(str), st.just("٣")), min_size=1))
def test_whole_numbers_are_those_that_python_reads(row):
    def whole(cell):
        try:
            return int(cell) if "_" not in cell and len(cell.lstrip("+-")) <= 18 else None
        except ValueError:
            return None

    column = column_of(pa.array(row, pa.string()))
    numbers = [whole(cell) for cell in column.values]
    found = column.integers
    assert (None in numbers) == (found is None)
    assert found is None or found.tolist() == numbers


@given(st.lists(st.text(max_size=3)))
def test_ids_stand_by_their_length_and_then_as_python_sorts_them(row):
    assert by_length(pa.array(row, pa.string())) == sorted(
        {each for each in row if each}, key=lambda each: (len(each), each)
    )


zones = st.sampled_from([None, "UTC", "+05:30"])


@given(st.lists(moments, min_size=1), st.sampled_from(["s", "ms", "us", "ns"]), zones)
def test_stored_times_are_the_moments_of_their_text(row, unit, zone):
    stored = pa.array([each.replace(microsecond=0) if unit == "s" else each for each in row], pa.timestamp("us"))
    stored = stored.cast(pa.timestamp(unit), safe=False)
    stored = stored if zone is None else stored.cast(pa.timestamp(unit, zone))
    direct, told = read_times(column_of(stored), None), read_times(column_of(stored.cast(pa.string())), None)
    assert direct.per_second == told.per_second
    np.testing.assert_array_equal(direct.ticks, told.ticks)


@given(st.lists(moments, min_size=1), st.sampled_from([1, 1000, 10**6, 10**9]))
def test_numbers_of_one_unit_are_the_moments_of_their_text(row, per_second):
    seconds = [int(each.replace(tzinfo=UTC).timestamp()) for each in row]
    numbers = pa.array([each * per_second for each in seconds], pa.int64())
    direct, told = read_times(column_of(numbers), None), read_times(column_of(numbers.cast(pa.string())), None)
    assert direct.per_second == told.per_second == 1
    assert direct.ticks.tolist() == told.ticks.tolist() == seconds


def whole_seconds(n: int) -> pa.Array:
    return pa.array(1_600_000_000 + 977 * np.arange(n))


def iso_dates(n: int) -> pa.Array:
    first = datetime(2020, 1, 1, tzinfo=UTC)
    return pa.array([(first + timedelta(seconds=977 * place)).isoformat() for place in range(n)])


@pytest.mark.parametrize("times", [whole_seconds, iso_dates, lambda n: whole_seconds(n).cast(pa.timestamp("s"))])
def test_what_becomes_text_does_not_grow_with_the_rows(tmp_path, monkeypatch, times):
    made: list[int] = []

    def counted(name):
        make = vars(Column)[name].func

        def counting(self):
            made.append(len(self.codes if name == "cells" else self.distinct))
            return make(self)

        counted_once = cached_property(counting)
        counted_once.__set_name__(Column, name)
        return counted_once

    for name in ("values", "cells"):
        monkeypatch.setattr(Column, name, counted(name))
    items = pa.table({"sku": [f"i{item}" for item in range(30)], "name": [f"Item {item}" for item in range(30)]})
    pyarrow.parquet.write_table(items, tmp_path / "items.parquet")
    config = OwnData.model_validate(
        {
            "interactions": {"path": "met.parquet", "user": "who", "item": "sku", "rating": "stars", "timestamp": "at"},
            "items": {"path": "items.parquet", "id": "sku", "title": "name"},
            "scale": {"low": 1, "high": 5, "step": 1},
        }
    )
    counts = []
    for n in (200, 400):
        rows = np.arange(n)
        met = {"who": [f"u{row % 20}" for row in rows], "sku": [f"i{row // 20}" for row in rows]}
        table = pa.table({**met, "stars": pa.array(1 + rows % 5), "at": times(n)})
        pyarrow.parquet.write_table(table, tmp_path / "met.parquet")
        made.clear()
        assert len(load_own(config, tmp_path).interactions) == n
        counts.append(sum(made))
    assert counts[0] < 400
    assert counts[1] - counts[0] < 40  # ten more items were met, and nobody else
