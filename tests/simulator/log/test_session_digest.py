"""The digest of version 2 tells apart what that of version 1 did, whatever the numbers and the order of rows."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from typer.testing import CliRunner

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.inventory import diff_runs
from groundlings.experiments.archive.log_check import check_log
from groundlings.experiments.cli.main import app
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.log import tables
from groundlings.simulator.log.digest import digest
from groundlings.simulator.log.digest_version import begun_with, shortened, version_in
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

TALKING = {
    "name": "talking", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 50, "interactions_per_user": 10}},
    "population": {"size": 3}, "simulation": {"days": 2},
    "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "language", "model": {"provider": "scripted"}, "reasons": True, "reflection": {"every": 2},
             "interview": {"questions": ["What was missing?"]}},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "chance", "recommender": "random_order"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def talking(tmp_path_factory) -> Path:
    """A finished run with rows in every table; it is only read."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
        config = ExperimentConfig.model_validate(TALKING)
        run = run_experiment(config, tmp_path_factory.mktemp("talking") / "run").directory
    with closing(sqlite3.connect(run / LOG_NAME)) as log, log:
        log.execute("UPDATE impressions SET team_arm_id = 1 + impression_id % 2, row_name = 'Row'")
        log.execute("UPDATE impressions SET place_row = page - 1, place_slot = position")
        log.execute("INSERT INTO interventions VALUES (1, 1, 1, 'prompt', '{}', 'file', 0)")
        log.execute("UPDATE arms SET recommender = 'team_draft' WHERE arm_id = 1")
    with closing(sqlite3.connect(run / LOG_NAME)) as log:
        log.execute("PRAGMA journal_mode = DELETE")  # one file, which is copied
    return run


@pytest.fixture
def copied(talking, tmp_path) -> Path:
    """Its log alone, to be changed."""
    return Path(shutil.copy(talking / LOG_NAME, tmp_path / LOG_NAME))


def found(log: Path, version: int = 2) -> str:
    engine = create_engine(f"sqlite:///{log}")
    try:
        return digest(engine, version)
    finally:
        engine.dispose()


def changed(log: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(log)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return log


def test_every_table_of_the_run_has_rows(talking):
    with closing(sqlite3.connect(talking / LOG_NAME)) as log:
        counts = {name: log.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables.metadata.tables}
    assert {name for name, rows in counts.items() if not rows} <= {"accepted_changes"}


WITHOUT = ("runs", "seals", "accepted_changes")
COLUMNS = [
    (table.name, column.name)
    for table in tables.metadata.sorted_tables
    if table.name not in WITHOUT
    for column in table.columns
    if not column.foreign_keys and not (column.primary_key and column.name not in ("page", "place"))
]


def test_whatever_changes_the_digest_of_version_1_changes_that_of_version_2_and_nothing_else_does(copied):
    before = [found(copied, version) for version in (1, 2)]
    differing = {}
    for table, column in COLUMNS:
        with closing(sqlite3.connect(copied)) as log:
            kept, row = log.execute(
                f"SELECT {column}, rowid FROM {table} ORDER BY {column} IS NULL, rowid DESC LIMIT 1"
            ).fetchone()
        other = f"{kept}x" if isinstance(kept, str) else (kept or 0) + 40
        edit = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"
        with closing(sqlite3.connect(copied)) as log, log:
            log.execute(edit, (other, row))
        differing[table, column] = tuple(
            found(copied, version) != was for version, was in zip((1, 2), before, strict=True)
        )
        with closing(sqlite3.connect(copied)) as log, log:
            log.execute(edit, (kept, row))
    assert {what for what, (one, two) in differing.items() if one != two} == set()
    assert sum(one for one, _ in differing.values()) > 50
    assert not differing["calls", "latency_seconds"][1]
    assert [found(copied, version) for version in (1, 2)] == before


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE sessions SET agent_id = agent_id % 3 + 1",
        "UPDATE impressions SET item_id = item_id % 50 + 1",
        "UPDATE sessions SET arm_id = 3 - arm_id",
        "UPDATE impressions SET team_arm_id = 3 - team_arm_id WHERE impression_id = 3",
        "UPDATE events SET impression_id = 1 + coalesce(impression_id, 0) WHERE event_id = 1",
        "UPDATE impressions SET session_id = session_id % 12 + 1 WHERE impression_id = 5",
        "DELETE FROM impressions WHERE impression_id = 2",
        "DELETE FROM sessions WHERE session_id = 2",
        "DELETE FROM interventions",
    ],
)
def test_whose_a_row_is_and_whether_it_is_there_is_behaviour(copied, edit):
    before = found(copied)
    assert found(changed(copied, edit)) != before


