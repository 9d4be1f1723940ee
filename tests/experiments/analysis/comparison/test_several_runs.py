"""Several runs of one experiment as one: their mean, the wider of two intervals, and the worst of their checks."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_runs import N, outcomes
from made_up_runs import arm as made_up
from rich.console import Console

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.compare import Difference, mean_interval
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.comparison.several_runs import pooled
from groundlings.experiments.analysis.report.verdict_terminal import print_verdict
from groundlings.experiments.config.decision_plan import PlanConfig


def test_the_headline_is_the_wider_of_agents_and_variants():
    others = [outcomes(shift=shift, seed=seed, run_id=str(seed)) for seed, shift in ((1, 0.5), (2, 2.5))]
    alone = compare_outcomes(outcomes(), None).arms[0].headline.effect
    together = compare_outcomes(outcomes(), None, others).arms[0].headline
    assert together.effect.high - together.effect.low > alone.high - alone.low
    assert "3 runs" in together.interval
    with pytest.raises(RunDirectoryError, match="named twice"):
        compare_outcomes(outcomes(), None, [outcomes()])


def test_the_effect_of_several_runs_is_their_mean_and_not_the_first_ones():
    others = [outcomes(shift=shift, seed=seed, run_id=str(seed)) for seed, shift in ((1, 0.5), (2, 2.5))]
    (new,) = compare_outcomes(outcomes(), None, others).arms
    alone = [compare_outcomes(run, None).arms[0] for run in (outcomes(), *others)]
    for what in ("effect", "lift"):
        each = [getattr(arm.headline, what) for arm in alone]
        middles = [found.difference if what == "effect" else found.mean for found in each]
        whole = getattr(new.headline, what)
        middle = whole.difference if what == "effect" else whole.mean
        assert middle == pytest.approx(np.mean(middles))
        assert middle == pytest.approx((whole.low + whole.high) / 2)
    assert new.novelty.difference == pytest.approx(np.mean([arm.novelty.difference for arm in alone]))
    for mine, *theirs in zip(new.explored, *(arm.explored for arm in alone), strict=True):
        assert mine.effect.difference == pytest.approx(np.mean([each.effect.difference for each in theirs]))


def test_runs_that_agree_leave_the_interval_as_wide_as_one_of_them():
    others = [outcomes(seed=seed, run_id=str(seed)) for seed in range(1, 6)]
    found = compare_outcomes(outcomes(), None, others)
    effects = [compare_outcomes(run, None).arms[0].headline.effect for run in (outcomes(), *others)]
    together = found.arms[0].headline
    assert together.effect.high - together.effect.low == pytest.approx(
        np.mean([each.high - each.low for each in effects]), rel=1e-3
    )
    assert together.interval.startswith("as wide as in one of 6 runs")
    assert not found.standing.chances, "it would know of agents only"
    assert found.baseline_mean == pytest.approx(found.standing.means["base"].mean)


def test_objectives_and_their_utility_are_of_all_runs_as_the_effect_beside_them():
    likes = {"metric": "likes_per_session", "role": "primary", "weight": 2.0}
    plan = PlanConfig.model_validate({"objectives": [likes], "utility": "units"})
    first, *others = (outcomes(plan=plan, seed=seed, shift=seed + 1, run_id=str(seed)) for seed in (0, 1))
    found = compare_outcomes(first, None, others)
    new = found.arms[0].headline.effect
    assert compare_outcomes(first, None).arms[0].headline.effect.difference < new.difference - 0.1, "the runs differ"
    base, arm = found.objectives.arms
    assert base.effects[0].mean.mean == pytest.approx(found.baseline_mean)
    assert (arm.effects[0].effect.low, arm.effects[0].effect.high) == pytest.approx((new.low, new.high))
    assert (arm.utility.low, arm.utility.high) == pytest.approx((2 * new.low, 2 * new.high))
    assert arm.utility.p_value == pytest.approx(new.p_value)
    assert arm.effects[0].lift.mean == pytest.approx(found.arms[0].headline.lift.mean)


def test_no_spread_is_said_of_runs_that_have_none_and_not_of_the_first_one_alone():
    one, two = (outcomes(seed=seed, run_id=str(seed)) for seed in (0, 1))

    def constant(run, more):
        base = run.baseline.totals.columns["likes"]
        return replace(run, arms=(run.arms[0], made_up("new", "ease", base + more)))

    def together(*runs):
        return compare_outcomes(runs[0], None, runs[1:]).arms[0].headline

    assert together(constant(one, 1), constant(two, 1)).unvaried
    assert not together(constant(one, 1), constant(two, 2)).unvaried, "the runs differ"
    assert not together(constant(one, 1), two).unvaried
    assert not together(two, constant(one, 1)).unvaried
    alike = made_up("new", "ease", one.baseline.totals.columns["likes"], identical=True)
    copy = replace(one, arms=(one.arms[0], alike))
    assert not together(copy, constant(two, 0)).identical, "of users who did the same, arms are not identical"


def test_figures_of_the_first_run_alone_are_said_to_be_of_it():
    comparison = compare_outcomes(outcomes(), None, [outcomes(seed=1, run_id="b")])
    console = Console(file=io.StringIO(), width=200)
    print_verdict(comparison, console)
    lines = console.file.getvalue().splitlines()
    assert [line.split()[0] for line in lines if "of the run with seed 0: " in line] == ["segments", "agents"]


def test_a_guardrail_is_judged_over_all_runs():
    harmed = outcomes(satisfaction=5.0)
    others = [outcomes(seed=seed, run_id=str(seed), satisfaction=5.9) for seed in (1, 2)]
    assert compare_outcomes(harmed, None).arms[0].guardrails[0].state == "harmed"
    (guard,) = compare_outcomes(harmed, None, others).arms[0].guardrails
    assert guard.effect.difference == pytest.approx(-0.4)
    assert guard.state == "unclear"


def test_a_check_is_as_bad_as_it_came_out_in_any_run():
    lost = np.arange(N) > N / 2
    other = outcomes(seed=1, run_id="b")
    wrong = replace(other, arms=(other.arms[0], replace(other.arms[1], completed=lost), *other.arms[2:]))
    checks = {each.name: each for each in compare_outcomes(outcomes(), None, [wrong]).checks}
    found = checks["as many agents completed each arm"]
    assert (found.status, found.finding.split(":")[0]) == ("failed", "seed 1")
    assert checks["as many agents assigned to each arm"].status == "passed"


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 3)), min_size=2, max_size=6))
def test_no_interval_over_runs_is_narrower_than_that_of_a_run(found):
    gaps = [Difference(middle, error, middle - 2 * error, middle + 2 * error, 0.5, N, 0) for middle, error in found]
    whole = pooled(gaps, 0.05)
    assert whole.low <= whole.difference <= whole.high
    assert whole.difference == pytest.approx(np.mean([gap.difference for gap in gaps]))
    student = mean_interval(np.array([gap.difference for gap in gaps]))
    assert whole.high - whole.low >= student.high - student.low - 1e-9
    assert (whole.p_value < 0.05) == (not whole.low <= 0 <= whole.high)
