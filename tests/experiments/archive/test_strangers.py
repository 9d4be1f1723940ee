"""A run directory of somebody else is read with a warning and never written."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack

import pytest
from filelock import FileLock

from groundlings.environments.errors import RunDirectoryError, RunWarning
from groundlings.experiments.archive import directory as files
from groundlings.experiments.archive import inventory
from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.archive.inventory import delete_run
from groundlings.simulator.log.faults import named_faults


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    return begun(tmp_path / "theirs")


@pytest.fixture
def leading_out(tmp_path):
    run = begun(tmp_path / "run")
    (tmp_path / "elsewhere.db").write_bytes(b"somebody's")
    (run / "log.db").symlink_to(tmp_path / "elsewhere.db")
    return run


def begun(directory):
    directory.mkdir()
    (directory / "config.yaml").write_text("name: x\n")
    return directory


@pytest.mark.parametrize(("kind", "said"), [("theirs", "belongs to another user"), ("leading_out", "is a link to")])
def test_it_is_read_with_a_warning_and_neither_resumed_nor_deleted(kind, said, request):
    run = request.getfixturevalue(kind)
    (run / "log.json").write_text("{}") if kind == "theirs" else None
    before = sorted(run.parent.rglob("*"))
    with pytest.warns(RunWarning, match=said), pytest.raises(RunDirectoryError), reading(run):
        raise RunDirectoryError("whatever comes of it")
    with pytest.raises(RunDirectoryError, match=said), files.locked(run):
        pass
    with pytest.raises(RunDirectoryError), pytest.warns(RunWarning):
        delete_run(run)
    assert sorted(run.parent.rglob("*")) == before


def test_a_report_is_written_beside_a_log_that_leads_out_and_the_warning_claims_no_more_than_is_so(leading_out):
    said = r"log\.db in it is a link .*; its log is only read, and it is neither resumed"
    with pytest.warns(RunWarning, match=said), reading(leading_out):
        files.write_text(leading_out / files.REPORT_NAME, "page")
    assert (leading_out.parent / "elsewhere.db").read_bytes() == b"somebody's"


def test_an_empty_directory_that_was_given_to_us_takes_a_new_run(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with files.locked(tmp_path):
        pass


@pytest.mark.parametrize("comes", ["while the first lets go", "before the first lets go"])
def test_of_three_who_want_a_directory_at_once_one_has_it(tmp_path, monkeypatch, comes):
    """The first has removed its lock; the second has that one open, or a new one, and the third finds what is there."""
    second = ExitStack()

    def let_go(lock, released=FileLock.release):
        released(lock)
        monkeypatch.undo()
        second.enter_context(files.locked(tmp_path))

    def removed_meanwhile(lock, blocking, acquired=FileLock.acquire):
        acquired(lock, blocking=blocking)
        monkeypatch.undo()
        (tmp_path / files.LOCK_NAME).unlink()

    with second:
        with files.locked(tmp_path):
            if comes.startswith("while"):
                monkeypatch.setattr(FileLock, "release", let_go)
        if comes.startswith("before"):
            monkeypatch.setattr(FileLock, "acquire", removed_meanwhile)
            second.enter_context(files.locked(tmp_path))
        with pytest.raises(RunDirectoryError, match="another process is working"), files.locked(tmp_path):
            pass
    assert not (tmp_path / files.LOCK_NAME).exists()


def test_a_link_that_waits_where_a_file_is_to_be_written_leads_nowhere(tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("mine")
    (tmp_path / "report.html.part").symlink_to(kept)
    files.write_text(tmp_path / "report.html", "page")
    assert kept.read_text() == "mine"
    assert (tmp_path / "report.html").read_text() == "page"
    assert not (tmp_path / "report.html").is_symlink()


def test_a_manifest_that_names_a_path_of_bytes_that_are_no_text_is_read_again(tmp_path):
    said = {"command": f"groundlings run --out {os.fsdecode(bytes([255]))}"}
    files.write_json(tmp_path / files.MANIFEST_NAME, said)
    assert files.read_manifest(tmp_path) == said


def test_a_closed_directory_does_not_hide_the_other_runs(tmp_path, monkeypatch):
    def looked_at(directory):
        if directory.name == "closed":
            raise PermissionError(13, "Permission denied", str(directory))
        return True

    for name in ("closed", "open"):
        begun(tmp_path / name)
    monkeypatch.setattr(inventory, "looks_like_a_run", looked_at)
    problems = {run.directory.name: run.problem for run in inventory.find_runs(tmp_path)}
    assert problems["closed"] == f"{tmp_path / 'closed'}: cannot be read (Permission denied)"
    assert "open" in problems


def test_a_log_that_may_not_be_read_is_not_told_as_one_that_cannot_be_written():
    said = r"log\.db: cannot be opened .*: it cannot be read, or cannot be written; see its permissions"
    with pytest.raises(RunDirectoryError, match=said), named_faults("log.db"):
        raise sqlite3.OperationalError("unable to open database file")


@pytest.mark.parametrize("name", [files.LOCK_NAME, "config.yaml.part"])
def test_a_link_by_the_name_of_a_leftover_is_not_followed_by_a_new_run(tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunDirectoryError, match="not empty"):
        files.choose_directory("x", tmp_path / "run")
    assert not (tmp_path / "elsewhere").exists()
