"""Columns become the bytes that the same rows become, whatever stands in the cells."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.errors import DataError
from groundlings.experiments.archive.tables import as_csv
from groundlings.experiments.exports.text import TextTable, as_written, ratings_as_written

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)
FLOATS = st.none() | st.floats(allow_nan=False)
CELLS = st.tuples(TEXTS, st.none() | st.integers(-(2**63), 2**63 - 1), FLOATS)
SCHEMA = pa.schema([("text", pa.string()), ("whole", pa.int64()), ("number", pa.float64())])


def written(separator: str, rows, columns: bool) -> bytes | str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        try:
            with TextTable(path, separator, ("text", "whole", "number")) as table:
                if columns:
                    table.write_columns(pa.table(list(map(list, zip(*rows, strict=True))), schema=SCHEMA))
                else:
                    table.write(rows)
                assert table.count == len(rows)
        except DataError as fault:
            return str(fault)
        return path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(separator=st.sampled_from([",", "\t", " "]), rows=st.lists(CELLS, min_size=1, max_size=5))
def test_columns_are_written_as_their_rows_are(separator, rows):
    assert written(separator, rows, columns=True) == written(separator, rows, columns=False)


@pytest.mark.parametrize(("separator", "cell"), [(",", 'a,"b"\n'), (",", ""), ("\t", 'a "b", c'), (",", "a\rb")])
def test_a_cell_that_another_format_could_not_carry_is_written_as_it_is(separator, cell):
    rows = [(cell, 1, 0.1), ("plain", None, None)]
    found = written(separator, rows, columns=True)
    assert found == written(separator, rows, columns=False)
    assert isinstance(found, bytes)


@pytest.mark.parametrize(
    ("separator", "cell", "said"),
    [
        ("\t", "a\tb", "holds a tab or a line break"),
        ("\t", "a\rb", "holds a tab or a line break"),
        (" ", "a\tb", "holds white space"),
        (" ", "a\N{NO-BREAK SPACE}b", "holds white space"),
    ],
)
@pytest.mark.parametrize("columns", [True, False])
def test_a_cell_that_readers_would_take_apart_is_refused(separator, cell, said, columns):
    assert said in written(separator, [(cell, 1, 0.1)], columns)


def test_a_carriage_return_in_a_cell_ends_no_line():
    rows = [("a\rb", 1, 0.1), ("c", 2, 0.5)]
    content = written(",", rows, columns=True)
    assert [row[0] for row in csv.reader(io.StringIO(content.decode(), newline=""))] == ["text", "a\rb", "c"]
    frame = pd.DataFrame({"text": ["a\rb", "c"]})
    assert list(csv.reader(io.StringIO(as_csv(frame), newline=""))) == [["text"], ["a\rb"], ["c"]]


def test_ratings_are_written_as_people_write_them():
    given_ratings = [0.1 + 0.2, 4.0, None, 2.5]
    expected = [as_written(rating) for rating in given_ratings]
    assert (
        ratings_as_written(pa.chunked_array([given_ratings], pa.float64())).to_pylist()
        == expected
        == [0.3, 4.0, None, 2.5]
    )
