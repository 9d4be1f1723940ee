"""Part 4 on repeats: on a made-up shop whose people buy again at their own pace."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.labs.fidelity.repeats import Taken, examine_repeats
from groundlings.experiments.labs.fidelity.stage import MIND, Stage, people_of
from groundlings.personas.taste.model import estimate
from groundlings.personas.taste.training_data import measure

ALIKE = "all known items alike"


def stage_of(dataset, **site) -> Stage:
    config = FidelityConfig.model_validate(
        {
            "name": "shop",
            "seed": 1,
            "dataset": "toy",
            "site": {"page_size": 5, "max_pages": 2, **site},
            "bootstrap": 100,
        }
    )
    split = config.split.of(dataset)
    testers, tuners = people_of(config, dataset, split, config.split.salt)
    measured = measure(dataset, split.train, salt=config.split.salt, seed=1)
    return Stage(config, dataset, split, testers, tuners, measured, estimate(measured))


@pytest.fixture(scope="module")
def records(repeat_shop):
    return {(each.scorer, each.metric): each for each in examine_repeats(stage_of(repeat_shop, repeats="allowed"))}


def test_the_mind_buys_again_as_often_and_after_as_long_as_people_do(records):
    share, gap = records[MIND, "repeat share ratio"], records[MIND, "gap ks"]
    assert share.value == pytest.approx(1, abs=0.1)
    assert (share.target.low, share.target.high) == (0.9, 1.1)
    assert gap.target.high == records["real people", "gap ks"].high
    assert gap.value < gap.target.high < records[ALIKE, "gap ks"].value
    assert records[MIND, "median gap ratio"].value == pytest.approx(1, abs=0.25)
    assert records[ALIKE, "median gap ratio"].value > 2


def test_each_figure_has_its_interval_its_floor_and_no_claim_for_a_trivial_scorer(records):
    assert {metric for _, metric in records} == {
        "repeat share ratio", "median gap ratio", "repeat share distance", "gap ks",
    }  # fmt: skip
    for (scorer, _), record in records.items():
        assert record.n == 18
        assert (record.holds is not None) == (scorer == MIND)
        if scorer != "real people":
            assert record.low <= record.value <= record.high


def test_nothing_is_measured_where_no_item_is_shown_again(repeat_shop):
    assert examine_repeats(stage_of(repeat_shop)) == []


def test_repeats_and_gaps_are_counted_by_person():
    taken = Taken(np.array([1, 1, 4, 4, 9]), np.array([True, False, True, True, True]), np.array([3, 0, 3, 7, 2]))
    totals, gaps = taken.per_person(np.array([1, 4]))
    assert totals.toarray().tolist() == [[1, 2], [2, 2]]
    assert {(row, gap) for row, gap in zip(*gaps.nonzero(), strict=True)} == {(0, 3), (1, 3), (1, 7)}
