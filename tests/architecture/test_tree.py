"""What every file of the project has in common."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("environments", "personas", "recommenders", "simulator", "experiments")
LONGEST_FILE = 400
# Assembled from pieces, so that this file does not contain what it looks for.
REGISTRIES = "|".join((r"py" r"pi\.org", r"python" r"hosted", r"npm" r"js\.", r"ana" r"conda\.org"))
MACHINE_PATHS = r"(?<![\w.~])/(?:wo" r"rk|tm" r"p|ro" r"ot|ho" r"me|op" r"t|Us" r"ers)/\w"


def tracked_files() -> list[Path]:
    """Every text file that a clone holds."""
    if not (ROOT / ".git").exists():
        pytest.skip("only a clone knows which files are the project's")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    binary = {".png", ".db", ".zip", ".parquet", ".gz"}
    return [file for file in files if file.is_file() and file.suffix not in binary]


def modules() -> list[str]:
    """Dotted names of all modules in the five folders."""
    return [
        ".".join(("groundlings", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in tracked_files() if path.suffix == ".py"}
    assert {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_work_of_which_some_may_fail_is_begun_by_side_by_side_alone() -> None:
    """`asyncio.gather` lets the rest go on, and ask, after a failure; the two files named end all themselves."""
    found = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if any("asyncio.gather(" in line and "return_exceptions" not in line for line in path.read_text().splitlines())
    }
    assert found == {"environments/side_by_side.py", "simulator/engines/clientele.py"}


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINE_PATHS], ids=["registries", "machine-paths"])
def test_nothing_depends_on_one_registry_or_one_machine(pattern: str) -> None:
    hits = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked_files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert hits == []


def test_nothing_generated_is_tracked() -> None:
    generated = re.compile(r"(^|/)(runs|dist|build|\.venv|__pycache__)/|\.(pyc|db|whl|gguf|pkl|npz)$")
    names = [path.relative_to(ROOT).as_posix() for path in tracked_files()]
    assert [name for name in names if generated.search(name)] == []


ADAPTERS = {
    "groundlings.experiments.gym.stable_baselines": "stable_baselines3",
    "groundlings.experiments.labs.train_mind.network": "torch",
    "groundlings.experiments.labs.train_mind.training": "torch",
    "groundlings.experiments.labs.train_mind.tree_attention": "torch",
    "groundlings.recommenders.neural.contrastive": "torch",
    "groundlings.recommenders.neural.training": "torch",
}
"""Modules that only users of a library import, which is not installed for tests."""


@pytest.mark.parametrize("name", modules())
def test_every_module_imports_and_has_what_it_exports(name: str) -> None:
    if name in ADAPTERS:
        pytest.importorskip(ADAPTERS[name])
    module = importlib.import_module(name)
    missing = [export for export in getattr(module, "__all__", ()) if not hasattr(module, export)]
    assert missing == []


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "src/groundlings/py.typed").exists()
