"""Data as practitioners' bug reports describe it, rebuilt small: section B of the collected cases."""

from __future__ import annotations

import gzip
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import DatasetConfig, file_kinds, load_dataset, own
from groundlings.environments.errors import DataError
from groundlings.environments.memory import Available
from groundlings.environments.split import split_history

ITEMS = 12
INTERACTIONS = {"path": "inter.csv", "user": "user", "item": "item", "rating": "rating", "timestamp": "ts"}


class Shop:
    """A directory with a table of items and one of interactions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.items({"item": [f"i{n}" for n in range(ITEMS)], "title": [f"Title {n}" for n in range(ITEMS)]})

    def items(self, columns, name: str = "items.csv", **how) -> None:
        self._write(pd.DataFrame(columns), name, **how)

    def met(self, rows, name: str = "inter.csv", **how) -> None:
        """Rows of (user, item, time), or of (user, item, time, rating)."""
        frame = pd.DataFrame([(*row, 4)[:4] for row in rows], columns=["user", "item", "ts", "rating"])
        self._write(frame, name, **how)

    def times(self, cells, name: str = "inter.csv") -> None:
        """One user meets one item after the other at these times."""
        self.met([("u", f"i{number}", cell) for number, cell in enumerate(cells)], name)

    def load(self, **changes) -> Dataset:
        items = {"path": "items.csv", "id": "item", "title": "title"} | changes.pop("items", {})
        own = {"interactions": INTERACTIONS | changes.pop("interactions", {}), "items": items, **changes}
        return load_dataset(DatasetConfig.model_validate({"name": "own", "own": own}), base=self.folder)

    def refusal(self, **changes) -> str:
        with pytest.raises(DataError) as error:
            self.load(**changes)
        return str(error.value)

    def moments(self, cells, **changes) -> list[str]:
        """What is made of times, in the order of the rows, to the nanosecond."""
        self.times(cells)
        history = self.load(interactions=changes).interactions
        ticks = history.timestamps[np.argsort(history.items)] * (10**9 // history.ticks_per_second)
        return [str(moment) for moment in ticks.astype("datetime64[ns]")]

    def _write(self, frame: pd.DataFrame, name: str, **how) -> None:
        if name.endswith(".parquet"):
            frame.to_parquet(self.folder / name)
        else:
            frame.to_csv(self.folder / name, index=False, **how)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# B1: times within a second


@pytest.mark.parametrize(
    "form", ["2020-09-01T12:27:43.{:03}", "1598963263.{:03}", "1598963263{:03}", "1598963263{:03}000"]
)
def test_within_a_second_the_later_rows_are_held_out(shop, form):
    shop.times([form.format(999 - 100 * item) for item in range(10)])
    dataset = shop.load()
    split = split_history(dataset.interactions, "per_user_temporal", 0.2)
    assert split.test.items.tolist() == [1, 0]
    assert dataset.interactions.ticks_per_second == 1000


def test_the_same_item_within_one_second_is_no_repeat(shop):
    shop.met([("u", "i1", "2020-09-01 12:27:43.099"), ("u", "i1", "2020-09-01 12:27:43.949")])
    assert len(shop.load().interactions) == 2


@given(order=st.permutations(range(ITEMS)), coarse=st.sampled_from(["2024-03-01", "1709251200"]))
def test_where_the_clock_is_coarse_the_order_of_the_file_counts(tmp_path_factory, order, coarse):
    shop = Shop(tmp_path_factory.mktemp("coarse"))
    shop.met([("u", f"i{item}", coarse) for item in order])
    split = split_history(shop.load().interactions, "per_user_temporal", 0.25)
    assert split.train.items.tolist() + split.test.items.tolist() == list(order)


@pytest.mark.parametrize(
    ("cells", "per_second"),
    [
        (["2024-03-01T00:00:00.000", "2024-03-02"], 1),
        (["2024-03-01T00:00:00.120", "2024-03-02"], 1000),
        (["2024-03-01T00:00:00,000001+01:00", "2024-03-02"], 10**6),
        (["2024-03-01 00:00:00.123456789", "2024-03-02"], 10**9),
        (["1709251200000", "1709251201000"], 1),
        (["1709251200.5", "1709251201"], 1000),
    ],
)
def test_the_clock_is_as_fine_as_the_finest_moment(shop, cells, per_second):
    shop.times(cells)
    assert shop.load().interactions.ticks_per_second == per_second


def test_a_data_frame_of_nanoseconds_keeps_them(shop):
    times = pd.to_datetime([1_700_000_000_000_000_001, 1_700_000_000_000_000_000])
    shop.times(times, "inter.parquet")
    history = shop.load(interactions={"path": "inter.parquet"}).interactions
    assert (history.ticks_per_second, history.items.tolist()) == (10**9, [1, 0])


@pytest.mark.parametrize("cell", ["2024-03-01T00:00:00.1234567891", "1709251200.1234567891"])
def test_a_tenth_digit_of_a_second_is_refused(shop, cell):
    shop.times(["2024-03-01" if "T" in cell else "1709251200", cell])
    assert "line 3: column 'ts'" in (said := shop.refusal())
    assert "nine digits of a second" in said


# B3: which unit


@pytest.mark.parametrize(
    ("cells", "moments"),
    [
        (["20240101", "20240229"], ["2024-01-01T00:00:00", "2024-02-29T00:00:00"]),
        (["20240101.0", "20240229.0"], ["2024-01-01T00:00:00", "2024-02-29T00:00:00"]),
        (["20240101123005", "20240229000000"], ["2024-01-01T12:30:05", "2024-02-29T00:00:00"]),
        (["1700000000", "1700000001"], ["2023-11-14T22:13:20", "2023-11-14T22:13:21"]),
        (["1700000000.0", "1.7e9"], ["2023-11-14T22:13:20", "2023-11-14T22:13:20"]),
        (["1700000000000", "1700000001250"], ["2023-11-14T22:13:20", "2023-11-14T22:13:21.250"]),
        (["1700000000000000", "1700000001000001"], ["2023-11-14T22:13:20", "2023-11-14T22:13:21.000001"]),
        (["1700000000000000000", "1700000001000000001"], ["2023-11-14T22:13:20", "2023-11-14T22:13:21.000000001"]),
        (["1", "2"], ["1970-01-01T00:00:01", "1970-01-01T00:00:02"]),
        (["-86400", "0"], ["1969-12-31T00:00:00", "1970-01-01T00:00:00"]),
    ],
)
def test_units_are_told_apart_by_the_years_they_give(shop, cells, moments):
    assert shop.moments(cells) == [str(np.datetime64(moment, "ns")) for moment in moments]


def test_milliseconds_as_pandas_makes_them_in_a_column_with_gaps(shop):
    shop.times([1.7e12, 1.7e12 + 1], "inter.parquet")
    history = shop.load(interactions={"path": "inter.parquet"}).interactions
    assert (history.timestamps.tolist(), history.ticks_per_second) == ([1_700_000_000_000, 1_700_000_000_001], 1000)


@pytest.mark.parametrize(
    ("cells", "parts"),
    [
        (
            ["2033010112", "2033010113"],
            ["line 2", "2033-01-01 12:00 as YYYYMMDDHH", "2034-06-04", "time_unit: s or YYYYMMDDHH"],
        ),
        (
            ["202401011230", "202401011231"],
            ["2024-01-01 12:30 as YYYYMMDDHHMM", "milliseconds since 1970", "ms or YYYYMMDDHHMM"],
        ),
        (["20240101", "20240102", "20240230"], ["line 4", "'20240230'", "YYYYMMDD"]),
        (["20240101", "20240102", "1704067200"], ["line 4", "YYYYMMDD"]),
        (["1700000000000", "1700000000001", "1700000000"], ["line 4", "milliseconds", "looks like seconds"]),
        (["1700000000", "1700000001", "1700000000000000"], ["line 4", "looks like microseconds", "one unit"]),
        (["1700000000", "1700000001", "inf"], ["line 4", "'inf'", "seconds since 1970"]),
        (["1700000000", "1700000001", "nan"], ["line 4", "'nan'"]),
        (["2024-01-01", "2024-01-02", "NaT"], ["line 4", "'NaT'", "ISO date"]),
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused_by_name(shop, cells, parts):
    shop.times(cells)
    said = shop.refusal()
    assert all(part in said for part in parts), said


@pytest.mark.parametrize(
    ("cells", "unit", "first"),
    [
        (["2033010112", "2033010113"], "YYYYMMDDHH", "2033-01-01T12:00:00"),
        (["2033010112", "2033010113"], "s", "2034-06-04T05:01:52"),
        (["202401011230"], "YYYYMMDDHHMM", "2024-01-01T12:30:00"),
        (["20240101"], "s", "1970-08-23T06:15:01"),
        (["5"], "ms", "1970-01-01T00:00:00.005"),
    ],
)
def test_the_experiment_file_may_say_the_unit(shop, cells, unit, first):
    assert shop.moments(cells, time_unit=unit)[0].startswith(first)


def test_times_in_single_precision_are_refused(shop):
    shop.times(np.array([1.7e9, 1.7e9 + 200], dtype=np.float32), "inter.parquet")
    assert "cannot tell seconds apart" in shop.refusal(interactions={"path": "inter.parquet"})


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


# B7: files of another kind


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (
            b"user;item;rating;ts\nu;i0;4,5;1700000000\n",
            ["separated by semicolons", "save the file as CSV with commas"],
        ),
        (b"user\titem\trating\tts\nu\ti0\t4\t1700000000\n", ["separated by tabs"]),
        (b"user|item|rating|ts\nu|i0|4|1700000000\n", ["separated by upright strokes"]),
        (gzip.compress(b"user,item,rating,ts\n", mtime=0), ["compressed with gzip", "unpack it"]),
        ("user,item,rating,ts\n".encode("utf-16"), ["UTF-16", "save it as UTF-8"]),
        ("user,item,rating,ts\nu,i0,4,1700000000\n".encode("utf-16-le"), ["UTF-16"]),
        ("user,item,rating,ts\nu,i0,4,1700000000\n".encode("utf-16-be"), ["UTF-16"]),
        (b"PK\x03\x04xxxx", ["workbook"]),
        (b"PAR1xxxx", ["ending .parquet"]),
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


def test_lists_of_genres_in_parquet_are_read(shop):
    table = pa.table({"item": ["i0", "i1", "i2"], "title": ["a", "b", "c"], "genres": [["Drama", "a|b"], [], None]})
    pyarrow.parquet.write_table(table, shop.folder / "items.parquet")
    shop.met([("u", "i0", 1_700_000_000)])
    dataset = shop.load(items={"path": "items.parquet", "genres": "genres"})
    assert dataset.catalog.genres == (("Drama", "a|b"), (), ())


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
        (("u", "i1", "2024-03-01", "4"), ["line 3", "user 'u' met item 'i1' at the same moment as on line 2"]),
    ],
)
def test_play_counts_and_repeats_on_one_day_are_refused_with_their_rows(shop, row, parts):
    shop.met([row, ("u", "i1", "2024-03-01", "4")])
    said = shop.refusal()
    assert all(part in said for part in parts), said
