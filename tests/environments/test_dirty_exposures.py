"""Rows that are left out, doubled, or kept as floats change no figure unseen."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from groundlings.environments.datasets.config import ToyOptions
from groundlings.environments.datasets.exposures import ExposuresConfig, load_exposures
from groundlings.environments.datasets.toy import make_toy
from groundlings.environments.errors import DataError
from groundlings.environments.exposures import UNKNOWN, Exposures

TOY = make_toy(ToyOptions(n_users=8, n_items=12, interactions_per_user=4))
USER, OTHER = TOY.people.user_ids[:2]
A, B = TOY.catalog.item_ids[:2]
NAMES = ("user", "item", "list", "session", "page", "position")
COLUMNS = {name: name for name in NAMES}


def load(folder: Path, *rows: tuple[object, ...], **changes) -> Exposures:
    lines = [",".join(NAMES), *(",".join(map(str, row)) for row in rows)]
    (folder / "log.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_exposures(ExposuresConfig.model_validate({"path": "log.csv", **COLUMNS, **changes}), folder, TOY)


def test_a_place_of_a_list_is_given_once(tmp_path):
    with pytest.raises(DataError, match=r"line 4.*'position'.* taken on line 2 \(1 rows like that\); .* one item per"):
        load(tmp_path, (USER, A, "p", "s", 1, 1), (USER, B, "p", "s", 1, 2), (USER, B, "p", "s", 1, 1))


def test_unknown_places_are_no_double_ones_nor_are_those_of_other_lists(tmp_path):
    rows = [
        (USER, A, "p", "s", 1, ""),
        (USER, B, "p", "s", 1, ""),
        (USER, A, "q", "s", 2, 1),
        (USER, A, "r", "s", 3, 1),
    ]
    assert load(tmp_path, *rows).positions.tolist() == [UNKNOWN, UNKNOWN, 1, 1]


def test_a_session_whose_last_page_is_left_out_did_not_end_before_it(tmp_path):
    rows = [
        (USER, A, "p1", "s", 1, 1), (USER, "nobody's", "p2", "s", 2, 1),
        (OTHER, A, "p3", "t", 1, 1), (OTHER, "nobody's", "p3", "t", 1, 2),
    ]  # fmt: skip
    table = load(tmp_path, *rows, unknown_items="leave_out")
    assert table.left_out == {"unknown item": 2}
    assert table.censored.tolist() == [True, False]


def test_places_that_a_data_frame_keeps_as_floats_are_whole_numbers(tmp_path):
    columns = {"user": [USER, USER], "item": [A, B], "position": pa.array([1.0, None], pa.float64())}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "log.parquet")
    config = ExposuresConfig(path=Path("log.parquet"), position="position")
    assert load_exposures(config, tmp_path, TOY).positions.tolist() == [1, UNKNOWN]


def test_whole_numbers_of_a_database_come_as_decimals(tmp_path):
    whole = pa.array([Decimal("1.00"), None], pa.decimal128(10, 2))
    columns = {"user": [USER, USER], "item": [A, B], "position": whole}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "log.parquet")
    config = ExposuresConfig(path=Path("log.parquet"), position="position")
    assert load_exposures(config, tmp_path, TOY).positions.tolist() == [1, UNKNOWN]


def test_one_long_id_takes_the_room_of_one(tmp_path):
    long = "p" * 4_000_000
    rows = [(USER, A, place, "s", place + 1, 1) for place in range(300)]
    tracemalloc.start()
    found = load(tmp_path, *rows, (USER, B, long, "s", 301, 1))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(set(found.lists.tolist())) == 301
    assert most < 300 * len(long), "each id must not take as much as the longest"


def test_ids_that_end_with_a_zero_byte_are_ids_of_their_own(tmp_path):
    columns = {"user": [USER, USER], "item": [A, B], "list": ["p", "p\0"], "position": [1, 1]}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "log.parquet")
    config = ExposuresConfig(path=Path("log.parquet"), list="list", position="position")
    assert load_exposures(config, tmp_path, TOY).lists.tolist() == [0, 1]
