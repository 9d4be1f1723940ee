"""The same log in Parquet parts beside a SQLite index."""

from __future__ import annotations

import errno
import json
import re
import shutil
import sqlite3
import zipfile
from datetime import datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.archive.agent_history import read_story
from groundlings.experiments.archive.directory import LogKind, log_store
from groundlings.experiments.archive.inventory import delete_run, diff_runs, read_run
from groundlings.experiments.archive.log_check import check_log
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.exports.registry import available_formats
from groundlings.experiments.running.events import Note
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log import parts as files
from groundlings.simulator.log.parquet import ParquetStore, parts_in
from groundlings.simulator.log.parts import Part
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reading.asked import NotAnswered, answer
from groundlings.simulator.log.store import open_log, store_at
from groundlings.simulator.log.writer import LogWriter

SMALL = {
    "name": "small", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 2}, "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4.0, "pages": 2, "satisfaction": 6.0,
             "misdeeds": ["none", "illegal", "none", "unreadable"]},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}  # fmt: skip
TALKING = {
    "population": {"size": 4},
    "mind": {"kind": "language", "model": {"provider": "scripted"}, "reasons": True, "reflection": {"every": 2},
             "interview": {"questions": ["What was missing?"]}},
}  # fmt: skip
PAGE = (Path(__file__).parents[3] / "docs" / "log.md").read_text(encoding="utf-8")
QUERIES = [query.strip().removesuffix(";") for query in re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL)]


def small(**changes) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**SMALL, **changes})


class Noon(datetime):
    """A clock that stands still, so that runs have one id."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 1, 12, tzinfo=tz)


@pytest.fixture(scope="module")
def undrawn():
    """Most of the time would go into pictures that nobody looks at; and runs have one id."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("groundlings.experiments.archive.provenance.datetime", Noon)
        patched.setattr(
            "groundlings.experiments.archive.provenance.secrets", SimpleNamespace(token_hex="{:06x}".format)
        )
        patched.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
        yield


@pytest.fixture(scope="module")
def in_file(tmp_path_factory, undrawn) -> Path:
    return run_experiment(small(), tmp_path_factory.mktemp("file") / "run").directory


@pytest.fixture(scope="module")
def as_written(tmp_path_factory, undrawn) -> Path:
    """A finished run in parts, in a directory whose name is no pattern, no address and no SQL; it is only read."""
    folder = tmp_path_factory.mktemp("in parts") / "run [1]*?'; DROP--{a,b} s3:x%20ü"
    return run_experiment(small(log={"store": "parquet"}), folder).directory


@pytest.fixture
def in_parts(as_written, tmp_path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(as_written, tmp_path / "run"))


