"""The hazard of coming back: what a session changes in it, and what nothing may change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.catalog import Catalog
from groundlings.personas.returning.families import log_median_of_chance
from groundlings.simulator.returns.rule import Effects, Fatigue, ReturnModel, Typical
from groundlings.simulator.returns.signals import Signals, Topics
from groundlings.simulator.session_schedule import DailyChance

DAYS = 40
USERS = np.arange(0, 3_000, 3)
ROWS = np.arange(len(USERS))
CATALOG = Catalog(("a", "b", "c", "d"), ("A", "B", "C", "D"), np.full(4, np.nan), (("x",), ("x",), ("y",), ()))


def model(chance=0.2, **changes):
    return ReturnModel("exponential", 1.0, np.full(len(USERS), log_median_of_chance(chance)), **changes)


def begun(seed=5, **changes):
    return model(**changes).begun(USERS, seed, CATALOG)


def signals(n, satisfaction=5.5, found=1.0, sameness=np.nan):
    return Signals(*(np.full(n, float(value)) for value in (satisfaction, found, sameness)))


def after(state, told, day=0, rows=ROWS):
    """The next sessions of people who had one on a day."""
    state.heard(rows, told, day, 0)
    return state.next_sessions(rows, day, DAYS)


@given(st.integers(0, 2**40), st.sampled_from([0.01, 0.2, 0.7, 1.0]), st.integers(-1, 5))
def test_where_nothing_depends_on_a_session_people_come_by_the_daily_chance(seed, chance, day):
    plain = DailyChance(USERS, chance, seed).next_sessions(ROWS, day, DAYS)
    assert begun(seed, chance=chance).next_sessions(ROWS, day, DAYS).tolist() == plain.tolist()


@pytest.mark.parametrize(
    ("effects", "better", "worse"),
    [
        (Effects(satisfaction=0.3), {"satisfaction": 9}, {"satisfaction": 2}),
        (Effects(found=0.5), {"found": 7}, {"found": 0}),
        (Effects(fatigue=-3.0), {"sameness": 0.0}, {"sameness": 1.0}),
    ],
)
def test_nobody_comes_back_later_after_a_better_session_and_many_come_sooner(effects, better, worse):
    sooner = after(begun(effects=effects), signals(len(ROWS), **better))
    later = after(begun(effects=effects), signals(len(ROWS), **worse))
    assert (sooner <= later).all()
    assert (sooner < later).mean() > 0.2


def test_a_coefficient_multiplies_the_hazard_by_its_exponential():
    # Four items are two doublings of 1 + 1 ... 1 + 7: hazard * exp(2 * .5), so P(back) = 1 - .8 ** e.
    told = after(begun(effects=Effects(found=0.5)), signals(len(ROWS), found=7))
    share = (told == 1).mean()
    expected = 1 - 0.8**np.e
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / len(ROWS))


def test_what_is_not_known_of_a_session_adds_nothing():
    effects = Effects(satisfaction=0.5, found=0.5, fatigue=-2.0)
    unknown = after(begun(effects=effects), signals(len(ROWS), np.nan, np.nan))
    typical = after(begun(effects=effects), signals(len(ROWS), sameness=np.nan))
    assert unknown.tolist() == typical.tolist() == after(begun(), signals(len(ROWS))).tolist()


def test_coefficients_add_nothing_after_the_session_that_is_called_typical():
    told = {"satisfaction": 2, "found": 5}
    effects = Effects(satisfaction=0.5, found=0.5)
    moved = after(begun(effects=effects, typical=Typical(**told)), signals(len(ROWS), **told))
    assert moved.tolist() == after(begun(), signals(len(ROWS))).tolist()


def test_fatigue_builds_up_over_sessions_of_one_kind_and_goes_with_rest():
    effects, fatigue = Effects(fatigue=-6.0), Fatigue(builds=0.5, half_life_days=2)
    worn, fresh = begun(effects=effects, fatigue=fatigue), begun(effects=effects, fatigue=fatigue)
    for day in range(3):
        worn.heard(ROWS, signals(len(ROWS), sameness=1.0), day, 0)
    again = worn.next_sessions(ROWS, 2, DAYS)
    once = after(fresh, signals(len(ROWS), sameness=1.0), day=2)
    assert (once <= again).all()
    assert (once < again).any()
    # 20 days are ten half-lives: a thousandth is left, and one more session tires as the first did.
    rested = after(worn, signals(len(ROWS), sameness=1.0), day=22)
    assert np.mean(rested == after(fresh, signals(len(ROWS), sameness=1.0), day=22)) > 0.99


def test_who_left_for_good_never_comes_again_and_is_the_share_that_was_stated():
    state = begun(churn=0.3)
    told = after(state, signals(len(ROWS)))
    gone = told == DAYS
    assert abs(gone.mean() - 0.3) < 4 * np.sqrt(0.21 / len(ROWS)) + 0.8**DAYS
    assert len(np.intersect1d(state.again(ROWS, 0, 1), ROWS[gone])) == 0
    assert (state.next_sessions(ROWS[gone], 7, DAYS) == DAYS).all()


def test_new_users_come_on_their_first_day_and_the_others_as_if_there_were_none():
    told = begun(newcomers=0.4, newcomer_days=6).next_sessions(ROWS, -1, DAYS)
    plain = begun().next_sessions(ROWS, -1, DAYS)
    others = told == plain
    assert 0.5 < others.mean() < 0.8
    assert set(np.unique(told[~others])) == {1, 2, 3, 4, 5, 6}


def test_a_second_session_of_a_day_has_draws_of_its_own_and_there_is_no_third_of_two():
    state = begun(sessions_per_day=2, again=0.5)
    state.heard(ROWS, signals(len(ROWS)), 3, 0)
    second = state.again(ROWS, 3, 1)
    assert abs(len(second) / len(ROWS) - 0.5) < 0.1
    assert not len(state.again(second, 3, 2))


@given(st.lists(st.integers(0, len(USERS) - 1), unique=True, min_size=1, max_size=9), st.integers(0, 2**40))
def test_one_person_has_the_returns_that_it_has_in_a_crowd(some, seed):
    changes = {"effects": Effects(0.2, 0.3, -1.0), "churn": 0.1, "churn_effects": Effects(fatigue=2.0)}
    told = np.random.default_rng(seed).random((3, len(ROWS)))
    crowd, few = begun(seed, **changes), begun(seed, **changes)
    rows = np.array(sorted(some))
    everybody = after(crowd, Signals(*told))
    for row in rows:
        one = np.array([row])
        assert after(few, Signals(*(part[one] for part in told)), rows=one).tolist() == [everybody[row]]


def test_sameness_is_the_mean_cosine_over_pairs_in_whatever_order_items_come():
    topics = Topics(CATALOG)
    # Session 0: a, b alike, c unlike both: (1 + 0 + 0) / 3. Session 1: d has no category, so there is no pair.
    found = topics.sameness(np.array([0, 1, 0, 1, 0]), np.array([2, 0, 0, 3, 1]), 3)
    assert found[0] == pytest.approx(1 / 3)
    assert np.isnan(found[1:]).all()


@pytest.mark.parametrize("family", ["exponential", "weibull", "log_normal"])
@pytest.mark.parametrize(("effect", "expected"), [(1000.0, 1), (-1000.0, DAYS)])
def test_effects_beyond_all_measure_are_certainty_and_no_warning(family, effect, expected):
    medians = np.full(len(USERS), 5.0)
    state = ReturnModel(
        family, 1000.0 if family == "weibull" else 1.0, medians, effects=Effects(satisfaction=effect)
    ).begun(USERS, 5, CATALOG)
    with np.errstate(all="raise", under="ignore"):
        found = after(state, signals(len(USERS), satisfaction=9))
    if family != "weibull" or effect < 0:  # a rising hazard of this shape is 0 on the first day, whatever raises it
        assert set(found.tolist()) == {expected}
