"""A real run is watched, stopped and resumed from its page, and ends as if nobody had."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest
import yaml

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.inventory import UNREADABLE
from groundlings.experiments.running.live_file import LiveState, Stage, read_live
from groundlings.experiments.ui.live import LiveView
from groundlings.experiments.ui.overview import Overview
from groundlings.experiments.ui.run_shelf import shelved_runs
from groundlings.simulator.log.reader import LogReader

CODE = "import sys; from groundlings.experiments.cli.main import main; sys.argv[0] = 'groundlings'; main()"
LONG = {
    "name": "long",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 60}},
    "simulation": {"days": 5000},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4.0},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "random", "recommender": "random_order"}],
}


def until(found, seconds: float = 240.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError("nothing came")


@pytest.fixture
def begun(tmp_path):
    """A run in a process of its own; its process."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "long.yaml").write_text(yaml.safe_dump(LONG))
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "run", "long.yaml", "--out", "runs/watched", "--quiet"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("before", ["", "2/3 watched: "])
def test_the_arms_that_are_over_are_known_whatever_their_names_hold(before):
    view = LiveView(None, None, "", arms=("a, b", "a", "b"))
    stages = tuple(Stage(f"{before}{arms}", 1, 1) for arms in ("a, b, a", "b"))
    state = LiveState(1, 0.0, 0.0, stages=stages)
    assert view.changeable(state, "watched") == ("b",)
    assert [view.several(stage, "watched") for stage in stages] == [True, False]
    assert view.changeable(state, "another") == (("a, b", "a", "b") if before else ("b",))


def test_a_log_that_could_not_be_read_once_is_looked_at_again(small_run, monkeypatch):
    """A database server may be away for a while, and no file beside the log says that it is back."""
    overview, (run,) = Overview(small_run), shelved_runs(small_run)
    with monkeypatch.context() as away:
        away.setattr("groundlings.experiments.ui.overview.LogReader", refused)
        assert overview.row(run).status == UNREADABLE
    assert overview.row(run).status == "done"


def refused(*_: object) -> None:
    raise RunDirectoryError("the server is away")


def test_a_run_is_watched_stopped_and_resumed_from_its_page_and_not_called_running_once_it_was_killed(
    begun, tmp_path, serve
) -> None:
    directory = tmp_path / "runs" / "watched"
    state = until(lambda: read_live(directory))
    until(lambda: (found := read_live(directory)) and found.stages and found.stages[0].sessions)
    with serve(tmp_path / "runs") as site:
        run = site.key("watched")
        page = site.get(f"{run}/live").text
        assert state.process == begun.pid
        assert "Stop this run" in page
        assert re.search(r"(popular|random): [\d,]+ of about [\d,]+ sessions", page)
        until(lambda: "likes so far" in (text := site.get(f"{run}/live/panel").text) or "so far</h2>" in text)
        assert site.post(f"{run}/stop").status == 303
        _, told = begun.communicate(timeout=240)
        assert begun.returncode == 143, told
        assert "Traceback" not in told
        page = site.get(f"{run}/live").text
        assert "interrupted" in page
        assert "Resume this run" in page
        assert read_live(directory) is None
        with LogReader(directory) as log:
            assert log.run()["status"] == "interrupted"
        assert site.post(f"{run}/resume").status == 303
        resumed = until(lambda: read_live(directory))
        assert resumed.process != begun.pid
        until(lambda: (found := read_live(directory)) and found.stages)
        assert "killed" not in site.get("/").text
        os.kill(resumed.process, signal.SIGKILL)
        until(lambda: "killed" in site.get("/").text)
        page = site.get(f"{run}/live").text
        assert "Resume this run" in page, page
