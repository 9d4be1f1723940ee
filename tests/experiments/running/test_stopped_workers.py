"""A worker process that somebody stops holds a run up, which says whom it waits for and what to do."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from groundlings.simulator.engines import pool as pools
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME
from tests.experiments.running.test_engines import Listener, config_of, logged, pool, simulated

DROWSY = """
import os, signal
from pathlib import Path
from groundlings.recommenders.popular import PopularRecommender

class Drowsy(PopularRecommender):
    '''Stops its process once, which is not this one.'''

    def recommend(self, request):
        trap = Path({trap!r})
        if 5 in request.users and os.getpid() != {parent} and trap.exists():
            trap.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)
        return super().recommend(request)
"""


class Waking(Listener):
    """Does with a worker what the note says."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def event(self, event):
        before = len(self.lines)
        super().event(event)
        for line in self.lines[before:]:
            if found := re.search(r"worker process (\d+) is stopped, and the run waits", line):
                os.kill(int(found[1]), self.number)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not say which process is stopped")
@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGKILL])
def test_a_stopped_worker_is_named_and_the_run_goes_on_after_it_did_or_was_ended(number, module, tmp_path, monkeypatch):
    monkeypatch.setattr(pools, "_LOOKS_SECONDS", 0.05)
    trap = tmp_path / "trap"
    name = module(DROWSY.format(trap=str(trap), parent=os.getpid()))
    arms = [{"name": "drowsy", "recommender": f"{name}:Drowsy"}]
    whole, waking = logged(tmp_path / "whole.db", arms=arms), Waking(number)
    trap.touch()
    simulated(tmp_path / LOG_NAME, config_of(arms=arms, execution=pool()), waking)
    with LogReader(tmp_path / LOG_NAME) as log:
        assert log.digest() == whole
    named, *others = waking.lines
    assert named.startswith("arm drowsy, day 1: worker process ")
    assert len(others) == (number == signal.SIGKILL)