def test_numbers_of_things_and_the_order_of_sessions_are_none(copied):
    before = found(copied)
    hanging = ("impressions", "events", "calls", "moods", "memories", "interviews")
    statements = [f"UPDATE {name} SET session_id = 1000 - session_id" for name in ("sessions", *hanging)]
    statements += [f"UPDATE {name} SET arm_id = 9 - arm_id" for name in ("sessions", "arms", "interventions")]
    statements += ["UPDATE impressions SET team_arm_id = 9 - team_arm_id"]
    statements += [f"UPDATE {name} SET item_id = 500 - item_id" for name in ("items", "impressions")]
    assert found(changed(copied, *statements)) == before


def test_so_many_rows_at_a_time_make_no_difference(talking, monkeypatch):
    before = found(talking / LOG_NAME)
    for most in (1, 3, 50):
        monkeypatch.setattr("groundlings.simulator.log.session_streams._ROWS", most)
        monkeypatch.setattr("groundlings.simulator.log.session_streams._SESSIONS", most)
        assert found(talking / LOG_NAME) == before


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            "UPDATE impressions SET score = 'high' WHERE impression_id = 2",
            "score holds 'high', expected a number",
        ),
        (
            "UPDATE impressions SET score = x'35' WHERE impression_id = 2",
            "score holds b'5', expected a number",
        ),
        ("UPDATE impressions SET rank = 1.5 WHERE impression_id = 2", "impressions.rank holds 1.5, expected a whole"),
        ("UPDATE impressions SET page = 4294967297 WHERE impression_id = 2", "impressions.page holds 4294967297"),
        ("UPDATE impressions SET clicked = 257 WHERE impression_id = 2", "impressions.clicked holds 257"),
        ("UPDATE events SET kind = x'00' WHERE event_id = 1", "events.kind holds .*, expected text"),
    ],
)
def test_a_value_that_no_run_writes_is_named_and_not_converted(copied, edit, message):
    with pytest.raises(RunDirectoryError, match=message):
        found(changed(copied, edit))


def test_a_run_keeps_the_version_that_it_began_with(talking, tmp_path):
    run = shutil.copytree(talking, tmp_path / "run")
    with LogReader(run) as log:
        assert log.digest() == log.digest(2)
        assert (version_in(log.digest()), version_in(log.digest(1))) == (2, 1)
    earlier = json.dumps({"groundlings": "0.1.0"})
    changed(run / LOG_NAME, f"UPDATE runs SET versions = '{earlier}'")
    with LogReader(run) as log:
        assert log.digest() == log.digest(1)
        assert "runs.versions" in str(check_log(run, log))


@pytest.mark.parametrize("versions", ["{}", "[]", "", '{"digest": "x"}', '{"digest": null}'])
def test_a_run_that_names_no_version_has_the_first(versions):
    assert begun_with(versions) == 1


def test_a_digest_is_shortened_behind_its_version():
    assert shortened("v2:" + "ab" * 32) == "v2:abababababab"
    assert shortened("ab" * 32) == "abababababab"


def test_the_command_prints_either_version_and_no_other(talking):
    with LogReader(talking) as log:
        digests = {None: log.digest(), 1: log.digest(1), 2: log.digest(2)}
    assert digests[None] == digests[2]
    for version, expected in digests.items():
        asked = ["--version", str(version)] if version else []
        assert CliRunner().invoke(app, ["digest", str(talking), *asked]).output.split()[0] == expected
    refused = CliRunner().invoke(app, ["digest", str(talking), "--version", "3"])
    assert refused.exception is not None
    assert "expected 1 or 2" in str(refused.exception)


def test_runs_of_two_versions_are_compared_by_the_earlier_one(talking, tmp_path):
    run = shutil.copytree(talking, tmp_path / "run")
    earlier = json.dumps({"groundlings": "0.1.0"})
    changed(run / LOG_NAME, f"UPDATE runs SET versions = '{earlier}'")
    names = {contrast.name for contrast in diff_runs(run, talking) if contrast.part == "behaviour"}
    assert names == {"log"}, "the digests are those of one version and equal; the log was edited here, which is told"
