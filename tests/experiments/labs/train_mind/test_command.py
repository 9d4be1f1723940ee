"""The command `groundlings train-mind` before anything is learned: where it goes on, and what it refuses."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, RunDirectoryError, TooMuchUnreadable
from groundlings.experiments.cli.step_lines import StepLines
from groundlings.experiments.cli.train_mind import _print_memory, _print_slice, train_mind
from groundlings.experiments.config.loading import config_hash, load_as
from groundlings.experiments.labs.train_mind.config import CHECKPOINT, RECORDS, TrainMindConfig
from groundlings.experiments.labs.train_mind.probe import Completions, Memory, Probe
from groundlings.experiments.labs.train_mind.table import FIGURES, Row, Weight, worth_of
from groundlings.experiments.labs.train_mind.weighing import Weighed
from groundlings.experiments.running.events import LabStep
from groundlings.experiments.terminal import Terminal

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
    monkeypatch.setattr("groundlings.experiments.labs.train_mind.installed.check_installed", lambda: None)
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


def test_without_the_extra_no_directory_is_made(ask, tmp_path, monkeypatch):
    def missing():
        raise ConfigError("training needs an extra")

    monkeypatch.setattr("groundlings.experiments.labs.train_mind.installed.check_installed", missing)
    assert str(ask("--out", tmp_path / "out")) == "training needs an extra"
    assert not (tmp_path / "out").exists()


def test_too_many_unreadable_answers_are_told_after_all_is_kept(train_file, tmp_path, monkeypatch):
    asked = {"before": {"questions": 40, "unreadable": 8}, "after": {"questions": 40, "unreadable": 9}}
    found = SimpleNamespace(about={"asked": asked, "files": {}}, slices=(), as_dict=lambda: {"kept": True})
    monkeypatch.setattr("groundlings.experiments.labs.train_mind.lab.train_mind", lambda *_, **__: found)
    monkeypatch.setattr("groundlings.experiments.labs.train_mind.installed.check_installed", lambda: None)
    monkeypatch.setattr("groundlings.experiments.cli.train_mind._print", lambda *_: None)
    app = typer.Typer()
    app.command()(train_mind)
    ended = CliRunner().invoke(app, [str(train_file), "--out", str(tmp_path)])
    assert isinstance(ended.exception, TooMuchUnreadable)
    assert "language model, after: 9 of 40 answers could not be read (22 %)" in str(ended.exception)
    assert "kept" in (tmp_path / RECORDS).read_text()
    again = [str(train_file), "--out", str(tmp_path / "again"), "--max-unreadable", "0.3"]
    assert CliRunner().invoke(app, again).exit_code == 0


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(ask, tmp_path):
    found = ask("--out", tmp_path, "--resume")
    assert isinstance(found, RunDirectoryError)
    assert f"found no {CHECKPOINT} to go on from" in str(found)


def test_another_question_is_another_training(train_file):
    one, other = (load_as(TrainMindConfig, train_file, [f"question.latest={latest}"]) for latest in (3, 4))
    assert config_hash(one) != config_hash(other)


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


def test_a_table_says_what_the_model_adds_and_what_a_token_is_worth(capsys):
    rows = [Row("popularity", figure, 0.5, 0.4, 0.6, None, None, None, 0) for figure in FIGURES]
    weight = Weight("popularity", 1.5, 0.2, 2.5, 0.75, 0.1, -0.05, 0.2, 0.02, None, None)
    found = Weighed("new items", 3, 6, 3, {"questions": 60, "unreadable": 2, "tokens": 3_000}, rows, [weight], [])
    found = replace(found, worth=worth_of([weight], asked=60, tokens=3_000))
    _print_slice(found, Terminal(width=140))
    said = capsys.readouterr().out
    assert "new items: 6 scenes and 3 lists of 3 people; 2 of 60 answers unreadable" in said
    assert "1.500 [0.200, 2.500]" in said
    assert "0.080" in said  # 0.02 nats a choice, five decisions of 50 tokens


def test_what_a_stranger_could_read_back_is_told_before_and_after(capsys):
    histories = Probe(2.0, 2.5, (40, 40), 0.75, 0.6, 0.9)
    completions = Completions(titles=(200, 197), continued=(6, 3))
    _print_memory({"after": Memory(histories, None, completions)}, Terminal(width=160))
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "memorisation, after, histories: learned from or not is guessed with probability 0.750 [0.600, 0.900]",
        "memorisation, after, titles: all are in prompts",
        "memorisation, after, completions: 6 of 200 next titles are said of people learned from, 3 of 197 of others",
    ]