class Notes:
    """Keeps what a run tells."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def event(self, event) -> None:
        if isinstance(event, Note):
            self.lines.append(event.line)


def a_part(run: Path, table: str = "impressions", number: int = 1) -> Path:
    return run / "parts" / table / "arm_id=2" / "day=1" / f"{number:06d}.parquet"


def table(run: Path, sql: str) -> pd.DataFrame:
    with LogReader(run) as log:
        return log.query(sql)


def parts_of(run: Path) -> tuple[Part, ...]:
    engine = open_log(run)
    with engine.connect() as connection:
        found = parts_in(connection)
    engine.dispose()
    return found


def contents(folder: Path) -> dict[str, bytes]:
    kept = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("datasheet"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def test_everything_that_reads_a_run_finds_the_same(in_file, as_written):
    assert isinstance(store_at(as_written), ParquetStore)
    ours, theirs = read_run(as_written, None), read_run(in_file, None)
    assert (ours.digest, ours.counts, ours.lost) == (theirs.digest, theirs.counts, theirs.lost)
    assert {each.part for each in diff_runs(in_file, as_written)} == {"config"}
    ours, theirs = ({**json.loads((path / "summary.json").read_text()), "run": None} for path in (as_written, in_file))
    assert ours == theirs
    with LogReader(as_written) as parts, LogReader(in_file) as file:
        assert compare_run(as_written, parts).as_dict()["arms"] == compare_run(in_file, file).as_dict()["arms"]
        for name in ("impressions", "sessions", "events", "interactions", "agents", "items"):
            ours, theirs = getattr(parts, name)(), getattr(file, name)()
            assert ours.dtypes.equals(theirs.dtypes)
            assert ours.equals(theirs), name
    assert str(read_story(as_written, "u3")) == str(read_story(in_file, "u3"))


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_every_query_of_the_page_gives_the_same(in_file, as_written, query):
    ours, theirs = (table(run, query) for run in (as_written, in_file))
    assert list(ours.columns) == list(theirs.columns)
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(available_formats()))
def test_every_export_has_the_same_bytes(in_file, as_written, tmp_path, name):
    for store, run in (("file", in_file), ("parts", as_written)):
        export_run(run, name, tmp_path / store)
    ours, theirs = (contents(tmp_path / store) for store in ("parts", "file"))
    assert ours.keys() == theirs.keys()
    assert [path for path, rows in ours.items() if rows != theirs[path]] == []


def test_an_archive_of_an_export_does_not_say_when_it_was_written(in_file, tmp_path):
    export_run(in_file, "open_bandit", tmp_path / "export")
    for path in (tmp_path / "export").rglob("*.npz"):
        with zipfile.ZipFile(path) as archive:
            assert {member.date_time[0] for member in archive.infolist()} == {1980}


def test_language_agents_are_logged_alike_with_their_calls_moods_and_memories(tmp_path, undrawn):
    runs = {
        store: run_experiment(small(**TALKING, log={"store": store}), tmp_path / store)
        for store in ("sqlite", "parquet")
    }
    assert runs["sqlite"].digest == runs["parquet"].digest
    one, other = (read_run(tmp_path / store, None) for store in runs)
    assert str(one.changes) == str(other.changes)
    assert str(one.changes).startswith("as it was written (all")
    assert str(read_story(tmp_path / "parquet", "u13")) == str(read_story(tmp_path / "sqlite", "u13"))


@pytest.mark.parametrize("killed_in", ["before its name", "before its row", "after its commit"])
def test_killed_in_the_middle_of_a_part_it_ends_like_the_run_that_nobody_killed(
    as_written, tmp_path, monkeypatch, capsys, undrawn, killed_in
):
    """What a kill leaves: a file under another name, a file that no row names, or a part that counts."""

    class Killed(BaseException):
        pass

    def once_reached(*_arguments, **_named):
        raise Killed

    written = 0
    write = files.write

    def until_the_third(directory, path, content):
        nonlocal written
        written += 1
        if written < 8:
            return write(directory, path, content)
        if killed_in == "before its name":
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).with_name(f"{Path(path).name}.part").write_bytes(bytes(content)[:100])
        else:
            write(directory, path, content)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "_save_what_was_decided", lambda _self: None)
        if killed_in == "after its commit":
            patched.setattr("groundlings.simulator.log.writer.LogWriter.close", once_reached)
        else:
            patched.setattr(files, "write", until_the_third)
        with pytest.raises(Killed):
            run_experiment(small(log={"store": "parquet"}), tmp_path / "run")
    left = list((tmp_path / "run").rglob("*.parquet*"))
    told = Notes()
    with LogReader(as_written) as whole:
        assert resume_experiment(tmp_path / "run", told).digest == whole.digest()
    assert not [path for path in left if path.suffix == ".part" and path.exists()]
    assert any("that a killed run had left" in line for line in told.lines) == (killed_in != "after its commit")
    assert check_log(tmp_path / "run", LogReader(tmp_path / "run"), None).faults == ()
    listed = {path.path for path in parts_of(tmp_path / "run")}
    assert {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*.parquet")} == listed


def test_a_part_that_was_changed_is_named(in_parts):
    part = a_part(in_parts)
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    part.write_bytes(content)
    with LogReader(in_parts) as log:
        found = check_log(in_parts, log, None)
    assert found.faults == ("part parts/impressions/arm_id=2/day=1/000001.parquet was changed",)
    assert not found.proves_manifest
    with pytest.raises(RunDirectoryError, match=r"not as it was written: part .*000001.parquet was changed; nothing"):
        resume_experiment(in_parts)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda part: part.unlink(), "is missing"),
        (lambda part: part.write_bytes(part.read_bytes()[:-9]), r"has [\d,]+ bytes, expected"),
        (lambda part: part.write_bytes(b"x" * part.stat().st_size), "was changed"),
        (
            lambda part: (part.rename(part.with_suffix(".moved")), part.symlink_to(part.with_suffix(".moved"))),
            "is no file",
        ),
    ],
)
def test_a_part_that_cannot_be_read_is_one_message(in_parts, harm, said):
    harm(a_part(in_parts))
    with (
        LogReader(in_parts) as log,
        pytest.raises(RunDirectoryError, match=f"impressions.*000001.parquet {said}.*copy"),
    ):
        log.impressions()
    with LogReader(in_parts) as log:
        assert any(re.search(said, fault) for fault in log.check_seals(None).faults)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM parts WHERE part_id = 2", "was taken from the list of parts"),
        ("UPDATE parts SET rows = 1 WHERE part_id = 2", "the list of parts was changed"),
        ("UPDATE parts SET sha256 = 'x' WHERE part_id = 2", "the list of parts was changed"),
        ("UPDATE parts SET day = 7 WHERE part_id = 2", "was added to the list of parts"),
    ],
)
def test_a_list_of_parts_that_was_changed_is_seen(in_parts, statement, said):
    with sqlite3.connect(in_parts / "log.db") as connection:
        connection.execute(statement)
    with LogReader(in_parts) as log:
        assert any(said in fault for fault in log.check_seals(0).faults)


CHANGED_LISTS = {
    "DROP TABLE parts": "the list of parts was taken away: its rows lie in parts, and none is listed; ",
    "DELETE FROM parts": "the list of parts was taken away: its rows lie in parts, and none is listed; ",
    "DELETE FROM parts WHERE name = 'sessions' AND day = 0": "is of sessions of which no part is listed; ",
    "UPDATE parts SET first_session = 2 WHERE name = 'events'": "is of sessions of which no part is listed; ",
    "UPDATE parts SET first_id = first_id + 1 WHERE name = 'events'": r"begins with row 2, expected 1; ",
    "INSERT INTO parts SELECT part_id + 99, name, arm_id, day, number, rows, first_id, first_session, last_session, "
    "bytes, sha256 FROM parts WHERE name = 'impressions' AND day = 0": r"begins with row 1, expected [\d,]+; ",
}


@pytest.mark.parametrize("statement", CHANGED_LISTS)
def test_no_row_is_read_twice_or_left_out_where_the_list_of_parts_does_not_fit_together(in_parts, statement):
    with sqlite3.connect(in_parts / "log.db") as connection:
        connection.execute(statement)
    said = f"{CHANGED_LISTS[statement]}the log was left as it is, restore it from a copy"
    with pytest.raises(RunDirectoryError, match=said), LogReader(in_parts) as log:
        list(log.impression_chunks(["clicked"]))


def test_a_list_of_parts_leads_nowhere_else(in_parts):
    with sqlite3.connect(in_parts / "log.db") as connection:
        connection.execute("UPDATE parts SET name = '../../../../etc' WHERE part_id = 2")
    with LogReader(in_parts) as log, pytest.raises(RunDirectoryError, match=r"names a table '\.\./\.\./\.\./\.\./etc'"):
        log.impressions()


def test_a_full_disk_is_one_message_and_the_run_goes_on_later(as_written, tmp_path, monkeypatch, undrawn):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", full)
        with pytest.raises(RunDirectoryError, match="the disk is full; all committed sessions are safe, free some"):
            run_experiment(small(log={"store": "parquet"}), tmp_path / "run")
    with LogReader(as_written) as whole:
        assert resume_experiment(tmp_path / "run").digest == whole.digest()


def test_a_place_that_cannot_be_written_is_one_message(tmp_path):
    (tmp_path / "parts").write_text("no folder")
    with (
        pytest.raises(RunDirectoryError, match=r"parts: cannot be written \(File exists\); all committed sessions"),
        LogWriter(ParquetStore(tmp_path / "log.db")),
    ):
        pass


def test_a_strangers_query_is_one_select_that_sees_these_tables_alone(as_written):
    asked = partial(answer, as_written, seconds=120.0)  # whose clock goes on where other work holds the processor
    found = asked(
        "SELECT name, count(*) AS n, (SELECT count(*) FROM agents) AS all_agents "
        "FROM sessions JOIN arms USING (arm_id) GROUP BY name"
    )
    assert found.columns == ("name", "n", "all_agents")
    assert sorted(found.rows) == [("knn", "40", "20"), ("popular", "40", "20")]
    for sql in (
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY arms TO 'x'",
        "DROP VIEW sessions",
        "SELECT 1; SELECT 2",
    ):
        with pytest.raises(NotAnswered, match=r"disabled by configuration|one SELECT"):
            asked(sql)
    with pytest.raises(NotAnswered, match=r"stopped after 0\.2 seconds"):
        answer(as_written, "SELECT count(*) FROM range(1000000) a, range(1000000) b", seconds=0.2)


def test_reading_changes_nothing(in_parts):
    before = contents(in_parts)
    with LogReader(in_parts) as log:
        log.impressions()
        for sql in ("DELETE FROM sessions", "INSERT INTO impressions SELECT * FROM impressions"):
            with pytest.raises(RunDirectoryError):
                log.query(sql)
    after = contents(in_parts)
    assert {path: after[path] for path in before} == before


def test_a_run_keeps_the_store_that_it_began_with(in_file, in_parts):
    assert isinstance(log_store(in_parts, None), ParquetStore)
    with pytest.raises(ConfigError, match=r"began as parquet, and its configuration says log.store: sqlite"):
        log_store(in_parts, None, LogKind("sqlite", asked=True))
    with pytest.raises(ConfigError, match=r"began as sqlite, and its configuration says log.store: parquet"):
        log_store(in_file, None, LogKind("parquet", asked=True))


def test_a_run_keeps_the_database_that_it_began_with(tmp_path, monkeypatch):
    monkeypatch.setenv("GROUNDLINGS_TRUSTED_HOSTS", "server")
    url = "postgresql+psycopg://me@server/shop"
    (tmp_path / "log.json").write_text(json.dumps({"url": url, "schema": "run_1"}))
    assert str(log_store(tmp_path, url)) == f"{url} (run_1)"
    for other in ("postgresql+psycopg://me@server/shop2", "postgresql+psycopg://me@server/sho"):
        with pytest.raises(ConfigError, match=rf"began on .*/shop \(run_1\), and its configuration names {other[:10]}"):
            log_store(tmp_path, other)


def test_deleting_a_run_takes_its_parts(in_parts):
    assert read_run(in_parts).size_bytes > sum(path.stat().st_size for path in in_parts.rglob("*.parquet")) > 10_000
    delete_run(in_parts)
    assert not in_parts.exists()
