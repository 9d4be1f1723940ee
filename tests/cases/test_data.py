"""Data as practitioners' bug reports describe it, rebuilt small: section B of the collected cases."""

from __future__ import annotations

import gzip
import pickle
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from groundlings.environments.catalog import Catalog
from groundlings.environments.datasets import csv_files, file_kinds, own
from groundlings.environments.errors import DataError
from groundlings.environments.memory import Available

# B2: ratings of any scale


@pytest.mark.parametrize(
    ("scale", "cells", "kind"),
    [
        ({"low": -1, "high": 1, "step": 2 / 3}, [-1, -1 / 3, 1 / 3, 1], float),
        ({"low": -1, "high": 1, "step": 0.6667}, [-1, -0.333, 0.3333, 1], float),
        ({"low": -1, "high": 1, "step": 0.5}, [-1, -0.5, 0, 1], float),
        ({"low": 0, "high": 1, "step": 0.1}, [0, 0.3, 0.7, 0.9], np.float32),
        ({"low": 0, "high": 1, "step": 0.1}, [0, 0.3, 0.7, 0.9], float),
        ({"low": 1, "high": 10, "step": 0.1}, [1, 9.9, 3.3, 7.7], np.float32),
    ],
)
@pytest.mark.parametrize("name", ["inter.csv", "inter.parquet"])
def test_ratings_of_any_scale_are_read(shop, scale, cells, kind, name):
    numbers = np.array(cells, dtype=kind)
    shop.met([("u", f"i{number}", 1_700_000_000 + number, value) for number, value in enumerate(numbers)], name)
    dataset = shop.load(interactions={"path": name}, scale=scale)
    assert np.isin(dataset.interactions.ratings, dataset.scale.values).all()
    assert dataset.interactions.ratings == pytest.approx(np.array(cells), abs=1e-3)


def test_single_precision_that_was_widened_is_read(shop):
    widened = np.array([9.9, 3.3], dtype=np.float32).astype(np.float64)
    shop.met([("u", f"i{number}", number, value) for number, value in enumerate(widened)])
    assert shop.load(scale={"low": 1, "high": 10, "step": 0.1}).interactions.ratings.tolist() == [
        1 + 89 * 0.1,
        1 + 23 * 0.1,
    ]


@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "NaN", "1e999"])
@pytest.mark.parametrize("column", ["rating", "ts", "year"])
def test_a_number_that_is_none_is_refused_with_its_row(shop, cell, column):
    shop.items({"item": ["i0", "i1"], "title": ["a", "b"], "year": ["1990", cell if column == "year" else "1991"]})
    good = {"rating": "4", "ts": "1700000000"}
    bad = good | ({column: cell} if column in good else {})
    shop.met([("u", "i0", good["ts"], good["rating"]), ("u", "i1", bad["ts"], bad["rating"])])
    said = shop.refusal(items={"year": "year"})
    assert "line 3" in said
    assert repr(cell) in said


def test_a_nan_that_is_stored_as_one_is_refused_wherever_it_stands(shop):
    shop.times([1_700_000_000])
    column = pa.array([30.0, float("nan")], from_pandas=False)
    pyarrow.parquet.write_table(pa.table({"user": ["u", "v"], "age": column}), shop.folder / "users.parquet")
    said = shop.refusal(users={"path": "users.parquet", "id": "user", "attributes": ["age"]})
    assert "users.parquet, row 2: column 'age': found nan" in said


# B12: columns of Parquet files


@pytest.mark.parametrize("column", ["user", "item", "title", "genres"])
def test_bytes_that_are_no_text_in_a_column_of_text_are_refused_by_name(shop, column):
    shop.times([1_700_000_000])
    broken = pa.array([b"i0", b"\xff\xfe"], pa.binary()).view(pa.string())
    tables = {
        "inter": {"user": ["u", "u"], "item": ["i0", "i1"], "rating": [4.0, 4.0], "ts": [1, 2]},
        "items": {"item": ["i0", "i1"], "title": ["a", "b"], "genres": [["x"], ["y"]]},
    }
    found = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), broken) if column == "genres" else broken
    for name, columns in tables.items():
        changed = {key: found if key == column else pa.array(cells) for key, cells in columns.items()}
        pyarrow.parquet.write_table(pa.table(changed), shop.folder / f"{name}.parquet")
    said = shop.refusal(interactions={"path": "inter.parquet"}, items={"path": "items.parquet", "genres": "genres"})
    assert f"column {column!r}" in said
    assert "are not UTF-8" in said


