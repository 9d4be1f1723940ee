"""Many tests, no loss, power, looks and integrity: against statsmodels, published tables and simulation."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from groundlings.experiments.analysis.compare import paired_difference
from groundlings.experiments.analysis.comparison.equivalence import equivalence_p_value, no_loss_p_value
from groundlings.experiments.analysis.comparison.integrity import attrition_p_value, sample_ratio_p_value
from groundlings.experiments.analysis.comparison.joint_means import JointMeans, critical_of_all_pairs, places
from groundlings.experiments.analysis.comparison.multiplicity import benjamini_hochberg, holm, max_t, max_t_split
from groundlings.experiments.analysis.comparison.power import beyond_interval, detectable_effect, needed_agents, power
from groundlings.experiments.analysis.comparison.sequential import boundaries, sequence_reach, spent_alpha

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(p_lists)
def test_holm_and_benjamini_hochberg_agree_with_statsmodels(p_values):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1], abs=1e-12)
    reference = multitest.multipletests(p_values, method="fdr_bh")[1]
    assert benjamini_hochberg(p_values) == pytest.approx(reference, abs=1e-12)
    assert benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values), abs=1e-12)


@given(p_lists)
def test_adjusting_never_makes_a_p_value_smaller_and_holm_is_the_stricter(p_values):
    assert (holm(p_values) >= np.array(p_values) - 1e-12).all()
    assert (holm(p_values) >= benjamini_hochberg(p_values) - 1e-12).all()


def test_no_p_values_adjust_to_none():
    assert len(holm([])) == len(benjamini_hochberg([])) == 0


def test_max_t_keeps_its_promise_and_costs_less_than_bonferroni_where_arms_are_alike():
    """600 null experiments with five arms whose differences correlate at .8."""
    rng = np.random.default_rng(1)
    alarms, critical = 0, []
    for _ in range(600):
        shared = rng.normal(0, 2, (80, 1))
        found = max_t(shared + rng.normal(0, 1, (80, 5)), resamples=400)
        alarms += found.p_values.min() < 0.05
        critical.append(found.critical)
    assert alarms / 600 == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 600))
    assert np.mean(critical) < stats.t.ppf(1 - 0.025 / 5, 79) - 0.1


def test_one_arm_of_max_t_is_students_test():
    difference = np.random.default_rng(2).normal(0.3, 1, (200, 1))
    found = max_t(difference, resamples=20_000)
    assert found.critical == pytest.approx(stats.t.ppf(0.975, 199), abs=0.06)
    assert found.p_values[0] == pytest.approx(stats.ttest_1samp(difference[:, 0], 0).pvalue, abs=2e-3)


def test_independent_arms_of_max_t_cost_what_sidak_says():
    difference = np.random.default_rng(3).normal(0, 1, (400, 6))
    sidak = stats.t.ppf(1 - (1 - 0.95 ** (1 / 6)) / 2, 399)
    assert max_t(difference, resamples=20_000).critical == pytest.approx(sidak, abs=0.06)


def test_arms_that_never_vary_have_no_p_value_unless_nothing_differs_and_ranks_are_honest():
    rng = np.random.default_rng(4)
    difference = np.column_stack([np.zeros(100), np.full(100, 2.0), rng.normal(1, 0.1, 100), rng.normal(1, 0.1, 100)])
    found = max_t(difference, resamples=500)
    assert found.p_values[0] == 1.0
    assert np.isnan(found.p_values[1])
    assert found.ranks[1].tolist() == [1, 1]
    assert {tuple(rank) for rank in found.ranks[2:].tolist()} <= {(2, 3), (2, 2), (3, 3)}
    assert found.ranks[0].tolist() == [4, 4]


@pytest.mark.parametrize("shift", [0.0, 0.1, 1.0, 1e3 / 3])
def test_a_resample_without_the_one_who_differs_is_no_evidence(shift):
    """Rounding leaves such a resample a spread of some billionths, by which nothing may be divided."""
    difference = np.full((12, 2), shift)
    difference[5, 0] -= 1.0
    difference[:, 1] = np.linspace(-1, 1, 12)
    assert max_t(difference, resamples=500).critical < 20
    groups = [difference[:, place] for place in range(2)]
    assert max_t_split(np.full(12, shift), groups, resamples=500).critical < 20


def test_tost_agrees_with_statsmodels():
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    rng = np.random.default_rng(5)
    arm, baseline = rng.normal(0.05, 1, 80), rng.normal(0, 1, 80)
    found = paired_difference(arm, baseline)
    reference = weightstats.ttost_paired(arm, baseline, -0.3, 0.3)
    assert equivalence_p_value(found, 0.3) == pytest.approx(reference[0])
    assert no_loss_p_value(found, 0.3) == pytest.approx(reference[1][1])


def test_a_loss_is_ruled_out_where_nothing_differs_and_not_tested_where_nobody_varies():
    same = paired_difference(np.ones(5), np.ones(5))
    assert (no_loss_p_value(same, 0.1), equivalence_p_value(same, 0.1)) == (0.0, 0.0)
    worse = paired_difference(np.zeros(5), np.ones(5))
    assert (no_loss_p_value(worse, 0.1), equivalence_p_value(worse, 0.1)) == (None, None)
    assert no_loss_p_value(paired_difference(np.ones(1), np.ones(1)), 0.1) is None


@pytest.mark.parametrize(
    ("n", "effect"), [(3, 0.8), (10, 0.02), (10, 0.8), (50, 0.2), (50, 0.5), (943, 0.02), (943, 0.1)]
)
def test_power_agrees_with_statsmodels(n, effect):
    theirs = pytest.importorskip("statsmodels.stats.power").TTestPower().power(effect, n, 0.05)
    assert power(effect, 1.0, n) == pytest.approx(theirs, abs=2e-4)


def test_needed_agents_follow_the_rule_of_thumb_and_are_the_fewest():
    for effect, rule in ((0.05, 3140), (0.1, 785), (0.2, 197)):
        n = needed_agents(effect, 1.0)
        assert n == pytest.approx(rule, rel=0.02)
        assert power(effect, 1.0, n) >= 0.8 > power(effect, 1.0, n - 1)
    assert needed_agents(0.0, 1.0) is None
    assert needed_agents(0.1, 0.0) == 2


def test_the_detectable_effect_is_found_as_often_as_wanted():
    rng = np.random.default_rng(6)
    effect = detectable_effect(2.0, 60, wanted=0.8)
    assert power(effect, 2.0, 60) == pytest.approx(0.8, abs=1e-6)
    found = [paired_difference(rng.normal(effect, 2, 60), np.zeros(60)).excludes_zero for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)
    assert beyond_interval(stats.t.ppf(0.975, 59), 2 / np.sqrt(60), 60) == pytest.approx(effect, rel=0.02)
    assert detectable_effect(0.0, 60) == 0.0


def test_boundaries_are_those_of_lan_and_demets():
    """Five equal looks at alpha .05, O'Brien-Fleming-like: as tabulated, and as R's ldbounds and gsDesign print."""
    assert boundaries([1, 2, 3, 4, 5]) == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=2e-3)
    assert boundaries([100]) == pytest.approx([stats.norm.ppf(0.975)], abs=1e-6)
    assert spent_alpha(1.0, 0.05) == pytest.approx(0.05)


def test_all_looks_together_raise_false_alarms_at_rate_alpha():
    rng = np.random.default_rng(7)
    looks = np.array([50, 120, 400])
    walks = np.cumsum(rng.normal(size=(4000, 400)), axis=1)[:, looks - 1] / np.sqrt(looks)
    alarms = (np.abs(walks) > boundaries(looks.tolist())).any(axis=1)
    assert alarms.mean() == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 4000))


def test_the_confidence_sequence_survives_96_looks_where_student_does_not():
    rng = np.random.default_rng(8)
    looks = np.arange(50, 1010, 10)
    walks = np.cumsum(rng.normal(size=(2000, 1000)), axis=1)[:, looks - 1] / np.sqrt(looks)
    reach = np.array([sequence_reach(int(n)) for n in looks])
    assert (np.abs(walks) > reach).any(axis=1).mean() < 0.035
    assert (np.abs(walks) > 1.96).any(axis=1).mean() > 0.2
    assert 1.4 < sequence_reach(1000) / 1.96 < 1.7


def test_the_confidence_sequence_is_narrowest_near_the_number_it_is_tuned_for():
    widths = {tuned: sequence_reach(500, tuned) for tuned in (5, 50, 500, 5000, 50_000)}
    assert min(widths, key=widths.__getitem__) == 500


def test_a_sample_ratio_mismatch_is_noticed():
    assert sample_ratio_p_value([500, 500]) == 1.0
    assert sample_ratio_p_value([5000, 4500]) < 0.001
    assert sample_ratio_p_value([900, 100], [0.9, 0.1]) == pytest.approx(1.0)
    assert sample_ratio_p_value([600, 400]) == pytest.approx(stats.chisquare([600, 400]).pvalue)
    assert sample_ratio_p_value([0, 0]) == 1.0


def test_attrition_is_the_mid_p_mcnemar_test():
    arm = np.array([True] * 90 + [False] * 10)
    baseline = np.array([True] * 98 + [False] * 2)
    contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
    exact = contingency.mcnemar([[90, 0], [8, 2]], exact=True).pvalue
    assert attrition_p_value(arm, baseline) == pytest.approx(exact - stats.binom.pmf(0, 8, 0.5))
    assert attrition_p_value(arm, arm) == 1.0
    assert attrition_p_value(arm, baseline) == attrition_p_value(baseline, arm)


@pytest.mark.parametrize("judged", ["all pairs", "places"])
def test_many_arms_are_judged_in_bounded_memory(judged):
    """Of a thousand arms there are half a million pairs, each with thousands of draws."""
    values = np.random.default_rng(3).normal(size=(30, 60))
    tracemalloc.start()
    try:
        if judged == "all pairs":
            critical = critical_of_all_pairs(JointMeans(np.eye(60), values, 29, 30), 0.05)
            assert 4 < critical < 5.5
        else:
            many = np.tile(values, (100, 2))
            ranks = places(many, many)
            assert (ranks[:30, :60] == 1 + 2 * (values[:, :, None] < values[:, None, :]).sum(axis=2)).all()
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()
