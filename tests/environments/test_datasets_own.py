"""A person's own tables become a data set, or one error that names file, row and fix."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.environments.errors import DataError

DATA = Path(__file__).parent / "data"
HISTORY = {"path": "history.csv", "user": "customer", "item": "sku", "rating": "stars", "timestamp": "when"}
ITEMS = {"path": "items.csv", "id": "sku", "title": "name", "year": "made", "genres": "categories", "text": "blurb"}
PEOPLE = {"path": "people.csv", "id": "customer", "attributes": ["age", "town"]}
SCALE = {"low": 1, "high": 5, "step": 0.5}


def load(base: Path, **changes) -> Dataset:
    own = {"interactions": HISTORY, "items": ITEMS, "users": PEOPLE, "scale": SCALE} | changes
    return load_dataset(DatasetConfig.model_validate({"name": "own", "own": own}), base=base)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A directory with the three tables, to spoil."""
    return Path(shutil.copytree(DATA, tmp_path / "shop"))


def refusal(base: Path, **changes) -> str:
    with pytest.raises(DataError) as error:
        load(base, **changes)
    return str(error.value)


def append(path: Path, line: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")


def test_tables_become_a_data_set():
    dataset = load(DATA)
    history = dataset.interactions
    assert dataset.people.user_ids == ("7", "08")
    assert dataset.people.attributes == ({"age": "34", "town": "Porto"}, {"town": "Leeds"})
    boots, jacket, shoes = (dataset.catalog[row] for row in range(3))
    assert (boots.item_id, boots.title, boots.year, boots.genres) == ("1", "Walking boots", 2021, ("outdoor", "shoes"))
    assert boots.text == "Waterproof,\nwith a soft sole."
    assert jacket.genres == ("outdoor", "clothes")
    assert (shoes.title, shoes.year, shoes.genres, shoes.text) == ("Office shoes, black", None, (), None)
    assert history.timestamps.tolist() == [1690000000, 1690000000, 1700000000, 1710000000]
    assert history.users.tolist() == [0, 0, 1, 1]
    assert history.items.tolist() == [1, 0, 0, 2]
    assert [None if math.isnan(stars) else stars for stars in history.ratings] == [5.0, None, 3.5, 1.0]
    assert dataset.scale.values[-1] == 5


def test_the_order_of_rows_decides_only_between_those_of_one_user_at_one_moment(shop):
    path = shop / "history.csv"
    header, bought, *tied, _, last = path.read_text().splitlines()
    path.write_text("\n".join([header, last, *tied, bought]) + "\n")
    assert load(shop).fingerprint == load(DATA).fingerprint
    path.write_text("\n".join([header, last, *reversed(tied), bought]) + "\n")
    assert load(shop).interactions.items.tolist() == [0, 1, 0, 2]


def test_without_ratings_and_users_the_least_works():
    history = {key: value for key, value in HISTORY.items() if key != "rating"}
    dataset = load(DATA, interactions=history, users=None, items={"path": "items.csv", "id": "sku", "title": "name"})
    assert np.isnan(dataset.interactions.ratings).all()
    assert dataset.people.user_ids == ("7", "08")
    assert dataset.people.attributes == ({}, {})
    assert dataset.catalog.genre_names == ()


def test_parquet_says_the_same_as_csv(shop):
    stamps = pa.array([1700000000, 1690000000, 1690000000, 1710000000], pa.timestamp("s"))
    table = pa.table(
        {"customer": ["08", "7", "7", "08"], "sku": [1, 2, 1, 10], "stars": [3.5, 5, None, 1], "when": stamps}
    )
    pyarrow.parquet.write_table(table, shop / "history.parquet")
    assert load(shop, interactions=HISTORY | {"path": "history.parquet"}).fingerprint == load(DATA).fingerprint


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-03-01T00:00:00", "2024-03-02", "2024-03-03 12:00:00", "2024-03-04T12:00:00Z"],
        ["2024-03-01T01:00:00+01:00", "2024-03-02", "2024-03-03T12:00:00.5", "2024-03-04T12:00:00"],
    ],
)
def test_iso_dates_are_utc_unless_they_say_otherwise(shop, cells):
    rows = "".join(f"7,1,3,{cell}\n" for cell in cells)
    (shop / "history.csv").write_text("customer,sku,stars,when\n" + rows)
    dataset = load(shop)
    found = dataset.interactions
    assert dataset.notes[0].startswith("interactions: 3 rows without an offset from UTC, where others have one")
    assert found.seconds.tolist() == [1709251200, 1709337600, 1709467200 + 0.5 * (".5" in cells[2]), 1709553600]


