"""A real run is watched, stopped and resumed from its page, and ends as if nobody had."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
import yaml

from groundlings.experiments.running.live_file import read_live
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


def test_a_run_is_watched_stopped_and_resumed_from_its_page(begun, tmp_path, serve) -> None:
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
        assert site.post(f"{run}/stop").status == 303
        until(lambda: read_live(directory) is None)


def test_a_run_whose_process_was_killed_is_not_called_running(begun, tmp_path, serve) -> None:
    directory = tmp_path / "runs" / "watched"
    until(lambda: (found := read_live(directory)) and found.stages)
    begun.kill()
    begun.wait()
    with serve(tmp_path / "runs") as site:
        until(lambda: "killed" in site.get("/").text)
        page = site.get(f"{site.key('watched')}/live").text
        assert "Resume this run" in page, page
