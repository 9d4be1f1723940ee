"""Arms that other processes simulate ahead: the log says the same, whatever becomes of these processes."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from groundlings.experiments.running import arms_ahead, simulating
from groundlings.experiments.running.live_requests import LiveRequests, add_request
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.simulating import simulate
from groundlings.simulator.engines import beside
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME
from tests.experiments.running.test_engines import CASES, Listener, config_of, logged

ALONE = ("parallel", "returns and several sessions a day", "a shop")
TOGETHER = ("split with one log", "interleaving")
PROCESS = {"execution": {"engine": "process"}}


@pytest.fixture
def ahead(monkeypatch):
    """Has arms simulated ahead, however few their sessions are; the cohorts that were handed back, arm by arm."""
    found = {}

    def write(lived, log, on_sessions):
        found[lived[0][1]["arm"]] = len(lived)
        arms_ahead.write(lived, log, on_sessions)

    monkeypatch.setattr(arms_ahead, "FEWEST_SESSIONS", 1)
    monkeypatch.setattr(arms_ahead, "usable_cores", lambda: 3)
    monkeypatch.setattr(beside, "usable_cores", lambda: 3)
    monkeypatch.setattr(simulating, "write", write)
    return found


@pytest.mark.parametrize("case", ALONE)
def test_arms_that_are_simulated_ahead_make_the_same_log(case, ahead, tmp_path):
    assert logged(tmp_path / "ahead.db", **CASES[case]) == logged(tmp_path / LOG_NAME, **CASES[case], **PROCESS)
    assert [*ahead] == ["knn"]


@pytest.mark.parametrize("case", TOGETHER)
def test_arms_that_share_a_log_are_simulated_together(case, ahead, tmp_path):
    assert logged(tmp_path / LOG_NAME, **CASES[case])
    assert not ahead


def test_an_arm_that_no_process_hands_back_is_simulated_here(ahead, tmp_path, monkeypatch):
    monkeypatch.setattr(arms_ahead, "_lived", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    assert logged(tmp_path / "ahead.db") == logged(tmp_path / LOG_NAME, **PROCESS)
    assert not ahead


def test_nothing_that_was_simulated_ahead_is_written_once_somebody_has_asked_for_a_change(ahead, tmp_path):
    def digest(folder: Path, **changes) -> str:
        folder.mkdir()
        add_request(folder, {"withdraw": ["i1"], "arms": ["knn"], "day": 2})
        plan, listener = build_plan(config_of(**changes)), Listener()
        log = folder / LOG_NAME
        asyncio.run(simulate(plan, run_row(plan), log, listener, requests=LiveRequests(folder, plan, listener)))
        assert any("withdrawn" in line for line in listener.lines)
        with LogReader(log) as reader:
            return reader.digest()

    assert digest(tmp_path / "ahead") == digest(tmp_path / "process", **PROCESS)
    assert not ahead