@pytest.mark.parametrize(("kind", "number"), [("float64", 2**53), ("float32", 2**24), ("float16", 2**11)])
def test_ids_that_a_column_of_floats_cannot_tell_apart_are_refused(shop, kind, number):
    shop.times([1_700_000_000])
    table = {"user": np.array([1, number], dtype=kind), "item": ["i0", "i1"], "rating": [4.0, 4.0], "ts": [1, 2]}
    pyarrow.parquet.write_table(pa.table(table), shop.folder / "inter.parquet")
    said = shop.refusal(interactions={"path": "inter.parquet"})
    assert f"row 2: column 'user': found {number}" in said
    assert "different ids become one" in said


# B7: files of another kind


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"user;item|rating;ts\nu;i0|4;1700000000\n", ["separated by semicolons or upright strokes", "with commas"]),
        (gzip.compress(b"user,item,rating,ts\nu,i0,4,1\n", mtime=0)[:-9], ["packed with gzip and damaged"]),
        (gzip.compress(b"PAR1", mtime=0), ["a Parquet file"]),
        (gzip.compress(gzip.compress(b"user", mtime=0), mtime=0), ["compressed with gzip twice"]),
        ("user,item,rating,ts\n".encode("utf-16"), ["UTF-16", "save it as UTF-8"]),
        ("user,item,rating,ts\nu,i0,4,1700000000\n".encode("utf-16-le"), ["UTF-16"]),
        ("user,item,rating,ts\nu,i0,4,1700000000\n".encode("utf-16-be"), ["UTF-16"]),
        (b"PK\x03\x04xxxx", ["workbook"]),
        (b"PAR1xxxx", ["ending .parquet"]),
        (b'[\n  {\n    "user": "u"', ["is JSON"]),
        (b"ARROW1\0\0\xff", ["a Feather file"]),
        (pickle.dumps({"user": [1]}), ["a pickle of Python"]),
        (b"SQLite format 3\0\x10", ["a database of SQLite"]),
        (gzip.compress(b"a.csv".ljust(257, b"\0") + b"ustar", mtime=0), ["an archive of tar"]),
        ("user,item,rating,ts\ncafé,i0,4,1\n".encode("cp1252"), ["line 2", "0xe9 is not UTF-8"]),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is(shop, content, parts):
    (shop.folder / "inter.csv").write_bytes(content)
    said = shop.refusal()
    assert all(part in said for part in ["inter.csv", *parts]), said
    assert "did you mean" not in said


def test_a_table_that_does_not_fit_into_memory_is_refused_before_it_is_read(shop, monkeypatch):
    shop.times(range(1_700_000_000, 1_700_000_012))
    monkeypatch.setattr(file_kinds, "available_memory", lambda: Available(500, "limit of this process (RLIMIT_AS)"))
    assert "500 bytes are left (limit of this process (RLIMIT_AS))" in shop.refusal(items={"path": "items.csv"})

    packed = pa.table({"item": pa.array(["i0"] * 100_000).dictionary_encode(), "title": ["t"] * 100_000})
    pyarrow.parquet.write_table(packed, shop.folder / "items.parquet")
    assert (shop.folder / "items.parquet").stat().st_size < 10_000
    monkeypatch.setattr(file_kinds, "available_memory", lambda: Available(100_000, "free memory of this machine"))
    assert "items.parquet: reading it takes about 3.05 MiB (3,200,000 bytes)" in shop.refusal(
        items={"path": "items.parquet"}
    )


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["inter.csv", "inter.tsv", "inter.txt"])
def test_what_separates_cells_is_told_by_the_header_and_gzip_is_unpacked(shop, separator, packed, name):
    content = separator.join(["user", "item", "rating", "ts"]) + "\n"
    content += "".join(separator.join(["u", f"i{n}", str(n + 1), str(1_700_000_000 + n)]) + "\r\n" for n in range(4))
    name += ".gz" if packed else ""
    (shop.folder / name).write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    found = shop.load(interactions={"path": name}).interactions
    assert (found.items.tolist(), found.ratings.tolist()) == ([0, 1, 2, 3], [1, 2, 3, 4])
    spoilt = (content + separator.join(["u", "i9", "9", "1700000009"])).encode()
    (shop.folder / name).write_bytes(gzip.compress(spoilt) if packed else spoilt)
    assert f"{name}, line 6: column 'rating': found '9'" in shop.refusal(interactions={"path": name})


