"""Queries of a stranger: answered where they read the log, refused where they would do anything else."""

from __future__ import annotations

import shutil

import pytest

from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reading.asked import NotAnswered, answer

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM sessions",
        "select count(*) from sessions;",
        "WITH s AS (SELECT * FROM sessions) SELECT count(*) FROM s -- the end",
    ],
)
def test_one_query_that_reads_is_answered(small_run, query) -> None:
    found = answer(small_run, query)
    assert len(found.columns) == 1
    assert int(found.rows[0][0] or 0) > 0
    assert not found.more


def test_what_is_left_out_is_said_and_null_is_no_text(small_run) -> None:
    found = answer(small_run, "SELECT NULL AS a, 'x' AS b FROM impressions", rows=3)
    assert found.rows == ((None, "x"),) * 3
    assert found.more


@pytest.mark.parametrize(
    "query",
    [
        "",
        "no query",
        "DELETE FROM sessions",
        "UPDATE runs SET status = 'done'",
        "DROP TABLE seals",
        "CREATE TEMP TABLE t AS SELECT 1",
        "CREATE TABLE t (x)",
        "INSERT INTO arms SELECT * FROM arms",
        "ATTACH DATABASE '{elsewhere}' AS other",
        "VACUUM INTO '{elsewhere}'",
        "PRAGMA query_only = OFF",
        "PRAGMA database_list",
        "SELECT load_extension('{elsewhere}')",
        "SELECT readfile('{elsewhere}')",
        "BEGIN",
        "SELECT 1; DROP TABLE seals",
        "SELECT * FROM nowhere",
        "SELECT zeroblob(2000000000)",
        "SELECT hex(zeroblob(100000000))",
        "SELECT \x00",
    ],
)
def test_what_is_no_query_is_refused_and_changes_nothing(small_run, tmp_path, query) -> None:
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    before = (run / "log.db").read_bytes()
    with pytest.raises(NotAnswered):
        answer(run, query.replace("{elsewhere}", str(tmp_path / "elsewhere")))
    assert (run / "log.db").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_query_without_end_is_stopped(small_run) -> None:
    with pytest.raises(NotAnswered, match=r"stopped after 0\.2 seconds"):
        answer(small_run, ENDLESS, seconds=0.2)


def test_values_and_names_cannot_steer_and_are_cut(small_run) -> None:
    found = answer(small_run, "SELECT char(27) || '[31m' AS \"a\x1b[0m\", printf('%.9000c', 'x'), x'0102'")
    assert found.columns[0] == "a\\x1b[0m"
    assert found.rows[0][0] == "\\x1b[31m"
    assert (found.rows[0][1] or "").endswith("(9,000 characters)")
    assert found.rows[0][2] == "2 bytes"


DOUBLED = "".join(f", c{n} AS (SELECT a.x FROM c{n - 1} a, c{n - 1} b)" for n in range(1, 31))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT instr(replace(hex(zeroblob(4000000)), '0', 'a'), replace(hex(zeroblob(2000000)), '0', 'a') || 'b')",
        f"WITH c0 AS (SELECT 1 AS x){DOUBLED} SELECT * FROM c30",
    ],
)
def test_a_query_that_looks_at_no_clock_is_ended_all_the_same(small_run, query, monkeypatch) -> None:
    monkeypatch.setattr("groundlings.simulator.log.reading.asked._START_SECONDS", 2.0)
    with pytest.raises(NotAnswered, match=r"stopped after|memory"):
        answer(small_run, query, seconds=0.2)


def test_long_values_take_no_memory_of_ours_and_many_are_cut(small_run) -> None:
    found = answer(small_run, "SELECT substr(hex(zeroblob(50000)), 1, 100000 - page) FROM impressions, arms", rows=50)
    assert found.more
    assert all((row[0] or "").endswith("characters)") and len(row[0] or "") < 2_100 for row in found.rows)
    columns = ", ".join(["hex(zeroblob(1000))"] * 190)
    wide = answer(small_run, f"SELECT {columns} FROM impressions")
    assert wide.more
    assert len(wide.rows) < 20
    with pytest.raises(NotAnswered, match="too many columns"):
        answer(small_run, f"SELECT {', '.join('1' * 300)}")


def test_nobody_has_an_id_that_no_database_holds(small_run) -> None:
    with LogReader(small_run) as log:
        assert log.agent_of("\udcff") is None
        assert log.users_after(0, 5, begins="\ud800") == []


def test_half_a_character_is_named_with_its_place_before_any_database_sees_it(small_run) -> None:
    with pytest.raises(NotAnswered, match=r"half a character \(\\ud800\) at place 9"):
        answer(small_run, "SELECT '\ud800'")
