"""Replicates are made by one command: their pages show what it says, stop it, and go on with all of them."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from groundlings.experiments.archive.directory import write_json
from groundlings.experiments.running.live_file import LIVE_NAME, STOP_NAME
from groundlings.experiments.ui import resuming
from groundlings.experiments.ui.lingering import _runs_go
from groundlings.experiments.ui.resuming import OUTPUT_NAME, Resumptions

LIVE = {
    "process": 2**31 - 1, "started_at": 1.0, "written_at": 1.0, "note": "",
    "stages": [{"arms": "2/2 seed-4: popular", "sessions": 1, "likely_sessions": 5}], "sessions_per_second": 1.0,
}  # fmt: skip


def set_status(run: Path, status: str) -> None:
    connection = sqlite3.connect(run / "log.db")
    with connection:
        connection.execute("UPDATE runs SET status = ?", (status,))
    connection.close()


@pytest.fixture
def matrix(small_run, tmp_path):
    """Two replicates, of which the second one was at work."""
    whole = tmp_path / "runs" / "matrix"
    for name in ("seed-3", "seed-4"):
        shutil.copytree(small_run, whole / "cells" / name)
    (whole / "config.yaml").write_text("name: m\n")
    set_status(whole / "cells" / "seed-4", "running")
    return whole


@pytest.fixture
def started(monkeypatch):
    """Where commands were started; none is."""
    found: list[Path] = []

    class Process:
        def poll(self):
            return None

    monkeypatch.setattr(resuming, "resume_in_background", lambda directory: found.append(directory) or Process())
    return found


def test_a_replicate_at_work_is_watched_and_stopped_with_the_command_that_makes_it(matrix, serve) -> None:
    write_json(matrix / LIVE_NAME, LIVE | {"process": os.getpid()})
    assert _runs_go(matrix)
    with serve(matrix.parent) as site:
        run = site.key("matrix/cells/seed-4")
        page = site.get(f"{run}/live").text
        assert "2/2 seed-4: popular: 1 of about 5 sessions" in page
        assert "Stop this run" in page
        assert site.post(f"{run}/stop").status == 303
    assert (matrix / STOP_NAME).exists()
    assert not (matrix / "cells" / "seed-4" / STOP_NAME).exists()


def test_replicates_whose_command_was_killed_are_resumed_together_and_once(matrix, serve, started) -> None:
    write_json(matrix / LIVE_NAME, LIVE)
    assert not _runs_go(matrix)
    with serve(matrix.parent) as site:
        run = site.key("matrix/cells/seed-4")
        assert "killed" in site.get(f"{run}/live").text
        for _ in range(2):
            assert site.post(f"{run}/resume").status == 303
        assert started == [matrix]
        assert "was started here, and begins" in site.get(f"{run}/live/panel").text


def test_what_a_command_said_that_could_not_resume_stands_on_the_page(small_run, tmp_path, serve) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "runs" / "stopped"))
    set_status(run, "interrupted")
    (run / OUTPUT_NAME).write_text("x" * 10_000 + "\nerror  the data is gone <b>\x1b[31m; correct the path\n")
    with serve(run.parent) as site:
        page = site.get(f"{site.key('stopped')}/live").text
        assert "error  the data is gone &lt;b&gt;\\x1b[31m; correct the path" in page
        assert page.count("x" * 1_000) <= 4
        set_status(run, "done")
        assert "correct the path" not in site.get(f"{site.key('stopped')}/live").text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_of_what_a_command_said_nothing_is_read_elsewhere_or_waited_for(tmp_path) -> None:
    (tmp_path / "secret").write_text("mine")
    (tmp_path / OUTPUT_NAME).symlink_to(tmp_path / "secret")
    assert Resumptions().of(tmp_path).said == ""
    (tmp_path / OUTPUT_NAME).unlink()
    os.mkfifo(tmp_path / OUTPUT_NAME)
    assert Resumptions().of(tmp_path).said == ""
