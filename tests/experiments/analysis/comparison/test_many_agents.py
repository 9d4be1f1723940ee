"""Of many agents nobody is resampled, and intervals say the same as if all were."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from groundlings.experiments.analysis.comparison.bootstrap import (
    RESAMPLED_AGENTS,
    bca_interval,
    bca_split_interval,
)
from groundlings.experiments.analysis.comparison.multiplicity import max_t, max_t_split

MANY = RESAMPLED_AGENTS + 2_000


def sample(seed, n=MANY):
    """So skew that a second-order interval differs from Student's."""
    return np.random.default_rng(seed).lognormal(0, 1.5, n)


def agrees(ours, theirs):
    width = theirs.high - theirs.low
    return ours == (pytest.approx(theirs.low, abs=0.02 * width), pytest.approx(theirs.high, abs=0.02 * width))


def test_the_expansion_of_a_skew_mean_is_where_its_resamples_are():
    values = sample(1)
    found = bca_interval(values)
    resampled = stats.bootstrap((values,), np.mean, n_resamples=9_999, method="BCa", batch=200, rng=2)
    assert agrees((found.low[0], found.high[0]), resampled.confidence_interval)
    middle = (found.low[0] + found.high[0]) / 2
    assert middle - values.mean() > 0.01 * (found.high[0] - found.low[0]), "a skew mean reaches further upwards"


def test_the_expansion_of_a_gap_between_groups_is_where_its_resamples_are():
    arm, baseline = sample(3), sample(4) / 2
    resampled = stats.bootstrap(
        (arm, baseline), lambda one, other, axis: one.mean(axis) - other.mean(axis), n_resamples=4_999, method="BCa",
        batch=200, rng=5,
    )  # fmt: skip
    assert agrees(bca_split_interval(arm, baseline), resampled.confidence_interval)


def test_a_constant_of_many_agents_is_that_constant():
    found = bca_interval(np.full((MANY, 2), [2.5, 1.0]))
    assert (found.low.tolist(), found.high.tolist()) == ([2.5, 1.0], [2.5, 1.0])


def test_arms_that_are_alike_cost_as_much_as_one_and_others_as_much_as_each():
    rng = np.random.default_rng(6)
    one = rng.normal(0.02, 1, MANY)
    single = stats.norm.ppf(0.975)
    sidak = stats.norm.ppf(1 - (1 - 0.95 ** (1 / 3)) / 2)
    assert max_t(np.column_stack([one] * 3), resamples=20_000).critical == pytest.approx(single, abs=0.05)
    apart = max_t(rng.normal([0.0, 0.0, 0.1], 1, (MANY, 3)), resamples=20_000)
    assert apart.critical == pytest.approx(sidak, abs=0.05)
    assert apart.p_values[2] < 0.001
    assert apart.ranks[2].tolist() == [1, 1]
    groups = [rng.normal(0, 1, MANY) for _ in range(4)]
    shared = max_t_split(groups[0], groups[1:], resamples=20_000).critical
    assert single + 0.1 < shared < sidak, "they share the baseline"
