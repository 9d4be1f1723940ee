"""The command `groundlings train-mind` before anything is learned: where it goes on, and what it refuses."""

from __future__ import annotations

import io
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.cli.step_lines import StepLines
from groundlings.experiments.cli.train_mind import train_mind
from groundlings.experiments.config.loading import load_as
from groundlings.experiments.labs.train_mind.config import CHECKPOINT, TrainMindConfig
from groundlings.experiments.running.events import LabStep

CONFIGS = Path(__file__).parents[4] / "experiments" / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("train_mind*.yaml")), ids=lambda path: path.stem)
def test_the_files_that_come_along_are_valid(path):
    assert load_as(TrainMindConfig, path).name.startswith("train-mind")


class Begun(Exception):
    """The training itself, which is not what is tested here."""


@pytest.fixture
def ask(train_file: Path, monkeypatch: pytest.MonkeyPatch):
    def begin(_config, directory, *, resume, progress):
        raise Begun(directory, resume)

    monkeypatch.setattr("groundlings.experiments.labs.train_mind.lab.train_mind", begin)
    app = typer.Typer()
    app.command()(train_mind)
    return lambda *options: CliRunner().invoke(app, [str(train_file), *map(str, options)]).exception


def test_it_goes_on_in_the_directory_of_the_checkpoint(ask, tmp_path, monkeypatch):
    (tmp_path / CHECKPOINT).touch()
    assert ask("--out", tmp_path, "--resume").args == (tmp_path, True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "toy").mkdir(parents=True)
    (tmp_path / "runs" / "toy" / CHECKPOINT).touch()
    assert ask("--resume").args == (Path("runs/toy"), True)


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(ask, tmp_path):
    found = ask("--out", tmp_path, "--resume")
    assert isinstance(found, RunDirectoryError)
    assert f"found no {CHECKPOINT} to go on from" in str(found)


def test_a_training_of_which_nothing_is_learned_is_refused(ask):
    found = ask("--set", "training.choice_weight=0", "--set", "training.answer_weight=0")
    assert isinstance(found, ConfigError)
    assert "nothing is learned" in str(found)


@pytest.mark.parametrize("terminal", [False, True])
def test_steps_are_lines_in_a_log_and_only_there(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    told = []
    inner = SimpleNamespace(event=told.append)
    often, seldom = StepLines(inner, console, seconds=0), StepLines(inner, console, seconds=math.inf)
    for name in ("training 1/9", "training 2/9"):
        often.event(LabStep(2, 7, name))
        seldom.event(LabStep(2, 7, name))
    seldom.event(LabStep(3, 7, "answers [after]"))
    said = ["training 1/9", "training 1/9", "training 2/9"]
    expected = [*(f"step 3 of 7: {name}" for name in said), "step 4 of 7: answers [after]"]
    assert console.file.getvalue().splitlines() == ([] if terminal else expected)
    assert len(told) == 5


def test_an_evaluation_has_nothing_to_go_on_with(ask, tmp_path):
    found = ask("--evaluate", tmp_path, "--resume")
    assert isinstance(found, ConfigError)
    assert "found both" in str(found)
