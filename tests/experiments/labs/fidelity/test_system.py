"""The gate opens for those who predict the order of recommenders, and for nobody else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundlings.experiments.labs.fidelity.calibration import BINS, expected_calibration_error, reliability
from groundlings.experiments.labs.fidelity.partitions import Partition, examine_partitions, gate
from groundlings.experiments.labs.fidelity.records import Record, verdict
from groundlings.experiments.labs.fidelity.sentences import figure, figure_and_n, reached, sentence
from groundlings.experiments.labs.fidelity.stage import MIND
from groundlings.experiments.labs.fidelity.system import (
    OTHER_PEOPLE,
    Utilities,
    kendall,
    really_different,
    sign_agreement,
)


@pytest.fixture
def real():
    """Eight recommenders, 300 people, means that clearly rise from column to column but for the last two."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.1, (300, 8)) + np.array([0, 1, 2, 3, 4, 5, 6, 6.0]) / 10


def test_pairs_that_do_not_really_differ_are_left_out(real):
    pairs = really_different(real)
    assert (6, 7) not in pairs
    assert len(pairs) == 8 * 7 / 2 - 1


def test_the_right_order_agrees_and_the_wrong_one_does_not(real):
    pairs = really_different(real)
    assert kendall(real, 7 * real)[0] == pytest.approx(1.0)
    assert kendall(real, -real)[0] == pytest.approx(-1.0)
    assert sign_agreement(real, 7 * real, pairs) == 1.0
    assert sign_agreement(real, -real, pairs) == 0.0
    assert np.isnan(sign_agreement(real, real, []))


def test_the_p_value_is_exact(real):
    # Of 8! orders the two extreme ones have |tau| = 1.
    assert kendall(real, real)[1] == pytest.approx(2 / 40320)


def utilities(real, simulated):
    return Utilities(tuple("abcdefgh"), real, real, {MIND: simulated, "popularity scorer": -real, "genres": 0 * real})


def partition(seed, of_mind):
    """The test third of one salt: 300 of 900 people, eight recommenders, the last two alike."""
    rng = np.random.default_rng(seed)
    people = np.sort(rng.choice(900, 300, replace=False))
    real = rng.normal(0, 0.1, (300, 8)) + np.array([0, 1, 2, 3, 4, 5, 6, 6.0]) / 10
    return Partition(people, people, utilities(real, of_mind(real)))


def examined(stage, of_mind, n=5):
    return examine_partitions(stage, [partition(seed, of_mind) for seed in range(n)])


@pytest.fixture(scope="module")
def many(stage):
    """A stage with as many users as the partitions have."""
    people = replace(stage.dataset.people, user_ids=tuple(map(str, range(900))), attributes=({},) * 900)
    return replace(stage, dataset=replace(stage.dataset, people=people))


def test_the_gate_judges_the_mean_over_salts(many):
    records = examined(many, lambda real: 7 * real)
    tau = next(each for each in records if (each.scorer, each.metric) == (MIND, "kendall tau"))
    assert tau.value == pytest.approx(1.0)
    assert tau.task == "order of 8 recommenders, mean over 5 salts"
    assert tau.low <= tau.value <= tau.high
    assert (tau.baseline.scorer, tau.holds, tau.target.met) == ("popularity scorer", True, True), "genres have no order"
    assert gate(records, 5)
    assert not gate(records, 4), "four salts are too few"
    assert not gate([], 5)
    assert not gate(examined(many, lambda real: -real), 5)
    assert not gate(examined(many, lambda real: 0 * real + np.array([0, 2, 1, 4, 3, 6, 5, 7.0])), 5), "tau is too low"


def test_a_mind_without_an_order_has_no_tau_and_nobody_calls_its_target_missed(many):
    records = examined(many, lambda real: 0 * real)
    tau = next(each for each in records if (each.scorer, each.metric) == (MIND, "kendall tau"))
    assert (tau.value, tau.low, tau.holds) == (None, None, False)
    assert np.isnan(kendall(np.ones((3, 8)), np.ones((3, 8)))).all()
    assert (reached(tau), sentence(tau).split("; ")[-1]) == (
        "n/a",
        "target \u2265 0.8 not known to be met.",
    )


def test_salts_without_a_pair_that_really_differs_are_counted_and_keep_the_gate_shut(many):
    def alike(each):
        flat = np.broadcast_to(each.utilities.real[:, :1], each.utilities.real.shape)
        return replace(each, utilities=replace(each.utilities, real=flat))

    salts = [partition(seed, lambda real: 7 * real) for seed in range(5)]
    records = examine_partitions(many, [salts[0], *map(alike, salts[1:])])
    sign = next(each for each in records if (each.scorer, each.metric) == (MIND, "sign agreement"))
    assert (sign.value, sign.n, sign.holds) == (1.0, 27, False)
    assert "mean over the 1 of 5 salts with such pairs" in sign.definition
    assert figure_and_n(sign, 300) == f"{figure(sign)}, 27 pairs"


def test_one_bad_salt_does_not_decide(many):
    good = [partition(seed, lambda real: 7 * real) for seed in range(6)]
    bad = partition(9, lambda real: 0 * real + np.array([0, 2, 1, 4, 3, 6, 5, 7.0]))
    assert not gate(examine_partitions(many, [bad] * 2), 5)
    assert gate(examine_partitions(many, [bad, *good]), 7)


def test_a_single_partition_has_no_mean(many):
    assert examined(many, lambda real: real, 1) == []


@pytest.fixture
def passing(many) -> list[Record]:
    return examined(many, lambda real: 7 * real)


@pytest.mark.parametrize(
    ("scorer", "metric", "change", "opens"),
    [
        (MIND, "kendall tau", {"value": 0.79}, False),
        (MIND, "kendall tau", {"holds": False}, False),
        (MIND, "kendall tau", {"n": 7}, False),
        (MIND, "sign agreement", {"value": 0.89}, False),
        (MIND, "sign agreement", {"value": None}, False),
        (MIND, "sign agreement", {"n": 0}, False),
        (MIND, "sign agreement", {"holds": False}, False),
        (MIND, "kendall tau", {"value": 0.85}, True),
    ],
)
def test_the_gate_stays_shut_when_one_thing_is_missing(passing, scorer, metric, change, opens):
    changed = [replace(each, **change) if (each.scorer, each.metric) == (scorer, metric) else each for each in passing]
    assert gate(changed, 5) == opens


def test_nobody_is_asked_to_predict_near_ties_better_than_real_people_do(passing):
    def with_values(mind, others):
        tau = {MIND: mind, OTHER_PEOPLE: others}
        return [replace(each, value=tau.get(each.scorer, each.value)) if each.metric == "kendall tau" else each
                for each in passing]  # fmt: skip

    assert gate(with_values(0.75, 0.74), 5)
    assert not gate(with_values(0.75, 0.76), 5)


def test_no_figure_that_misses_its_target_is_called_validated():
    assert verdict(True, True, met=False) == "indicative"
    assert verdict(True, True) == "validated"
    assert verdict(False, True) == "not supported"


def test_honest_probabilities_have_no_error_and_boastful_ones_do():
    rng = np.random.default_rng(0)
    said = rng.random(30_000)
    happened = (rng.random(30_000) < said).astype(float)
    assert expected_calibration_error(said, happened) < 0.01
    assert expected_calibration_error(np.where(said > 0.5, 1.0, 0.0), happened) == pytest.approx(0.25, abs=0.02)
    mean, frequency, sizes = reliability(said, happened)
    assert len(mean) == len(frequency) == BINS
    assert sizes.max() - sizes.min() <= 1
    assert (np.diff(mean) > 0).all()
