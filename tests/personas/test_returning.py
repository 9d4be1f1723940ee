"""Gaps between sessions of a history, and return times estimated on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.errors import DataError
from groundlings.environments.interactions import Interactions
from groundlings.personas.returning.estimate import estimate_returns
from groundlings.personas.returning.families import FAMILIES, cumulative_hazard, hazard_of_day, log_median_of_chance
from groundlings.personas.returning.found import found_effect
from groundlings.personas.returning.history import ReturnHistory, read_sessions, share_of_same_day

HOUR, DAY = 3_600, 86_400


def history(*rows):
    users, times = (np.array(column) for column in zip(*rows, strict=True))
    return Interactions.of(users, np.zeros(len(users), np.int64), None, times, n_users=4, n_items=1)


def test_sessions_are_parted_by_the_stated_gap_and_lie_on_the_day_they_begin():
    # User 0: two within an hour across midnight are one session of day 0; then one on day 3, and a later one.
    found = read_sessions(
        history((0, DAY - 600), (0, DAY + 600), (0, 3 * DAY), (0, 3 * DAY + 2 * HOUR), (1, 2 * DAY), (2, 5 * DAY)),
        HOUR,
        ends_together=True,
    )
    assert found.users.tolist() == [0, 0, 1, 2]
    assert found.days.tolist() == [0, 3, 2, 5]
    assert found.sessions.tolist() == [1, 2, 1, 1]
    assert found.found.tolist() == [2, 1, 1, 1]
    assert found.gaps.tolist() == [3, 2, 3, 0], "a completed gap, then days without a session up to day 5"
    assert found.returned.tolist() == [True, False, False, False]
    assert [part.tolist() for part in share_of_same_day(found)] == [[1, 0, 0], [3, 1, 1]]


def test_without_a_common_end_nobody_says_how_long_the_last_gap_stayed_open():
    found = read_sessions(history((0, 0), (0, 3 * DAY), (1, 9 * DAY)), HOUR, ends_together=False)
    assert found.last_day is None
    assert found.gaps.tolist() == [3, 0, 0]


@given(st.sampled_from(FAMILIES), st.floats(0.3, 200), st.floats(0.4, 2.5))
def test_half_of_all_gaps_are_as_long_as_the_median(family, median, shape):
    hazard = cumulative_hazard(family, np.array([0.0, median]), np.array(np.log(median)), shape)
    assert hazard[0] == 0
    assert np.exp(-hazard[1]) == pytest.approx(0.5)


@given(st.floats(0.001, 1.0))
def test_a_daily_chance_is_the_hazard_of_every_day(chance):
    median = np.array([log_median_of_chance(chance)])
    for gap in (1, 2, 30):
        assert -np.expm1(-hazard_of_day("exponential", gap, median, 1.0)) == pytest.approx(chance)


def made(people, *, spread, days, churn=0.0, effect=0.0, seed=1):
    """A history of people who come back after exponential gaps of median 4 days, and perhaps leave for good."""
    rng = np.random.default_rng(seed)
    users, when, found = [], [], []
    for person in range(people):
        rate = np.log(2) / (4 * np.exp(spread * rng.normal()))
        now, size = 0, int(rng.integers(1, 8))
        while now < days:
            users.append(person)
            when.append(now)
            found.append(size)
            if rng.random() < churn:
                break
            now += int(np.ceil(rng.exponential() / (rate * np.exp(effect * (np.log2(1 + size) - 2)))))
            size = int(rng.integers(1, 8))
    ones = np.ones(len(users), dtype=np.int64)
    return ReturnHistory(np.array(users), np.array(when), ones, np.array(found), days - 1)


def test_median_spread_and_churn_are_found_again_inside_their_intervals():
    found = estimate_returns(made(500, spread=0.7, days=120, churn=0.05))
    assert found.personal
    assert found.family == "exponential" or found.shape.low < 1 < found.shape.high, "a Weibull of shape 1 is the same"
    for figure, truth in ((found.median_days, 4.0), (found.spread, 0.7), (found.churn, 0.05)):
        assert figure.low < truth < figure.high, figure


def test_people_who_are_all_alike_are_not_told_apart():
    found = estimate_returns(made(300, spread=0.0, days=60))
    chosen = {(each.family, each.personal): each.log_likelihood for each in found.candidates}
    assert chosen["exponential", False] >= max(chosen.values()) - 0.01
    assert found.spread is None or found.spread.value < 0.2


def test_agents_get_medians_of_their_own_gaps_and_differ_as_people_do():
    past = made(500, spread=0.7, days=120)
    found = estimate_returns(past)
    medians = found.log_medians(past, np.arange(500), np.random.default_rng(3).random(500))
    assert np.std(medians) == pytest.approx(found.spread.value, abs=0.12)
    gaps = np.bincount(past.users, past.gaps * past.returned) / np.maximum(np.bincount(past.users, past.returned), 1)
    some = np.bincount(past.users, past.returned) >= 8
    assert np.corrcoef(medians[some], np.log(gaps[some]))[0, 1] > 0.8


def test_the_coefficient_of_what_was_found_is_found_again_within_people():
    past = made(300, spread=0.7, days=120, effect=0.3)
    effect = found_effect(past, estimate_returns(past))
    assert effect.low < 0.3 < effect.high
    none = made(300, spread=0.7, days=120)
    effect = found_effect(none, estimate_returns(none))
    assert effect.low < 0 < effect.high


def test_few_gaps_are_refused_with_their_number():
    with pytest.raises(DataError, match="needed 50"):
        estimate_returns(made(5, spread=0.0, days=10))
    past = made(40, spread=0.0, days=20)
    with pytest.raises(DataError, match="needed 200"):
        found_effect(past, estimate_returns(past))
