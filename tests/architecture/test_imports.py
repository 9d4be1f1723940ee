"""The import contracts hold, and each of them catches what it is there to catch."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("environments", "personas", "recommenders", "simulator", "experiments")
VIOLATIONS = {
    "layers": ("recommenders/base.py", "import groundlings.personas.persona"),
    "mesa": ("simulator/session.py", "import mesa"),
    "sqlalchemy": ("experiments/analysis/metrics/summary.py", "from sqlalchemy import text"),
    "duckdb": ("experiments/exports/source.py", "import duckdb"),
    "language_models": ("personas/mind.py", "import openai"),
    "no_second_door": ("simulator/session.py", "import requests"),
    "learning": ("simulator/arm.py", "from implicit.als import AlternatingLeastSquares"),
    "training": ("simulator/arm.py", "import transformers"),
    "trees": ("personas/minds/behavioural.py", "from sklearn.ensemble import HistGradientBoostingClassifier"),
    "cluster": ("simulator/days.py", "import ray"),
    "reinforcement": ("experiments/running/run.py", "import gymnasium"),
    "outermost": ("environments/feed.py", "import yaml"),
    "plotting": ("experiments/running/run.py", "import matplotlib.pyplot"),
}


def contracts() -> dict[str, str]:
    """The contracts' names, by their key."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    prefix = "importlinter:contract:"
    return {key.removeprefix(prefix): parser[key]["name"] for key in parser.sections() if key.startswith(prefix)}


def lint(directory: Path) -> str:
    """What the linter prints about the packages in a directory."""
    outcome = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=directory,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return outcome.stdout + outcome.stderr


def test_the_contracts_are_kept() -> None:
    printed = lint(ROOT)
    assert f"Contracts: {len(contracts())} kept, 0 broken." in printed, printed


@pytest.fixture(scope="module")
def printed_about_violations(tmp_path_factory: pytest.TempPathFactory) -> str:
    copy = tmp_path_factory.mktemp("violations")
    shutil.copy(ROOT / ".importlinter", copy)
    package = copy / "groundlings"
    package.mkdir()
    shutil.copy(ROOT / "src/groundlings/__init__.py", package)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path, violation in VIOLATIONS.values():
        with (package / path).open("a") as module:
            module.write(f"\n{violation}\n")
    return lint(copy)


@pytest.mark.parametrize("contract", contracts())
def test_each_contract_catches_its_violation(contract: str, printed_about_violations: str) -> None:
    assert contract in VIOLATIONS, "a new contract needs an import that breaks it"
    assert f"{contracts()[contract]} BROKEN" in printed_about_violations
