"""From a plan to a log: what is announced, what a log that exists is asked, and what is left open."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from groundlings.environments.errors import ConfigError
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import ArmBegins, SessionsWritten
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import prepare
from groundlings.experiments.running.simulating import CutShort, log_experiment, simulate
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.log.digest import digest
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME, open_log

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 2, "concurrency": 1},
    "mind": {"kind": "scripted", "click": [0]},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}


class Listener:
    """Keeps what it is told."""

    def __init__(self):
        self.events = []

    def event(self, event):
        self.events.append(event)


@pytest.fixture
def simulated(tmp_path):
    """Simulate a configuration into the log of this test; gives what was announced and what was left open."""

    def into(**changes):
        config = ExperimentConfig.model_validate({**SMALL, **changes})
        listener, cut_short = Listener(), []

        async def whole():
            async with AsyncExitStack() as stack:
                plan = await prepare(config, stack)
                await simulate(plan, run_row(plan), tmp_path / LOG_NAME, listener, cut_short)

        with suppress(ZeroDivisionError):
            asyncio.run(whole())
        return listener.events, cut_short

    return into


def test_each_arm_is_announced_with_its_sessions_and_every_session_is_counted(simulated):
    events, cut_short = simulated()
    assert [event for event in events if isinstance(event, ArmBegins)] == [
        ArmBegins("popular", 40),
        ArmBegins("knn", 40),
    ]
    assert sum(event.count for event in events if isinstance(event, SessionsWritten)) == 80
    assert cut_short == []


def test_arms_that_share_a_log_are_announced_together_with_the_sessions_that_they_share(simulated):
    events, _ = simulated(design={"kind": "split", "log": "shared"})
    assert [event for event in events if isinstance(event, ArmBegins)] == [ArmBegins("popular, knn", 40)]


def test_sessions_that_an_error_leaves_open_are_named_by_arm_day_and_user(simulated, tmp_path, monkeypatch):
    state, days = PopularRecommender.state, []

    def failing(recommender):
        days.append(recommender)
        return state(recommender)

    rank = PopularRecommender.rank

    def failing_rank(recommender, request):
        if len(days) == 2:
            raise ZeroDivisionError
        return rank(recommender, request)

    monkeypatch.setattr(PopularRecommender, "state", failing)
    monkeypatch.setattr(PopularRecommender, "rank", failing_rank)
    _, cut_short = simulated()
    users = LogReader(tmp_path / LOG_NAME).user_ids()
    assert cut_short[0] == CutShort("popular", 1, users[0])
    assert {(each.arm, each.day) for each in cut_short} == {("popular", 1)}
    assert {each.user_id for each in cut_short} <= set(users)


def test_a_log_of_the_same_run_is_left_as_it_is_and_one_of_another_run_is_refused(simulated, tmp_path):
    simulated()
    before = digest(open_log(tmp_path / LOG_NAME))
    events, _ = simulated()
    assert not [event for event in events if isinstance(event, ArmBegins)]
    assert digest(open_log(tmp_path / LOG_NAME)) == before
    with pytest.raises(ConfigError, match="another configuration"):
        simulated(seed=4)


def test_a_log_alone_holds_what_a_run_in_a_directory_would(simulated, tmp_path):
    simulated()
    log_experiment(ExperimentConfig.model_validate(SMALL), tmp_path / "alone.db")
    assert digest(open_log(tmp_path / "alone.db")) == digest(open_log(tmp_path / LOG_NAME))