def test_byte_order_mark_and_windows_line_ends_are_read(shop):
    path = shop / "history.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load(shop).fingerprint == load(DATA).fingerprint


@pytest.mark.parametrize("before", [b"\n", b"\r\n\r\n", b"\xef\xbb\xbf\n"])
def test_ids_stay_text_where_empty_lines_stand_above_the_header(shop, before):
    for path in shop.glob("*.csv"):
        path.write_bytes(before + path.read_bytes())
    assert load(shop).fingerprint == load(DATA).fingerprint


def test_ids_stay_text_where_a_header_holds_a_line_break(shop):
    items, history = shop / "items.csv", shop / "history.csv"
    items.write_text('"a\nnote",sku,name\nx,007,One\nx,1e5,Two\n')
    history.write_text('"a\nnote",customer,sku,stars,when\nx,08,007,3,1\nx,08,1e5,4,2\n')
    found = load(shop, items={"path": "items.csv", "id": "sku", "title": "name"}, users=None)
    assert (found.catalog.item_ids, found.people.user_ids) == (("007", "1e5"), ("08",))


def test_a_cell_may_be_longer_than_the_limit_of_the_csv_module(shop):
    (shop / "history.csv").write_text('{"rows": ' + "[0]" * 100_000 + "}")
    assert "history.csv: " in refusal(shop)
    append(shop / "items.csv", f'99,{"x" * 200_000},,,\n100,15" lamp,,,,')
    (shop / "history.csv").write_text("customer,sku,stars,when\n7,1,3,1\n")
    lines = (shop / "items.csv").read_text(encoding="utf-8").count("\n")
    assert f"items.csv, line {lines}: found 6 cells" in refusal(shop)


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (("31012024", "1022024"), "DDMMYYYY"),
        (("12312023", "01312024"), "MMDDYYYY"),
        (("202401", "202312"), "YYYYMM"),
        (("2019", "2021"), "YYYY"),
    ],
)
def test_dates_in_a_form_that_is_not_read_are_no_seconds_of_1970(shop, cells, form):
    rows = "".join(f"7,{number},3,{cell}\n" for number, cell in enumerate(cells, start=1))
    (shop / "history.csv").write_text("customer,sku,stars,when\n" + rows)
    assert f"line 2: column 'when': {cells[0]} looks like a date of the form {form}" in refusal(shop)
    found = load(shop, interactions=HISTORY | {"time_unit": "s"}).interactions
    assert sorted(found.seconds.tolist()) == sorted(map(float, cells))


@pytest.mark.parametrize(
    ("kind", "told"), [(pa.duration("us"), "a length of time"), (pa.time32("s"), "names no moment")]
)
def test_a_span_of_time_is_no_moment(shop, kind, told):
    table = {"customer": ["7"], "sku": ["1"], "stars": [3.0], "when": pa.array([86_400], kind)}
    pyarrow.parquet.write_table(pa.table(table), shop / "history.parquet")
    assert told in refusal(shop, interactions=HISTORY | {"path": "history.parquet"})


def test_a_span_of_time_is_no_number(shop):
    table = {"customer": ["7"], "sku": ["1"], "stars": pa.array([3], pa.duration("s")), "when": [86_400]}
    pyarrow.parquet.write_table(pa.table(table), shop / "history.parquet")
    told = refusal(shop, interactions=HISTORY | {"path": "history.parquet"})
    assert "column 'stars' (own.interactions.rating) holds duration[s], a length of time" in told


