"""A path is a path: whatever a directory is called, a run stays in it, and nothing beside it changes.

The names are those that something along the way could take for something else: parts of an address, options, patterns,
quotes, another encoding of the same letters, bytes that are no text.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from groundlings.experiments.archive.inventory import delete_run, read_run
from groundlings.experiments.cli import main as cli
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.running import run as running
from groundlings.experiments.running.events import ArmBegins
from groundlings.simulator.language.call_store import CallStore
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.sqlite import SqliteStore

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 20, "interactions_per_user": 6}},
    "site": {"page_size": 3, "max_pages": 2},
    "held_out": False,
    "mind": {"kind": "scripted", "stars": 4},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "again", "recommender": "popular"}],
}

NAMES = (
    "a%20b", "%2e%2e", "?mode=memory&uri=true", "x?mode=ro#b;c", "it's", 'so "$(id)', "[red]<b>{0}\x1b[31m\u202e",
    "line\nbreak", "-dash", "~", ":memory:", "file:x", "file::memory:?cache=shared", "s3:x", "a\\b", "*", "trailing ",
    "trailing.", "cafe\u0301", "ü" * 100, os.fsdecode(b"\xff\xfe"),
)  # fmt: skip

PARTS = st.sampled_from([*"?#&;'\"\n-~:= .\\%+@*[]{}$|x", "%20", "%2e", "file:", "mode=memory", "e\u0301", "\udcff"])


def usable(name: str) -> bool:
    return name not in ("", ".", "..") and len(os.fsencode(name)) <= 200


NOTHING = SimpleNamespace(summary=None, answer=None)
"""What is measured where nothing is."""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A directory to be in, with what a name that is decoded or cut would hit."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("a b", "a", "m", "x", "log.db", "small"):
        (home / name).mkdir()
        (home / name / "log.db").write_bytes(b"another run's")
    monkeypatch.chdir(home)
    return home


def everything_but(home: Path, name: str) -> dict[str, bytes | None]:
    """Every path around a directory with its content; the directory itself left out."""
    found = {}
    for path in sorted(home.parent.rglob("*")):
        if path != home / name and home / name not in path.parents:
            found[str(path)] = path.read_bytes() if path.is_file() else None
    return found


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_run_of_any_name_is_interrupted_resumed_read_exported_and_deleted_in_its_place(beside, monkeypatch, name):
    monkeypatch.setattr(running, "measure", lambda *_, **__: NOTHING)  # drawing knows only `files.write_bytes`
    before, where = everything_but(beside, name), Path(name)
    config = ExperimentConfig.model_validate(SMALL)
    with pytest.raises(KeyboardInterrupt):
        running.run_experiment(config, where, Interrupting())
    assert (beside / name / "log.db").is_file()
    again = running.resume_experiment(where)
    with LogReader(where) as log:
        assert log.digest() == again.digest
        assert len(log.sessions()) == 12
    assert read_run(where).digest == again.digest
    for kind in ("parquet", "trec"):
        export_run(where, kind, where / "out" / name / kind)
    assert everything_but(beside, name) == before
    delete_run(where)
    assert not (beside / name).exists()
    assert everything_but(beside, name) == before


class Interrupting:
    """Ctrl-C in front of the second arm."""

    def event(self, event):
        if isinstance(event, ArmBegins) and event.name == "again":
            raise KeyboardInterrupt


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=15)
@given(st.lists(PARTS, min_size=1, max_size=6).map("".join).filter(usable))
@example("a%20b")
def test_a_database_of_any_name_is_that_file_and_no_other(beside, name):
    home = beside / "here"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    for writes in (SqliteStore(Path("here") / name), SqliteStore(home / f"{name}-whole")):
        engine = writes.for_writing()
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE kept (value)")
        engine.dispose()
        engine = writes.for_reading()
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM kept").scalar_one() == 0
        engine.dispose()
    CallStore(home / f"{name}-calls").close()
    left = {path.name for path in home.iterdir() if not path.name.endswith(("-wal", "-shm"))}
    assert left == {name, f"{name}-whole", f"{name}-calls"}


def test_the_commands_take_a_directory_of_any_name(beside, blank_pictures):
    name = "-a%20b?mode=memory&uri=true#d;<i>'\"[red]"
    config = beside / "config.yaml"
    config.write_text(json.dumps(SMALL))
    before = everything_but(beside, name)
    for command in (
        ["run", "--quiet", "--out", name, str(config)],
        ["digest", "--", name],
        ["compare", "--", name],
        ["runs", "show", "--", name],
        ["runs", "delete", "--yes", "--", name],
    ):
        done = CliRunner().invoke(app(), command)
        assert done.exit_code == 0, (command, done.output, done.exception)
    assert everything_but(beside, name) == before


def app():
    cli._mount()
    return cli.app


def test_a_reader_can_neither_write_nor_be_made_to(tmp_path):
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE kept (value)")
    engine = SqliteStore(path).for_reading()
    with engine.connect() as connection:
        for setting, expected in (("query_only", 1), ("trusted_schema", 0)):
            assert connection.exec_driver_sql(f"PRAGMA {setting}").scalar_one() == expected
    engine.dispose()


def test_own_data_in_a_directory_whose_name_is_no_text_are_run_and_resumed(beside, monkeypatch):
    monkeypatch.setattr(running, "measure", lambda *_, **__: NOTHING)
    place = beside / os.fsdecode(b"own\xff%20?#")
    place.mkdir()
    met = [f"u{user},i{(user + step) % 9},{1_700_000_000 + 10 * user + step}" for user in range(8) for step in range(5)]
    (place / "met.csv").write_text("\n".join(["user,item,time", *met]))
    (place / "items.csv").write_text("\n".join(["item,title", *(f"i{item},T{item}" for item in range(9))]))
    tables = {
        "interactions": {"path": "met.csv", "user": "user", "item": "item", "timestamp": "time"},
        "items": {"path": "items.csv", "id": "item", "title": "title"},
    }
    config = {**SMALL, "dataset": {"name": "own", "own": tables}, "mind": {"kind": "scripted"}}
    (place / "c.yaml").write_text(json.dumps(config))
    done = running.run_experiment(load_config(place / "c.yaml"), place / "out")
    assert running.resume_experiment(place / "out").digest == done.digest
