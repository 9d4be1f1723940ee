"""Distances and spreads whose values are known, and intervals and floors that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from groundlings.experiments.labs.fidelity.distances import (
    intraclass_correlation,
    jensen_shannon,
    kolmogorov_smirnov,
    kolmogorov_smirnov_of_histograms,
    mean_and_spread,
    spreads,
    wasserstein,
)
from groundlings.experiments.labs.fidelity.people import bootstrap, floor, jackknife

STARS = np.arange(1.0, 6.0)
histograms = st.lists(st.integers(0, 30), min_size=5, max_size=5).filter(any).map(np.array)


@given(histograms, histograms)
def test_distances_are_symmetric_bounded_and_zero_only_between_equals(first, second):
    for distance, most in ((jensen_shannon, 1.0), (wasserstein, 4.0), (kolmogorov_smirnov_of_histograms, 1.0)):
        value = distance(first, second)
        assert value == pytest.approx(distance(second, first))
        assert -1e-12 <= value <= most + 1e-12
        assert distance(first, 3 * first) == pytest.approx(0, abs=1e-12)
        if not np.allclose(first / first.sum(), second / second.sum()):
            assert value > 0


@given(histograms, histograms)
def test_distances_agree_with_scipy(first, second):
    from scipy.spatial.distance import jensenshannon

    assert jensen_shannon(first, second) == pytest.approx(jensenshannon(first, second, 2) ** 2, abs=1e-9)
    earth = stats.wasserstein_distance(STARS, STARS, first, second)
    assert wasserstein(first, second) == pytest.approx(earth, abs=1e-9)
    samples = np.repeat(STARS, first), np.repeat(STARS, second)
    apart = stats.ks_2samp(*samples).statistic
    assert kolmogorov_smirnov(*samples) == pytest.approx(apart)
    assert kolmogorov_smirnov_of_histograms(first, second) == pytest.approx(apart)


def test_disjoint_distributions_are_one_bit_apart():
    assert jensen_shannon(np.array([1, 0]), np.array([0, 7])) == pytest.approx(1.0)


def test_icc_is_one_between_decided_people_and_about_zero_between_dice():
    decided = 10 * np.eye(5)
    assert intraclass_correlation(decided, STARS) == pytest.approx(1.0)
    rng = np.random.default_rng(1)
    dice = rng.multinomial(30, np.full(5, 0.2), size=400).astype(float)
    assert intraclass_correlation(dice, STARS) == pytest.approx(0, abs=0.01)


def test_icc_finds_the_share_it_was_made_with():
    rng = np.random.default_rng(2)
    values = np.linspace(-6, 6, 241)
    people = rng.normal(0, 1, 800)
    counts = np.zeros((800, len(values)))
    for row, middle in enumerate(people):
        draws = np.searchsorted(values, rng.normal(middle, 2, rng.integers(5, 40)).clip(-5.9, 5.9))
        np.add.at(counts[row], draws, 1)
    assert intraclass_correlation(counts, values) == pytest.approx(1 / 5, abs=0.03)
    found = spreads(counts, values)
    assert found["within people"] == pytest.approx(2.0, abs=0.05)
    assert found["overall"] == pytest.approx(np.sqrt(5), abs=0.1)


def test_mean_and_spread_are_those_of_the_ratings():
    mean, spread = mean_and_spread(np.array([[0, 1, 0, 0, 3], [0, 0, 0, 0, 0]], dtype=float), STARS)
    ratings = np.array([2, 5, 5, 5])
    assert (mean[0], spread[0]) == pytest.approx((ratings.mean(), ratings.std()))
    assert np.isnan(mean[1])


def test_real_people_stay_within_their_own_floor():
    rng = np.random.default_rng(3)
    people = rng.multinomial(20, [0.1, 0.1, 0.2, 0.4, 0.2], size=600)

    def apart(first, second):
        return jensen_shannon(people[first].sum(axis=0), people[second].sum(axis=0))

    mean, limit, size = floor(apart, 600, 200, np.random.default_rng(0))
    assert size == 200
    assert 0 < mean < limit
    fresh = [rng.multinomial(20, [0.1, 0.1, 0.2, 0.4, 0.2], size=400) for _ in range(100)]
    beyond = np.mean([jensen_shannon(some[:200].sum(axis=0), some[200:].sum(axis=0)) > limit for some in fresh])
    assert beyond <= 0.15


def test_the_floor_says_when_there_are_too_few_people():
    assert floor(lambda first, second: float(len(first) + len(second)), 9, 100, np.random.default_rng(0)) == (8, 8, 4)


@pytest.mark.parametrize("interval", ["bootstrap", "jackknife"])
def test_intervals_cover_the_truth_about_as_often_as_they_say(interval):
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        values = rng.exponential(1.0, 120)

        def mean(some, values=values):
            return float(values[some].mean())

        ends = bootstrap(mean, 120, 200, rng) if interval == "bootstrap" else jackknife(mean, 120, rng)
        covered += ends[0] <= 1.0 <= ends[1]
    assert 85 <= covered <= 100


def test_one_person_has_no_interval():
    assert bootstrap(lambda _: 1.0, 1, 10, np.random.default_rng(0)) == (None, None)
    assert jackknife(lambda _: 1.0, 1, np.random.default_rng(0)) == (None, None)
