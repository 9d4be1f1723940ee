"""A log that is left and continued: what is committed, what a resumed writer finds, and when it refuses."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing

import pytest

from groundlings.environments.actions import ActionSchema, ActionSpec
from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.begun import Change, begun_in
from groundlings.simulator.log.seal_check import check_seals
from groundlings.simulator.log.store import LOG_NAME, open_log, store_at
from groundlings.simulator.log.tables import INDEXES
from groundlings.simulator.log.writer import ArmRow, LogWriter
from tests.simulator.log.test_log import RUN, FewPeople

SCHEMA = ActionSchema((ActionSpec("click", per="slot"),), interaction="click")


def started(path, *records, status=None):
    """A log with some cohorts in it, closed with a status or left without one."""
    with LogWriter(path) as log:
        log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
        for record in records:
            log.write(record, arm="first", sim_time=0, policy_version="")
        if status:
            log.close(status)
    return path


def ask(path, statement):
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


def sealed(path):
    """The kinds of seals in a log, in their order, which must hold."""
    engine = open_log(path)
    found = check_seals(engine)
    engine.dispose()
    assert found.sealed
    assert found.faults == ()
    return [kind for (kind,) in ask(path, "SELECT kind FROM seals ORDER BY seal_id")]


BEGINNING = ["run", "arms", "agents", "items", "state"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / LOG_NAME


def test_a_session_is_refused_before_the_run_has_begun(session_of, make_mind, path):
    with LogWriter(path) as log, pytest.raises(RuntimeError, match="before LogWriter"):
        log.write(session_of(make_mind()), arm="first", sim_time=0, policy_version="")


def test_an_error_before_the_run_has_begun_reaches_the_caller_unchanged(path):
    with pytest.raises(ZeroDivisionError), LogWriter(path):
        raise ZeroDivisionError
    assert ask(path, "SELECT count(*) FROM runs") == [(0,)]


def test_a_writer_that_was_left_holds_no_file_open(session_of, make_mind, path):
    log = LogWriter(path)
    with log:
        log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
        log.write(session_of(make_mind()), arm="first", sim_time=0, policy_version="")
    # SQLite folds its write-ahead log into the file, and removes it, when the last connection goes.
    assert [file.name for file in path.parent.iterdir()] == [LOG_NAME]


def test_who_reads_a_log_keeps_nobody_from_ending_and_sealing_it(session_of, make_mind, path):
    with LogWriter(path) as log:
        log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
        log.write(session_of(make_mind()), arm="first", sim_time=0, policy_version="")
        log.flush()
        reader = open_log(path).connect()
        reader.exec_driver_sql("BEGIN")
        before = reader.exec_driver_sql("SELECT count(*) FROM sessions").scalar_one()
        log.close("done")
    assert reader.exec_driver_sql("SELECT count(*) FROM sessions").scalar_one() == before
    reader.close()
    assert sealed(path)


def test_a_resumed_run_is_running_again_and_its_ids_go_on(session_of, make_mind, path):
    started(path, session_of(make_mind(pages=1)), status="interrupted")
    assert ask(path, "SELECT status, finished_at IS NULL FROM runs") == [("interrupted", 0)]
    with LogWriter(path) as log:
        past = log.resume(SCHEMA)
        assert (past.begun.done, past.begun.config_hash, past.begun.dataset_hash) == (False, "c", "d")
        assert [day.shown for day in past.arms["first"].days] == [None], "lists are read where they are asked for alone"
        assert ask(path, "SELECT status, finished_at IS NULL FROM runs") == [("running", 1)]
        log.write(session_of(make_mind(pages=1)), arm="first", sim_time=86_400, policy_version="")
    assert ask(path, "SELECT session_id, arm_id, sim_time FROM sessions") == [
        *((number, 1, 0) for number in (1, 2, 3)),
        *((number, 1, 86_400) for number in (4, 5, 6)),
    ]
    assert ask(path, "SELECT count(DISTINCT event_id), max(event_id) FROM events") == [(18, 18)]


def test_a_finished_run_stays_finished_when_it_is_resumed(session_of, make_mind, path):
    started(path, session_of(make_mind()), status="done")
    before = ask(path, "SELECT status, finished_at FROM runs")
    with LogWriter(path) as log:
        assert log.resume(SCHEMA).begun.done
    assert ask(path, "SELECT status, finished_at FROM runs") == before


def test_an_empty_log_has_no_run_to_resume(path):
    with LogWriter(path) as log:
        assert log.resume(SCHEMA) is None


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE sessions SET pages = 'many'", "sessions.pages holds a value of the kind text"),
        ("UPDATE arms SET options = 'none'", "arms.options holds no JSON"),
        ("DELETE FROM agents WHERE agent_id = 1", "a row of sessions belongs to a row of agents"),
    ],
)
def test_a_log_that_no_run_of_ours_would_have_written_is_not_resumed(session_of, make_mind, path, statement, complaint):
    started(path, session_of(make_mind()))
    ask(path, statement)
    with pytest.raises(RunDirectoryError, match=complaint), LogWriter(path) as log:
        log.resume(SCHEMA)


def test_a_database_whose_pages_are_spoiled_is_not_resumed(session_of, make_mind, path):
    started(path, session_of(make_mind()))
    content = bytearray(path.read_bytes())
    place = content.rindex(b"next_page")
    content[place - 60 : place] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises(RunDirectoryError, match=r"malformed|damaged"), LogWriter(path) as log:
        log.resume(SCHEMA)


def test_closing_a_log_commits_what_waits_in_its_window(session_of, make_mind, path):
    async def closed():
        with LogWriter(path) as log:
            log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
            log.write(session_record, arm="first", sim_time=0, policy_version="")
            log.close()

    session_record = session_of(make_mind())
    asyncio.run(closed())
    assert ask(path, "SELECT count(*) FROM sessions") == [(3,)]


@pytest.mark.parametrize(("status", "indexes"), [("done", set(INDEXES)), ("interrupted", set())])
def test_a_finished_log_has_indexes_and_an_interrupted_one_none(session_of, make_mind, path, status, indexes):
    started(path, session_of(make_mind()), status=status)
    found = ask(path, "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    assert {name for (name,) in found} == indexes


def test_a_closed_log_is_whole_in_its_one_file_while_the_writer_still_stands(session_of, make_mind, path, tmp_path):
    with LogWriter(path) as log:
        log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
        log.write(session_of(make_mind()), arm="first", sim_time=0, policy_version="")
        log.close()
        copy = shutil.copy(path, tmp_path / "copy.db")
    assert ask(copy, "SELECT count(*) FROM sessions") == [(3,)]
    assert ask(copy, "SELECT status FROM runs") == [("done",)]


def test_all_that_is_written_is_sealed_as_it_is_written(session_of, make_mind, path):
    with LogWriter(path) as log:
        log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
        for time in (0, 86_400):
            log.write(session_of(make_mind()), arm="first", sim_time=time, policy_version="")
            log.flush()
        log.close()
    assert sealed(path) == [*BEGINNING, "rows", "rows", "state"]
    assert ask(path, "SELECT count(*) FROM agents") == [(3,)]
    assert ask(path, "SELECT count(*) FROM items") == [(6,)]


def test_a_resumed_run_goes_on_with_its_seals(session_of, make_mind, path):
    started(path, session_of(make_mind()), status="interrupted")
    with LogWriter(path) as log:
        log.resume(SCHEMA)
        log.write(session_of(make_mind()), arm="first", sim_time=86_400, policy_version="")
        log.close()
    assert sealed(path) == [*BEGINNING, "rows", "state", "state", "rows", "state"]


def test_a_log_that_was_changed_since_it_was_written_is_not_resumed_and_nothing_is_added(session_of, make_mind, path):
    started(path, session_of(make_mind()), status="interrupted")
    ask(path, "UPDATE impressions SET clicked = 1")
    told = r"the log is not as it was written: rows of arm first, day 1 were changed.*; nothing was added to it"
    with pytest.raises(RunDirectoryError, match=told), LogWriter(path) as log:
        log.resume(SCHEMA)
    assert ask(path, "SELECT status FROM runs") == [("interrupted",)]
    assert len(ask(path, "SELECT * FROM seals")) == len(BEGINNING) + 2


def test_accepted_changes_are_written_down_and_sealed(session_of, make_mind, path):
    started(path, session_of(make_mind()), status="interrupted")
    changes = (Change("arms.first.code", "one", "two"), Change("packages.numpy", "1.0", None))
    with LogWriter(path) as log:
        log.resume(SCHEMA)
        log.accept(changes)
        log.write(session_of(make_mind()), arm="first", sim_time=86_400, policy_version="")
        log.close()
    assert begun_in(store_at(path)).accepted == changes
    assert sealed(path) == [*BEGINNING, "rows", "state", "state", "state", "rows", "state"]


def test_a_log_that_is_left_by_an_error_after_it_was_closed_says_so_and_is_sealed(path):
    def fails_after_its_end():
        with LogWriter(path) as log:
            log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
            log.close()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_after_its_end()
    assert ask(path, "SELECT status FROM runs") == [("failed",)]
    assert sealed(path) == [*BEGINNING, "state", "state"]