def test_a_decimal_comma_is_read_where_commas_separate_nothing(shop):
    rows = ["user;item;rating;ts", "u;i0;4,5;1700000000", "u;i1;3,0;1700000001", "u;i2;2;1700000002"]
    (shop.folder / "inter.csv").write_text("\ufeff" + "\r\n".join(rows), encoding="utf-8")
    assert shop.load(scale={"low": 1, "high": 5, "step": 0.5}).interactions.ratings.tolist() == [4.5, 3, 2]
    (shop.folder / "inter.csv").write_text("\n".join([*rows, "u;i3;1,000;1700000003"]))
    assert "line 5: column 'rating': found '1,000'" in shop.refusal(scale={"low": 1, "high": 5, "step": 0.5})
    (shop.folder / "inter.csv").write_text('user,item,rating,ts\nu,i0,"4,5",1700000000\n')
    assert "found '4,5'" in shop.refusal(scale={"low": 1, "high": 5, "step": 0.5})


def test_a_packed_file_that_unpacks_beyond_memory_is_refused(shop, monkeypatch):
    (shop.folder / "inter.csv").write_bytes(gzip.compress(b"user,item\n" + b"u,i0\n" * 1_000_000))
    monkeypatch.setattr(csv_files, "available_memory", lambda: Available(2**23, "free memory of this machine"))
    assert "it unpacks to more than 2 MiB" in shop.refusal()


@pytest.mark.parametrize(
    ("bound", "value", "content", "words"),
    [
        ("_UNPACKED_ANYWAY", 2**16, gzip.compress(b"user,item\n" + b"u,i0\n" * 200_000), "200 times its size"),
        ("_LONGEST_HEADER", 99, b"user," * 20, "no header line of at most 99 bytes"),
        ("_LONGEST_HEADER", 99, b"\n" * 100 + b"user,item,rating,ts\nu,i0,4,1\n", "no header line of at most 99 bytes"),
        ("_MOST_COLUMNS", 3, b"user,item,rating,ts\nu,i0,4,1\n", "names 4 columns, at most 3 are read"),
        ("_MOST_RAGGED", 3, b"user,item,rating,ts\n" + b"u\n" * 4, "more than 3 rows have not the 4 cells"),
        ("_LONGEST_ROW", 2**20, b"user,item,rating,ts\nu,i0,4," + b"1" * 2**21 + b"\n", "a row is longer than 1 MiB"),
        ("LONGEST_CELL", 99, b'user,item,rating,ts\nu,i0,4,"' + b"1" * 100, "line 2: a quotation mark is never closed"),
    ],
    ids=["unpacked", "header", "empty lines", "columns", "ragged", "row", "cell"],
)
def test_a_file_that_is_plainly_no_table_is_refused_by_its_bound(shop, monkeypatch, bound, value, content, words):
    (shop.folder / "inter.csv").write_bytes(content)
    monkeypatch.setattr(csv_files, bound, value)
    assert "inter.csv" in (said := shop.refusal()), said
    assert words in said


