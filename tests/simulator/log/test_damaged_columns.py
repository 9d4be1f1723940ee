"""Every method of a `LogReader` answers, or names what a hand has put into a column of a SQLite log."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing

import pyarrow as pa
import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.metrics.totals import RunTotals
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.log.reader import IMPRESSION_COLUMNS, LogReader, ReadUpTo, Spent

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 20, "interactions_per_user": 6}},
    "site": {"page_size": 3, "max_pages": 2},
    "mind": {"kind": "scripted", "stars": 4},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "again", "recommender": "popular"}],
}

ARGUMENTS = {
    "agent_of": ("1",),
    "agents_of": ([1],),
    "asked_again": ("choose",),
    "calls_after": (0, 5),
    "columns_of": ("sessions",),
    "deeds_by_page": (1, ["click"]),
    "events_by_kind": (["rate"],),
    "first_pages": (1,),
    "impression_batches": ({"user_id": pa.string(), "clicked": pa.bool_()},),
    "impression_chunks": (list(IMPRESSION_COLUMNS),),
    "items_bought": (2,),
    "items_by_deed": (2, 1, ["click"]),
    "items_by_step": (2, 1, 4.0),
    "items_shown": (2,),
    "lessons_on": ("choose",),
    "measured_agents": (["agent_id"],),
    "named_items": ([0],),
    "newer_session_totals": (4.0, ReadUpTo()),
    "outcomes_by_title": (1,),
    "prices_shown": ([1],),
    "query": ("SELECT 1",),
    "replies_to": ("choose",),
    "same_slots": (1, 2),
    "session": (1,),
    "session_totals": (4.0,),
    "sessions_of_agent": (1,),
    "sessions_of_agents": ([1],),
    "spent_since": (Spent(),),
    "steps_by_page": (1, 4.0),
    "steps_by_slot": (2, 1),
    "table_batches": ("events", ["event_id"], {"kind": pa.string(), "page": pa.int64()}),
    "table_chunks": ("events", ["event_id"], ["kind", "page"]),
    "users_after": (0, 5),
    "users_who_came": (3,),
}
"""What each public method of a `LogReader` that needs something is asked."""


@pytest.fixture(scope="module")
def made(tmp_path_factory, blank_pictures_in_file):
    return run_experiment(ExperimentConfig.model_validate(SMALL), tmp_path_factory.mktemp("made") / "run").directory


def ask_everything(run):
    """Method -> what it raised, None where it answered."""
    told = {}
    for name in sorted(vars(LogReader)):
        if name.startswith("_") or name == "close":
            continue
        try:
            with LogReader(run) as log:
                answer = getattr(log, name)(*ARGUMENTS.get(name, ()))
                deque(answer if isinstance(answer, Iterator) else ())
                told[name] = None
        except Exception as fault:
            told[name] = fault
    return told


def test_every_method_answers_of_a_whole_log(made):
    told = ask_everything(made)
    assert {name: fault for name, fault in told.items() if fault is not None} == {}
    assert told.keys() >= ARGUMENTS.keys()


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["UPDATE sessions SET day = x'ff00'"], "as sessions.day, expected a whole number; "),
        (["UPDATE sessions SET pages = 9223372036854775807"], ": a number, or a sum of numbers, is too large to be"),
        (["UPDATE impressions SET clicked = 'x'"], "as impressions.clicked, expected 0 or 1; "),
        (
            ["ALTER TABLE sessions RENAME COLUMN pages TO other", "ALTER TABLE sessions ADD COLUMN pages INTEGER"],
            "sessions.pages holds nothing in a row, expected a value in every row",
        ),
    ],
)
def test_every_method_answers_or_names_the_damage_and_says_what_to_do(made, tmp_path, statements, said):
    run = shutil.copytree(made, tmp_path / "run")
    with closing(sqlite3.connect(run / "log.db")) as log, log:
        for statement in statements:
            log.execute(statement)
    told = [fault for fault in ask_everything(run).values() if fault is not None]
    assert [repr(fault) for fault in told if not isinstance(fault, RunDirectoryError)] == []
    assert [str(fault) for fault in told if "restore it from a copy" not in str(fault)] == []
    assert any(said in str(fault) for fault in told)


def test_what_a_caller_asks_wrongly_blames_no_log(made):
    with LogReader(made) as log, pytest.raises(KeyError):
        list(log.impression_chunks(["nothing"]))


def loosened(log, table, column):
    """Take away that a column holds something in every row, as a copy by another tool does."""
    log.execute("PRAGMA writable_schema = ON")
    (sql,) = log.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    anew = re.sub(rf"(?m)^(\s*{column} \w+) NOT NULL,", r"\1,", sql)
    log.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (anew, table))
    log.commit()


OF_SESSIONS = {"agents_shown", "session_days", "session_lengths", "sessions_by_end"}
OF_IMPRESSIONS = {"click_rates_by_position", "click_surplus", "first_pages", "items_by_step", "items_shown",
                  "rows_by_arm", "steps_by_page", "steps_by_slot"}  # fmt: skip
FIGURES = {"session_totals"}
FRAMES = {"sessions", "impressions", "events", "interactions"}
CHUNKS = {"impression_chunks", "impression_batches"}


@pytest.mark.parametrize(
    ("table", "column", "value", "refusing"),
    [
        ("sessions", "agent_id", "NULL", FRAMES | CHUNKS | FIGURES | {"session_days", "session_lengths"}),
        ("sessions", "agent_id", 999, FRAMES | CHUNKS),
        (
            "sessions",
            "arm_id",
            "NULL",
            FRAMES | CHUNKS | FIGURES | OF_SESSIONS | OF_IMPRESSIONS | {"table_chunks"},
        ),
        ("impressions", "session_id", 999, CHUNKS | FIGURES | OF_IMPRESSIONS | {"impressions"}),
        (
            "impressions",
            "item_id",
            "NULL",
            {"impressions", "impression_chunks", "items_shown", "first_pages", "session"},
        ),
        ("impressions", "rating", "9e999", FIGURES | {"impressions", "impression_chunks"}),
        ("impressions", "p_click", "-9e999", {"impressions", "impression_chunks", "session", "click_surplus"}),
        ("events", "session_id", 999, {"events", "table_chunks", "table_batches", "events_by_kind"}),
    ],
)
def test_a_row_that_belongs_to_nobody_is_told_and_not_left_out(made, tmp_path, table, column, value, refusing):
    run = shutil.copytree(made, tmp_path / "run")
    with closing(sqlite3.connect(run / "log.db")) as log:
        loosened(log, table, column)
    with closing(sqlite3.connect(run / "log.db")) as log, log:
        log.execute(f"UPDATE {table} SET {column} = {value} WHERE rowid = 2")
    told = ask_everything(run)
    assert {name for name in refusing if not isinstance(told[name], RunDirectoryError)} == set()
    assert [str(fault) for fault in told.values() if fault and "restore it from a copy" not in str(fault)] == []
    if table == "sessions":
        with pytest.raises(RunDirectoryError, match="restore it from a copy"), LogReader(run) as log:
            RunTotals(log, 4.0, ())


@pytest.mark.parametrize("table", ["impressions", "events"])
@pytest.mark.parametrize("number", [9999, 3])
def test_a_row_of_no_session_is_told_where_one_of_so_many_agents_is_read(made, tmp_path, table, number):
    run = shutil.copytree(made, tmp_path / "run")
    with closing(sqlite3.connect(run / "log.db")) as log, log:
        log.execute("DELETE FROM sessions WHERE session_id = ?", (number,))
        log.execute(f"UPDATE {table} SET session_id = ? WHERE rowid = 2", (number,))
    asked = {
        "impressions": {"steps_by_page": (3, 4.0), "steps_by_slot": (2, 3), "items_by_step": (2, 3, 4.0),
                        "first_pages": (3,)},
        "events": {"deeds_by_page": (3, ["click"]), "items_by_deed": (2, 3, ["click"])},
    }[table]  # fmt: skip
    for name, arguments in asked.items():
        with LogReader(made) as log:
            assert len(getattr(log, name)(*arguments)) > 0
        with (
            LogReader(run) as log,
            pytest.raises(RunDirectoryError, match=rf"{table}\.session_id holds a number that no session has"),
        ):
            getattr(log, name)(*arguments)


@pytest.mark.parametrize("number", [-1, 2_000_000_000])
def test_a_slot_that_no_page_has_is_told_and_takes_no_memory(made, tmp_path, number):
    run = shutil.copytree(made, tmp_path / "run")
    with closing(sqlite3.connect(run / "log.db")) as log, log:
        log.execute("UPDATE impressions SET position = ?, display_position = ? WHERE rowid = 2", (number, number))
    with LogReader(run) as log:
        with pytest.raises(RunDirectoryError, match=f"impressions.position holds {number}, expected a slot of a page"):
            log.click_rates_by_position()
        with pytest.raises(RunDirectoryError, match=f"display_position holds {number}, expected a slot of a page"):
            log.steps_by_slot(2, 1)


def test_numbers_that_are_not_finite_are_told_with_their_rows_and_scores_may_be_infinite(made, tmp_path):
    run = shutil.copytree(made, tmp_path / "run")
    with closing(sqlite3.connect(run / "log.db")) as log, log:
        log.execute("UPDATE impressions SET score = 9e999")
    told = ask_everything(run)
    assert {name: fault for name, fault in told.items() if fault is not None} == {}
    with LogReader(run) as log:
        assert log.impressions(columns=["score"]).score.tolist()[0] == float("inf")
    with closing(sqlite3.connect(run / "log.db")) as log, log:
        log.execute("UPDATE events SET value = -9e999 WHERE event_id IN (4, 7)")
    with LogReader(run) as log, pytest.raises(RunDirectoryError, match="2 rows, the first with event_id 4, expected f"):
        log.events()


@pytest.mark.parametrize(
    ("table", "column", "value", "method"),
    [
        ("impressions", "clicked", 7, "impressions"),
        ("sessions", "pages", 1.5, "sessions"),
        ("agents", "source_user_id", "x'ff'", "user_ids"),
        ("items", "title", "x'ff'", "items"),
        ("items", "year", "'soon'", "logged_items"),
    ],
)
def test_a_cell_of_another_kind_is_told_and_not_cut_or_taken_for_no(made, tmp_path, table, column, value, method):
    run = shutil.copytree(made, tmp_path / "run")
    with closing(sqlite3.connect(run / "log.db")) as log, log:
        log.execute(f"UPDATE {table} SET {column} = {value} WHERE rowid = 2")
    with LogReader(run) as log, pytest.raises(RunDirectoryError, match=rf"{table}\.{column}, expected|{column} holds"):
        getattr(log, method)()
