"""Weights of tastes that are kept for other runs: the same tastes to the last bit, and never those of other data."""

from __future__ import annotations

import pytest

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running import calibration
from groundlings.experiments.running.kept_weights import cache_directory
from groundlings.experiments.running.plan import build_plan

TOY = {"name": "toy", "toy": {"n_users": 60, "n_items": 80, "interactions_per_user": 20}}
SEED = 3


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GROUNDLINGS_CACHE", str(tmp_path))


def ground(**changes):
    content = {
        "name": "kept",
        "seed": SEED,
        "dataset": TOY,
        "mind": "scripted",
        "arms": [{"name": "popular", "recommender": "popular"}],
        **changes,
    }
    return build_plan(ExperimentConfig.model_validate(content)).ground


def measured(tastes):
    return {name: (taste.fingerprint, taste.weights.as_dict()) for name, taste in tastes.items()}


def refuse(*arguments, **named):
    raise AssertionError("weights that are kept were estimated again")


@pytest.mark.parametrize("population", [{"size": 20}, {"size": 90, "synthetic": "resample"}])
def test_kept_weights_give_the_same_tastes_and_nothing_is_estimated_again(population, monkeypatch):
    first = measured(ground(population=population).tastes(SEED))
    assert len(first) == 3
    monkeypatch.setattr(calibration, "estimate", refuse)
    assert measured(ground(population=population).tastes(SEED)) == first


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 4},
        {"dataset": {"name": "toy", "toy": {**TOY["toy"], "n_users": 61}}},
        {"split": {"salt": "other"}},
        {"split": {"test_fraction": 0.3}},
    ],
    ids=["seed", "data", "salt", "split"],
)
def test_weights_of_something_else_are_not_taken(changes, monkeypatch):
    ground().tastes(SEED)
    other = ground(**changes)
    monkeypatch.setattr(calibration, "estimate", refuse)
    with pytest.raises(AssertionError, match="estimated again"):
        other.tastes(changes.get("seed", SEED))


@pytest.mark.parametrize("damage", ["", "{}", "[1]", '{"all features": {"appeal": {}, "stars": null}}'])
def test_a_file_that_cannot_be_read_is_estimated_and_written_again(damage):
    first = measured(ground().tastes(SEED))
    (file,) = cache_directory().iterdir()
    whole = file.read_text()
    file.write_text(damage)
    assert measured(ground().tastes(SEED)) == first
    assert file.read_text() == whole


def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path):
    (tmp_path / "tastes").write_text("a file where the directory would be")
    assert ground().tastes(SEED)
