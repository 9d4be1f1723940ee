"""A run directory names the schema of its log, and whoever made the directory may have named somebody's tables."""

from __future__ import annotations

import json
import shutil

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.directory import check_server
from groundlings.experiments.archive.inventory import delete_run
from groundlings.simulator.log.postgres import PostgresStore
from groundlings.simulator.log.store import store_at
from groundlings.simulator.log.trusted_hosts import remember
from groundlings.simulator.log.writer import LogWriter


@pytest.fixture
def handed_over(server, database, tmp_path):
    """A run directory of somebody else's, by the schema that it names; the user's own table lies in that schema."""

    def made(schema: str):
        server.run(f"CREATE SCHEMA IF NOT EXISTS {schema}", database)
        server.run(f"CREATE TABLE {schema}.orders AS SELECT 1 AS number", database)
        (tmp_path / "config.yaml").write_text("name: x\n")
        (tmp_path / "log.json").write_text(json.dumps({"url": server.url(database), "schema": schema}))
        return tmp_path

    return made


@pytest.mark.parametrize("schema", ["public", "orders_of_2020", "groundlings", "run_of_the_shop"])
def test_deleting_a_run_removes_no_schema_that_is_none_of_a_run(server, database, handed_over, schema):
    with pytest.raises(RunDirectoryError, match="schema"):
        delete_run(handed_over(schema))
    assert server.run(f"SELECT number FROM {schema}.orders", database) == [(1,)]


def test_deleting_a_run_removes_the_schema_that_was_made_for_it(server, database, handed_over):
    with LogWriter(PostgresStore(server.url(database), "run_made")):
        pass
    directory = handed_over("run_made")
    server.run("DROP TABLE run_made.orders", database)
    delete_run(directory)
    assert not server.run("SELECT 1 FROM pg_namespace WHERE nspname = 'run_made'", database)
    assert not server.run("SELECT 1 FROM groundlings.logs", database)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("CREATE TABLE run_first.my_summary AS SELECT 1 AS number", "table my_summary"),
        ("CREATE VIEW public.all_runs AS SELECT clicked FROM run_first.impressions", "all_runs"),
        ("CREATE TABLE public.marked (id BIGINT REFERENCES run_first.sessions)", "marked"),
    ],
)
def test_deleting_a_run_takes_no_table_or_view_of_somebody_else_along(original, server, database, statement, name):
    server.run(statement, database)
    with pytest.raises(RunDirectoryError, match=rf"found [a-z.]*{name}, .*would be lost .*nothing was removed"):
        delete_run(original)
    assert original.exists()
    assert server.run("SELECT 1 FROM groundlings.logs", database)
    server.run(f"DROP {statement.split()[1]} {statement.split()[2]}", database)
    delete_run(original)
    assert not server.run("SELECT 1 FROM groundlings.logs", database)


@pytest.fixture
def original(server, database, tmp_path):
    """A run directory whose log was begun on the server."""
    directory = tmp_path / "first % run"
    directory.mkdir()
    (directory / "config.yaml").write_text("name: x\n")
    (directory / "log.json").write_text(json.dumps({"url": server.url(database), "schema": "run_first"}))
    remember(server.url(database))
    with LogWriter(store_at(directory)):
        pass
    return directory


def test_a_copy_of_a_run_neither_deletes_nor_writes_the_log_of_the_first(original, server, database, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(original, copy)
    with pytest.raises(RunDirectoryError, match=r"copy: a copy of .*first % run, to which the log"):
        delete_run(copy)
    with pytest.raises(RunDirectoryError, match="a copy of"), LogWriter(store_at(copy)):
        pass
    assert server.run("SELECT 1 FROM pg_namespace WHERE nspname = 'run_first'", database)
    assert copy.exists()


def test_a_run_that_was_moved_takes_its_log_along(original, server, database, tmp_path):
    moved = original.rename(tmp_path / "moved")
    with LogWriter(store_at(moved)):
        pass
    shutil.copytree(moved, original)
    with pytest.raises(RunDirectoryError, match=r"a copy of .*moved"):
        delete_run(original)
    delete_run(moved)
    assert not server.run("SELECT 1 FROM pg_namespace WHERE nspname = 'run_first'", database)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("LOGIN CONNECTION LIMIT 0", "takes no further connections; close some"),
        ("LOGIN", "expected UTF8|may not create schemas"),
    ],
)
def test_a_server_that_cannot_take_a_run_is_no_run_to_resume(server, database, role, expected):
    server.run(f"CREATE ROLE barred {role}", database)
    try:
        with pytest.raises(RunDirectoryError, match=expected) as told:
            check_server(server.url(database, user="barred"))
    finally:
        server.run("DROP ROLE barred", database)
    assert "resume" not in str(told.value)
    assert "safe" not in str(told.value)
