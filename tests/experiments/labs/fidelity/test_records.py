"""The words of the lab come from a rule; every word and every way to it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from groundlings.experiments.analysis.compare import Difference, paired_difference
from groundlings.experiments.labs.fidelity.figures import draw_ratios
from groundlings.experiments.labs.fidelity.headlines import headlines
from groundlings.experiments.labs.fidelity.history_tables import correlations
from groundlings.experiments.labs.fidelity.people import bootstrap, in_digits, jackknife, ratio_of
from groundlings.experiments.labs.fidelity.records import (
    Baseline,
    Record,
    Row,
    compare_rows,
    is_better,
    is_within,
    target_of,
    verdict,
    without_flips,
)


def difference(low, high):
    return Difference((low + high) / 2, 0.01, low, high, 0.01, 100, 0)


def record(value, low, high):
    return Record("interaction", "t", "s", "f1", "mind", value, low, high, 10, "people", "d")


def test_a_figure_over_zero_is_none_and_meets_no_target():
    """Ten people may all have given the same stars: then nothing differs a multiple of that."""
    found = record(ratio_of(0.5, 0.0), float("nan"), float("nan"))
    assert (found.value, found.low, found.high) == (None, None, None)
    assert not target_of(found, low=0.85, high=1.15).target.met
    assert (ratio_of(1.0, 2.0), in_digits(0.25, ".3f"), in_digits(float("nan"), ".3f")) == (0.5, "0.250", "n/a")


def test_what_is_compared_with_nothing_known_has_no_baseline():
    found = replace(record(0.5, 0.4, 0.6), baseline=Baseline("rule", float("nan"), float("nan")))
    assert found.baseline is None
    found = replace(found, baseline=Baseline("rule", 0.3, float("nan"), float("nan"), 0.4))
    assert found.baseline == Baseline("rule", 0.3, None, None, 0.4)


def test_nothing_is_claimed_where_no_user_differs_from_another():
    assert not is_better(difference(0.2, 0.2), higher_is_better=True)
    alike = paired_difference(np.full(7, 1.0), np.full(7, 0.9))
    assert not is_better(alike, higher_is_better=True), f"{alike.low!r} to {alike.high!r} is rounding"
    assert jackknife(lambda rows: 0.99, 10, np.random.default_rng(0)) == (None, None)
    found = bootstrap(lambda rows: 1.0 if 0 in rows else np.nan, 40, 100, np.random.default_rng(0))
    assert found == (None, None), "the resamples that hold the only user with a value agree on the figure"


def test_an_interval_that_ends_at_zero_is_drawn_to_zero():
    axes = Figure().subplots()
    found = replace(record(0.4, 0.0, 0.9), task="random 1:3", scorer="popularity")
    draw_ratios([found], "random", "f1", "one scorer")(axes)
    (bars,) = [each for each in axes.collections if isinstance(each, LineCollection)]
    assert bars.get_segments()[0][:, 1].tolist() == pytest.approx([0.0, 0.9])


def test_traits_of_two_people_are_not_correlated():
    """People of whom a trait is not known are left out, unless nobody has it."""
    nobody = np.full((4, 1), np.nan)
    traits = np.array([[1.0, 4.0], [2.0, np.nan], [3.0, 2.0], [5.0, 1.0]])

    def correlated(rows):
        return correlations(SimpleNamespace(traits=np.hstack([rows, nobody[: len(rows)]])))

    assert correlated(traits) == pytest.approx(np.array([[1, -1, 0], [-1, 1, 0], [0, 0, 0]]))
    assert np.isnan(correlated(traits[:3])).all()


@pytest.mark.parametrize(("metric", "most", "end"), [("f1", 1.0, 1.0), ("mae", None, None)])
def test_the_interval_of_a_mean_ends_where_its_scale_does(metric, most, end):
    rows = [Row("m", "mind", np.array(values)) for values in ((0.0, 0.0, 0.5), (1.0, 1.0, 0.5))]
    few, many = compare_rows("p", "t", metric, rows, definition="d", higher_is_better=True, most=most)
    assert few.low == 0
    assert many.high == end if end else many.high > 1


def test_of_two_predictions_the_one_that_is_known_is_the_headline():
    rows = [replace(record(value, None, None), part="preference", task="rating", metric="mae", scorer=f"m ({name})")
            for name, value in (("mean", None), ("median", 0.9))]  # fmt: skip
    examined = replace(record(0.5, None, None), scorer="m")
    for order in (rows, rows[::-1]):
        assert [row.record.value for row in headlines([examined, *order]) if row.label == "Rating, MAE"] == [0.9]


def test_without_a_claim_there_is_no_word():
    assert verdict(None, True) is None
    assert verdict(None, False) is None


def test_a_claim_that_fails_is_not_supported_whatever_the_gate():
    assert verdict(False, True) == verdict(False, False) == "not supported"


def test_a_claim_that_holds_is_indicative_until_the_gate_is_passed():
    assert verdict(True, False) == "indicative"
    assert verdict(True, True) == "validated"


@pytest.mark.parametrize(
    ("low", "high", "higher", "better"),
    [
        (0.01, 0.05, True, True),
        (-0.01, 0.05, True, False),
        (-0.05, -0.01, True, False),
        (-0.05, -0.01, False, True),
        (0.0, 0.05, True, False),
    ],
)
def test_better_needs_an_interval_on_the_good_side_of_zero(low, high, higher, better):
    assert is_better(difference(low, high), higher_is_better=higher) is better


def test_a_sign_that_flips_between_variants_supports_nothing():
    def beside(gap):
        baseline = Baseline("popularity", 0.5, gap, gap - 0.01, gap + 0.01)
        return replace(record(0.5 + gap, 0.4, 0.6), baseline=baseline, holds=gap > 0)

    assert [each.holds for each in without_flips([beside(0.1), beside(0.02)])] == [True, True]
    assert [each.holds for each in without_flips([beside(0.1), beside(-0.02)])] == [False, False]


def test_one_person_supports_nothing():
    assert not is_better(paired_difference(np.array([1.0]), np.array([0.0])), higher_is_better=True)


@given(st.floats(-1, 1), st.floats(0, 1), st.one_of(st.none(), st.floats(-1, 0)), st.one_of(st.none(), st.floats(0, 1)))
def test_within_means_the_whole_interval(low, width, bottom, top):
    inside = (bottom is None or low >= bottom) and (top is None or low + width <= top)
    assert is_within(low, low + width, (bottom, top)) is inside


def test_without_an_interval_nothing_is_within():
    assert not is_within(None, None, (None, 1.0))
    assert not is_within(float("nan"), 0.5, (None, 1.0))


def test_a_target_can_be_met_without_being_surely_met():
    assert target_of(record(0.5, 0.4, 0.6), low=0.45).target == replace(
        target_of(record(0.5, 0.4, 0.6), low=0.3).target, low=0.45, surely=False
    )
    missed = target_of(record(0.5, 0.4, 0.6), low=0.55).target
    assert (missed.met, missed.surely) == (False, False)


def test_minds_stand_beside_the_best_trivial_scorer_and_nobody_else_makes_claims():
    rng = np.random.default_rng(0)
    base = rng.random(200)
    rows = [
        Row("weak", "trivial", base),
        Row("strong", "trivial", base + 0.2),
        Row("other", "reference", base + 0.9),
        Row("mind", "mind", base + 0.3 + 0.01 * rng.random(200)),
    ]
    found = {each.scorer: each for each in compare_rows("p", "t", "m", rows, definition="d", higher_is_better=True)}
    assert found["mind"].baseline.scorer == "strong"
    assert found["mind"].holds
    assert [found[name].holds for name in ("weak", "strong", "other")] == [None, None, None]
    lower = {each.scorer: each for each in compare_rows("p", "t", "m", rows, definition="d", higher_is_better=False)}
    assert lower["mind"].baseline.scorer == "weak"
    assert not lower["mind"].holds


def test_a_mind_asked_about_a_sample_is_compared_on_that_sample():
    best = np.linspace(0, 1, 100)
    sample = np.where(np.arange(100) < 20, best + 0.1 + 0.001 * np.arange(100), np.nan)
    rows = [Row("best", "trivial", best), Row("mind", "mind", sample)]
    mind = compare_rows("p", "t", "m", rows, definition="d", higher_is_better=True)[1]
    assert mind.n == 20
    assert mind.baseline.value == pytest.approx(best[:20].mean())
    assert mind.baseline.difference == pytest.approx(0.1 + 0.001 * 9.5)
    assert mind.holds
