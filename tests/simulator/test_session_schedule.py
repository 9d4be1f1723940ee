"""Who comes on which day: Mesa's events give what one line of numpy gives."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mesa.experimental.devs.simulator import Simulator

from groundlings.environments.random_streams import Draws
from groundlings.simulator.session_schedule import DailyChance, SessionSchedule

DAYS = 6


def plain(seed, users, probability, day):
    """The people whose draw of a day succeeds."""
    return np.flatnonzero(Draws.for_sessions(seed, users, day).uniform("come") < probability)


def one_segment(people):
    return np.zeros(people, dtype=np.int64)


class EveryFewDays:
    """Row r comes on days r, 2 r + 1, 3 r + 2 and so on: a rule without chance that notes what it is asked."""

    def __init__(self):
        self.asked = []

    def next_sessions(self, rows, after_day, days):
        self.asked.append((after_day, rows.tolist()))
        return np.minimum(after_day + 1 + rows, days)


@given(
    seed=st.integers(0, 2**40),
    probability=st.sampled_from([0.0, 0.03, 0.3, 0.9, 1.0]),
    resident=st.lists(st.booleans(), max_size=40),
    people_per_agent=st.sampled_from([1, 2, 7, 1000]),
)
def test_the_schedule_equals_the_plain_line_with_one_person_or_many_per_mesa_agent(
    seed, probability, resident, people_per_agent
):
    users = 3 * np.arange(len(resident))
    residents = np.array(resident, dtype=np.bool_)
    schedule = SessionSchedule(residents, DailyChance(users, probability, seed), DAYS, people_per_agent)
    schedule.invite(True)
    for day in range(DAYS):
        due = plain(seed, users, probability, day)
        assert schedule.arrivals(day).tolist() == due[residents[due]].tolist()
    schedule.close()


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=30),
    st.integers(1, 5),
    st.integers(1, 12),
)
def test_each_person_arrives_at_most_once_a_day_and_in_ascending_order(segments, people_per_agent, days):
    schedule = SessionSchedule(np.array(segments), EveryFewDays(), days, people_per_agent)
    for segment in range(5):
        schedule.invite(segment)
    for day in range(days):
        arrivals = schedule.arrivals(day)
        assert (np.diff(arrivals) > 0).all()
        assert arrivals.tolist() == [row for row in range(len(segments)) if (day + 1) % (row + 1) == 0]


def test_people_come_by_their_own_draw_which_no_other_person_changes():
    everybody = SessionSchedule(one_segment(1000), DailyChance(np.arange(1000), 0.3, seed=5), DAYS)
    some = SessionSchedule(one_segment(500), DailyChance(np.arange(0, 1000, 2), 0.3, seed=5), DAYS, people_per_agent=3)
    everybody.invite(0)
    some.invite(0)
    for day in range(DAYS):
        came = everybody.arrivals(day)
        assert 200 < len(came) < 400
        assert (2 * some.arrivals(day)).tolist() == came[came % 2 == 0].tolist()


def test_only_invited_segments_come():
    segments = np.array(["new", "loyal", "new", "gone"])
    schedule = SessionSchedule(segments, DailyChance(np.arange(4), 1.0, seed=5), DAYS)
    assert schedule.arrivals(0).tolist() == []
    later = SessionSchedule(segments, DailyChance(np.arange(4), 1.0, seed=5), DAYS)
    later.invite("new")
    later.invite("loyal")
    assert [later.arrivals(day).tolist() for day in range(2)] == [[0, 1, 2]] * 2


def test_a_rule_is_asked_in_the_evening_of_a_session_and_never_beyond_the_last_day():
    rule = EveryFewDays()
    schedule = SessionSchedule(one_segment(3), rule, days=3, people_per_agent=2)
    schedule.invite(0)
    assert rule.asked == [(-1, [0, 1]), (-1, [2])]
    assert schedule.arrivals(0).tolist() == [0]
    assert len(rule.asked) == 2, "the day of the session is not over"
    assert schedule.arrivals(1).tolist() == [0, 1]
    assert rule.asked[2:] == [(0, [0])]
    assert schedule.arrivals(2).tolist() == [0, 2]
    assert rule.asked[3:] == [(1, [0, 1])], "after the last day there is nothing to plan"


@pytest.mark.parametrize("people_per_agent", [1, 4])
def test_mesa_holds_no_event_beyond_the_last_day(monkeypatch, people_per_agent):
    times = []
    add = Simulator.schedule_event_absolute

    def noted(self, function, time, **more):
        times.append(time)
        return add(self, function, time, **more)

    monkeypatch.setattr(Simulator, "schedule_event_absolute", noted)
    schedule = SessionSchedule(one_segment(9), EveryFewDays(), 4, people_per_agent)
    schedule.invite(0)
    for day in range(4):
        schedule.arrivals(day)
    assert set(times) == {1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0}


def test_nobody_is_drawn_twice_for_a_day(monkeypatch):
    drawn = []
    for_sessions = Draws.for_sessions
    monkeypatch.setattr(
        Draws,
        "for_sessions",
        lambda root, users, day: drawn.extend((int(user), day) for user in users) or for_sessions(root, users, day),
    )
    schedule = SessionSchedule(one_segment(50), DailyChance(np.arange(50), 0.3, seed=2), DAYS, people_per_agent=8)
    schedule.invite(0)
    for day in range(DAYS):
        schedule.arrivals(day)
    assert len(drawn) == len(set(drawn)) <= 50 * DAYS


def test_a_closed_schedule_leaves_nothing_in_memory_though_mesa_keeps_its_model():
    rule = EveryFewDays()
    schedule = SessionSchedule(one_segment(10), rule, DAYS)
    schedule.invite(0)
    schedule.arrivals(0)
    schedule.close()
    kept = weakref.ref(rule)
    del rule, schedule
    gc.collect()
    assert kept() is None
