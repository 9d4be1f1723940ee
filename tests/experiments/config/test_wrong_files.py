"""A file for another command is called so, and a `true` is no number, in any file that ships."""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import groundlings.experiments.configs as configs
from groundlings.environments.errors import ConfigError
from groundlings.experiments.config import yaml_reading
from groundlings.experiments.config.complaints import checked
from groundlings.experiments.config.loading import load_as, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.experiment import Experiment
from groundlings.experiments.labs.distil.config import DistilConfig
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.labs.train_mind.config import TrainMindConfig
from groundlings.experiments.labs.truth.config import TruthConfig
from groundlings.experiments.labs.warmup.config import WarmupConfig
from groundlings.experiments.running.plan import build_plan

KINDS = {
    "distil": DistilConfig, "fidelity": FidelityConfig, "train_mind": TrainMindConfig, "truth": TruthConfig,
    "warmup": WarmupConfig,
}  # fmt: skip
FILES = sorted(Path(next(iter(configs.__path__))).glob("*.yaml"))


def kind_of(path: Path) -> type[Any]:
    return next((kind for name, kind in KINDS.items() if path.name.startswith(name)), ExperimentConfig)


@pytest.mark.parametrize(
    "path", [path for path in FILES if kind_of(path) is not ExperimentConfig], ids=lambda p: p.stem
)
def test_a_lab_file_is_not_complained_of_key_by_key(path):
    command = next(name for name in KINDS if path.name.startswith(name)).replace("_", "-")
    with pytest.raises(ConfigError) as told:
        load_config(path)
    assert str(told.value).endswith(
        f"this command reads an experiment file; write: groundlings {command} {shlex.quote(str(path))}"
    )
    with pytest.raises(ConfigError, match=f"groundlings {command}"):
        load_config(path, ["bootstrp=3"])


def test_an_experiment_file_with_a_key_of_a_lab_is_still_one():
    path = next(path for path in FILES if path.stem == "social")
    with pytest.raises(ConfigError, match=r"bootstrap: this key does not exist\. Allowed here: name"):
        load_config(path, ["bootstrap=200"])
    with pytest.raises(ConfigError, match=r"this is an experiment file .*write: groundlings run "):
        load_as(WarmupConfig, path)


@pytest.mark.parametrize(
    "path", [path for path in FILES if kind_of(path) is not ExperimentConfig], ids=lambda p: p.stem
)
@pytest.mark.parametrize("change", ["bootstrap", "student.members", "pages.page_size"])
def test_a_lab_is_told_of_a_number_of_resamples_that_no_memory_holds(path, change):
    """Before it asks anybody: the arrays of these sizes come last."""
    section = kind_of(path).model_fields.get(change.partition(".")[0])
    if section is not None:
        with pytest.raises(ConfigError, match=rf"{change}: expected 10* or less"):
            load_as(kind_of(path), path, [f"{change}=1180591620717411303424"])


