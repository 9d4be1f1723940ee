"""The writer beside its large rows: parts of an arm and day, what a killed run left, and what is to change in arms."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from groundlings.simulator.interventions import Intervention
from groundlings.simulator.log.parquet import ParquetStore
from groundlings.simulator.log.parts import FOLDER
from groundlings.simulator.log.seal_check import check_seals
from groundlings.simulator.log.sqlite import SqliteStore
from groundlings.simulator.log.store import LOG_NAME, open_log
from groundlings.simulator.log.writer import ArmRow, LogWriter
from tests.simulator.log.test_log import RUN, FewPeople
from tests.simulator.log.test_writer import BEGINNING, SCHEMA, ask, sealed

ARMS = [ArmRow("first", "popular", {}, False), ArmRow("second", "als", {}, False)]
PAUSE = Intervention("second", 1, "withdraw", {"items": ["b"]})


@pytest.fixture
def path(tmp_path):
    return tmp_path / LOG_NAME


def parts_of(path):
    return ask(path, "SELECT name, arm_id, day, rows, first_session, last_session FROM parts ORDER BY part_id")


def test_what_waits_together_becomes_a_part_per_arm_with_its_own_rows(session_of, make_mind, path):
    record = session_of(make_mind(pages=1))

    async def written():
        with LogWriter(ParquetStore(path)) as log:
            log.begin(RUN, ARMS, FewPeople())
            for arm in ("first", "first", "second"):
                log.write(record, arm=arm, sim_time=0, policy_version="")
            log.close()

    asyncio.run(written())
    found = parts_of(path)
    assert [part[1:] for part in found if part[0] == "sessions"] == [(1, 0, 6, 1, 6), (2, 0, 3, 7, 9)]
    impressions = [part[1:4] for part in found if part[0] == "impressions"]
    assert impressions == [(1, 0, 12), (2, 0, 6)]
    engine = open_log(path)
    assert check_seals(engine).faults == ()
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT arm_id, count(*) FROM sessions GROUP BY arm_id ORDER BY arm_id")
        assert rows.all() == [(1, 6), (2, 3)]
    engine.dispose()


def test_files_that_a_killed_run_left_are_cleared_away_and_counted(session_of, make_mind, path):
    store = ParquetStore(path)
    with LogWriter(store) as log:
        log.begin(RUN, ARMS, FewPeople())
        log.write(session_of(make_mind(pages=1)), arm="first", sim_time=0, policy_version="")
    kept = sorted(file.name for file in (path.parent / FOLDER).rglob("*.parquet"))
    assert kept
    left = next((path.parent / FOLDER).rglob("*.parquet")).with_name("000099.parquet")
    left.write_bytes(b"half")
    with LogWriter(store) as log:
        assert log.leftovers == 0
        log.resume(SCHEMA)
        assert log.leftovers == 1
    assert sorted(file.name for file in (path.parent / FOLDER).rglob("*.parquet")) == kept


def test_what_is_to_change_is_written_with_the_arms(path):
    with LogWriter(path) as log:
        log.begin(RUN, ARMS, FewPeople(), [PAUSE])
        log.close()
    assert ask(path, "SELECT arm_id, day, kind, detail FROM interventions") == [(2, 1, "withdraw", '{"items": ["b"]}')]
    assert sealed(path) == [*BEGINNING, "state"]


def test_a_change_is_written_and_sealed_behind_all_sessions_before_it(session_of, make_mind, path):
    record = session_of(make_mind(pages=1))

    async def written():
        with LogWriter(path) as log:
            log.begin(RUN, ARMS, FewPeople())
            log.write(record, arm="first", sim_time=0, policy_version="")
            log.intervene([PAUSE])
            with closing(sqlite3.connect(path)) as other:  # what another process sees of it
                sessions = other.execute("SELECT count(*) FROM sessions").fetchall()
                changes = other.execute("SELECT arm_id, kind FROM interventions").fetchall()
            log.write(record, arm="second", sim_time=0, policy_version="")
            log.close()
        return sessions, changes

    assert asyncio.run(written()) == ([(3,)], [(2, "withdraw")])
    assert sealed(path) == [*BEGINNING, "rows", "state", "rows", "state"]


@pytest.mark.parametrize("kind", [SqliteStore, ParquetStore])
def test_rows_that_others_laid_out_are_those_that_the_writer_lays_out(session_of, make_mind, tmp_path, kind):
    record, tables = session_of(make_mind(pages=2)), ("sessions", "impressions", "events")

    def rows_of(path):
        engine = open_log(path)
        assert check_seals(engine).faults == ()
        with engine.connect() as connection:
            found = [connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY 1").all() for name in tables]
        engine.dispose()
        return found

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with LogWriter(kind(tmp_path / "one" / LOG_NAME)) as log:
        log.begin(RUN, ARMS, FewPeople())
        for _ in range(3):
            log.write(record, arm="second", sim_time=7, policy_version="v")
        log.close()

    async def others():
        with LogWriter(kind(tmp_path / "two" / LOG_NAME)) as log:
            log.begin(RUN, ARMS, FewPeople())
            log.write(record, arm="second", sim_time=7, policy_version="v")
            destination = log.destination("second", sim_time=7, policy_version="v")
            with closing(sqlite3.connect(tmp_path / "two" / LOG_NAME)) as other:
                assert other.execute("SELECT count(*) FROM seals").fetchone() == (len(BEGINNING) + 1,), "committed"
            assert destination.in_files == (kind is ParquetStore)
            assert destination.names is None, "nobody has hashed the first record, so that the digest reads all"
            first, second = (destination.lay_out(record) for _ in range(2))
            rows, later = (laid_out.numbered(log.claim(laid_out.counts)) for laid_out in (first, second))
            assert (log.follows(rows), log.follows(later)) == (True, False)
            with pytest.raises(RuntimeError, match=r"rows begin at .*, and those before them end at"):
                log.write(later, arm="second", sim_time=7, policy_version="v")
            for each in (rows, later):
                log.write(each, arm="second", sim_time=7, policy_version="v")
            assert not log.follows(later), "they are written"
            assert log.hashes is None
            log.close()

    asyncio.run(others())
    assert rows_of(tmp_path / "two" / LOG_NAME) == rows_of(tmp_path / "one" / LOG_NAME)
