"""Changing a run from its live page: a form of ours becomes one line, which the run takes up at its next day."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import Note, SessionsWritten
from groundlings.experiments.running.live_requests import REQUESTS_NAME, LiveRequests
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import prepare
from groundlings.experiments.running.simulating import log_experiment, simulate
from groundlings.experiments.ui.changing import ask_for_change

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 12}},
    "simulation": {"days": 2},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4.0},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "random", "recommender": "random_order"}],
}


class Asking:
    """Calls back when the first day of the first arm is written."""

    def __init__(self, ask):
        self.ask, self.notes = ask, []

    def event(self, event):
        if isinstance(event, Note):
            self.notes.append(event.line)
        if isinstance(event, SessionsWritten) and self.ask is not None:
            ask, self.ask = self.ask, None
            ask()


def test_a_run_is_changed_from_its_page_and_says_so(tmp_path, serve) -> None:
    directory, config = tmp_path / "runs" / "watched", ExperimentConfig.model_validate(SMALL)
    directory.mkdir(parents=True)

    def ask():
        run = site.key("watched")
        assert "Change something" in site.get(f"{run}/live").text
        wanted = {"token": site.access.token, "kind": "withdraw", "value": "i1, i2", "day": "", "arm": "popular"}
        assert site.post(f"{run}/change", {**wanted, "token": "wrong"}).status == 404
        assert site.post(f"{run}/change", wanted, Origin="http://evil.example").status == 403
        refused = site.post(f"{run}/change", {**wanted, "value": "<b>no such"})
        assert refused.status == 400
        assert "the data set has no item &#39;&lt;b&gt;no such&#39;" in refused.text
        assert not (directory / REQUESTS_NAME).exists()
        assert site.post(f"{run}/change", wanted).status == 303

    async def whole(told):
        async with AsyncExitStack() as stack:
            plan = await prepare(config, stack)
            requests = LiveRequests(directory, plan, told)
            await simulate(plan, run_row(plan), directory / "log.db", told, requests=requests)

    told = Asking(ask)
    with serve(tmp_path / "runs") as site:
        asyncio.run(whole(told))
    said = "from day 2 on in popular: items i1, i2 withdrawn (asked for while it ran)"
    assert told.notes == [said]
    with serve(tmp_path / "runs") as site:  # one that has not looked yet
        assert said in site.get(f"{site.key('watched')}/live/panel").text


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A run that says it is at work; nobody is."""
    directory = tmp_path_factory.mktemp("logged")
    config = ExperimentConfig.model_validate(SMALL)
    log_experiment(config, directory / "log.db")
    with sqlite3.connect(directory / "log.db") as log:
        log.execute("UPDATE runs SET status = 'running'")
    return directory


@pytest.fixture
def running(logged, tmp_path):
    """A directory with it."""
    return Path(shutil.copytree(logged, tmp_path / "run"))


@pytest.mark.parametrize(
    ("kind", "value", "day", "told"),
    [
        ("site", "3", "", "which no run can be asked for"),
        ("page_size", "a few", "", "the value is a whole number"),
        ("page_size", "1000", "", "expected at most site.page_size"),
        ("withdraw", " , ", "", "withdraw: "),
        ("max_pages", "1", "9", "found 9, and the run has 2 days"),
        ("withdraw", "i1", "-2", "the day is a whole number"),
        ("withdraw", "no such item", "", "the data set has no item"),
        ("recommender", "os:system", "", "expected one of"),
    ],
)
def test_a_form_that_cannot_be_followed_asks_for_nothing(running, serve, kind, value, day, told) -> None:
    with serve(running) as site:
        form = {"token": site.access.token, "kind": kind, "value": value, "day": day, "arm": "popular"}
        answer = site.post(f"{site.key('run')}/change", form)
    assert (answer.status, told in answer.text) == (400, True)
    assert not (running / REQUESTS_NAME).exists()


def test_a_run_that_is_done_cannot_be_changed(site) -> None:
    form = {"token": site.access.token, "kind": "max_pages", "value": "1", "day": "", "arm": "popular"}
    assert site.post(f"{site.key('one')}/change", form).status == 404
    assert site.get(f"{site.key('one')}/change").status == 405


def test_a_link_in_the_place_of_the_file_is_not_followed(running, tmp_path) -> None:
    (running / REQUESTS_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunDirectoryError, match="cannot be written"):
        ask_for_change(running, ["popular"], "max_pages", "1", "")
    assert not (tmp_path / "elsewhere").exists()
    (running / REQUESTS_NAME).unlink()
    ask_for_change(running, ["popular"], "max_pages", "1", "2")
    assert json.loads((running / REQUESTS_NAME).read_text()) == {
        "arms": ["popular"],
        "site": {"max_pages": 1},
        "day": 2,
    }


@pytest.mark.parametrize("before", ['{"site": {"page_size": 3}}', '{"site": {"page_'])
def test_a_request_begins_a_line_of_its_own_whatever_stands_before_it(running, before) -> None:
    (running / REQUESTS_NAME).write_text(before)
    ask_for_change(running, ["popular"], "max_pages", "1", "2")
    first, second, end = (running / REQUESTS_NAME).read_text().split("\n")
    assert (first, json.loads(second)["site"], end) == (before, {"max_pages": 1}, "")


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(running) -> None:
    os.mkfifo(running / REQUESTS_NAME)
    with pytest.raises(RunDirectoryError, match="no plain file"):
        ask_for_change(running, ["popular"], "max_pages", "1", "2")


def test_an_arm_that_is_called_as_interleaving_calls_its_own_changes_alone(tmp_path) -> None:
    arms = [SMALL["arms"][0], {"name": "interleaved", "recommender": "random_order"}]
    log_experiment(ExperimentConfig.model_validate({**SMALL, "arms": arms}), tmp_path / "log.db")
    ask_for_change(tmp_path, ["interleaved"], "max_pages", "1", "2")
    assert json.loads((tmp_path / REQUESTS_NAME).read_text())["arms"] == ["interleaved"]
