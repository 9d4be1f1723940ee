"""Several runs of one experiment as one: their mean, the wider of two intervals, and the worst of their checks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_runs import N, outcomes

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.compare import Difference, mean_interval
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.comparison.several_runs import pooled


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
