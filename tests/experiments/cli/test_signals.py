"""Whoever stops a run by a signal finds it interrupted, as after Ctrl-C; and what else may befall one at work."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
import yaml

CODE = "import sys; from groundlings.experiments.cli.main import main; sys.argv[0] = 'groundlings'; main()"
LONG = {
    "name": "long",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 300}},
    "simulation": {"days": 5000},
    "mind": {"kind": "scripted"},
    "arms": [{"name": "random", "recommender": "random_order"}],
    "log": {"store": "sqlite"},  # which the tests look into while it is written
}


@pytest.fixture
def running(tmp_path):
    """Starts a run and waits until something of it is in the log."""
    processes = []

    def started(prepare=None, **changes) -> subprocess.Popen[str]:
        (tmp_path / "long.yaml").write_text(yaml.safe_dump({**LONG, **changes}))
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, "run", "long.yaml", "--out", "run"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=prepare,
        )
        processes.append(process)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not asked(tmp_path, "SELECT count(*) FROM runs"):
            time.sleep(0.05)
        return process

    yield started
    for process in processes:
        process.kill()
        process.wait()


def asked(folder, sql):
    """The answer of the log, 0 where there are no tables yet."""
    try:
        with sqlite3.connect(f"file:{folder}/run/log.db?mode=ro", uri=True) as log:
            return log.execute(sql).fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def stopped_by(name, code, process, folder):
    """The run ended by a signal as it does by Ctrl-C."""
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1] == f"stopped by {name}"
    assert "groundlings run --resume run" in stderr
    assert asked(folder, "SELECT status FROM runs") == "interrupted"


def test_a_signal_ends_a_run_as_ctrl_c_does(running, tmp_path):
    process = running(lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
    process.send_signal(signal.SIGHUP)
    stopped_by("SIGHUP", 129, process, tmp_path)


def test_what_is_ignored_stays_ignored_and_does_not_stand_in_the_way_of_others(running, tmp_path):
    """As `nohup groundlings run ... &` starts it: a terminal that closes, or Ctrl-C in it, ends nothing."""

    def in_the_background():
        for each in (signal.SIGHUP, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)

    process = running(in_the_background)
    before = asked(tmp_path, "SELECT count(*) FROM sessions")
    process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and asked(tmp_path, "SELECT count(*) FROM sessions") == before:
        time.sleep(0.05)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    stopped_by("SIGTERM", 143, process, tmp_path)


def test_a_directory_that_is_removed_under_a_run_is_one_message(running, tmp_path):
    process = running(simulation={"days": 40})
    shutil.rmtree(tmp_path / "run")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2, stderr
    (line,) = stderr.splitlines()
    assert line.startswith("error run: the directory of this run was removed")


def test_a_second_signal_ends_a_run_that_hangs_at_once(running, tmp_path):
    (tmp_path / "hanging.py").write_text(
        "import pathlib, time\nfrom groundlings.personas.minds.scripted import ScriptedMind, ScriptedOptions\n"
        "class Mind(ScriptedMind):\n    def __init__(self):\n        super().__init__(ScriptedOptions())\n"
        "    async def decide(self, situation):\n        pathlib.Path('hangs').touch()\n        time.sleep(600)\n"
    )
    process = running(mind={"kind": "hanging:Mind"})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (tmp_path / "hangs").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == -signal.SIGTERM
