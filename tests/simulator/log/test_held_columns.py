"""A log whose sessions and impressions are held in memory gives the answers that SQLite gives."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.log import held_columns, sqlite_columns
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.sqlite_columns import SqliteColumns
from groundlings.simulator.log.store import LOG_NAME

pytest.importorskip("adbc_driver_sqlite")

SMALL = {
    "name": "small", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 25, "n_items": 60, "interactions_per_user": 12}},
    "simulation": {"days": 2}, "site": {"page_size": 5, "max_pages": 3},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4.0, "pages": 2, "satisfaction": 6.0,
             "misdeeds": ["none", "illegal", "none", "unreadable"]},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}  # fmt: skip
QUESTIONS = {
    "session_totals": (4.0,),
    "steps_by_page": (1, 4.0),
    "steps_by_slot": (5, 2),
    "items_by_step": (5, 1, 4.0),
    "deeds_by_page": (1, ("cart", "paid")),
    "items_by_deed": (5, 1, ("cart", "paid")),
    "first_pages": (1,),
    "items_shown": (5,),
    "items_bought": (5,),
    "purchases": (),
    "click_surplus": (),
    "session_days": (),
    "session_lengths": (),
    "agents_cut_short": (),
    "clicks_by_team": (),
}  # fmt: skip
EDITS = {
    "as written": "SELECT 1",
    "with teams and rows": "UPDATE impressions SET team_arm_id = 1, row_name = 'Row', place_row = 0 WHERE page = 2",
    "without ratings": "UPDATE impressions SET rating = NULL",
    "ratings of cents": "UPDATE impressions SET rating = 3.1 + (impression_id % 7) / 10.0 WHERE clicked",
    "prices": "UPDATE events SET value = 1.99 + (event_id % 13) / 7.0, "
    "kind = CASE event_id % 3 WHEN 0 THEN 'paid' WHEN 1 THEN 'purchase' ELSE 'cart' END",
    "without impressions": "DELETE FROM impressions",
    "without sessions": "DELETE FROM sessions",
    "a number beyond its kind": "UPDATE impressions SET page = 4294967297 WHERE impression_id = 40",
    "text for a number": "UPDATE impressions SET rank = 'first' WHERE impression_id = 40",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> bytes:
    """The file of a finished run's log."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
        config = ExperimentConfig.model_validate(SMALL)
        return (run_experiment(config, tmp_path_factory.mktemp("small") / "run").directory / LOG_NAME).read_bytes()


@pytest.fixture
def log(small, tmp_path) -> Path:
    (tmp_path / LOG_NAME).write_bytes(small)
    return tmp_path / LOG_NAME


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """Every log is large enough to be held; the queries by which its tables are read."""
    asked: list[str] = []
    answer = SqliteColumns.batches

    def batches(self, query, kinds, key=None):
        asked.append(query.split(" FROM ")[1])
        return answer(self, query, kinds, key)

    monkeypatch.setattr(SqliteColumns, "batches", batches)
    monkeypatch.setattr(sqlite_columns, "FEWEST_ROWS", 0)
    return asked


def answers(log: LogReader) -> dict[str, object]:
    """What it says to all questions, in the order of the rows' own values, with the kinds of the columns."""
    found: dict[str, object] = {"same_slots": log.same_slots(1, 2)}
    try:
        found["click_rates_by_position"] = sorted(log.click_rates_by_position(), key=repr)
    except RunDirectoryError as error:  # of sessions that are not there
        found["click_rates_by_position"] = str(error)
    for name, values in QUESTIONS.items():
        try:
            frame = getattr(log, name)(*values)
        except RunDirectoryError as error:
            found[name] = str(error)
        else:
            rows = frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None)
            found[name] = (list(frame.columns), list(map(str, frame.dtypes)), sorted(rows, key=repr))
    return found


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_held_says_the_same_to_every_question(log, read, edit):
    with closing(sqlite3.connect(log)) as connection, connection:
        connection.execute(EDITS[edit])
    with LogReader(log) as asked, LogReader(log) as holding:
        holding.hold_columns()
        assert answers(holding) == answers(asked)
    assert sorted(read) == ["impressions", "sessions"]


def test_one_reading_answers_all_questions(log, read):
    with LogReader(log) as holding:
        holding.hold_columns()
        holding.hold_columns()
        with closing(sqlite3.connect(log)) as connection, connection:
            connection.execute("UPDATE impressions SET clicked = 0")
        assert holding.steps_by_page(1, 4.0).clicks.sum() > 0  # what was read
        assert holding.items_by_step(1, 1, 4.0).clicks.sum() > 0
        assert holding.query("SELECT sum(clicked) AS n FROM impressions").n.item() == 0  # what lies there
    assert sorted(read) == ["impressions", "sessions"]


def test_a_log_that_is_small_large_or_still_written_is_asked_as_ever(log, read, monkeypatch):
    monkeypatch.setattr(held_columns, "MOST_ROWS", 10)
    with LogReader(log) as large:
        large.hold_columns()
        large.items_shown(5)
    monkeypatch.undo()
    with LogReader(log) as small:
        small.hold_columns()
    monkeypatch.setattr(sqlite_columns, "FEWEST_ROWS", 0)
    with closing(sqlite3.connect(log)) as connection, connection:
        connection.execute("UPDATE runs SET status = 'running'")
    with LogReader(log) as written:
        written.hold_columns()
    assert read == []
