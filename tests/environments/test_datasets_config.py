"""What the `dataset` part of an experiment file may say."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from groundlings.environments.datasets import DATASETS, DatasetConfig, load_dataset
from groundlings.environments.datasets.config import DATASET_NAMES, ScaleConfig, ToyOptions
from groundlings.environments.errors import ConfigError
from groundlings.experiments.config.meanings import meanings

OWN = {
    "interactions": {"path": "h.csv", "user": "u", "item": "i", "timestamp": "t"},
    "items": {"path": "i.csv", "id": "i", "title": "t"},
}


def sections_of(section):
    """A section and all that it may hold."""
    found, waiting = set(), [section]
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and issubclass(each, BaseModel):
            if each not in found:
                found.add(each)
                waiting += [field.annotation for field in each.model_fields.values()]
        else:
            waiting += get_args(each)
    return found


class Experiment(BaseModel):
    dataset: DatasetConfig


def test_a_plain_name_is_short_for_a_mapping():
    assert Experiment.model_validate({"dataset": "ml-100k"}).dataset == DatasetConfig(name="ml-100k")


@pytest.mark.parametrize(
    ("typed", "meant"), [("ml-100", "ml-100k"), ("ML-1M", "ml-1m"), ("ml100k", "ml-100k"), ("owm", "own")]
)
def test_a_misspelt_name_is_answered_with_the_nearest(typed, meant):
    with pytest.raises(ConfigError, match=f"did you mean '{meant}'"):
        Experiment.model_validate({"dataset": typed})


@pytest.mark.parametrize("value", ["netflix-prize-1", 7, None, ["toy"]])
def test_any_other_name_is_answered_with_the_names_there_are(value):
    with pytest.raises(ConfigError, match="expected one of ml-100k, ml-1m, complete-journey, toy, own"):
        DatasetConfig.model_validate({"name": value})


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="direktory"):
        DatasetConfig.model_validate({"name": "toy", "direktory": "x"})


def test_parts_belong_to_their_data_set():
    with pytest.raises(ConfigError, match=r"dataset\.own: missing"):
        DatasetConfig(name="own")
    with pytest.raises(ConfigError, match="only the data set 'toy' reads this"):
        DatasetConfig.model_validate({"name": "ml-1m", "toy": {"n_users": 5}})


@pytest.mark.parametrize("config", ["toy", {"name": "own", "own": OWN}, {"name": "toy", "toy": {"n_users": 3}}])
def test_dumping_and_reading_again_changes_nothing(config):
    read = DatasetConfig.model_validate(config)
    assert DatasetConfig.model_validate(read.model_dump(mode="json")) == read


@pytest.mark.parametrize(
    "scale", [{"low": 5, "high": 1}, {"step": 0}, {"step": 0.3}, {"high": float("inf")}, {"step": 1e-9}]
)
def test_a_scale_is_a_whole_number_of_steps(scale):
    with pytest.raises(ValidationError):
        ScaleConfig.model_validate(scale)


def test_a_toy_must_fit_its_items():
    with pytest.raises(ValidationError, match="interactions_per_user is 20, but there are only 10 items"):
        ToyOptions(n_items=10)


def test_every_field_is_described():
    for section in sections_of(DatasetConfig):
        assert set(meanings(section)) == set(section.model_fields), section


def test_every_name_has_an_entry():
    assert tuple(DATASETS) == DATASET_NAMES
    assert all(entry.description and entry.size and entry.licence for entry in DATASETS.values())


def test_toy_loads_by_name():
    assert load_dataset(DatasetConfig(name="toy")).name == "toy"
