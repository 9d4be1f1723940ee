"""The table: figures that are known beforehand, and what an unreadable answer leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.experiments.labs.train_mind.scoring import POPULARITY, groups_of
from groundlings.experiments.labs.train_mind.table import Table, worth_of


def scored(material, score):
    """Scores of all groups, by a function of whether items are real."""
    return {
        name: np.where(scenes.lists.listed, score(scenes.lists.positive.astype(np.float64)), np.nan)
        for name, scenes in groups_of(material).items()
    }


@pytest.fixture(scope="module")
def table(material):
    return Table(groups_of(material), 100, np.random.default_rng(1))


@pytest.fixture(scope="module")
def chance(material):
    luck = np.random.default_rng(2)
    return scored(material, lambda real: luck.normal(size=real.shape))


def test_a_scorer_that_knows_the_answer_is_perfect_and_one_that_knows_nothing_is_not(material, table, chance):
    knows = scored(material, lambda real: real)
    rows = {(row.scorer, row.figure): row for row in table.rows({POPULARITY: chance, "knows": knows})}
    assert rows["knows", "top-1"].value == 1
    assert rows["knows", "list AUC"].value == 1
    assert rows["knows", "log-loss"].value < 0.01
    assert rows["knows", "calibration"].value < 0.01
    assert rows["knows", "positive share"].value == pytest.approx(0.5)
    assert rows[POPULARITY, "top-1"].value < 0.6
    assert rows[POPULARITY, "top-1"].gain is None
    assert rows["knows", "top-1"].gain == pytest.approx(1 - rows[POPULARITY, "top-1"].value)


def test_a_score_that_adds_has_a_weight_above_zero_and_one_that_does_not_has_zero_in_its_interval(
    material, table, chance
):
    luck = np.random.default_rng(3)
    adds = table.weight(scored(material, lambda real: real + luck.normal(size=real.shape)), chance, "luck")
    assert adds.low is not None
    assert adds.low > 0
    assert adds.saved > 0.1
    (worth,) = worth_of([adds], asked=10, tokens=400)
    assert worth.tokens == 40
    assert worth.value == pytest.approx(adds.saved * 1000 / (5 * 40))
    idle = table.weight(scored(material, lambda real: luck.normal(size=real.shape)), chance, "luck")
    assert idle.low is not None
    assert idle.high is not None
    assert idle.low < 0 < idle.high
    assert idle.saved < 0.1


def test_an_unreadable_answer_takes_its_scene_out_and_is_counted(material, table, chance):
    torn = {name: values.copy() for name, values in scored(material, lambda real: real).items()}
    torn["test five"][0, 0] = np.nan
    torn["test lists"][1, 0] = np.nan
    rows = {row.figure: row for row in table.rows({POPULARITY: chance, "torn": torn}) if row.scorer == "torn"}
    assert rows["top-1"].left_out == rows["list AUC"].left_out == 1
    assert rows["top-1"].value == 1


def test_popularity_is_held_against_a_model_on_the_scenes_that_it_answered(table, chance):
    asked = {group: np.arange(len(chance[group]))[:, None] % 2 == 0 for group in ("test five", "test lists")}
    half = {**chance, **{group: np.where(read, chance[group], np.nan) for group, read in asked.items()}}
    rows = [row for row in table.rows({POPULARITY: chance, "the same": half}) if row.scorer == "the same"]
    assert [row.gain for row in rows] == pytest.approx([0] * 5)
