"""What a killed export has left is named, and removed by the next one of that name; nothing else is."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from filelock import FileLock
from typer.testing import CliRunner

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.cli.exports import export as export_command
from groundlings.experiments.cli.runs import list_runs
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.exports.folders import abandoned_drafts, new_directory
from groundlings.experiments.exports.synthesis import synthesise

KILLED = """
import os, signal, sys
from pathlib import Path
from groundlings.experiments.exports.folders import new_directory
with new_directory(Path(sys.argv[1])) as draft:
    (draft / "half.csv").write_text("half")
    print(draft, flush=True)
    if sys.argv[2] == "wait":
        sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(out: Path) -> Path:
    """The draft that an export to `out` leaves when it is killed."""
    done = subprocess.run([sys.executable, "-c", KILLED, out, "now"], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def said():
    """What a command prints."""

    def ran(command, *arguments: object) -> str:
        app = typer.Typer()
        app.command()(command)
        done = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})
        assert done.exit_code == 0, done.output
        return done.output

    return ran


def test_it_is_named_and_goes_with_the_next_export_of_that_name(small_run, tmp_path, said):
    draft, other = killed(tmp_path / "out"), killed(tmp_path / "out.more")
    assert "no runs" in said(list_runs, "--dir", tmp_path)
    listed = said(list_runs, "--dir", tmp_path)
    assert listed.count("left by an export that was killed") == 2
    assert str(draft) in listed
    printed = said(export_command, small_run, "--format", "lenskit", "--out", tmp_path / "out")
    assert f"removed    {draft}" in printed
    assert not draft.exists()
    assert other.is_dir(), "of another name"
    assert not (tmp_path / "out" / ".lock").exists()
    assert not (tmp_path / "out" / "half.csv").exists()


def test_one_whose_lock_cannot_be_made_is_not_left(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FileLock, "acquire", full)
    with pytest.raises(RunDirectoryError, match="cannot be made"), new_directory(tmp_path / "out"):
        pass
    assert not any(tmp_path.iterdir())


def test_one_without_a_lock_goes_after_a_day(tmp_path):
    old, new = tmp_path / ".out.a.groundlings-draft", tmp_path / ".out.b.groundlings-draft"
    for draft in (old, new):
        draft.mkdir()
    os.utime(old, (0, 0))
    assert abandoned_drafts(tmp_path) == [old]
    with new_directory(tmp_path / "out"):
        pass
    assert sorted(tmp_path.iterdir()) == [new, tmp_path / "out"]


def test_what_is_being_written_and_what_others_have_made_is_left_alone(small_run, tmp_path, said):
    others = [tmp_path / ".out.backup", tmp_path / ".out.abcd1234", tmp_path / ".out.x.groundlings-draft"]
    for other in others:
        other.mkdir()
        (other / "mine.txt").write_text("mine")
    writing = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "out", "wait"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        draft = Path(writing.stdout.readline().strip())
        assert "left by" not in said(list_runs, "--dir", tmp_path)
        export_run(small_run, "lenskit", tmp_path / "out")
        assert (draft / "half.csv").is_file()
        assert all((other / "mine.txt").is_file() for other in others)
    finally:
        os.kill(writing.pid, signal.SIGKILL)
        writing.communicate()


@pytest.mark.parametrize(("out", "log"), [("o", "o"), ("o", "o/log"), ("o/data", "o"), ("o", "./o/../o")])
def test_a_run_that_is_kept_and_its_export_lie_apart(tmp_path, out, log):
    arms = [{"name": "popular", "recommender": "popular"}]
    config = ExperimentConfig.model_validate(
        {"name": "s", "seed": 1, "dataset": {"name": "toy"}, "mind": "scripted", "arms": arms}
    )
    with pytest.raises(RunDirectoryError, match="neither lies in the other"):
        synthesise(config, "lenskit", tmp_path / out, tmp_path / log)
    assert not any(tmp_path.iterdir())
