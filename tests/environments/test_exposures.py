"""A log of what was shown becomes columns, or one error that names file, row and fix, and knows what it cannot tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.datasets.config import ToyOptions
from groundlings.environments.datasets.exposures import ExposuresConfig, load_exposures
from groundlings.environments.datasets.toy import make_toy
from groundlings.environments.errors import DataError
from groundlings.environments.exposures import UNKNOWN, Exposures

TOY = make_toy(ToyOptions(n_users=8, n_items=12, interactions_per_user=4))
USERS, ITEMS = TOY.people.user_ids, TOY.catalog.item_ids
HEADER = "who,what,page_id,visit,place,hit,stars,at,chance"
ROWS = [
    f"{USERS[0]},{ITEMS[0]},p1,s1,1,1,4,1700000000,0.5",
    f"{USERS[0]},{ITEMS[1]},p1,s1,2,0,,1700000000,0.25",
    f"{USERS[0]},{ITEMS[0]},p2,s1,1,0,,1700000060,0.5",
    f"{USERS[1]},{ITEMS[2]},p3,s2,2,,,1700086400,1",
]
COLUMNS = {
    "user": "who", "item": "what", "list": "page_id", "session": "visit", "position": "place", "opened": "hit",
    "rating": "stars", "timestamp": "at", "propensity": "chance",
}  # fmt: skip


def load(folder: Path, *rows: str, header: str = HEADER, name: str = "log.csv", **changes) -> Exposures:
    (folder / name).write_text("\n".join([header, *(rows or ROWS)]) + "\n", encoding="utf-8")
    return load_exposures(ExposuresConfig.model_validate({"path": name, **COLUMNS, **changes}), folder, TOY)


def refusal(folder: Path, *rows: str, **changes) -> str:
    with pytest.raises(DataError) as error:
        load(folder, *rows, **changes)
    return str(error.value)


def test_a_log_becomes_columns(tmp_path):
    table = load(tmp_path)
    assert table.users.tolist() == [0, 0, 0, 1]
    assert table.items.tolist() == [0, 1, 0, 2]
    assert table.positions.tolist() == [1, 2, 1, 2]
    assert table.opened[:3].tolist() == [1, 0, 0]
    assert np.isnan(table.opened[3])
    assert table.ratings[0] == 4
    assert np.isnan(table.ratings[1:]).all()
    assert table.propensities.tolist() == [0.5, 0.25, 0.5, 1]
    assert table.lists.tolist() == [0, 0, 1, 2]
    assert table.sessions.tolist() == [0, 0, 0, 1]
    assert table.shown_before is not None
    assert table.shown_before.tolist() == [0, 0, 1, 0]


def test_without_a_column_of_pages_the_lists_of_a_session_count_by_time(tmp_path):
    assert load(tmp_path, *reversed(ROWS)).pages.tolist() == [1, 2, 1, 1]


def test_tsv_and_parquet_hold_the_same(tmp_path):
    table = load(tmp_path)
    tabs = load(tmp_path, *(row.replace(",", "\t") for row in ROWS), header=HEADER.replace(",", "\t"), name="log.tsv")
    text = dict.fromkeys(HEADER.split(","), pa.string())
    read = pyarrow.csv.read_csv(tmp_path / "log.csv", convert_options=pyarrow.csv.ConvertOptions(column_types=text))
    pyarrow.parquet.write_table(read, tmp_path / "log.parquet")
    config = ExposuresConfig.model_validate({"path": "log.parquet", **COLUMNS})
    assert tabs.fingerprint == table.fingerprint
    assert load_exposures(config, tmp_path, TOY).fingerprint == table.fingerprint


def test_positions_may_count_from_zero(tmp_path):
    rows = [row.replace(",1,", ",0,", 1) for row in ROWS[:1]]
    assert load(tmp_path, *rows, first_position=0).positions.tolist() == [1]


def test_an_unknown_item_is_refused_with_its_line_and_what_to_do(tmp_path):
    told = refusal(tmp_path, *ROWS, f"{USERS[0]},nothing,p1,s1,3,0,,1700000000,0.5")
    assert "line 6" in told
    assert "'nothing' is not in the data set" in told
    assert "exposures.unknown_items: leave_out" in told


def test_unknown_people_and_items_are_left_out_and_counted_where_that_is_wanted(tmp_path):
    rows = (*ROWS, f"nobody,{ITEMS[0]},p8,s8,1,0,,1700000000,0.5", "nobody,nothing,p9,s9,1,0,,1700000000,0.5")
    table = load(tmp_path, *rows, unknown_users="leave_out", unknown_items="leave_out")
    assert len(table) == 4
    assert table.left_out == {"unknown user": 2}
    assert "no row has both" in refusal(tmp_path, rows[-1], unknown_users="leave_out", unknown_items="leave_out")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (f"{USERS[0]},{ITEMS[0]},p1,s1,0,1,4,1700000000,0.5", "found '0', expected a whole number from 1"),
        (f"{USERS[0]},{ITEMS[0]},p1,s1,100001,1,4,1700000000,0.5", "found '100001', expected a whole number from 1 to"),
        (f"{USERS[0]},{ITEMS[0]},p1,s1,1,2,4,1700000000,0.5", "found '2', expected 1 or 0, true or false"),
        (f"{USERS[0]},{ITEMS[0]},p1,s1,1,1,9,1700000000,0.5", "found '9', expected a rating from 1 to 5"),
        (f"{USERS[0]},{ITEMS[0]},p1,s1,1,1,4,1700000000,0", "found '0', expected a probability above 0"),
        (f"{USERS[0]},{ITEMS[0]},p1,s1,1,1,4,soon,0.5", "found 'soon'"),
        (f"{USERS[0]},{ITEMS[0]},,s1,1,1,4,1700000000,0.5", "the cell is empty, expected the id of a list"),
        (f"{USERS[2]},{ITEMS[0]},p1,s9,1,1,4,1700000000,0.5", "the list of user"),
        (f"{USERS[2]},{ITEMS[0]},p9,s1,1,1,4,1700000000,0.5", "the session of user"),
    ],
)
def test_what_cannot_be_is_refused_by_line(tmp_path, row, told):
    found = refusal(tmp_path, *ROWS, row)
    assert told in found
    assert "line 6" in found


def test_a_grid_needs_the_number_of_its_columns():
    with pytest.raises(ValueError, match="a grid needs the number of its columns"):
        ExposuresConfig(path=Path("x.csv"), shape="grid")


def test_a_session_that_reaches_the_last_page_did_not_end_by_choice(tmp_path):
    assert load(tmp_path, last_page=2).censored.tolist() == [False, False, True, False]


def shown(policy="random", *, positions=(1, 2), opened=(1, 0), items=(0, 1), **columns) -> Exposures:
    return Exposures.of(
        np.zeros(2, dtype=np.int64), np.array(items), n_users=1, n_items=2, policy=policy,
        positions=None if positions is None else np.array(positions), opened=np.array(opened, dtype=np.float64),
        **{name: np.array(column) for name, column in columns.items()},
    )  # fmt: skip


def test_random_exposures_with_positions_tell_position_and_level():
    assert {"position", "level", "opened"}.isdisjoint(shown().unidentified())


@pytest.mark.parametrize(
    ("table", "quantity", "why"),
    [
        (shown(positions=None), "position", "no column says at which position"),
        (shown(positions=None), "level", "not looked at cannot be told"),
        (shown(positions=(3, 3)), "position", "every item was shown at position 3"),
        (shown(opened=(np.nan, np.nan)), "opened", "no column says which shown items were opened"),
        (shown("logged"), "position", "each item at one position only"),
        (shown("logged"), "level", "a recommender's choice"),
        (shown(), "repeat", "no column says when"),
        (shown(timestamps=(1, 2)), "repeat", "nobody was shown an item twice"),
        (shown(), "liked", "no column says how many stars"),
        (shown(ratings=(4.0, np.nan)), "liked", "only opened items have stars"),
        (shown(), "exit", "belong to one session"),
        (shown(sessions=(0, 0)), "exit", "which page of its session"),
        (shown(sessions=(0, 0), pages=(1, 2), censored=(True, True)), "exit", "no session ended"),
        (shown(timestamps=(1, 2)), "returns", "all rows are of one day"),
    ],
)
def test_what_a_log_cannot_tell_it_says_why(table, quantity, why):
    assert why in table.unidentified()[quantity]


def test_propensities_or_an_item_at_two_positions_tell_what_positions_do():
    assert "position" not in shown("logged", propensities=(0.5, 0.25)).unidentified()
    assert "level" not in shown("logged", propensities=(0.5, 0.25)).unidentified()
    assert "position" not in shown("logged", items=(1, 1)).unidentified()
    assert "level" in shown("logged", items=(1, 1)).unidentified()


def test_where_everything_is_seen_the_level_needs_no_positions():
    assert "level" not in shown(positions=None).unidentified(everything_seen=True)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 5)), max_size=30))
def test_times_shown_before_are_those_of_the_same_pair_earlier_or_higher_up(rows):
    users, items, times = (np.array([row[place] for row in rows], dtype=np.int64) for place in range(3))
    table = Exposures.of(users, items, n_users=3, n_items=3, policy="logged", timestamps=times)
    expected = [
        sum(
            other[:2] == row[:2] and (other[2], place) < (row[2], number) for place, other in enumerate(rows)
        )
        for number, row in enumerate(rows)
    ]  # fmt: skip
    assert table.shown_before is not None
    assert table.shown_before.tolist() == expected


def test_unknown_is_no_number():
    table = Exposures.of(np.array([0]), np.array([0]), n_users=1, n_items=1, policy="logged")
    assert table.positions.tolist() == [UNKNOWN]
    assert np.isnan(table.opened).all()
    assert set(table.unidentified()) == {"position", "level", "opened", "repeat", "liked", "exit", "returns"}


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"opened": np.array([2.0])}, "1, 0 or NaN"),
        ({"positions": np.array([0])}, "count from 1"),
        ({"propensities": np.array([0.0])}, "above 0"),
        ({"lists": np.array([1, 2])}, "other lengths of lists"),
    ],
)
def test_columns_that_cannot_be_are_refused(columns, told):
    with pytest.raises(DataError, match=told):
        Exposures.of(np.array([0]), np.array([0]), n_users=1, n_items=1, policy="random", **columns)
