"""Simulated gaps between sessions against real ones, with the distance between real people as the floor."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.fidelity import return_gaps
from groundlings.experiments.labs.fidelity.return_gaps import MODEL, ONE_CHANCE, examine_returns

DAY = 86_400
DAYS, PEOPLE = 300, 240


class Known:
    """What of a stage is read here."""

    def __init__(self, times_known=True, chance=None):
        rng = np.random.default_rng(2)
        rate = (0.5 * np.exp(rng.normal(0, 1.0, PEOPLE))).clip(0.01, 0.9) / 3 if chance is None else chance
        came = rng.random((PEOPLE, DAYS)) < np.asarray(rate).reshape(-1, 1)
        users, days = np.nonzero(came)
        history = Interactions.of(users, np.zeros(len(users), np.int64), None, days * DAY, n_users=PEOPLE, n_items=1)
        people = type("People", (), {"user_ids": tuple(f"u{user}" for user in range(PEOPLE))})
        self.dataset = type("Data", (), {"interactions": history, "people": people, "times_known": times_known})
        self.config = type("Config", (), {"bootstrap": 60, "split": type("Split", (), {"salt": "a"})})
        self.testers = np.flatnonzero(return_gaps.people_in_thirds(people.user_ids, "a") == 2)

    def chance(self, *purpose):
        return np.random.default_rng(len(str(purpose)))


def figures(stage):
    return {(record.scorer, record.metric): record for record in examine_returns(stage)}


@pytest.fixture(scope="module")
def found():
    return figures(Known())


def test_people_who_differ_are_met_by_the_model_and_missed_by_one_chance_for_all(found):
    for metric in ("gap ks", "days active ks"):
        floor = found["real people", metric].high
        assert found[MODEL, metric].value < floor, metric
        assert found[ONE_CHANCE, metric].value > floor, metric


def test_the_claim_is_that_the_whole_interval_lies_below_the_floor(found):
    for metric in ("gap ks", "days active ks"):
        record = found[MODEL, metric]
        assert record.holds == (record.high < record.baseline.value)
        assert record.baseline.value == found["real people", metric].high
        assert found[ONE_CHANCE, metric].holds is None


def test_where_all_are_alike_one_chance_is_enough():
    found = figures(Known(chance=np.full(PEOPLE, 0.1)))
    for scorer in (MODEL, ONE_CHANCE):
        assert found[scorer, "days active ks"].value < found["real people", "days active ks"].high


def test_without_times_or_with_few_gaps_there_is_no_row():
    assert examine_returns(Known(times_known=False)) == []
    assert examine_returns(Known(chance=np.full(PEOPLE, 0.0005))) == []


def test_the_lab_prints_them(findings):
    assert {record.task for record in findings.records} >= {"returns"}