@pytest.mark.parametrize("bound", ["before it is read", "after that"])
def test_a_cell_that_is_longer_than_a_book_is_refused(shop, monkeypatch, bound):
    title = "".join(map(chr, np.random.default_rng(1).integers(97, 123, 2000)))
    shop.items({"item": ["i0"], "title": [title]}, "items.parquet")
    monkeypatch.setattr(file_kinds, "LONGEST_CELL", 1000)
    monkeypatch.setattr(file_kinds, "_PAGES", 0 if bound == "before it is read" else 2**20)
    assert "column 'title' has a cell that is longer than 1,000 bytes" in shop.refusal(items={"path": "items.parquet"})


def test_lines_are_found_alike_with_and_without_quotation_marks(shop):
    rows = [b"\xef\xbb\xbf", b"user,item,rating,ts", b"", b"u,i0,4,1700000000", b"", b"", b"u,i0,9,1700000001"]
    for end in (b"\n", b"\r\n", b"\r"):
        for quoted in (rows, [*rows[:3], b'"u",i0,4,1700000000', *rows[4:]]):
            (shop.folder / "inter.csv").write_bytes(end.join(quoted))
            assert "inter.csv, line 7: column 'rating': found '9'" in shop.refusal()


# B8 and l_nfd: ids


def test_ids_that_differ_in_composition_alone_are_told_apart_by_code_point(shop):
    shop.items({"item": [unicodedata.normalize("NFC", f"café{n}") for n in range(3)], "title": list("abc")})
    shop.met([("u", unicodedata.normalize("NFD", "café1"), 1_700_000_000)])
    said = shop.refusal()
    assert all(part in said for part in ["line 2", "U+0301", "U+00E9", "NFC", "composed and decomposed"]), said


@pytest.mark.parametrize("meant", ["I1", "i1\u200b", "\N{FULLWIDTH LATIN SMALL LETTER I}1", "i1.0"])
def test_ids_that_look_alike_are_pointed_out(shop, meant):
    shop.items({"item": ["i0", "i1"], "title": ["a", "b"]})
    shop.met([("u", meant, 1_700_000_000)])
    assert "'i1'" in (said := shop.refusal()), said


def test_unknown_items_are_counted_and_the_first_few_named(shop):
    shop.met([("u", f"i{number}", 1_700_000_000 + number) for number in (0, 12, 13, 12, 14, 15)])
    assert "line 3" in (said := shop.refusal())
    assert "item 'i12' is not in the items file (5 rows name 4 items that are not: 'i12', 'i13', 'i14' ...)" in said


def test_numbers_with_leading_zeros_and_of_seventeen_digits_stay_ids(shop):
    ids = ["007", "7", "12345678901234567"]
    shop.items({"item": ids, "title": list("abc")})
    shop.met([("01", each, 1_700_000_000) for each in ids])
    dataset = shop.load()
    assert (dataset.catalog.item_ids, dataset.people.user_ids) == (tuple(ids), ("01",))


@pytest.mark.parametrize("number", [0, 3, 10**7, 10**12, 2**53 - 1])
def test_whole_numbers_that_a_data_frame_keeps_as_floats_are_the_same_ids(shop, number):
    shop.items({"item": [float(number)], "title": ["a"]}, "items.parquet")
    shop.met([(5.0, str(number), 1_700_000_000)])
    assert shop.load(items={"path": "items.parquet"}).catalog.item_ids == (str(number),)


# B9: genres


@pytest.mark.parametrize(
    ("cell", "genres"),
    [
        ("Drama|Comedy", ("Drama", "Comedy")),
        ("(no genres listed)", ()),
        ("", ()),
        ("['Drama', 'Comedy']", ("Drama", "Comedy")),
        ('["Drama", "Children\'s"]', ("Drama", "Children's")),
        ("['Drama' 'Comedy']", ("Drama", "Comedy")),
        ("('Drama', 'Comedy')", ("Drama", "Comedy")),
        ('[{"id": 16, "name": "Drama"}, {"id": 35, "name": "Comedy"}]', ("Drama", "Comedy")),
        ("[{'id': 16, 'name': 'Drama'}]", ("Drama",)),
        ("[]", ()),
        ("['(no genres listed)']", ()),
        ("(R)evolution", ("(R)evolution",)),
        ("[A]|[B]", ("[A]", "[B]")),
    ],
)
def test_genres_are_words_between_separators_or_a_list(shop, cell, genres):
    shop.items({"item": ["i0"], "title": ["a"], "genres": [cell]})
    shop.met([("u", "i0", 1_700_000_000)])
    assert shop.load(items={"genres": "genres"}).catalog.genres == (genres,)