@pytest.mark.parametrize("encoding", ["utf-32", "utf-16"])
def test_text_in_wide_characters_is_named_as_what_it_is(shop, encoding):
    (shop / "people.csv").write_bytes("customer,age,town\n".encode(encoding))
    assert f"is text in {encoding.upper()}" in refusal(shop)


def test_ratings_are_the_very_numbers_the_site_offers(shop):
    (shop / "history.csv").write_text("customer,sku,stars,when\n7,1,1.3,1\n7,2,2.9,2\n7,10,5.0,3\n")
    dataset = load(shop, scale={"low": 1, "high": 5, "step": 0.1})
    assert np.isin(dataset.interactions.ratings, dataset.scale.values).all()
    assert dataset.interactions.ratings == pytest.approx([1.3, 2.9, 5.0])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("7,1,9,1720000000", ["line 7", "'stars'", "'9'", "from 1 to 5 in steps of 0.5"]),
        ("7,1,3.2,1720000000", ["line 7", "'3.2'", "steps of 0.5"]),
        ("7,1,nan,1720000000", ["line 7", "'nan'"]),
        ("7,1,good,1720000000", ["line 7", "'good'", "a rating"]),
        ("7,1,3,yesterday", ["line 7", "'yesterday'", "seconds since 1970"]),
        ("7,1,3,2024-01-01", ["line 7", "as in other rows"]),
        ("7,1,3,1720000000000", ["line 7", "milliseconds"]),
        ("7,1,3,", ["line 7", "''", "seconds since 1970"]),
        ("9,1,3,1720000000", ["line 7", "user '9' is not in the users file"]),
        (",1,3,1720000000", ["line 7", "user ''"]),
        ("7,77,3,1720000000", ["line 7", "item '77' is not in the items file"]),
        ("7,2,4,1690000000", ["line 7", "same moment as on line 3"]),
        ("7,1,3", ["line 7", "found 3 cells, expected 4"]),
        ("7,1,3,1720000000,x", ["line 7", "found 5 cells, expected 4"]),
        ("7,1,3,1720000000\0", ["line 7", "zero byte"]),
    ],
)
def test_a_bad_interaction_is_named_by_line(shop, line, said):
    append(shop / "history.csv", line)
    message = refusal(shop)
    assert all(part in message for part in [str(shop / "history.csv"), *said]), message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2,Again,2000,x,", ["line 6", "'2' stands already on line 4", "unique"]),
        (",Nameless,2000,x,", ["line 6", "'sku'", "empty"]),
        ("3,,2000,x,", ["line 6", "'name'", "a title"]),
        ("3,Hat,soon,x,", ["line 6", "'soon'", "a year"]),
        ("3,Hat", ["line 6", "found 2 cells, expected 5"]),
    ],
)
def test_a_bad_item_is_named_by_line_although_a_cell_above_holds_a_line_break(shop, line, said):
    append(shop / "items.csv", line)
    message = refusal(shop)
    assert all(part in message for part in ["items.csv", *said]), message


def test_a_person_stands_in_the_table_once(shop):
    append(shop / "people.csv", "7,35,Lisbon")
    assert "line 4: column 'customer': '7' stands already on line 2" in refusal(shop)


def test_a_bad_parquet_row_is_named_by_number(shop):
    table = pa.table({"customer": ["7", "7"], "sku": ["1", "2"], "stars": [3.0, 6.0], "when": [1, 2]})
    pyarrow.parquet.write_table(table, shop / "history.parquet")
    assert "history.parquet, row 2: column 'stars': found '6'" in refusal(
        shop, interactions=HISTORY | {"path": "history.parquet"}
    )


