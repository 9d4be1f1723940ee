"""Killed at any instant, a run comes back and ends as if nothing had happened."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.writer import LogWriter

pytestmark = pytest.mark.usefixtures("quick_report")

POINTS = int(os.environ.get("CRASH_POINTS", "7"))
"""Kills of the crash matrix, a multiple of its seven phases; `make kills` asks for 63."""

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 2},
    "mind": "behavioural",
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return load_config(path)


@pytest.fixture
def interrupted(config, tmp_path, monkeypatch):
    """A run that ended after three cohorts; its directory."""
    write, count = LogWriter.write, 0

    def failing(self, *arguments, **named):
        nonlocal count
        count += 1
        if count == 3:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            run_experiment(config, tmp_path / "run")
    return tmp_path / "run"


def test_the_crash_matrix(tmp_path):
    """POINTS kills, spread over every phase of a run, each resumed to the digest of the run that nobody killed."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("crash_matrix.py"), tmp_path, str(POINTS)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    killed = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(killed) == POINTS
    assert [each for each in killed if each["resumed"] != each["whole"]] == []
    assert [each for each in killed if ":" not in each["where"]] == [], "every run was killed"
    assert min(Counter(each["phase"] for each in killed).values()) == POINTS // 7


def test_an_interrupted_run_says_so_and_ends_like_an_uninterrupted_one(config, interrupted, tmp_path):
    with sqlite3.connect(interrupted / "log.db") as log:
        assert log.execute("SELECT status FROM runs").fetchone() == ("interrupted",)
    whole = run_experiment(config, tmp_path / "whole")
    assert resume_experiment(interrupted).digest == whole.digest
    with sqlite3.connect(interrupted / "log.db") as log:
        assert log.execute("SELECT status, count(*) FROM runs").fetchone() == ("done", 1)


def test_resuming_a_finished_run_changes_nothing(config, tmp_path):
    outcome = run_experiment(config, tmp_path / "run")
    before = (outcome.directory / "summary.json").read_text()
    assert resume_experiment(outcome.directory).digest == outcome.digest
    assert (outcome.directory / "summary.json").read_text() == before


def test_a_second_process_on_the_same_run_is_refused(interrupted):
    with FileLock(interrupted / ".lock"), pytest.raises(RunDirectoryError, match="another process"):
        resume_experiment(interrupted)


def test_another_configuration_is_not_mixed_in(interrupted):
    content = yaml.safe_load((interrupted / "config.yaml").read_text())
    content["seed"] += 1
    (interrupted / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match="another configuration"):
        resume_experiment(interrupted)
    with sqlite3.connect(interrupted / "log.db") as log:
        assert log.execute("SELECT status FROM runs").fetchone() == ("interrupted",)
        assert log.execute("SELECT count(*) FROM sessions").fetchone() == (40,)


def test_a_damaged_log_is_explained_and_left_as_it_is(interrupted):
    log = interrupted / "log.db"
    content = bytearray(log.read_bytes())
    content[4096 * 5 : 4096 * 12] = b"\xa5" * 4096 * 7
    log.write_bytes(content)
    with pytest.raises(RunDirectoryError, match=r"damaged|not a readable SQLite"):
        resume_experiment(interrupted)
    assert log.read_bytes() == content


def resumed_in_a_process(run: Path, prepare) -> subprocess.CompletedProcess[str]:
    """`groundlings run --resume`, in a process that something is done to first."""
    code = "import sys; from groundlings.experiments.cli.main import main; sys.argv[0] = 'groundlings'; main()"
    arguments = [sys.executable, "-c", code, "run", "--resume", run]
    return subprocess.run(arguments, preexec_fn=prepare, capture_output=True, text=True)


def test_a_disk_that_fills_up_while_resuming_is_one_message_and_the_run_goes_on_later(config, interrupted, tmp_path):
    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = resumed_in_a_process(interrupted, small_disk)
    assert done.returncode == 2, done.stderr
    assert f"{interrupted}/log.db: the disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error ") == 1, done.stderr
    assert resume_experiment(interrupted).digest == run_experiment(config, tmp_path / "whole").digest


def test_a_read_only_directory_while_resuming_is_one_message_and_the_run_goes_on_later(config, interrupted, tmp_path):
    def without_privileges():
        """Root writes whatever the permissions say, unless it gives CAP_DAC_OVERRIDE away (PR_CAPBSET_DROP)."""
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)

    before = {path.name: path.read_bytes() for path in interrupted.iterdir()}
    interrupted.chmod(0o500)
    try:
        done = resumed_in_a_process(interrupted, without_privileges)
    finally:
        interrupted.chmod(0o700)
    assert done.returncode == 2, done.stderr
    assert f"{interrupted}: cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in interrupted.iterdir()} == before
    assert resume_experiment(interrupted).digest == run_experiment(config, tmp_path / "whole").digest


@pytest.mark.parametrize("content", [{}, {"log.db": ""}])
def test_what_was_never_begun_cannot_be_resumed(tmp_path, content):
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(RunDirectoryError, match="has begun"):
        resume_experiment(tmp_path)
