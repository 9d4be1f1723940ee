"""Made-up past tests with a known truth: slopes, intervals and corrections find it, beside trivial guesses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.experiments.labs.past_tests import agreement
from groundlings.experiments.labs.past_tests.agreement import leave_one_out, measure_agreement, wilson
from groundlings.experiments.labs.past_tests.slope import Effects, Slope, fit_slope


def made_up(
    seed: int, n: int, slope: float, rest: float = 0.02, real_error: float = 0.02, simulated_error: float = 0.02
) -> tuple[Effects, np.ndarray]:
    """Effects and the true real effects, one experiment each; simulated effects have a spread of .06 without errors."""
    rng = np.random.default_rng(seed)
    inside = 0.06 * rng.standard_normal(n)
    truth = slope * inside + rest * rng.standard_normal(n)
    errors = [scale * rng.uniform(0.5, 1.5, n) for scale in (real_error, simulated_error)]
    real, simulated = (
        value + error * rng.standard_normal(n) for value, error in zip((truth, inside), errors, strict=True)
    )
    return Effects(real, errors[0], simulated, errors[1], np.arange(n)), truth


def records_of(effects: Effects) -> dict[tuple[str, str], agreement.Record]:
    records = measure_agreement(effects, leave_one_out(effects), seed=1)
    return {(record.metric, record.guess): record for record in records}


@pytest.mark.parametrize(("n", "slope"), [(15, 0.4), (30, 1.0)])
def test_intervals_of_the_slope_cover_it(n, slope):
    worlds = 40
    found = [fit_slope(made_up(seed, n, slope)[0]) for seed in range(worlds)]
    inside = sum((each.low or -np.inf) <= slope <= (each.high or np.inf) for each in found)
    # 38 expected; 34 or fewer happens once in 20 times where intervals cover 95 %, nearly always where they cover 75 %.
    assert inside >= 35
    assert np.median([each.value for each in found]) == pytest.approx(slope, abs=0.06)


def test_noise_in_the_simulation_does_not_flatten_the_slope():
    effects, _ = made_up(3, 400, 0.8, simulated_error=0.06)
    naive = (effects.real * effects.simulated).sum() / (effects.simulated**2).sum()
    assert naive < 0.5
    assert fit_slope(effects, interval=False).value == pytest.approx(0.8, abs=0.12)


def test_without_errors_in_the_simulation_it_is_the_weighted_regression():
    effects, _ = made_up(4, 40, 0.5, rest=0.0, simulated_error=0.0)
    weight = 1 / effects.real_error**2
    wanted = (weight * effects.real * effects.simulated).sum() / (weight * effects.simulated**2).sum()
    assert fit_slope(effects, interval=False).value == pytest.approx(wanted, abs=0.03)


@settings(max_examples=8)
@given(st.integers(0, 1000), st.sampled_from([0.01, 1.0, 250.0]), st.integers(0, 9))
def test_neither_the_unit_nor_the_side_of_the_baseline_changes_the_slope(seed, unit, flipped):
    effects, _ = made_up(seed, 10, 0.5)
    sign = np.where(np.arange(10) < flipped, -1, 1)
    other = Effects(
        effects.real * sign * unit, effects.real_error * unit, effects.simulated * sign * unit,
        effects.simulated_error * unit, effects.experiments,
    )  # fmt: skip
    one, two = (fit_slope(each, interval=False) for each in (effects, other))
    assert two.value == pytest.approx(one.value, rel=0.01, abs=0.01)
    assert two.spread == pytest.approx(one.spread * unit, rel=0.02)


def test_corrected_effects_are_nearer_to_the_truth_and_their_intervals_cover_it():
    covered, n = 0, 0
    for seed in range(8):
        effects, truth = made_up(seed, 20, 0.4)
        corrections = leave_one_out(effects)
        covered += int((np.abs(truth - corrections.expected) <= corrections.quantile * corrections.error).sum())
        n += len(truth)
        records = records_of(effects) if seed == 0 else {}
        if records:
            rmse = {guess: record.value for (metric, guess), record in records.items() if metric == "rmse"}
            assert rmse[agreement.CORRECTED] < rmse[agreement.SIMULATION]
    assert 0.90 < covered / n <= 0.99


def test_a_correction_never_reads_the_tests_of_its_own_experiment():
    effects, _ = made_up(5, 12, 0.4)
    effects = Effects(*[getattr(effects, name) for name in Effects.__slots__[:4]], np.arange(12) // 2)
    changed = Effects(
        np.where(effects.experiments == 2, 9.0, effects.real), *[
            getattr(effects, name) for name in Effects.__slots__[1:]
        ]
    )  # fmt: skip
    before, after = leave_one_out(effects), leave_one_out(changed)
    own = effects.experiments == 2
    assert np.allclose(before.expected[own], after.expected[own])
    assert not np.allclose(before.expected[~own], after.expected[~own])


def test_each_figure_stands_beside_trivial_guesses():
    found = records_of(made_up(1, 40, 0.7)[0])
    assert found["sign agreement", agreement.SIMULATION].value > 0.7
    assert 0.5 <= found["sign agreement", agreement.FREQUENT_SIGN].value < 0.7
    assert (
        found["sign agreement, really different", agreement.SIMULATION].value
        > found["sign agreement", agreement.SIMULATION].value
    )
    assert found["coverage", agreement.ZERO].value < 0.9
    assert found["coverage", agreement.CORRECTED].value > 0.85
    for record in found.values():
        if record.low is not None and record.value is not None:
            assert record.low <= record.value <= record.high
    assert found["rmse", agreement.CORRECTED].value < found["rmse", agreement.ZERO].value


def test_an_exaggerating_simulation_is_not_covered_and_a_calibrated_one_is():
    exaggerated, calibrated = (records_of(made_up(2, 60, slope, rest=0.0)[0]) for slope in (0.2, 1.0))
    assert exaggerated["coverage", agreement.SIMULATION].high < 0.95
    assert calibrated["coverage", agreement.SIMULATION].low < 0.95 < calibrated["coverage", agreement.SIMULATION].high
    assert exaggerated["calibration slope", agreement.SIMULATION].high < 0.5


def test_an_unrelated_simulation_has_a_slope_whose_interval_includes_zero():
    record = records_of(made_up(9, 40, 0.0)[0])["calibration slope", agreement.SIMULATION]
    assert record.low < 0 < record.high


def test_the_interval_of_wilson_is_the_published_one():
    low, high = wilson(81, 263)  # Newcombe 1998, table I: .2553 to .3662
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 0) == (None, None)
    assert wilson(0, 10)[0] == 0.0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_tests_give_no_slope_and_no_interval(n):
    found = records_of(made_up(1, n, 0.5)[0])
    assert found["calibration slope", agreement.SIMULATION].value is None
    assert found["coverage", agreement.CORRECTED].value is None
    assert found["spearman", agreement.SIMULATION].low is None


def test_a_prediction_shrinks_effects_that_are_small_beside_their_error():
    slope = Slope(0.5, 0.1, 0.3, 0.7, spread=0.05, rest=0.01, n=20, n_experiments=20, largest=0.2)
    exact, spread = slope.predict(0.1, 0.0)
    assert exact == pytest.approx(0.05)
    assert spread == pytest.approx(np.hypot(0.01, 0.01))
    assert slope.predict(0.1, 0.05)[0] == pytest.approx(0.025)
    assert slope.predict(0.1, 0.05)[1] > spread