def numbers(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """Where numbers stand, but for options that recommenders and environments read."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if key not in ("options", "environment"):
                yield from numbers(inner, *above, key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield above


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_number_of_a_file_may_be_true(path):
    content = yaml_reading.parse(path.read_text(encoding="utf-8"))
    for place in numbers(content):
        wrong = copy.deepcopy(content)
        holder = wrong
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = True
        with pytest.raises(ConfigError):
            checked(kind_of(path), wrong, lambda where, what: f"{'.'.join(map(str, where))}: {what}")


def test_a_true_is_no_number_in_python_either():
    with pytest.raises(ConfigError, match=r"^simulation\.days: expected a number, found true$"):
        Experiment(dataset="toy", arms={"popular": "popular"}, seed=1, days=True)
    with pytest.raises(ConfigError, match=r"^arms\['a'\]\.max_unreadable: expected a number, found true$"):
        Experiment(dataset="toy", arms={"a": {"recommender": "popular", "max_unreadable": True}}, seed=1)


@pytest.mark.parametrize(("written", "said"), [(1, "1"), (0.0, "0.0"), ('"yes"', "'yes'")])
def test_a_number_or_a_word_is_neither_true_nor_false(written, said):
    path = next(path for path in FILES if path.stem == "social")
    with pytest.raises(ConfigError, match=rf"held_out: expected true or false, found {said}$"):
        load_config(path, [f"held_out={written}"])


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abc123DEF456ghi7",
        "hf_AbCdEfGhIjKlMnOp123456",
        "a8f3e91b7c2d4e5f60718293a4b5c6d7",
        "Bearer abcdef1234567",
    ],
)
def test_a_key_in_the_place_of_a_name_is_not_repeated(tmp_path, secret):
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nseed: 1\ndataset: {name: toy}\nmind: {kind: behavioural}\narms: []\n")
    sets = [f"{secret}=1", f"mind.{secret}=1", secret, f"{secret}=[", f"arms.{secret}.x=1", f"name.{secret}=1"]
    sets += [f"mind={secret}", f"mind.model.{secret}.a=1", f"mind.kind={secret}", f"dataset={secret}"]
    for changed in sets:
        with pytest.raises(ConfigError) as told:
            build_plan(load_config(path, [changed, "arms=[{name: a, recommender: popular}]"]))
        assert secret.split()[-1] not in str(told.value), changed
    path.write_text(f"{secret}: 1\n{secret}: 2\n")
    with pytest.raises(ConfigError, match="stands already") as told:
        load_config(path)
    assert secret.split()[-1] not in str(told.value)


def test_a_file_without_a_key_and_the_directory_of_a_run_are_told_what_to_do(tmp_path):
    place = tmp_path / "a run"
    place.mkdir()
    (place / "config.yaml").write_text("name: x\ndataset: toy\nmind: behavioural\n")
    with pytest.raises(ConfigError) as refused:
        load_config(place / "config.yaml")
    assert "seed: this key is missing; add it: a whole number" in str(refused.value)
    assert "arms: this key is missing; add it: a list, each entry with name, recommender" in str(refused.value)
    with pytest.raises(ConfigError, match=r"It is a run's: `groundlings run --resume '/.*/a run'` goes on") as refused:
        load_config(place)
    assert str(refused.value).endswith("config.yaml")
    (place / "config.yaml").unlink()
    with pytest.raises(ConfigError, match=r"this is a directory; expected a YAML file$"):
        load_config(place)


@pytest.mark.parametrize(
    "name", ["pk_order_line_2", "hf-internal-testing/tiny-random-gpt2", "Basic groceries", "TwoTowersWithAttention2024"]
)
def test_a_name_that_begins_as_keys_do_is_repeated(tmp_path, name):
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nseed: 1\ndataset: {name: toy}\nmind: {kind: behavioural}\narms: []\n")
    with pytest.raises(ConfigError, match=re.escape(name)):
        load_config(path, [f"seed={name}"])


@pytest.mark.parametrize(
    ("encoding", "told"),
    [("utf-16", "it is text in UTF-16; save it as UTF-8"), ("cp1252", "byte 0xe4 is not UTF-8; save it as UTF-8")],
)
def test_a_file_of_another_encoding_is_told_with_what_to_do(tmp_path, encoding, told):
    path = tmp_path / "shop.yaml"
    path.write_bytes("name: K\u00e4ufe\n".encode(encoding))
    with pytest.raises(ConfigError, match=re.escape(f"{path}: cannot be read: {told}")):
        load_config(path)


def test_a_file_that_is_not_there_is_answered_with_one_whose_name_looks_the_same(tmp_path):
    (tmp_path / "K\u00e4ufe.yaml").touch()
    with pytest.raises(ConfigError, match=r"no such file; it is written 'Ka\\u0308ufe\.yaml'"):
        load_config(tmp_path / "Ka\u0308ufe.yaml")


def test_an_address_is_no_experiment_file():
    with pytest.raises(ConfigError, match=r"no such file; addresses \(https:\) are not read; download the file first"):
        load_config(Path("https://host.example/shop.yaml"))
