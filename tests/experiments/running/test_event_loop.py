"""An experiment runs where an event loop runs already, as in a notebook, and gives what it gives elsewhere."""

from __future__ import annotations

import asyncio

import pytest

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.event_loop import completed, outside_of_loops
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
