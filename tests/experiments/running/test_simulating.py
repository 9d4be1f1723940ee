"""From a plan to a log: what is announced, what a log that exists is asked, and what is left open."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, contextmanager, suppress

import pytest

from groundlings.environments.errors import ConfigError, TooMuchUnreadable
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import ArmBegins, Note, SessionsWritten
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import prepare
from groundlings.experiments.running.simulating import CutShort, log_experiment, simulate
from groundlings.personas.minds.earlier_days import EarlierDays
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.interventions import Intervention
from groundlings.simulator.log.begun import Change, begun_in
from groundlings.simulator.log.digest import digest
from groundlings.simulator.log.parquet import ParquetStore
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME, open_log, store_at
from groundlings.simulator.log.writer import LogWriter

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

    def into(accept=None, **changes):
        config = ExperimentConfig.model_validate({**SMALL, **changes})
        listener, cut_short = Listener(), []
        further = {} if accept is None else {"accept": accept}

        async def whole():
            async with AsyncExitStack() as stack:
                plan = await prepare(config, stack)
                await simulate(plan, run_row(plan), tmp_path / LOG_NAME, listener, cut_short, **further)

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


@pytest.mark.parametrize("misdeeds", [[], ["unreadable", "none"]])
def test_what_is_told_of_impressions_and_clicks_is_what_the_log_knows_of_them(simulated, tmp_path, misdeeds):
    events, _ = simulated(mind={"kind": "scripted", "click": [0], "misdeeds": misdeeds, "max_unreadable": 1})
    told = {"popular": (0, 0), "knn": (0, 0)}
    for event in events:
        if isinstance(event, SessionsWritten):
            shown, clicked = told[event.arm]
            told[event.arm] = shown + event.impressions, clicked + event.clicks
    counted = LogReader(tmp_path / LOG_NAME).query(
        "SELECT name, count(clicked) AS known, sum(clicked) AS clicks FROM impressions JOIN sessions USING (session_id)"
        " JOIN arms USING (arm_id) GROUP BY name"
    )
    assert told == {row.name: (row.known, row.clicks) for row in counted.itertuples(index=False)}
    assert 0 < told["popular"][1] < told["popular"][0]


def test_each_arm_is_handed_over_by_name_with_the_recommender_that_it_was_given(tmp_path):
    looked = []

    async def look(name, recommender):
        looked.append((name, recommender))

    async def whole():
        async with AsyncExitStack() as stack:
            plan = await prepare(ExperimentConfig.model_validate(SMALL), stack)
            arms = [(arm.name, arm.recommender) for stage in plan.stages for arm in stage]
            await simulate(plan, run_row(plan), tmp_path / LOG_NAME, after_first_fit=look)
        return arms

    assert asyncio.run(whole()) == looked
    assert [name for name, _ in looked] == ["popular", "knn"]


def test_arms_that_share_a_log_are_announced_together_with_the_sessions_that_they_share(simulated):
    events, _ = simulated(design={"kind": "split", "log": "shared"})
    assert [event for event in events if isinstance(event, ArmBegins)] == [ArmBegins("popular, knn", 40)]


@pytest.mark.parametrize("counts", [True, False])
def test_what_was_shown_is_read_again_for_a_mind_that_counts_it_and_for_no_other(simulated, monkeypatch, counts):
    asked, resume = [], LogWriter.resume
    monkeypatch.setattr(EarlierDays, "counts_shown", lambda _: counts)
    monkeypatch.setattr(
        LogWriter, "resume", lambda log, *given, **named: asked.append(named) or resume(log, *given, **named)
    )
    simulated(mind="behavioural")
    assert [named["lists"] for named in asked] == [counts]


@pytest.fixture
def stops_on_day_2(monkeypatch):
    """Have the popular recommender fail on the second day, until the context ends."""
    state, rank, days = PopularRecommender.state, PopularRecommender.rank, []

    def counted(recommender):
        days.append(recommender)
        return state(recommender)

    def failing(recommender, request):
        if len(days) == 2:
            raise ZeroDivisionError
        return rank(recommender, request)

    @contextmanager
    def until():
        with monkeypatch.context() as patched:
            patched.setattr(PopularRecommender, "state", counted)
            patched.setattr(PopularRecommender, "rank", failing)
            yield

    return until


def test_sessions_that_an_error_leaves_open_are_named_by_arm_day_and_user(simulated, tmp_path, stops_on_day_2):
    with stops_on_day_2():
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


def asking(tokens):
    return {"mind": {"kind": "language", "model": {"provider": "scripted", "max_tokens": tokens}}, "arms": ONE}


ONE = [{"name": "popular", "recommender": "popular"}]
CHANGED = "config.mind.model.max_tokens: 160 when it began, 320 now"


def test_a_run_that_has_changed_goes_on_only_if_that_is_accepted_and_its_log_says_so(
    simulated, tmp_path, stops_on_day_2
):
    with stops_on_day_2():
        simulated(**asking(160))
    with pytest.raises(ConfigError, match=CHANGED):
        simulated(**asking(320))
    events, _ = simulated(accept=True, **asking(320))
    said = f"accepted: from here on this run is another experiment than it began as: {CHANGED}"
    assert [event for event in events if isinstance(event, Note)] == [Note(said)]
    begun = begun_in(store_at(tmp_path / LOG_NAME))
    assert begun.accepted == (Change("config.mind.model.max_tokens", "160", "320"),)
    assert len(LogReader(tmp_path / LOG_NAME).sessions()) == 40, "what was logged before is not repeated"
    events, _ = simulated(**asking(640))
    (note,) = events
    assert note.line.endswith("320 when it began, 640 now; the run was finished before, and its log is as it was")


def test_a_run_that_loses_too_many_pages_stops_and_says_why_however_often_it_is_started(simulated, tmp_path):
    silent = {"kind": "scripted", "misdeeds": ["unreadable"], "max_unreadable": 0.4}
    told = (
        r"20 of 20 pages unreadable: no failed call in the log 20; .* The run stopped: 20 of 20 pages are lost "
        r"\(100 %\); mind.max_unreadable allows 40 %. Everything decided so far is kept"
    )
    for _ in range(2):
        with pytest.raises(TooMuchUnreadable, match=told):
            simulated(mind=silent, arms=ONE, simulation={"days": 1})
        assert not begun_in(store_at(tmp_path / LOG_NAME)).done
    events, _ = simulated(mind={**silent, "max_unreadable": 1}, arms=ONE, simulation={"days": 1})
    assert events == [ArmBegins("popular", 20), SessionsWritten(20, "popular")]
    assert begun_in(store_at(tmp_path / LOG_NAME)).done


def test_a_run_whose_lost_pages_are_within_the_limit_is_finished(simulated, tmp_path):
    some = {"kind": "scripted", "misdeeds": ["unreadable", "none"], "max_unreadable": 0.5}
    simulated(mind=some, arms=ONE, simulation={"days": 1})
    assert begun_in(store_at(tmp_path / LOG_NAME)).done


def test_a_log_alone_holds_what_a_run_in_a_directory_would(simulated, tmp_path):
    simulated()
    log_experiment(ExperimentConfig.model_validate(SMALL), tmp_path / "alone.db")
    assert digest(open_log(tmp_path / "alone.db")) == digest(open_log(tmp_path / LOG_NAME))


def test_files_that_a_killed_run_left_are_named_when_it_goes_on(tmp_path):
    config = ExperimentConfig.model_validate(SMALL)
    place, listener = ParquetStore(tmp_path / LOG_NAME), Listener()
    log_experiment(config, place)
    next((tmp_path / "parts").rglob("*.parquet")).with_name("000099.parquet").write_bytes(b"half")
    log_experiment(config, place, listener)
    assert [event.line for event in listener.events if isinstance(event, Note)] == [
        f"{place}: removed 1 file that a killed run had left and not committed"
    ]


class Asks:
    """Asks that an item be withdrawn on the second day, as long as nothing else is known to have been asked."""

    def __init__(self):
        self.known, self.closed = None, 0

    def taken_up(self, known):
        self.known = list(known)

    def new(self, day, arms):
        if day != 1 or "popular" not in arms or any(each.origin == "live" for each in self.known):
            return []
        return [Intervention("popular", 1, "withdraw", {"items": ["i1"]}, "live", 1)]

    def close(self):
        self.closed += 1


def test_what_was_asked_while_it_ran_is_known_once_when_it_goes_on(tmp_path):
    stated = [{"day": 2, "arms": ["popular"], "withdraw": ["i2"]}]
    config = ExperimentConfig.model_validate({**SMALL, "interventions": stated, "simulation": {"days": 3}})

    class Stops(Listener):
        def event(self, event):
            super().event(event)
            if sum(isinstance(each, SessionsWritten) for each in self.events) == 3:
                raise ZeroDivisionError

    async def whole(asks, listener):
        async with AsyncExitStack() as stack:
            plan = await prepare(config, stack)
            await simulate(plan, run_row(plan), tmp_path / LOG_NAME, listener, requests=asks)

    first, second = Asks(), Asks()
    with pytest.raises(ZeroDivisionError):
        asyncio.run(whole(first, Stops()))
    assert [each.origin for each in first.known] == ["file"]
    asyncio.run(whole(second, Listener()))
    assert sorted(each.origin for each in second.known) == ["file", "live"]
    assert (first.closed, second.closed) == (0, 1)
    with LogReader(tmp_path / LOG_NAME) as log:
        assert sorted(log.interventions().origin) == ["file", "live"]


def test_sessions_are_simulated_where_the_engine_says(tmp_path, monkeypatch):
    asked, ranked = tmp_path / "asked", PopularRecommender.recommend

    def recommend(recommender, request):
        with asked.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return ranked(recommender, request)

    monkeypatch.setattr(PopularRecommender, "recommend", recommend)
    config = {
        **SMALL,
        "mind": {"kind": "behavioural", "cohort_size": 5},
        "arms": SMALL["arms"][:1],
        "execution": {"engine": "pool", "workers": 2},
    }
    log_experiment(ExperimentConfig.model_validate(config), tmp_path / LOG_NAME)
    processes = set(map(int, asked.read_text().split()))
    assert processes
    assert os.getpid() not in processes
