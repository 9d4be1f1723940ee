"""A SQLite log that Arrow's driver reads says what `sqlite3` reads, and what it refuses is named as ever."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pytest

from groundlings.environments.actions import ActionSchema, ActionSpec
from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.log import sqlite_columns
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reading.streams import IMPRESSION_COLUMNS
from groundlings.simulator.log.sqlite_columns import NotAsColumns, SqliteColumns
from groundlings.simulator.log.store import LOG_NAME
from groundlings.simulator.log.writer import LogWriter

pytest.importorskip("adbc_driver_sqlite")

SMALL = {
    "name": "small", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 2}, "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4.0, "pages": 2, "satisfaction": 6.0,
             "misdeeds": ["none", "illegal", "none", "unreadable"]},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}  # fmt: skip
EVENTS = {"event_id": pa.int64(), "kind": pa.string(), "value": pa.float64(), "detail": pa.string()}
MIXED = "UPDATE impressions SET team_arm_id = 1, row_name = 'Row', place_row = 0, place_slot = 1 WHERE page = 2"


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A finished run; it is only read."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
        config = ExperimentConfig.model_validate(SMALL)
        return run_experiment(config, tmp_path_factory.mktemp("small") / "run").directory


@pytest.fixture
def copied(small, tmp_path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "run"))


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """Every log is read as columns; the queries that were answered so."""
    asked: list[str] = []
    answer = SqliteColumns.batches

    def batches(self, query, kinds, key=None):
        asked.append(query)
        return answer(self, query, kinds, key)

    monkeypatch.setattr(SqliteColumns, "batches", batches)
    monkeypatch.setattr(sqlite_columns, "FEWEST_ROWS", 0)
    return asked


def changed(run: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(run / LOG_NAME)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return run


def tables_read(read: list[str]) -> list[str]:
    """The tables of the queries that were answered as columns."""
    return sorted(query.split(" FROM ")[1].split()[0] for query in read)


def said(run: Path) -> tuple[object, ...]:
    """The digest and the seals, or the message in their place."""
    with LogReader(run) as log:
        found: list[object] = []
        for ask in (log.digest, log.check_seals):
            try:
                found.append(ask())
            except RunDirectoryError as error:
                found.append(str(error))
        return tuple(found)


@pytest.mark.parametrize(
    "edit",
    [
        MIXED,
        "UPDATE impressions SET rating = NULL, score = 3 WHERE impression_id < 50",
        "UPDATE impressions SET session_id = 3 WHERE impression_id = 1",
        "UPDATE impressions SET score = 'high' WHERE impression_id = 40",
        "UPDATE impressions SET rank = 1.5 WHERE impression_id = 40",
        "UPDATE impressions SET page = 4294967297 WHERE impression_id = 40",
        "UPDATE impressions SET clicked = x'35' WHERE impression_id = 2",
        "UPDATE events SET kind = x'00' WHERE event_id = 1",
        "UPDATE events SET detail = CAST(x'ff' AS TEXT) WHERE event_id = 2",
        "UPDATE sessions SET satisfaction = 'fair' WHERE session_id = 1",
        "DELETE FROM impressions",
    ],
)
def test_either_reader_says_the_same(small, copied, read, monkeypatch, edit):
    as_written = said(small)
    assert {query.split(" FROM ")[1].split()[0] for query in read} == {"sessions", "impressions", "events"}
    as_columns = said(changed(copied, edit))
    monkeypatch.setattr(sqlite_columns, "FEWEST_ROWS", 2**60)
    asked = len(read)
    assert as_columns == said(copied)
    assert as_written == said(small)
    assert as_columns != as_written
    assert len(read) == asked


def test_the_digest_and_all_seals_take_one_reading_of_each_table(small, read):
    digest, seals = said(small)
    read.clear()
    with LogReader(small) as log:
        assert log.digest_and_seals() == (digest, seals)
    assert tables_read(read) == ["events", "impressions", "sessions"]
    read.clear()
    with LogReader(small) as log:
        assert log.check_seals() == seals
    assert tables_read(read) == ["events", "impressions", "sessions"]


@pytest.mark.parametrize(
    "edit",
    [
        MIXED,
        "UPDATE impressions SET session_id = 3 WHERE impression_id = 1",
        "UPDATE impressions SET score = 'high' WHERE impression_id = 40",
        "UPDATE events SET impression_id = 1 WHERE event_id = 9",
        "INSERT INTO events SELECT 99999, session_id, impression_id, page, kind, value, detail FROM events LIMIT 1",
        "DELETE FROM sessions WHERE session_id = 2",
        "UPDATE arms SET name = 'other' WHERE name = 'knn'",
    ],
)
def test_where_a_log_was_changed_both_are_what_each_is_alone(small, copied, read, edit):
    changed(copied, "PRAGMA foreign_keys = OFF", edit)
    with LogReader(copied) as log:
        try:
            alone: object = log.digest()
        except RunDirectoryError as error:
            alone = str(error)
        try:
            both, seals = log.digest_and_seals()
        except RunDirectoryError as error:
            both, seals = str(error), None
        assert both == alone
        assert seals is None or seals == log.check_seals()


@pytest.mark.parametrize("outcome", [None, "known", "clicked", "rated"])
def test_exports_read_the_same_rows(small, copied, read, monkeypatch, outcome):
    changed(copied, MIXED)

    def rows() -> list[object]:
        with LogReader(copied) as log:
            events = [each for chunk in log.table_batches("events", ("event_id",), EVENTS) for each in chunk]
            return [list(log.impression_chunks(list(IMPRESSION_COLUMNS), outcome)), events]

    as_columns = rows()
    assert {query.split(" FROM ")[1].split()[0] for query in read} == {"sessions", "impressions", "events"}
    monkeypatch.setattr(sqlite_columns, "FEWEST_ROWS", 2**60)
    assert as_columns == rows()
    assert all(as_columns)


@pytest.mark.parametrize("as_columns", [True, False])
@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("impressions", "score", "'high'"),
        ("impressions", "rank", "1.5"),
        ("impressions", "row_name", "x'41'"),
        ("impressions", "clicked", "7"),
        ("impressions", "is_random", "1000000000000000000"),
        ("sessions", "sim_time", "9e999"),
        ("sessions", "arm_id", "'0x10'"),
        ("events", "value", "'nan'"),
        ("events", "kind", "x'00'"),
    ],
)
def test_a_value_that_no_run_writes_is_named(copied, read, monkeypatch, as_columns, table, column, value):
    if not as_columns:
        monkeypatch.setattr(sqlite_columns, "FEWEST_ROWS", 2**60)
    key = f"{table[:-1]}_id"
    changed(copied, f"UPDATE {table} SET {column} = {value} WHERE {key} = (SELECT max({key}) FROM {table})")
    with LogReader(copied) as log, pytest.raises(RunDirectoryError, match=rf"\b{column} holds .* restore it"):
        list(chain(log.impression_chunks(list(IMPRESSION_COLUMNS)), log.table_batches("events", ("event_id",), EVENTS)))
    assert bool(read) is as_columns


@pytest.mark.parametrize("as_columns", [True, False])
@pytest.mark.parametrize("arm", ["'0x10'", "9e999", "0"])
def test_the_digest_names_a_session_of_no_arm(copied, read, monkeypatch, as_columns, arm):
    if not as_columns:
        monkeypatch.setattr(sqlite_columns, "FEWEST_ROWS", 2**60)
    changed(copied, f"UPDATE sessions SET arm_id = {arm} WHERE session_id = 1")
    with LogReader(copied) as log, pytest.raises(RunDirectoryError, match=r"sessions\.arm_id holds .* restore it"):
        log.digest()
    assert bool(read) is as_columns


def test_a_column_that_begins_with_thousands_of_nulls_has_its_kind(tmp_path):
    file = tmp_path / "log.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE t (key INTEGER PRIMARY KEY, number REAL, word TEXT)")
        rows = [(key, None, None) for key in range(40_000)] + [(50_000, 0.5, "end"), (-7, None, None)]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    reader = SqliteColumns(f"{file.as_uri()}?mode=ro")
    kinds = {"number": pa.float64(), "word": pa.string()}
    found = pa.Table.from_batches(reader.batches("SELECT key, number, word FROM t", kinds))
    assert found.num_rows == len(rows)
    assert found.slice(40_001).to_pylist() == [{"number": 0.5, "word": "end"}]
    with pytest.raises(NotAsColumns):
        list(reader.batches("SELECT key, word FROM t", {"word": pa.int64()}))


@pytest.mark.parametrize("name", ["a b%20?x#y&mode=rwc", "søppel;", "x\udce9"])
def test_a_file_of_any_name_is_read_and_nothing_is_made(small, tmp_path, read, name):
    run = tmp_path / name
    run.mkdir()
    shutil.copy(small / LOG_NAME, run / LOG_NAME)
    assert said(run) == said(small)
    assert read
    assert {file for file in os.listdir(run) if not file.startswith(LOG_NAME)} == set()  # noqa: PTH208 - any name


def test_nothing_is_written_through_it(small, tmp_path):
    file = tmp_path / LOG_NAME
    shutil.copy(small / LOG_NAME, file)
    reader = SqliteColumns(f"{file.as_uri()}?mode=ro")
    with pytest.raises(NotAsColumns):
        list(reader.batches("SELECT 1); DROP TABLE events; --", {}))
    with pytest.raises(NotAsColumns):
        list(SqliteColumns(f"{(tmp_path / 'absent.db').as_uri()}?mode=ro").batches("SELECT 1, 2", {"x": pa.int64()}))
    assert not (tmp_path / "absent.db").exists()


def test_a_log_that_may_be_written_is_opened_by_one_sqlite_alone(copied, read):
    changed(copied, "UPDATE runs SET status = 'interrupted'")
    with LogReader(copied) as log:
        assert log.digest() == log.digest()
        log.check_seals()
    changed(copied, "UPDATE runs SET status = 'done'")
    with LogWriter(copied / LOG_NAME) as writer:
        assert writer.resume(ActionSchema((ActionSpec("click", per="slot"),), interaction="click")) is not None
    assert not read


def test_where_the_driver_is_not_built_rows_are_read(small, read, monkeypatch):
    expected = said(small)
    read.clear()
    monkeypatch.setattr(sqlite_columns, "_DRIVER", "no_such_module")
    assert said(small) == expected
    assert not read


def events_of(run: Path):
    """The events of a run in batches of eight, behind their keys."""
    reader = SqliteColumns(f"{(run / LOG_NAME).absolute().as_uri()}?mode=ro")
    return reader.batches("SELECT event_id, kind FROM events", {"kind": pa.string()}, "event_id")


def readers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("groundlings-log")}


def test_who_gives_up_reading_leaves_no_thread_behind(small, monkeypatch):
    monkeypatch.setattr(sqlite_columns, "_ROWS", 8)
    others = readers()  # of a test before this one, whose last batch nobody asked for
    batches = events_of(small)
    assert next(batches).column("event_id").to_pylist() == list(range(1, 8))  # one row says the kinds
    assert len(readers() - others) == 1
    batches.close()
    assert readers() <= others


def test_what_stands_before_an_odd_value_is_read_although_others_read_ahead(copied, monkeypatch):
    others = readers()
    monkeypatch.setattr(sqlite_columns, "_ROWS", 8)
    changed(copied, "UPDATE events SET kind = CAST(x'ff' AS TEXT) WHERE event_id = 30")
    keys: list[int] = []
    with pytest.raises(NotAsColumns):
        keys.extend(key for batch in events_of(copied) for key in batch.column("event_id").to_pylist())
    assert keys == list(range(1, 24))
    assert readers() <= others
