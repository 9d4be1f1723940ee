"""Figures of the truth lab against answers worked out elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from groundlings.environments.errors import DataError
from groundlings.experiments.labs.resampling import (
    Resamples,
    interval,
    kendall,
    kendall_of_figures,
    pooled,
    pooled_alike,
    really_different,
    sign_agreement,
)

FEW = st.lists(st.integers(0, 4), min_size=3, max_size=9)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_tau_is_that_of_scipy_ties_included(data):
    first = np.array(data.draw(FEW), dtype=np.float64)
    second = np.array(
        data.draw(st.lists(st.integers(0, 4), min_size=len(first), max_size=len(first))), dtype=np.float64
    )
    expected = stats.kendalltau(first, second).statistic
    assert kendall(first[None], second[None])[0] == pytest.approx(expected, nan_ok=True), "no order, no tau"


@pytest.mark.parametrize(("unknown", "has_one"), [(5, True), (6, False)])
def test_resamples_without_a_figure_are_no_more_than_an_interval_leaves_out(unknown, has_one):
    resampled = np.array([0.5, *np.full(unknown, np.nan), *np.linspace(0.4, 0.6, 100 - unknown)])
    assert (interval(resampled) != (None, None)) == has_one


def test_an_order_that_rests_on_one_person_has_no_interval():
    resamples = Resamples.draw(50, 200, np.random.default_rng(4))
    everybody = np.ones(50, dtype=np.bool_)
    real = resamples.mean(np.tile([1.0, 2.0, 3.0], (50, 1)), everybody)
    lone = np.zeros((50, 3))
    lone[7] = [1, 2, 3]
    taus = kendall_of_figures(real, resamples.mean(lone, everybody))
    assert (taus[0], interval(taus)) == (1.0, (None, None))
    assert interval(kendall_of_figures(real, real)) == (1.0, 1.0)


def test_a_mean_over_other_partitions_than_those_of_its_rivals_is_none():
    known, unknown = np.full(101, 0.5), np.full(101, np.nan)
    rows = pooled_alike([[known, known, unknown], [known, unknown, unknown]])
    assert rows[0][0] == 0.5, "the third has no figure for anybody"
    assert np.isnan(rows[1]).all()


def test_a_recommender_without_a_value_is_in_no_pair():
    real, said = np.array([[1.0, 2.0, np.nan, 3.0]]), np.array([[1.0, 2.0, 9.0, 3.0]])
    assert kendall(real, said)[0] == 1


def test_sign_agreement_counts_the_pairs_in_the_same_order():
    real, said = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]])
    assert sign_agreement(real, said, [(0, 1), (0, 2), (1, 2)])[0] == pytest.approx(2 / 3)
    assert np.isnan(sign_agreement(real, said, [])[0])


def test_only_columns_that_differ_beyond_chance_are_really_different():
    chance = np.random.default_rng(1)
    resamples = Resamples.draw(200, 300, chance)
    liked = (chance.random((200, 3)) < [0.2, 0.2, 0.6]).astype(np.float64)
    rates = resamples.ratio(liked, np.ones((200, 3)), np.ones(200, dtype=np.bool_))
    assert really_different(rates) == [(0, 2), (1, 2)]


def test_the_interval_of_a_mean_is_that_of_the_textbook():
    values = np.random.default_rng(2).normal(5, 2, 400)
    found = Resamples.draw(400, 2000, np.random.default_rng(3)).mean(values, np.ones(400, dtype=np.bool_))
    low, high = interval(found)
    reach = 1.96 * values.std() / 20
    assert found[0] == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=0.03)


def test_one_person_has_a_figure_and_no_interval():
    found = Resamples.draw(1, 50, np.random.default_rng(4)).mean(np.array([0.5]), np.ones(1, dtype=np.bool_))
    assert (found[0], *interval(found)) == (0.5, None, None)


def test_a_figure_that_rests_on_one_of_many_has_no_interval():
    resamples, everybody = Resamples.draw(9, 100, np.random.default_rng(4)), np.ones(9, dtype=np.bool_)
    above, below = np.zeros((9, 2)), np.zeros((9, 2))
    above[3], below[3], below[5:8, 1] = 1, 2, 1
    found = resamples.ratio(above, below, everybody)
    assert (found[0, 0], *interval(found[:, 0])) == (0.5, None, None)
    assert None not in interval(found[:, 1])
    assert interval(resamples.ratio(above[:, 0], below[:, 0], everybody)) == (None, None)


def test_resamples_that_fit_into_no_memory_are_refused():
    with pytest.raises(DataError, match="resamples of 1,000,000,000,000 people take"):
        Resamples.draw(10**12, 1000, np.random.default_rng(4))


def test_people_who_are_not_judged_do_not_matter():
    resamples = Resamples.draw(10, 50, np.random.default_rng(4))
    who = np.arange(10) < 5
    values = np.arange(10.0)
    changed = np.where(who, values, -99.0)
    np.testing.assert_array_equal(resamples.mean(values, who), resamples.mean(changed, who))
    assert resamples.mean(values, who)[0] == 2


def test_a_person_without_a_value_is_left_out():
    resamples = Resamples.draw(3, 10, np.random.default_rng(5))
    assert resamples.mean(np.array([1.0, np.nan, 3.0]), np.ones(3, dtype=np.bool_))[0] == 2


def test_pooling_takes_the_mean_of_the_partitions_that_have_a_value():
    np.testing.assert_array_equal(pooled([np.array([1.0, np.nan]), np.array([3.0, np.nan])]), [2.0, np.nan])
