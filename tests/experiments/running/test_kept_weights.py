"""Weights and evidence of tastes that are kept for other runs: the same to the last bit, and never of other data."""

from __future__ import annotations

import pytest

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running import calibration, kept_evidence
from groundlings.experiments.running.kept_weights import cache_directory
from groundlings.experiments.running.plan import build_plan
from groundlings.personas.taste import training_data

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


@pytest.mark.parametrize("damage", ["", "{", "{}", "[1]", '{"all features": {"appeal": {}, "stars": null}}'])
def test_a_file_that_is_not_as_it_was_written_is_estimated_and_written_again(damage):
    first = measured(ground().tastes(SEED))
    (file,) = cache_directory().iterdir()
    whole = file.read_text()
    file.write_text(damage or whole.replace('"scale": ', '"scale": 1'))
    assert measured(ground().tastes(SEED)) == first
    assert file.read_text() == whole


def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path):
    (tmp_path / "tastes").write_text("a file where the directory would be")
    assert ground().tastes(SEED)


def measures(monkeypatch):
    """A list that grows with each history that is measured from now on."""
    found, inner = [], training_data.measure_evidence
    monkeypatch.setattr(training_data, "measure_evidence", lambda *given: found.append(given) or inner(*given))
    return found


def test_evidence_that_is_kept_is_not_measured_again(monkeypatch):
    first, measuring = measured(ground().tastes(SEED)), measures(monkeypatch)
    assert measured(ground().tastes(SEED)) == first
    assert not measuring
    (file,) = kept_evidence.cache_directory().iterdir()
    whole = file.read_bytes()
    method = whole.index(b"PK\x01\x02") + 10  # in the zip file's directory
    unknown = whole[:method] + b"\x63" + whole[method + 1 :]
    for damaged in (unknown, whole[:-9], whole[:2000] + bytes(200) + whole[2200:]):
        file.write_bytes(damaged)
        assert measured(ground().tastes(SEED)) == first
        assert measuring.pop()
        assert len(file.read_bytes()) == len(whole)


def test_of_evidence_a_few_small_files_are_kept(monkeypatch):
    monkeypatch.setattr(kept_evidence, "_MOST_FILES", 1)
    for n_users in (60, 61):
        ground(dataset={"name": "toy", "toy": {**TOY["toy"], "n_users": n_users}}).tastes(SEED)
    (file,) = kept_evidence.cache_directory().iterdir()
    file.unlink()
    monkeypatch.setattr(kept_evidence, "MOST_BYTES", 0)
    assert ground().tastes(SEED)
    assert not [*kept_evidence.cache_directory().iterdir()]
