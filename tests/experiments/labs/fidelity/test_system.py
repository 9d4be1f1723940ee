"""The gate opens for those who foretell the order of recommenders, and for nobody else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundlings.experiments.labs.fidelity.calibration import BINS, expected_calibration_error, reliability
from groundlings.experiments.labs.fidelity.records import Baseline, Record
from groundlings.experiments.labs.fidelity.system import PART, gate, kendall, really_different, sign_agreement


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


def passing() -> list[Record]:
    tau = Record(PART, "o", "mind", "kendall tau", "mind", 0.85, 0.8, 0.9, 8, "recommenders", "d",
                 Baseline("popularity scorer", 0.4), holds=True)  # fmt: skip
    return [tau, replace(tau, metric="sign agreement", value=0.95, n=20, unit="pairs")]


def test_nobody_is_asked_to_foretell_near_ties_better_than_real_people_do():
    records = [replace(each, value=0.91 if each.metric == "sign agreement" else 0.75) for each in passing()]
    assert not gate(records, "mind")
    ceiling = replace(records[0], scorer="other real people", kind="real", value=0.74, holds=None)
    assert gate([*records, ceiling], "mind")
    assert not gate([*records, replace(ceiling, value=0.76)], "mind")


def test_the_gate_opens_when_everything_is_reached():
    assert gate(passing(), "mind")
    assert not gate(passing(), "somebody else")
    assert not gate([], "mind")


@pytest.mark.parametrize(
    ("which", "change"),
    [
        (0, {"value": 0.79}),
        (0, {"holds": False}),
        (0, {"n": 7}),
        (0, {"baseline": Baseline("popularity scorer", 0.9)}),
        (1, {"value": 0.89}),
        (1, {"value": None}),
        (1, {"n": 0}),
        (1, {"baseline": Baseline("popularity scorer", 0.99)}),
    ],
)
def test_the_gate_stays_shut_when_one_thing_is_missing(which, change):
    records = passing()
    records[which] = replace(records[which], **change)
    assert not gate(records, "mind")


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