def test_a_column_of_lists_holds_genres_and_nothing_else(shop):
    columns = {"sku": ["1", "2", "10"], "name": ["Hat", "Cap", "Tie"], "g": [["a", "b"], [], None]}
    pyarrow.parquet.write_table(pa.table(columns), shop / "items.parquet")
    items = {"path": "items.parquet", "id": "sku", "title": "name", "genres": "g"}
    assert load(shop, items=items).catalog.genres == (("a", "b"), (), ())
    assert "holds list" in refusal(shop, items=items | {"title": "g"})


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(
    ("length", "told"), [(2**18, "hold 1.22 GiB of text, more than 1,000 times"), (2**24 + 1, "16 MiB")]
)
def test_a_small_parquet_file_of_huge_cells_that_repeat_is_refused_before_it_is_read(shop, listed, length, told):
    cells = pa.DictionaryArray.from_arrays(pa.array(np.zeros(5000, dtype=np.int32)), pa.array(["x" * length]))
    genres = pa.ListArray.from_arrays(pa.array(np.arange(5001, dtype=np.int32)), cells) if listed else cells
    pyarrow.parquet.write_table(
        pa.table({"sku": range(5000), "name": range(5000), "g": genres}), shop / "items.parquet"
    )
    assert (shop / "items.parquet").stat().st_size < 2**20
    refused = refusal(shop, items={"path": "items.parquet", "id": "sku", "title": "name", "genres": "g"})
    assert f"column 'g{'.list.element' * listed}'" in refused or "items.parquet: its cells" in refused
    assert told in refused


def test_a_parquet_file_that_keeps_differences_of_cells_is_read(shop, monkeypatch):
    monkeypatch.setattr("groundlings.environments.datasets.packed_texts._SURELY_HELD", 0)
    columns = {"sku": ["1", "2", "10"], "the.name": ["Hat", "Hats", "Hatter"], "n": pa.array([b"\xff"] * 3)}
    differences = {"sku": "DELTA_BYTE_ARRAY", "the.name": "DELTA_LENGTH_BYTE_ARRAY"}
    options = {"use_dictionary": False, "column_encoding": differences}
    pyarrow.parquet.write_table(pa.table(columns), shop / "items.parquet", **options)
    found = load(shop, items={"path": "items.parquet", "id": "sku", "title": "the.name"})
    assert found.catalog.titles == ("Hat", "Hats", "Hatter")


def test_a_misspelt_column_is_answered_with_the_nearest():
    message = refusal(DATA, interactions=HISTORY | {"rating": "star"})
    assert "column 'star' (own.interactions.rating) is not in the header" in message
    assert "did you mean 'stars'?" in message
    assert "own.users.attributes" in refusal(DATA, users=PEOPLE | {"attributes": ["income"]})


def test_a_header_may_name_a_column_once(shop):
    (shop / "people.csv").write_text("customer,age,age\n7,1,2\n08,1,2\n")
    assert "stands in the header twice" in refusal(shop, users=PEOPLE | {"attributes": ["age"]})


def test_a_misspelt_file_is_answered_with_the_nearest(shop):
    assert "no such file; correct the path; did you mean 'history.csv'?" in refusal(
        shop, interactions=HISTORY | {"path": "histori.csv"}
    )
    assert "no such file" in refusal(shop, interactions=HISTORY | {"path": "nowhere/h.csv"})
    assert "this is a directory" in refusal(shop, interactions=HISTORY | {"path": "."})
    (shop / "moved.csv").symlink_to("elsewhere.csv")
    told = refusal(shop, interactions=HISTORY | {"path": "moved.csv"})
    assert "moved.csv: this link leads to no file; correct the path" in told
    assert "did you mean 'moved.csv'" not in told


def test_times_of_a_zone_that_nobody_knows_are_no_text(shop):
    born = pa.array([0, 1], pa.int64()).cast(pa.timestamp("s", "Nowhere/City"))
    pyarrow.parquet.write_table(pa.table({"customer": ["7", "08"], "born": born}), shop / "people.parquet")
    told = refusal(shop, users={"path": "people.parquet", "id": "customer", "attributes": ["born"]})
    assert "people.parquet: column 'born' cannot be read as text: Cannot locate" in told


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf\n", b"customer,sku,stars,when\n"])
def test_an_empty_file_is_refused(shop, content):
    (shop / "history.csv").write_bytes(content)
    assert "history.csv: the file " in refusal(shop)


