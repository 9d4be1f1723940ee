"""The tutorial about minds works as it is written."""

from __future__ import annotations

import re
import sqlite3
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from groundlings.environments.errors import ConfigError
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import run_experiment
from groundlings.personas.registry import GIVEN, MINDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "own-mind.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', TEXT, flags=re.DOTALL))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A directory with every block of the tutorial in the file it is titled with."""
    for name, block in BLOCKS.items():
        (tmp_path / name).write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for module in ("my_minds", "my_careful_minds"):
        sys.modules.pop(module, None)


def configured(mind) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**yaml.safe_load(BLOCKS["experiment.yaml"]), "mind": mind})


def test_no_block_is_left_untested():
    assert len(re.findall(r"^```\w", TEXT, flags=re.MULTILINE)) == len(BLOCKS) == 5


def test_the_contract_test_of_the_tutorial_passes(project, pass_in_process):
    assert pass_in_process(project / "test_my_minds.py") >= 10


@pytest.mark.usefixtures("quick_report")
def test_the_experiment_of_the_tutorial_runs_and_clicks_fall_with_the_position(project):
    run = run_experiment(load_config(project / "experiment.yaml"), project / "run").directory
    with sqlite3.connect(run / "log.db") as connection:
        rates = dict(connection.execute("SELECT position, avg(clicked) FROM impressions GROUP BY position").fetchall())
    assert rates[0] > rates[3] > 0


@pytest.mark.parametrize("kind", ["my_minds:Skimmer", "my_careful_minds:CarefulSkimmer"])
def test_options_reach_the_mind(project, kind):
    assert build_plan(configured({"kind": kind, "first": 0.25})).described_mind["first"] == 0.25


def test_options_are_checked(project):
    with pytest.raises(ConfigError, match=r"mind\.first: found 2; expected 1 or less"):
        build_plan(configured({"kind": "my_careful_minds:CarefulSkimmer", "first": 2}))
    with pytest.raises(ConfigError, match=r"mind\.frist: .*did you mean 'first'"):
        build_plan(configured({"kind": "my_minds:Skimmer", "frist": 0.1}))


def test_the_entry_point_is_found(project, monkeypatch):
    declared = tomllib.loads(BLOCKS["pyproject.toml"])["project"]
    info = project / "my_minds-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: {declared['version']}\n")
    lines = [f"{name} = {value}" for name, value in declared["entry-points"][MINDS.group].items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{MINDS.group}]", *lines]))
    monkeypatch.syspath_prepend(str(project))
    assert build_plan(configured({"kind": "skimmer", "first": 0.6})).described_mind["kind"] == "skimmer"


def test_what_is_shipped_and_what_is_filled_in_is_complete():
    assert all(f"`{name}`" in TEXT for name in (*MINDS.shipped, *GIVEN))
