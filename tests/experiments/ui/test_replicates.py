"""Replicates are made by one command: their pages show what it says, stop it, and go on with all of them."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urljoin

import pytest

from groundlings.experiments.analysis.answer.file import sealed
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
def drawn(matrix):
    """Both are done, and the page of both is there."""
    set_status(matrix / "cells" / "seed-4", "done")
    links = "".join(f'<a href="cells/{name}/report.html">{name}</a>' for name in ("seed-3", "seed-4", "none"))
    (matrix / "report.html").write_text(f"<!doctype html><title>both</title>{links}")
    write_json(matrix / "answer.json", sealed(matrix, {"sentence": "In both, <b>A</b> leads.", "winner": "A"}))
    return matrix


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


def test_a_matrix_stands_above_its_runs_and_its_page_leads_to_theirs(drawn, serve) -> None:
    with serve(drawn.parent) as site:
        index = site.get("/").text
        names = re.findall(r'href="/runs/[a-z0-9-]+/">([^<]+)<', index)
        assert names == ["matrix", "matrix/cells/seed-3", "matrix/cells/seed-4"]
        assert index.count('type="checkbox"') == 2, "a matrix has no log that could be compared"
        assert "In both, &lt;b&gt;A&lt;/b&gt; leads." in index
        opened = site.get(f"{site.key('matrix')}/")
        assert (opened.status, opened.headers["location"]) == (303, f"{site.key('matrix')}/report.html")
        *links, missing = re.findall(r'href="(cells/[^"]+)"', site.get(opened.headers["location"]).text)
        led = [site.get(urljoin(opened.headers["location"], link)) for link in links]
        assert [each.status for each in led] == [303, 303]
        assert [each.headers["location"] for each in led] == [
            f"{site.key(f'matrix/cells/seed-{seed}')}/" for seed in (3, 4)
        ]
        for nowhere in (missing, "cells/%2e%2e/report.html", "live", "sql", "people", "files/config.txt"):
            assert site.get(urljoin(opened.headers["location"], nowhere)).status == 404, nowhere
        assert site.get(f"{site.key('matrix/cells/seed-3')}/cells/seed-3/report.html").status == 404


def test_a_matrix_is_as_far_as_the_least_of_its_runs(drawn, serve) -> None:
    set_status(drawn / "cells" / "seed-3", "failed")
    with serve(drawn) as site:
        assert site.get(f"{site.key('matrix')}/report.html").status == 200
        row = next(row for row in site.get("/").text.split("<tr ") if "all of its runs together" in row)
    assert "status failed" in row


def test_the_page_of_a_matrix_that_leads_elsewhere_is_not_followed(drawn, tmp_path, serve) -> None:
    (drawn / "report.html").unlink()
    (drawn / "report.html").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("not for the web")
    with serve(drawn.parent) as site:
        assert "all of its runs together" not in site.get("/").text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_of_what_a_command_said_nothing_is_read_elsewhere_or_waited_for(tmp_path) -> None:
    (tmp_path / "secret").write_text("mine")
    (tmp_path / OUTPUT_NAME).symlink_to(tmp_path / "secret")
    assert Resumptions().of(tmp_path).said == ""
    (tmp_path / OUTPUT_NAME).unlink()
    os.mkfifo(tmp_path / OUTPUT_NAME)
    assert Resumptions().of(tmp_path).said == ""


def test_two_servers_resume_a_run_once_and_keep_what_the_command_says(tmp_path, monkeypatch) -> None:
    waiting = ["-c", "print('going on', flush=True); import time; time.sleep(600)"]
    started = []

    def start(command, **options):
        started.append(subprocess.Popen([sys.executable, *waiting], **options))
        return started[-1]

    monkeypatch.setattr(resuming, "subprocess", SimpleNamespace(Popen=start, DEVNULL=subprocess.DEVNULL, STDOUT=-2))
    (tmp_path / "config.yaml").write_text("name: x")
    servers = Resumptions(), Resumptions()
    try:
        for server in servers:
            server.begin(tmp_path)
            assert server.of(tmp_path).going
        assert len(started) == 1
        while servers[1].of(tmp_path).said != "going on":
            time.sleep(0.01)
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert not servers[1].of(tmp_path).going
    assert servers[1].of(tmp_path).said == "going on"
