"""The benchmark of ways of choosing: each training is asked the same, and differences are of the same people."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from groundlings.environments.errors import ConfigError, DataError
from groundlings.experiments.labs.train_mind.config import CHECKPOINT
from groundlings.experiments.labs.train_mind.scenes import Ground
from groundlings.experiments.labs.train_mind.scoring import POPULARITY, groups_of

AUC, TOP_1 = "list AUC", "top-1"


@pytest.fixture
def compared(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[4])
    return import_module("benchmarks.selection")


def test_each_training_is_kept_and_asked_the_same(compared, ground, base_model, tmp_path, monkeypatch):
    bench = compared.Bench(ground, base_model, tmp_path)
    hard, untrained = bench.told("hard-1", compared.Arm("hard", 1)), bench.told("untrained", base_model)
    questions = sum(int(each.lists.listed.sum()) for each in bench.groups.values())
    assert hard["asked"] == untrained["asked"] == questions
    assert hard["selection"]["choose"] == "hard"
    assert hard["selection"]["taken"] == 16
    assert not list(tmp_path.rglob(CHECKPOINT))
    monkeypatch.setattr(compared.Bench, "_there", lambda *_: pytest.fail("the model was asked again"))
    again = compared.Bench(ground, base_model, tmp_path).told("untrained", base_model)
    assert np.array_equal(again["scores"][compared.LISTS], untrained["scores"][compared.LISTS], equal_nan=True)
    other = Ground(ground.config.model_copy(update={"list_items": 6}), ground.dataset)
    with pytest.raises(DataError, match=r"untrained\.json: is of other options.*delete it"):
        compared.Bench(other, base_model, tmp_path).told("untrained", base_model)


def test_a_difference_is_of_the_same_people(compared, material):
    groups = {name: groups_of(material)[name] for name in (compared.FIVE, compared.LISTS)}
    comparison = compared.Comparison(groups, 100, np.random.default_rng(1))
    right = {name: np.where(each.lists.listed, each.lists.positive * 1.0, np.nan) for name, each in groups.items()}
    figures, wrong = comparison.by_person(right), {name: -scores for name, scores in right.items()}
    assert set(figures[AUC]) == set(figures[TOP_1]) == {1.0}
    half = comparison.by_person(wrong)
    assert comparison.mean([figures[AUC] - half[AUC]]) == "1.000 [1.000, 1.000]"
    assert comparison.mean([figures[AUC], half[AUC]]) == "0.500 [0.500, 0.500]"
    unread = dict(right)
    unread[compared.LISTS] = right[compared.LISTS].copy()
    unread[compared.LISTS][0, 0] = np.nan
    assert np.isnan(comparison.by_person(unread)[AUC]).sum() == 1


def test_popularity_needs_no_training(compared, ground, tmp_path):
    bench = compared.Bench(ground, tmp_path, tmp_path)
    scores = bench.rivals()[POPULARITY][compared.FIVE]
    items = bench.groups[compared.FIVE].lists.items
    counts = bench._statistics.item_counts
    assert np.allclose(scores, np.log1p(counts[items]))


def test_the_table_holds_each_training_against_its_like(compared, material, capsys):
    groups = {name: groups_of(material)[name] for name in (compared.FIVE, compared.LISTS)}
    comparison = compared.Comparison(groups, 100, np.random.default_rng(1))
    right = {name: np.where(each.lists.listed, each.lists.positive * 1.0, np.nan) for name, each in groups.items()}
    wrong = {name: -scores for name, scores in right.items()}
    about = {"people": 3, "selection": {"items": 5, "difficulty_taken": 1.5}, "training": {"last": 2.0}}
    told = {compared.Arm("all", 1): wrong, compared.Arm("hard", 1): right, compared.Arm("all", 2): right}
    compared.print_table(comparison, {arm: {**about, "scores": each} for arm, each in told.items()}, {}, draws=1)
    rows = {line.split("│")[1].strip(): line for line in capsys.readouterr().out.splitlines() if "│" in line}
    assert list(rows) == ["all-1", "hard-1", "all-2", "all-2 less all-1"]
    assert rows["all-1"].count("0.000 [0.000, 0.000]") == 2
    assert rows["hard-1"].count("1.000 [1.000, 1.000]") == 4
    assert rows["all-2 less all-1"].count("1.000 [1.000, 1.000]") == 2


@pytest.mark.parametrize("wrong", ["all-1=x", "untrained=x", "mine", "=x", "a/b=x"])
def test_a_model_needs_a_name_of_its_own(compared, wrong):
    with pytest.raises(ConfigError, match=r"--model: found .*expected NAME=DIR"):
        compared._models([wrong])
