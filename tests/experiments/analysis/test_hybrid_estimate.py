"""The estimate of a hybrid audience: worked out by hand, held against known truths, and shared out to strata."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.experiments.analysis.compare import mean_interval
from groundlings.experiments.analysis.hybrid.allocation import allocated, drawn, prospect
from groundlings.experiments.analysis.hybrid.estimate import hybrid_mean
from groundlings.experiments.analysis.hybrid.simulation import MadeUp, covered

NONE = np.nan
ONE = np.zeros(4, dtype=np.int64)


def test_it_is_the_mean_of_everybody_plus_the_mean_paired_difference():
    behavioural = np.array([1.0, 2.0, 3.0, 6.0])
    language = np.array([2.0, 4.0, NONE, NONE])
    found = hybrid_mean(behavioural, language, ~np.isnan(language), ONE)
    assert found.behavioural == 3.0
    assert found.estimate == pytest.approx(3.0 + (1.0 + 2.0) / 2)
    # Differences 1 and 2: variance 1/2, two of four asked. Language values 2 and 4: variance 2, over four people.
    assert found.sampling_error == pytest.approx(np.sqrt(0.5 * (1 / 2 - 1 / 4)))
    assert found.standard_error == pytest.approx(np.sqrt(0.5 * (1 / 2 - 1 / 4) + 2 / 4))
    assert found.worth == pytest.approx(2 / (0.5 / 4 + 2 / 4))
    assert found.correlation is None, "two people always lie on a line"
    assert found.worth_fitted is None


def test_three_people_have_a_correlation():
    behavioural, language = np.array([1.0, 2.0, 3.0, 6.0]), np.array([2.0, 4.0, 6.0, NONE])
    assert hybrid_mean(behavioural, language, ~np.isnan(language), ONE).correlation == pytest.approx(1.0)


def test_strata_count_as_they_do_among_everybody_and_not_as_they_were_sampled():
    strata = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    language = np.array([1.0, 1.0, NONE, NONE, NONE, NONE, 4.0, 4.0, 4.0])
    found = hybrid_mean(np.zeros(9), language, ~np.isnan(language), strata)
    assert found.estimate == pytest.approx((6 * 1.0 + 3 * 4.0) / 9)


def test_with_everybody_in_the_sample_it_is_the_mean_of_language_people_alone():
    values = np.random.default_rng(4).normal(size=30)
    plain = mean_interval(values)
    found = hybrid_mean(np.zeros(30), values, np.ones(30, dtype=bool), np.zeros(30, dtype=np.int64))
    assert (found.estimate, found.low, found.high) == pytest.approx((plain.mean, plain.low, plain.high))
    assert found.sampling_error == 0
    assert found.worth == pytest.approx(30)


def test_who_lacks_a_value_is_counted_and_nobody_is_taken_for_zero():
    behavioural, language = np.array([1.0, 1.0, 1.0, NONE]), np.array([2.0, NONE, 2.0, 2.0])
    found = hybrid_mean(behavioural, language, np.ones(4, dtype=bool), ONE)
    assert (found.n, found.audience, found.excluded) == (2, 3, 2)
    assert found.estimate == pytest.approx(2.0)


def test_people_who_are_all_alike_show_nothing_of_those_who_were_not_asked():
    asked = np.array([True, True, False, False])
    found = hybrid_mean(np.array([0.0, 0.0, 0.5, 0.0]), np.where(asked, 0.0, NONE), asked, ONE)
    assert (found.estimate, found.low, found.excludes_zero) == (0.125, None, False)
    everybody = hybrid_mean(np.zeros(4), np.full(4, 0.5), np.ones(4, dtype=bool), ONE)
    assert (everybody.low, everybody.high) == (0.5, 0.5), "as of a run by the language mind alone"


@pytest.mark.parametrize("asked", [0, 1])
def test_a_stratum_of_which_too_little_is_known_gives_no_interval(asked):
    strata = np.array([0, 0, 0, 1, 1, 1])
    language = np.array([1.0, 2.0, 3.0, *([1.0] * asked), *([NONE] * (3 - asked))])
    found = hybrid_mean(np.zeros(6), language, ~np.isnan(language), strata)
    assert found.low is None
    assert (found.estimate is None) == (asked == 0)


@pytest.mark.parametrize(
    "made_up",
    [
        MadeUp(people=1_500, sample=100),
        MadeUp(people=1_500, sample=100, pilot=40, spreads=(0.3, 1.0, 3.0), skewed=True),
    ],
    ids=["plain", "pilot"],
)
def test_intervals_hold_the_truth_as_often_as_they_say(made_up):
    found = covered(made_up, 200, seed=2)
    assert 0.90 <= found.coverage <= 0.99, "3 standard errors of a share of .95 among 200 are .046"
    assert abs(found.bias) < 3
    assert found.gained > 3.5, "at a correlation of .9, a person of the sample is worth five, give or take chance"


def test_a_thousand_people_at_a_correlation_of_nine_tenths_are_worth_some_five_thousand():
    assert prospect(1_000, 10**9, 0.9).worth == pytest.approx(5_000, rel=0.001)
    assert prospect(1_000, 6_040, 0.9).worth < 3_100, "what nobody can know is how other people would have been"


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 60), st.floats(0, 9) | st.just(NONE)), min_size=1, max_size=5),
    st.integers(2, 120),
)
def test_a_sample_is_as_large_as_was_asked_and_asks_two_of_each_stratum(strata, total):
    sizes, spreads = (np.array(column) for column in zip(*strata, strict=True))
    found = allocated(sizes, total, spreads)
    least = np.minimum(sizes, 2)
    assert (found >= least).all()
    assert (found <= sizes).all()
    assert found.sum() == max(min(total, sizes.sum()), least.sum())


def test_strata_that_tell_more_are_asked_more():
    sizes, spreads = np.array([1_000, 1_000]), np.array([1.0, 3.0])
    assert allocated(sizes, 100, spreads).tolist() == [25, 75]
    assert allocated(sizes, 100, spreads, np.array([40, 10])).tolist() == [40, 60], "whom one has asked is asked"


def test_a_larger_sample_holds_every_smaller_one_of_the_same_seed_alone():
    users, strata = [f"u{number}" for number in range(50)], np.arange(50) % 2
    place = drawn(users, strata, 7)
    assert sorted(place[strata == 0]) == list(range(25))
    shuffled = np.random.default_rng(0).permutation(50)
    again = drawn([users[number] for number in shuffled], strata[shuffled], 7)
    assert (again == place[shuffled]).all(), "nobody's place depends on the order of the agents"
    assert (place != drawn(users, strata, 8)).any()
