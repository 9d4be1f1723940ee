"""docs/reinforcement.md works as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from groundlings.experiments.config.schema import ExperimentConfig

TEXT = (Path(__file__).parents[3] / "docs" / "reinforcement.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', TEXT, re.DOTALL | re.MULTILINE))
SMALL = {"name": "toy", "toy": {"n_users": 30, "n_items": 60, "interactions_per_user": 8}}


def test_it_has_two_experiment_files_and_a_script():
    assert set(BLOCKS) == {"train.yaml", "train.py", "acting.yaml"}
    for name in ("train.yaml", "acting.yaml"):
        ExperimentConfig.model_validate(yaml.safe_load(BLOCKS[name]))


def test_the_policy_is_named_as_it_was_trained():
    options = yaml.safe_load(BLOCKS["acting.yaml"])["arms"][4]["options"]
    assert f'"{options["policy"]}"' in BLOCKS["train.py"]
    assert f'action="{options["action"]}", candidates={options["candidates"]}' in BLOCKS["train.py"]


def test_the_script_trains_a_policy_that_the_file_can_use(tmp_path, monkeypatch):
    pytest.importorskip("stable_baselines3")
    from groundlings.experiments.experiment import Experiment

    monkeypatch.chdir(tmp_path)
    for name in ("train.yaml", "acting.yaml"):
        section = yaml.safe_load(BLOCKS[name].replace("candidates: 200", "candidates: 40")) | {"dataset": SMALL}
        Path(name).write_text(yaml.safe_dump(section))
    script = BLOCKS["train.py"].replace("400_000", "256").replace("num_envs=256", "num_envs=8")
    script = script.replace("candidates=200", "candidates=40")  # the toy has 60 items
    exec(compile(script.replace("batch_size=1024", "batch_size=64"), "train.py", "exec"), {})
    run = Experiment.from_file("acting.yaml", ["simulation.days=1"]).run("run")
    assert set(run.sessions().arm) == {"random", "popular", "item_knn", "als", "ppo", "oracle"}
