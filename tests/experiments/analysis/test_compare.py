from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from groundlings.experiments.analysis.compare import mean_interval, paired_difference

values = arrays(np.float64, st.integers(2, 30), elements=st.floats(-1e3, 1e3, width=32))


def two_sided_p(statistic: float, freedom: int) -> float:
    """By integrating Student's density, without scipy's distribution of it."""
    constant = math.gamma((freedom + 1) / 2) / (math.sqrt(freedom * math.pi) * math.gamma(freedom / 2))
    density = lambda x: constant * (1 + x * x / freedom) ** (-(freedom + 1) / 2)  # noqa: E731
    return 1 - 2 * integrate.quad(density, 0, abs(statistic))[0]


def test_agrees_with_scipys_paired_test_and_with_integration():
    rng = np.random.default_rng(5)
    arm, baseline = rng.normal(0.3, 1.0, 40), rng.normal(0.0, 1.0, 40)
    found = paired_difference(arm, baseline)
    reference = stats.ttest_rel(arm, baseline)
    ends = reference.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(ends.low), pytest.approx(ends.high))
    assert found.p_value == pytest.approx(reference.pvalue)
    assert found.p_value == pytest.approx(two_sided_p(found.difference / found.standard_error, 39), abs=1e-9)


@given(values)
def test_the_interval_holds_the_mean_and_zero_is_excluded_exactly_when_p_is_small(sample):
    found = paired_difference(sample, np.zeros(len(sample)))
    assert found.low <= found.difference <= found.high
    if found.standard_error > 0 and abs(found.p_value - 0.05) > 1e-6:
        assert found.excludes_zero == (found.p_value < 0.05)


@given(values)
def test_swapping_the_arms_turns_the_sign(sample):
    there, back = paired_difference(sample, sample[::-1]), paired_difference(sample[::-1], sample)
    assert there.difference == pytest.approx(-back.difference)
    assert there.p_value == pytest.approx(back.p_value)


@given(values)
def test_identical_arms_differ_by_exactly_nothing(sample):
    found = paired_difference(sample, sample.copy())
    assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert not found.excludes_zero


def test_agents_missing_in_one_arm_are_left_out_and_counted():
    nan = np.nan
    found = paired_difference(np.array([1.0, nan, 3.0, 4.0]), np.array([0.0, 0.0, nan, 1.0]))
    assert (found.n, found.excluded, found.difference) == (2, 2, 2.0)


@pytest.mark.parametrize(("sample", "mean"), [([], None), ([np.nan], None), ([2.0], 2.0), ([2.0, np.nan], 2.0)])
def test_too_few_agents_have_no_interval(sample, mean):
    found = mean_interval(np.array(sample))
    assert (found.mean, found.standard_error, found.low, found.high) == (mean, None, None, None)


def test_a_constant_difference_has_no_p_value_because_nothing_tells_chance():
    found = paired_difference(np.full(5, 3.0), np.full(5, 2.0))
    assert (found.low, found.high, found.p_value) == (1.0, 1.0, None)


def test_different_agents_cannot_be_paired():
    with pytest.raises(ValueError, match="same agents"):
        paired_difference(np.zeros(3), np.zeros(4))


def test_intervals_cover_the_truth_as_often_as_they_say():
    """4,000 experiments of 25 agents whose shared part cancels: coverage within three standard errors of 95 %."""
    rng = np.random.default_rng(20)
    truth, experiments, covered, narrow = 0.2, 4000, 0, 0
    for _ in range(experiments):
        person = rng.normal(0, 2.0, 25)
        arm, baseline = (person + rng.normal(shift, 0.5, 25) for shift in (truth, 0.0))
        found = paired_difference(arm, baseline)
        covered += found.low <= truth <= found.high
        narrow += found.standard_error < 0.5 * np.hypot(arm.std(), baseline.std()) / 5
    assert covered / experiments == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / experiments))
    assert narrow == experiments
