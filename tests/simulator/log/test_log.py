"""What lies in the log after sessions whose every step is known."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from groundlings.environments.actions import Action, lay_out
from groundlings.environments.catalog import Catalog
from groundlings.environments.decision import Decision
from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.archive.directory import LogKind, log_store
from groundlings.simulator.log import migrations
from groundlings.simulator.log.commit_window import WINDOW_SECONDS
from groundlings.simulator.log.digest import digest
from groundlings.simulator.log.digest_version import WITH_DIGEST
from groundlings.simulator.log.faults import named_faults
from groundlings.simulator.log.parquet import ParquetStore
from groundlings.simulator.log.store import LOG_NAME, open_log
from groundlings.simulator.log.writer import ArmRow, LogWriter

RUN = {
    "run_id": "r1", "experiment": "x", "seed": 1, "config": "{}", "config_hash": "c", "dataset": "toy",
    "dataset_hash": "d", "dataset_source": "made up", "dataset_licence": "none", "page_size": 2, "max_pages": 2,
    "like_from": 4.0, "mind": "{}", "model_fingerprint": None, "versions": json.dumps(WITH_DIGEST), "synthetic": True,
}  # fmt: skip


@dataclass(frozen=True)
class FewPeople:
    """As much of a population as the log reads."""

    catalog: Catalog = field(
        default_factory=lambda: Catalog(
            tuple("abcdef"), tuple("ABCDEF"), np.array([1999.0] + [np.nan] * 5), (("Drama", "War"),) + ((),) * 5
        )
    )

    def __len__(self):
        return 3

    def persona(self, row):
        return OnePerson(f"u{row}")


@dataclass(frozen=True)
class OnePerson:
    user_id: str

    def as_dict(self):
        return {"user_id": self.user_id}


@pytest.fixture
def write(tmp_path):
    """Write cohorts, each (arm, record), and give a plain SQLite connection to the log."""

    def written(*cohorts, arms=("first",), name="run"):
        folder = tmp_path / name
        folder.mkdir()
        with LogWriter(folder / LOG_NAME) as log:
            log.begin(RUN, [ArmRow(arm, "popular", {}, False) for arm in arms], FewPeople())
            for arm, record in cohorts:
                log.write(record, arm=arm, sim_time=1000, policy_version="v")
            log.close()
        connection = sqlite3.connect(folder / LOG_NAME)
        connection.row_factory = sqlite3.Row
        return folder, connection

    return written


def test_every_slot_shown_is_one_row_in_the_order_of_sessions(session_of, make_mind, write):
    _, log = write(("first", session_of(make_mind(pages=2))))
    rows = log.execute(
        "SELECT session_id, page, impressions.position, rank, source_item_id, clicked, rating, examined, pscore"
        " FROM impressions JOIN items USING (item_id) ORDER BY impression_id"
    ).fetchall()
    one_session = [(1, 0, 0, "a", 1, 5.0), (1, 1, 1, "b", 0, None), (2, 0, 2, "c", 1, 5.0), (2, 1, 3, "d", 0, None)]
    assert [tuple(row) for row in rows] == [
        (session, *slot, None, 1.0) for session in (1, 2, 3) for slot in one_session
    ]


def test_events_tell_the_session_in_the_order_of_happening(session_of, make_mind, write):
    _, log = write(("first", session_of(make_mind(pages=2))))
    told = log.execute(
        "SELECT page, kind, value, impression_id FROM events WHERE session_id = 2 ORDER BY event_id"
    ).fetchall()
    assert [tuple(row) for row in told] == [
        (1, "click", None, 5), (1, "rate", 5.0, 5), (1, "next_page", 7.0, None),
        (2, "click", None, 7), (2, "rate", 5.0, 7), (2, "exit", 7.0, None),
    ]  # fmt: skip


def test_what_happened_on_an_unreadable_page_is_unknown_not_zero(session_of, make_mind, write):
    _, log = write(("first", session_of(make_mind(pages=2, unreadable_users=(1,)))))
    assert [tuple(row) for row in log.execute("SELECT DISTINCT clicked FROM impressions WHERE session_id = 2")] == [
        (None,)
    ]
    assert [tuple(row) for row in log.execute("SELECT kind FROM events WHERE session_id = 2")] == [("unreadable",)]
    assert log.execute("SELECT ended_by, satisfaction FROM sessions WHERE session_id = 2").fetchone()[:] == (
        "unreadable", None,
    )  # fmt: skip


def test_refused_actions_are_events_with_their_slot_and_reason(session_of, make_mind, write):
    class Stray(make_mind):
        async def decide(self, situation):
            told = [Action("click", 7), Action("rate", 1, 9.0), Action("click", 0), Action("next_page")]
            said = [[*told, Action("satisfaction", value=11.0)]] * len(situation.sessions)
            actions, stray = lay_out(situation.legal.schema, situation.page, said)
            return Decision(actions, np.zeros(len(said), dtype=np.bool_), stray=stray)

    _, log = write(("first", session_of(Stray(), max_pages=1)))
    told = log.execute("SELECT kind, impression_id, detail FROM events WHERE session_id = 1 ORDER BY event_id")
    kinds = [(row["kind"], row["impression_id"]) for row in told.fetchall()]
    assert kinds == [
        ("click", 1), ("illegal", 2), ("illegal", None), ("illegal", None), ("illegal", None), ("exit", None),
    ]  # fmt: skip
    details = [row[0] for row in log.execute("SELECT detail FROM events WHERE kind = 'illegal' AND session_id = 1")]
    assert any("rate 9" in detail and "opened" in detail for detail in details)
    assert any("slots 0 to 1" in detail for detail in details)


def test_a_person_who_was_shown_nothing_still_has_a_session(session_of, make_mind, write):
    _, log = write(("first", session_of(make_mind(), seen=[(1, item) for item in range(6)])))
    session = log.execute("SELECT pages, ended_by FROM sessions WHERE session_id = 2").fetchone()
    assert tuple(session) == (0, "nothing_shown")
    assert log.execute("SELECT count(*) FROM impressions WHERE session_id = 2").fetchone()[0] == 0


def test_the_digest_knows_neither_arm_order_nor_clock_but_every_deed(session_of, make_mind, write):
    lively, idle = session_of(make_mind(pages=2)), session_of(make_mind(pages=1))
    one, _ = write(("first", lively), ("second", idle), arms=("first", "second"), name="one")
    other, _ = write(("second", idle), ("first", lively), arms=("second", "first"), name="other")
    changed, _ = write(("first", idle), ("second", idle), arms=("first", "second"), name="changed")
    assert digest(open_log(one)) == digest(open_log(other))
    assert digest(open_log(one)) != digest(open_log(changed))


def test_leaving_by_an_error_keeps_what_was_committed_and_says_so(session_of, make_mind, tmp_path):
    path = tmp_path / LOG_NAME
    record = session_of(make_mind())

    def interrupted():
        with LogWriter(path) as log:
            log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
            log.write(record, arm="first", sim_time=0, policy_version="")
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        interrupted()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT status FROM runs").fetchone() == ("failed",)
    assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (3,)


def misnamed(statement: bytes) -> bytes:
    """A database with a table, made by a statement, whose name is no UTF-8."""
    with closing(sqlite3.connect(":memory:")) as made:
        made.execute("CREATE TABLE other (x)")
        made.execute("PRAGMA writable_schema = ON")
        made.execute(
            "UPDATE sqlite_master SET (name, tbl_name, sql) = "
            "(CAST(x'7aff' AS TEXT), CAST(x'7aff' AS TEXT), CAST(? AS TEXT))",
            [statement],
        )
        made.commit()
        return made.serialize()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "found no log.db"),
        (misnamed(b"CREATE TABLE z\xff ("), r"not a readable SQLite database \(malformed database schema \(z\ufffd"),
        (misnamed(b'CREATE TABLE "z\xff" (x)'), "a database, but not a log of Groundlings"),
        (b"not a database at all, sorry" * 50, "not a readable SQLite"),
        (b"", "there is nothing in it"),
    ],
)
def test_what_is_no_log_is_explained_and_left_alone(tmp_path, content, message):
    path = tmp_path / LOG_NAME
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunDirectoryError, match=message):
        open_log(tmp_path)
    assert content is None or path.read_bytes() == content


def test_a_log_from_the_future_is_refused(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / LOG_NAME}")
    with engine.begin() as connection:
        migrations.migrate(connection, "log")
        connection.execute(text("INSERT INTO schema_migrations VALUES (99, 'later')"))
    with pytest.raises(RunDirectoryError, match="schema version 99"):
        open_log(tmp_path)


def test_a_read_only_directory_is_one_clear_error(tmp_path):
    with pytest.raises(RunDirectoryError, match="cannot be written"), LogWriter(tmp_path / "absent" / LOG_NAME):
        pass


def count(path, table="sessions"):
    with sqlite3.connect(path) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_cohorts_that_come_together_share_a_transaction_and_wait_no_longer_than_the_window(
    session_of, make_mind, tmp_path
):
    path, record = tmp_path / LOG_NAME, session_of(make_mind())

    async def written(log):
        for _ in range(3):
            log.write(record, arm="first", sim_time=0, policy_version="")
        before = count(path)
        deadline = time.monotonic() + 20
        while count(path) == before and time.monotonic() < deadline:
            await asyncio.sleep(WINDOW_SECONDS / 5)
        return before, count(path)

    with LogWriter(path) as log:
        log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
        assert asyncio.run(written(log)) == (0, 9)


def test_ctrl_c_saves_what_was_decided_and_not_yet_committed(session_of, make_mind, tmp_path):
    path, record = tmp_path / LOG_NAME, session_of(make_mind())

    async def interrupted():
        with LogWriter(path) as log:
            log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
            log.write(record, arm="first", sim_time=0, policy_version="")
            assert count(path) == 0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(interrupted())
    assert count(path) == 3
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT status FROM runs").fetchone() == ("interrupted",)


def test_what_goes_wrong_while_nobody_writes_is_told_to_whoever_writes_next(session_of, make_mind, tmp_path):
    path, record = tmp_path / LOG_NAME, session_of(make_mind())

    async def cut_off():
        with LogWriter(path) as log:
            log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
            with sqlite3.connect(path) as connection:
                connection.execute("DROP TABLE impressions")
            log.write(record, arm="first", sim_time=0, policy_version="")
            await asyncio.sleep(3 * WINDOW_SECONDS)
            log.write(record, arm="first", sim_time=0, policy_version="")

    with pytest.raises(RunDirectoryError, match="no such table: impressions"):
        asyncio.run(cut_off())


def test_cohorts_committed_together_are_logged_like_cohorts_committed_one_by_one(session_of, make_mind, tmp_path):
    records = [
        session_of(make_mind(pages=2)),
        session_of(make_mind(pages=1, unreadable_users=(1,))),
        session_of(make_mind()),
    ]

    async def together(log):
        for record in records:
            log.write(record, arm="first", sim_time=1000, policy_version="v")
        log.flush()

    tables = {}
    for name in ("one", "together"):
        with LogWriter(tmp_path / f"{name}.db") as log:
            log.begin(RUN, [ArmRow("first", "popular", {}, False)], FewPeople())
            if name == "together":
                asyncio.run(together(log))
            else:
                for record in records:
                    log.write(record, arm="first", sim_time=1000, policy_version="v")
        with sqlite3.connect(tmp_path / f"{name}.db") as connection:
            tables[name] = [
                connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
                for table in ("sessions", "impressions", "events", "memories")
            ]
    assert tables["one"] == tables["together"]
    assert len(tables["one"][0]) == 9


def test_tables_that_are_gone_from_a_server_are_told_as_gone():
    gone = type("UndefinedTable", (Exception,), {"__module__": "psycopg.errors", "sqlstate": "42P01"})
    with pytest.raises(RunDirectoryError, match="the tables of this run are gone from the server"), named_faults("log"):
        raise gone('relation "sessions" does not exist')


def test_a_log_that_a_full_disk_left_without_tables_begins_in_any_store_and_says_how(tmp_path):
    sqlite3.connect(tmp_path / "log.db").close()
    (tmp_path / "log.db").touch()
    with pytest.raises(RunDirectoryError, match=r"nothing in it; a run that stopped before .* --resume"):
        open_log(tmp_path)
    assert isinstance(log_store(tmp_path, None, LogKind("parquet", asked=True)), ParquetStore)
    (tmp_path / "log.db").write_bytes(misnamed(b'CREATE TABLE "z\xff" (x)'))
    with pytest.raises(ConfigError, match="began as sqlite"):
        log_store(tmp_path, None, LogKind("parquet", asked=True))


def test_a_database_that_is_no_log_is_told_with_what_to_give_instead(tmp_path):
    with sqlite3.connect(tmp_path / "log.db") as connection:
        connection.execute("CREATE TABLE other (a INTEGER)")
    with pytest.raises(RunDirectoryError, match=r"not a log of Groundlings .*give the directory that"):
        open_log(tmp_path)