@pytest.mark.parametrize("note", ["sep=,", '\n"SEP=;"', "\ufeffsep=;", "sep=|\r", "sep=,,,,"])
def test_a_line_for_spreadsheets_before_the_header_is_told_as_what_it_is(shop, note):
    (shop / "people.csv").write_text(f"{note}\ncustomer,age,town\n7,34,Porto\n08,,Faro\n")
    told = refusal(shop)
    assert f"people.csv, line {1 + note.startswith(chr(10))}: found " in told
    assert "a note for spreadsheets and no header; remove this line" in told


def test_a_file_in_another_encoding_is_named_by_line(shop):
    (shop / "people.csv").write_bytes("customer,age,town\n7,34,Porto\n08,,Zürich\n".encode("latin-1"))
    assert "people.csv, line 3: byte 0xfc is not UTF-8" in refusal(shop)


@pytest.mark.parametrize("keep", [0, 3, 200, -9])
def test_a_truncated_parquet_file_is_refused(shop, keep):
    path = shop / "history.parquet"
    pyarrow.parquet.write_table(pa.table({"customer": ["7"], "sku": ["1"], "stars": [3.0], "when": [1]}), path)
    path.write_bytes(path.read_bytes()[:keep])
    assert "history.parquet: cannot be read as Parquet" in refusal(shop, interactions=HISTORY | {"path": path.name})


def test_an_open_quotation_mark_is_an_error_and_not_a_row(shop):
    append(shop / "history.csv", '7,1,3,"1720000000')
    assert "history.csv" in refusal(shop)


_mutations = st.lists(
    st.tuples(
        st.sampled_from(["cut", "replace", "insert", "double", "swap"]),
        st.floats(0, 1, exclude_max=True),
        st.floats(0, 1, exclude_max=True),
        st.one_of(
            st.binary(min_size=1, max_size=6),
            st.sampled_from(
                [b",", b'"', b"\n", b"\r", b"\0", b"\xff", b"-1", b"1e999", b"nan", b"\xe2\x80\xa8", b"9" * 30]
            ),
        ),
    ),
    min_size=1,
    max_size=4,
)


def mutated(content: bytes, mutations: list[tuple[str, float, float, bytes]]) -> bytes:
    for kind, where, length, piece in mutations:
        start = int(where * (len(content) + 1))
        end = min(len(content), start + int(length * 20))
        lines = content.split(b"\n")
        line = int(where * len(lines))
        match kind:
            case "cut":
                content = content[:start] + content[end:]
            case "replace":
                content = content[:start] + piece + content[end:]
            case "insert":
                content = content[:start] + piece + content[start:]
            case "double":
                content = b"\n".join([*lines[: line + 1], lines[line], *lines[line + 1 :]])
            case _:
                content = b"\n".join([*lines[line:], *lines[:line]])
    return content


@pytest.mark.parametrize("name", ["history.csv", "items.csv", "people.csv", "history.parquet"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations=_mutations)
def test_whatever_happens_to_a_file_the_outcome_is_a_data_set_or_a_data_error(shop, name, mutations):
    if name.endswith("parquet"):
        columns = {"customer": ["7", "08"], "sku": ["1", "2"], "stars": [3.0, 4.5], "when": [1, 2]}
        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(pa.table(columns), sink)
        valid = sink.getvalue().to_pybytes()
    else:
        valid = (DATA / name).read_bytes()
    (shop / name).write_bytes(mutated(valid, mutations))
    history = HISTORY | {"path": name if name.startswith("history") else "history.csv"}
    try:
        dataset = load(shop, interactions=history)
    except DataError as error:
        if not re.search(r"(history|items|people)\.(csv|parquet)[,:]", str(error)):
            pytest.fail(f"names no file: {error}")
    else:
        given_stars = dataset.interactions.ratings[~np.isnan(dataset.interactions.ratings)]
        assert np.isin(given_stars, dataset.scale.values).all()
        assert len(dataset.interactions) > 0
        assert all(dataset.catalog.titles)
        assert len(set(dataset.people.user_ids)) == len(dataset.people)
    finally:
        for original in DATA.iterdir():
            shutil.copy(original, shop)