@pytest.mark.parametrize(
    "cell", ["[Drama, Comedy]", "{Drama,Comedy}", "[1, 2]", "['Drama', ['Comedy']]", "[" * 5000 + "]" * 5000]
)
def test_a_list_that_cannot_be_read_is_refused_and_never_one_genre(shop, cell):
    shop.items({"item": ["i0", "i1"], "title": ["a", "b"], "genres": ["Drama", cell]})
    shop.met([("u", "i0", 1_700_000_000)])
    assert "line 3: column 'genres'" in (said := shop.refusal(items={"genres": "genres"}))
    assert "own.items.genre_separator" in said


@pytest.mark.parametrize("cell", ["Food|Drink;Home", '["Food|Drink"]'])
def test_a_genre_that_a_log_would_take_for_two_is_refused(shop, cell):
    shop.items({"item": ["i0"], "title": ["T"], "genres": [cell]})
    shop.met([("u", "i0", 1_700_000_000)])
    said = shop.refusal(items={"genres": "genres", "genre_separator": ";"})
    assert "expected genres without the sign |, which stands between genres in logs and exports" in said
    with pytest.raises(DataError, match=r"catalog: the genre 'Food\|Drink' holds the sign \|"):
        Catalog(("i0",), ("T",), np.array([np.nan]), (("Food|Drink",),))


def test_genres_that_look_alike_are_two_and_said(shop):
    shop.items({"item": ["i0", "i1"], "title": ["T", "U"], "genres": ["Caf\u00e9", "Cafe\u0301"]})
    shop.met([("u", "i0", 1_700_000_000), ("u", "i1", 1_700_000_060)])
    (note,) = (each for each in shop.load(items={"genres": "genres"}).notes if "genre" in each)
    assert "(with U+0065, U+0301)" in note
    assert "(with U+00E9)" in note
    assert "look alike and are two" in note


def test_lists_of_genres_in_parquet_are_read(shop):
    table = pa.table({"item": ["i0", "i1", "i2"], "title": ["a", "b", "c"], "genres": [["Drama", "a, b"], [], None]})
    pyarrow.parquet.write_table(table, shop.folder / "items.parquet")
    shop.met([("u", "i0", 1_700_000_000)])
    dataset = shop.load(items={"path": "items.parquet", "genres": "genres"})
    assert dataset.catalog.genres == (("Drama", "a, b"), (), ())


def test_descriptions_that_were_taken_for_genres_are_refused_before_they_fill_the_memory(shop, monkeypatch):
    monkeypatch.setattr(own, "available_memory", lambda: Available(2000, "free memory of this machine"))
    shop.items({"item": [f"i{n}" for n in range(12)], "title": ["a"] * 12, "genres": [f"Tale {n}" for n in range(12)]})
    shop.met([("u", "i0", 1_700_000_000)])
    said = shop.refusal(items={"genres": "genres"})
    assert "12 different genres for 12 items" in said
    assert "own.items.genre_separator, now '|'" in said


# B4, B10: what stays refused says why


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        (("u", "i0", "2024-03-01", "148"), ["line 2", "'148'", "1 to 5"]),
        (
            ("u", "i1", "2024-03-01", "3"),
            ["line 3", "user 'u' met item 'i1' at the same moment as on line 2, with another rating", "same_moment"],
        ),
    ],
)
def test_play_counts_and_repeats_with_other_ratings_are_refused_with_their_rows(shop, row, parts):
    shop.met([row, ("u", "i1", "2024-03-01", "4")])
    said = shop.refusal()
    assert all(part in said for part in parts), said
