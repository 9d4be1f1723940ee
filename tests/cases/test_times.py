"""Times as practitioners' tables write them: parts B1 and B3 of the collected cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.environments.split import split_history
from tests.cases.shop import ITEMS, Shop

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
        (["20240301T000000.123456789", "2024-03-02"], 10**9),
        (["1709251200000", "1709251201000"], 1),
        (["1709251200.5", "1709251201"], 1000),
    ],
)
def test_the_clock_is_as_fine_as_the_finest_moment(shop, cells, per_second):
    shop.times(cells)
    assert shop.load().interactions.ticks_per_second == per_second


@pytest.mark.parametrize("cell", ["2024-03-01 18:30.5", "2024-03-01T18.5", "20240301T1830.5"])
def test_parts_of_a_minute_or_an_hour_are_not_taken_for_parts_of_a_second(shop, cell):
    shop.times(["2024-03-01T18:30:00.5", cell])
    assert f"line 3: column 'ts': found '{cell}', expected seconds since 1970 or an ISO date" in shop.refusal()


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
        (["1704067200", "1704067201", "20240102"], ["line 4", "20240102 looks like", "YYYYMMDD", "one notation"]),
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


@pytest.mark.parametrize(
    ("cells", "looks"),
    [
        (["240131", "231230"], "a date of the form YYMMDD"),
        (["050131", "051201"], "a date of the form YYMMDD"),
        (["310124", "10223"], "a date of the form YYMMDD or DDMMYY,"),
        (["310199", "10223"], "a date of the form DDMMYY,"),
        (["013199", "123098"], "a date of the form MMDDYY,"),
        (["2024031", "2023366"], "a date of the form YYYYDDD"),
        (["45292", "45301"], "a day as spreadsheets count them"),
        (["45292.5", "45301.25"], "a day as spreadsheets count them"),
    ],
)
def test_dates_with_short_years_and_days_of_spreadsheets_are_no_seconds_of_1970(shop, cells, looks):
    shop.times(cells)
    assert f"line 2: column 'ts': {cells[0]} looks like {looks}" in shop.refusal()
    assert shop.moments(cells, time_unit="s")[0].startswith("1970-01")


@pytest.mark.parametrize("cells", [["101", "131"], ["9", "700"], ["240131"], ["45292", "86399"]])
def test_small_numbers_that_may_count_something_stay_seconds(shop, cells):
    assert shop.moments(cells)[0].startswith("1970-01")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["19700", "19723"], ["inter.csv: its times give no date", "1970-01-01 05:28:20 to 1970-01-01 05:28:43"]),
        (["474000", "474123"], ["1970-01-06 11:40:00"]),
        (["1700000000", "1700000001"], []),
        (["-5", "0"], []),
        (["1965-01-01", "1965-01-02"], []),
    ],
)
def test_numbers_taken_for_seconds_of_no_real_year_are_told(shop, cells, told):
    shop.times(cells)
    said: list[str] = []
    shop.load(notify=said.append)
    assert len(said) == bool(told)
    assert all(part in said[0] for part in told)
    said.clear()
    shop.load(notify=said.append, interactions={"time_unit": "iso" if "-0" in cells[0] else "s"})
    assert said == []


def test_nothing_is_told_of_times_that_no_column_gives(tmp_path):
    (tmp_path / "inter.csv").write_text("user,item\nu,1\nu,2\n")
    (tmp_path / "items.csv").write_text("id,title\n1,one\n2,two\n")
    own = {
        "interactions": {"path": "inter.csv", "user": "user", "item": "item"},
        "items": {"path": "items.csv", "id": "id", "title": "title"},
    }
    said: list[str] = []
    config = DatasetConfig.model_validate({"name": "own", "own": own})
    assert not load_dataset(config, notify=said.append, base=tmp_path).times_known
    assert said == []
