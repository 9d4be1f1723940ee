"""An experiment runs where an event loop runs already, as in a notebook, and gives what it gives elsewhere."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.event_loop import completed, outside_of_loops, told_while_stopping
from groundlings.experiments.running.events import SessionsWritten
from groundlings.experiments.running.run import resume_experiment, run_experiment

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 20, "interactions_per_user": 6}},
    "site": {"page_size": 3, "max_pages": 2},
    "mind": {"kind": "language", "model": {"provider": "scripted"}},
    "arms": [{"name": "popular", "recommender": "popular"}],
}


@pytest.fixture(autouse=True)
def _no_report(monkeypatch):
    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda *_: None)


def test_a_run_in_a_running_loop_is_the_run_outside_of_one(tmp_path):
    config = ExperimentConfig.model_validate(SMALL)
    outside = run_experiment(config, tmp_path / "outside")

    async def cell():
        inside = run_experiment(config, tmp_path / "inside")
        return inside.digest, resume_experiment(inside.directory).digest

    assert asyncio.run(cell()) == (outside.digest, outside.digest)


def test_an_error_comes_out_as_it_is_and_progress_is_heard():
    class Interrupted(Exception):
        pass

    heard = []

    class Listening:
        def event(self, event):
            heard.append(event)

    def work(progress):
        progress.event(SessionsWritten(1))
        raise Interrupted

    async def cell():
        outside_of_loops(work, Listening())

    with pytest.raises(Interrupted):
        asyncio.run(cell())
    assert heard == [SessionsWritten(1)]


class Unwritten:
    """What takes long to write out, and so never is."""

    def __repr__(self) -> str:
        raise AssertionError("written out")


def test_what_a_loop_returns_is_not_written_out():
    async def work():
        return Unwritten()

    assert isinstance(completed(work()), Unwritten)


@pytest.mark.parametrize("hangs", [True, False])
def test_who_presses_ctrl_c_is_told_what_is_waited_for_where_it_takes_a_while(monkeypatch, hangs):
    monkeypatch.setattr("groundlings.experiments.running.event_loop._PATIENCE_SECONDS", 0.01 if hangs else 60)
    heard = []

    class Listening:
        def event(self, event):
            heard.append(event.line)

    async def work():
        with told_while_stopping(Listening()):
            signal.raise_signal(signal.SIGINT)
            for _ in range(500):
                if heard or not hangs:
                    break
                time.sleep(0.01)
            await asyncio.sleep(60)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            completed(work())
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert [said.partition(":")[0] for said in heard] == ["stopping"] * hangs
