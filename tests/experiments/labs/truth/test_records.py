"""The verdicts of the truth lab, from made-up figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundlings.experiments.labs.truth.records import (
    POOLED,
    VALIDATED,
    Metric,
    Row,
    TruthRecord,
    compare,
    gate,
    judged,
)

TASK = "order of 12 recommenders by likes_per_session"


def figure(value: float, reach: float = 0.05) -> np.ndarray:
    """A figure with resamples around it."""
    return np.r_[value, value + np.linspace(-reach, reach, 201)]


def ordered(tau=0.85, sign=0.95, best=0.5, reach=0.05, target=(0.8, None)) -> list[TruthRecord]:
    records = []
    for name, value, chance in (("kendall tau", tau, 0.0), ("sign agreement", sign, 0.5)):
        metric = Metric("order", TASK, name, "made up", "above", True, [12, 12], "recommenders", chance=chance)
        rows = [
            Row("item-mean simulator", "trivial", [figure(best, reach)] * 2),
            Row("mind", "mind", [figure(value, reach)] * 2, target=target),
        ]
        records += compare(metric, rows, ["a", "b"])
    return records


@pytest.mark.parametrize(
    ("change", "salts", "passed"),
    [
        ({}, 5, True),
        ({}, 4, False),
        ({"tau": 0.79}, 5, False),
        ({"sign": 0.89}, 5, False),
        ({"best": 0.83}, 5, False),
    ],
)
def test_the_gate_asks_for_partitions_order_and_a_distance_from_trivial_simulators(change, salts, passed):
    assert gate(ordered(**change), "mind", TASK, salts) is passed


def mind_of(records: list[TruthRecord]) -> TruthRecord:
    (record,) = (each for each in records if (each.scorer, each.metric, each.salt) == ("mind", "kendall tau", POOLED))
    return record


def test_no_row_is_validated_beside_a_missed_target():
    record = mind_of(ordered(target=(0.9, None)))
    assert judged(record, passed=True).said == "indicative"
    assert judged(mind_of(ordered()), passed=True).said == VALIDATED
    assert VALIDATED in judged(mind_of(ordered()), passed=True).words
    assert judged(mind_of(ordered()), passed=False).said == "indicative"


def test_an_order_that_is_not_above_chance_is_not_supported_however_bad_the_trivial_ones_are():
    assert judged(mind_of(ordered(tau=-0.2, best=-0.6)), passed=False).said == "not supported"
    assert judged(mind_of(ordered(tau=0.2, best=-0.6)), passed=False).said == "indicative"


def test_a_mind_without_exposures_is_compared_with_trivial_rows_that_had_none():
    metric = Metric("ratings", "t", "mae", "made up", "better", False, [9], "exposures")
    rows = [
        Row("plain", "trivial", [figure(1.0)]),
        Row("moved", "trivial", [figure(0.8)], fitted=True),
        Row("mind", "mind", [figure(0.9)]),
        Row("fitted mind", "mind", [figure(0.9)], fitted=True),
    ]
    records = {each.scorer: each for each in compare(metric, rows, ["a"]) if each.salt == POOLED}
    assert records["mind"].baseline.scorer == "plain"
    assert records["fitted mind"].baseline.scorer == "moved"
    assert (records["mind"].holds, records["fitted mind"].holds) == (True, False)
    assert records["moved"].baseline is None


def test_a_level_holds_where_its_whole_interval_lies_within_the_target():
    metric = Metric("level", "t", "relative error", "made up", "within", False, [9], "exposures")
    held = {}
    for reach in (0.01, 0.2):
        (record, *_) = compare(metric, [Row("mind", "mind", [figure(0.09, reach)], target=(None, 0.1))], ["a"])
        held[reach] = record.holds
    assert held == {0.01: True, 0.2: False}


def test_the_json_has_the_words_of_this_lab():
    record = replace(mind_of(ordered()), verdict="validated")
    assert record.as_dict()["verdict"] == VALIDATED
    assert replace(record, verdict=None).as_dict()["verdict"] is None
