"""Several sessions on a day, and a rule of returns: what an arm tells it, live and from an interrupted run's log."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import RatingScale
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.random_streams import Draws
from groundlings.simulator.arm import Arm
from groundlings.simulator.cohorts import cohort, cohorts
from groundlings.simulator.days import Schedule, live_together
from groundlings.simulator.resume_state import Past, PastDay
from groundlings.simulator.returns.signals import Topics

GENRES = (("x",), ("y",), ("x",), ("x", "y"), (), ("y",))
CATALOG = Catalog(tuple("abcdef"), tuple("ABCDEF"), np.full(6, np.nan), GENRES)
OPENING, NOON = 201, 43_200


class Rule:
    """Everybody comes on every day, and on it so often; notes what it is asked and told. Model and state in one."""

    def __init__(self, sessions_per_day=2, topics=None):
        self.sessions_per_day, self.topics = sessions_per_day, topics
        self.given, self.asked, self.told = (), [], []

    def begun(self, users, seed, catalog):
        self.given = (users.tolist(), seed, catalog)
        return self

    def next_sessions(self, rows, after_day, days):
        return np.full(len(rows), after_day + 1)

    def again(self, rows, day, occasion):
        self.asked.append((rows.tolist(), day, occasion))
        return rows[:2]

    def heard(self, rows, signals, day, occasion):
        parts = (signals.satisfaction, signals.found, signals.sameness)
        for row, *values in zip(rows, *parts, strict=True):
            self.told.append((day, occasion, int(row), *(None if value != value else float(value) for value in values)))


@pytest.fixture
def live(recommender, make_mind):
    """Lets three people come by a rule for two days; what was shown first, by day, time and agent, and the arm."""

    def lived(rule, past=(), **mind):
        history = Interactions.of(np.array([0]), np.array([5]), None, np.array([200]), n_users=3, n_items=6)
        feed = PaginatedFeed(2, 1, RatingScale())
        mind = make_mind(pages=1, **mind)
        arm = Arm("only", np.arange(3), recommender, feed, mind, CATALOG, history, 1, past=Past(tuple(past)))
        first = {}

        class Ledger:
            def write(self, record, *, sim_time, **_):
                items = record.turns[0].turn.page.items[:, 0]
                for agent, item in zip(record.sessions.agents, items, strict=True):
                    first[record.sessions.day, sim_time, int(agent)] = int(item)

            def flush(self):
                pass

        asyncio.run(live_together([arm], Schedule(2, 1, 1, 1.0, rule), Ledger(), lambda _: None))
        return first, arm

    return lived


def test_a_second_session_is_later_on_the_day_and_shows_nothing_that_the_first_has_opened(live):
    rule = Rule()
    shown, arm = live(rule)
    assert rule.given == ([0, 1, 2], 1, CATALOG)
    morning, noon = OPENING + 86_400, OPENING + 86_400 + NOON
    assert shown == {
        **{(0, OPENING, agent): 0 for agent in range(3)},
        **{(0, OPENING + NOON, agent): 1 for agent in range(2)},
        **{(1, morning, 0): 2, (1, morning, 1): 2, (1, morning, 2): 1},
        **{(1, noon, 0): 3, (1, noon, 1): 3},
    }
    assert rule.asked == [([0, 1, 2], 0, 1), ([0, 1, 2], 1, 1)]
    assert [told[:3] for told in rule.told] == [
        (day, occasion, agent) for day in (0, 1) for occasion, people in enumerate((3, 2)) for agent in range(people)
    ]
    assert len(arm.history) == 1 + 10


def test_a_rule_that_asks_for_it_is_told_how_alike_the_items_were(live):
    rule = Rule(1, Topics(CATALOG))
    live(rule)
    assert [told[3:5] for told in rule.told] == [(7.0, 1.0)] * 6, "all are satisfied, and open the first slot"
    assert [told[5] for told in rule.told[:3]] == [0.0] * 3, "items 0 and 1 have no genre in common"


def logged(day, agents, first, **known):
    """Sessions in the log that showed two items, opened the first and were content."""
    agents, first = np.array(agents), np.array(first, dtype=np.int32)
    shown = np.column_stack([first, first + 1]).ravel()
    about = {"satisfaction": np.full(len(agents), 7.0), "viewers": np.repeat(agents, 2), "shown": shown, **known}
    return PastDay(day, agents, agents, first, np.full(len(agents), 5.0), **about)


@pytest.mark.parametrize("gone_on_at", [1, 2, 3])
def test_a_resumed_rule_is_told_the_same_in_the_same_order(live, gone_on_at):
    parts = [
        logged(0, [0, 1, 2], [0, 0, 0], sim_time=OPENING),
        logged(0, [0, 1], [1, 1], sim_time=OPENING + NOON),
        logged(1, [0, 1, 2], [2, 2, 1], sim_time=OPENING + 86_400),
    ]
    whole, resumed = Rule(topics=Topics(CATALOG)), Rule(topics=Topics(CATALOG))
    shown, arm = live(whole)
    rest, again = live(resumed, parts[:gone_on_at])
    assert resumed.told == whole.told
    assert resumed.asked == whole.asked
    assert rest == dict(list(shown.items())[sum(map(len, parts[:gone_on_at])) :])
    assert again.history.fingerprint == arm.history.fingerprint


def test_what_the_log_was_not_asked_for_is_not_known():
    day = logged(0, [1, 4, 6], [0, 2, 0])
    topics = Topics(CATALOG)
    np.testing.assert_array_equal(day.signals(topics).sameness, topics.sameness(
        np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 3, 0, 1]), 3
    ))  # fmt: skip
    assert np.isfinite(day.signals(topics).sameness).all()
    assert np.isnan(day.signals(None).sameness).all()
    unread = logged(0, [1, 4, 6], [0, 2, 0], viewers=None, shown=None, satisfaction=None)
    assert np.isnan(unread.signals(topics).sameness).all()
    assert np.isnan(unread.signals(topics).satisfaction).all()
    assert unread.signals(None).found.tolist() == [1, 1, 1]
    some = PastDay(0, np.array([1, 4, 6]), np.array([4, 4, 6]), np.array([0, 2, 0], dtype=np.int32), np.full(3, 5.0))
    assert some.signals(None).found.tolist() == [0, 2, 1]
    lost = logged(0, [1, 4, 6], [0, 2, 0], lost=np.array([False, True, False]))
    np.testing.assert_array_equal(lost.signals(None).found, [1, np.nan, 1])


def test_what_was_sold_are_the_clicks_with_units():
    items, units = logged(0, [0, 1, 2], [3, 4, 5]).sold
    assert (len(items), len(units)) == (0, 0)
    items, units = logged(0, [0, 1, 2], [3, 4, 5], units=np.array([2.0, np.nan, 1.0])).sold
    assert (items.tolist(), units.tolist()) == ([3, 5], [2.0, 1.0])


def test_what_is_opened_and_not_bought_is_an_interaction_where_the_history_tells_kinds():
    told = Interactions.of(
        np.array([0]), np.array([5]), None, np.array([9]), n_users=3, n_items=6, kinds=np.array([0]), weights=np.ones(1)
    )
    day = logged(0, [0, 1], [3, 4], units=np.array([2.0, np.nan]))
    assert [KINDS[kind] for kind in day.clicks(np.arange(3), 100, told).kinds] == ["purchase", "interaction"]


def test_an_agent_has_as_many_sessions_as_there_are_days_or_so_many_times_more():
    assert Schedule(3, 1, 1, 1.0).most_sessions == 3
    assert Schedule(3, 1, 1, 1.0, Rule(2)).most_sessions == 6


def test_draws_are_those_of_the_first_session_of_a_day_unless_another_is_named():
    people = np.arange(3)
    plain, later = (next(cohorts(people, people, 4, seed=9, size=3, **more)) for more in ({}, {"occasion": 1}))
    assert plain.sim_time == 0
    assert cohort(people, people, 4, seed=9).draws.uniform("x").tolist() == plain.draws.uniform("x").tolist()
    assert cohort(people, people, 4, seed=9).sim_time == 0
    for sessions, occasion in ((plain, 0), (later, 1)):
        expected = Draws.for_sessions(9, people, 4, occasion).uniform("x")
        assert sessions.draws.uniform("x").tolist() == expected.tolist()


def test_cohorts_of_a_day_hold_each_agent_with_the_user_behind_it():
    agents, users = np.array([0, 1, 2]), np.array([7, 5, 9])
    here = list(cohorts(agents, users, 4, seed=9, size=2, sim_time=30))
    assert [each.agents.tolist() for each in here] == [[0, 1], [2]]
    assert [each.users.tolist() for each in here] == [[7, 5], [9]]
    assert {(each.day, each.sim_time) for each in here} == {(4, 30)}


def test_where_nobody_comes_nobody_asks_what_the_recommender_has_learnt(live, recommender):
    class Nobody(Rule):
        def next_sessions(self, rows, after_day, days):
            return np.full(len(rows), days)

    asked = []
    recommender.state = lambda: asked.append(1) or "learnt"
    assert live(Nobody())[0] == {}
    assert asked == []
    live(Rule())
    assert len(asked) == 2, "once a day"


def test_a_log_reaches_the_days_of_its_sessions_and_no_later_one():
    past = Past((PastDay(0, np.arange(2)), PastDay(2, np.arange(1))))
    assert [past.reaches(day) for day in range(4)] == [True, True, True, False]
