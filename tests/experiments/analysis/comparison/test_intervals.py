"""Bootstrap, delta method, Welch and CUPED: against second implementations and known truths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from groundlings.experiments.analysis.compare import mean_interval, paired_difference, within, within_one
from groundlings.experiments.analysis.comparison.bootstrap import bca_interval, bca_split_interval, resampled_counts
from groundlings.experiments.analysis.comparison.ratios import (
    paired_ratio_difference,
    ratio_estimate,
    relative_lift,
    split_lift,
    split_ratio_difference,
)
from groundlings.experiments.analysis.comparison.several_runs import pooled
from groundlings.experiments.analysis.comparison.split import cuped_difference, split_difference

TOLERANCE = 3 * np.sqrt(0.05 * 0.95 / 2000)
"""Three standard errors of a share of .05 among 2,000 experiments."""


def people(rng, experiments, n):
    """Clicks and impressions whose rate varies between people: shape (experiments, n) each, true pooled rate .2."""
    shown = rng.integers(5, 50, (experiments, n)).astype(float)
    rate = rng.beta(2, 8, (experiments, n))
    return rng.binomial(shown.astype(int), rate).astype(float), shown


def test_bca_agrees_with_scipy_on_skew_data():
    sample = np.random.default_rng(1).exponential(size=60)
    ours = bca_interval(sample, resamples=100_000, seed=1)
    theirs = stats.bootstrap((sample,), np.mean, n_resamples=100_000, method="BCa", rng=2).confidence_interval
    assert ours.low[0] == pytest.approx(theirs.low, abs=0.01)
    assert ours.high[0] == pytest.approx(theirs.high, abs=0.015)


def test_bca_of_a_ratio_agrees_with_scipy():
    rng = np.random.default_rng(2)
    clicks, shown = (part[0] for part in people(rng, 1, 80))
    ours = bca_interval(clicks, shown, resamples=20_000)
    theirs = stats.bootstrap(
        (clicks, shown), lambda y, x, axis: y.sum(axis) / x.sum(axis), paired=True, vectorized=True,
        n_resamples=20_000, method="BCa", rng=3,
    ).confidence_interval  # fmt: skip
    assert (ours.low[0], ours.high[0]) == (pytest.approx(theirs.low, abs=2e-3), pytest.approx(theirs.high, abs=2e-3))


def test_bca_covers_a_skew_mean_better_than_student_on_the_far_side():
    """1,000 samples of 40 from a lognormal: BCa covers more than t, which sits too low."""
    rng = np.random.default_rng(4)
    samples = rng.lognormal(0, 1, (40, 1000))
    truth = np.exp(0.5)
    found = bca_interval(samples, resamples=1000)
    error = samples.std(axis=0, ddof=1) / np.sqrt(40) * stats.t.ppf(0.975, 39)
    missed_above = np.mean(samples.mean(axis=0) + error < truth)
    assert np.mean(found.high < truth) < missed_above - 0.01
    assert np.mean((found.low <= truth) & (truth <= found.high)) > 0.88


@given(st.integers(2, 40), st.integers(0, 10**6))
def test_bca_is_repeatable_and_moves_with_the_data(n, seed):
    sample = np.random.default_rng(seed).normal(size=n)
    first, again = bca_interval(sample, resamples=200), bca_interval(sample, resamples=200)
    moved = bca_interval(3 * sample + 2, resamples=200)
    assert first.low == again.low
    assert moved.low[0] == pytest.approx(3 * first.low[0] + 2, abs=1e-9)
    assert first.low[0] <= first.high[0]


def test_bca_of_a_constant_is_that_constant_and_of_one_agent_nothing():
    found = bca_interval(np.full(10, 2.5), resamples=100)
    assert (found.low[0], found.high[0]) == (2.5, 2.5)
    assert np.isnan(bca_interval(np.array([1.0])).low[0])


def test_the_delta_method_covers_where_impressions_as_units_do_not():
    rng = np.random.default_rng(5)
    clicks, shown = people(rng, 2000, 150)
    covered = naive = 0
    for y, x in zip(clicks, shown, strict=True):
        found = ratio_estimate(y, x)
        covered += found.low <= 0.2 <= found.high
        rate = y.sum() / x.sum()
        naive += abs(rate - 0.2) <= 1.96 * np.sqrt(rate * (1 - rate) / x.sum())
    assert covered / 2000 == pytest.approx(0.95, abs=0.015 + TOLERANCE)
    assert naive / 2000 < 0.8


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_the_interval_of_a_share_holds_its_mean_and_nothing_impossible(values):
    plain = mean_interval(np.array(values))
    found = within_one(plain)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    if set(values) not in ({0.0}, {1.0}):
        assert (found.low, found.high) == (max(plain.low, 0), min(plain.high, 1))
    assert within_one(replace(plain, mean=1.5)) == replace(plain, mean=1.5), "what is no share keeps its interval"


@pytest.mark.parametrize("n", [2, 40, 1000])
def test_a_share_of_nobody_or_of_everybody_is_not_certain(n):
    nobody, everybody = within_one(mean_interval(np.zeros(n))), within_one(mean_interval(np.ones(n)))
    wilson = stats.binomtest(0, n).proportion_ci(method="wilson")
    assert (nobody.low, nobody.high) == (0.0, pytest.approx(wilson.high))
    assert (everybody.low, everybody.high) == (pytest.approx(1 - wilson.high), 1.0)
    assert within(mean_interval(np.zeros(n)), 0.0, None).high == 0.0, "what has no upper end has no such interval"
    assert within_one(mean_interval(np.full(n, 0.5))).high == 0.5


def test_delta_method_standard_errors_agree_with_the_bootstrap():
    rng = np.random.default_rng(6)
    (y, x), (v, u) = ([part[0] for part in people(rng, 1, 300)] for _ in range(2))
    picks = rng.integers(0, 300, (4000, 300))
    paired = y[picks].sum(1) / x[picks].sum(1) - v[picks].sum(1) / u[picks].sum(1)
    assert paired_ratio_difference((y, x), (v, u)).standard_error == pytest.approx(paired.std(), rel=0.05)
    other = rng.integers(0, 300, (4000, 300))
    split = y[picks].sum(1) / x[picks].sum(1) - v[other].sum(1) / u[other].sum(1)
    assert split_ratio_difference((y, x), (v, u)).standard_error == pytest.approx(split.std(), rel=0.05)


def test_pairing_cancels_what_both_arms_share():
    y, x = (part[0] for part in people(np.random.default_rng(7), 1, 100))
    same = paired_ratio_difference((y, x), (y.copy(), x.copy()))
    assert (same.difference, same.standard_error, same.p_value) == (0.0, 0.0, 1.0)
    shifted = paired_ratio_difference((y + 0.1 * x, x), (y, x))
    assert shifted.difference == pytest.approx(0.1)
    assert shifted.standard_error == pytest.approx(0.0, abs=1e-12)


def test_the_lift_is_relative_and_leaves_out_who_has_no_value():
    baseline = np.array([1.0, 2.0, 3.0, np.nan])
    found = relative_lift(1.5 * baseline, baseline)
    assert (found.mean, found.n, found.excluded) == (pytest.approx(0.5), 3, 1)
    assert found.low == pytest.approx(0.5)
    assert relative_lift(baseline, np.zeros(4)).mean is None


def test_the_lift_covers_its_truth():
    rng = np.random.default_rng(8)
    covered = 0
    for _ in range(2000):
        person = rng.gamma(2, 1, 120)
        found = relative_lift(1.2 * person + rng.normal(0, 0.5, 120), person + rng.normal(0, 0.5, 120))
        covered += found.low <= 0.2 <= found.high
    assert covered / 2000 == pytest.approx(0.95, abs=0.012 + TOLERANCE)


def test_split_difference_is_welchs():
    rng = np.random.default_rng(9)
    arm, baseline = rng.normal(0.4, 2, 50), rng.normal(0, 1, 90)
    found, theirs = split_difference(arm, baseline), stats.ttest_ind(arm, baseline, equal_var=False)
    ends = theirs.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(ends.low), pytest.approx(ends.high))
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert split_difference(np.array([1.0, np.nan]), baseline).difference is None


def test_without_any_spread_a_difference_has_no_p_value_and_between_groups_no_interval():
    ones, zeros = np.ones(4), np.zeros(4)
    of_pairs, of_groups = paired_difference(ones, zeros), split_difference(ones, zeros)
    ratios = split_ratio_difference((ones, ones), (zeros, ones))
    for found in (ratios, paired_ratio_difference((ones, ones), (zeros, ones))):
        assert (found.difference, found.low, found.high, found.excludes_zero) == (1.0, None, None, False)
    assert [found.p_value for found in (of_pairs, of_groups, ratios, pooled([of_pairs, of_pairs], 0.05))] == [None] * 4
    assert (of_groups.difference, of_groups.low, bca_split_interval(ones, zeros)) == (1.0, None, (None, None))
    assert pooled([of_groups, of_groups], 0.05).low is split_lift(2 * ones, ones).low is None
    for same in (paired_difference(ones, ones), split_difference(ones, ones)):
        assert (same.low, same.high, same.p_value) == (0.0, 0.0, 1.0)


def test_cuped_is_unbiased_and_as_sharp_as_the_correlation_says():
    """1,000 split experiments, correlation .8 with the time before: .36 of the variance is left."""
    rng = np.random.default_rng(10)
    plain, adjusted, covered = [], [], 0
    for _ in range(1000):
        before = rng.normal(0, 1, 200)
        after = 0.8 * before + rng.normal(0, 0.6, 200)
        after[:100] += 0.3
        found = cuped_difference(after[:100], after[100:], before[:100], before[100:])
        adjusted.append(found.difference)
        plain.append(split_difference(after[:100], after[100:]).difference)
        covered += found.low <= 0.3 <= found.high
    assert np.mean(adjusted) == pytest.approx(0.3, abs=0.01)
    assert np.var(adjusted) / np.var(plain) == pytest.approx(0.36, abs=0.06)
    assert covered / 1000 == pytest.approx(0.95, abs=0.025)


def test_cuped_agrees_with_regression_on_arm_and_covariate():
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(11)
    before = rng.gamma(2, 1, 300)
    after = 0.5 * before + rng.normal(0, 1, 300)
    arm = np.arange(300) < 150
    model = sm.OLS(after, np.column_stack([np.ones(300), arm, before])).fit()
    found = cuped_difference(after[arm], after[~arm], before[arm], before[~arm])
    assert found.difference == pytest.approx(model.params[1], rel=1e-6, abs=1e-9)
    assert found.standard_error == pytest.approx(model.bse[1], rel=0.01)


def test_a_covariate_that_never_varies_changes_nothing():
    rng = np.random.default_rng(12)
    arm, baseline = rng.normal(size=20), rng.normal(size=20)
    flat = np.ones(20)
    assert cuped_difference(arm, baseline, flat, flat) == split_difference(arm, baseline)


def test_the_resamples_of_as_many_agents_are_drawn_once_and_are_the_same_each_time(monkeypatch):
    drawn = []
    generator = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: drawn.append(seed) or generator(seed))
    first, again = (np.concatenate(list(resampled_counts(437, 50, 9))) for _ in range(2))
    assert drawn == [[9, 437]]
    picks = generator([9, 437]).integers(0, 437, size=(50, 437))
    assert np.array_equal(first, [np.bincount(row, minlength=437) for row in picks])
    assert np.array_equal(again, first)
    first[:] = -1  # whoever changes them changes nobody else's
    assert np.array_equal(np.concatenate(list(resampled_counts(437, 50, 9))), again)
