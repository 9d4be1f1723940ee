"""Groundlings takes one name: packages called like our folders, installed or of a project's own, are left alone."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("environments", "personas", "recommenders", "simulator", "experiments")
NEIGHBOURS = ROOT / "build/neighbours/bin"
BOTH = """
import recommenders, experiments, environments
import groundlings, groundlings.recommenders.popular as ours
from groundlings.experiments.config.loading import load_config
assert experiments.WHOSE == environments.WHOSE == "the project's"
assert ours.PopularRecommender.__module__ == "groundlings.recommenders.popular"
print(recommenders.__file__)
print(groundlings.__file__)
"""


def outcome_of(*command: str | Path, project: Path) -> str:
    """What a command prints in a project's folder, with the project first on the import path."""
    environment = {**os.environ, "PYTHONPATH": str(project)}
    outcome = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


def make_packages(project: Path, *names: str) -> None:
    """Packages of these names in a project's folder."""
    for name in names:
        (project / name).mkdir()
        (project / name / "__init__.py").write_text('WHOSE = "the project\'s"\n')


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with packages of all five names."""
    folder = tmp_path_factory.mktemp("project")
    make_packages(folder, *PACKAGES)
    return folder


def test_in_a_project_with_the_same_names_each_finds_its_own(project: Path) -> None:
    theirs, ours = outcome_of(sys.executable, "-c", BOTH, project=project).splitlines()
    assert Path(theirs) == project / "recommenders/__init__.py"
    assert project not in Path(ours).parents


@pytest.mark.parametrize("command", [["groundlings"], [sys.executable, "-m", "groundlings"]], ids=["script", "module"])
def test_the_command_starts_in_such_a_project(command: list[str], project: Path) -> None:
    script = Path(sys.executable).with_name("groundlings")
    words = [script, *command[1:]] if command == ["groundlings"] else command
    assert "groundlings 0." in outcome_of(*words, "--version", project=project)
    assert "check" in outcome_of(*words, "--help", project=project)


def test_an_experiment_is_checked_in_such_a_project(project: Path) -> None:
    script = Path(sys.executable).with_name("groundlings")
    assert "popular" in outcome_of(script, "check", ROOT / "experiments/configs/own_data.yaml", project=project)


@pytest.mark.parametrize("package", PACKAGES)
def test_our_folders_cannot_be_imported_by_their_bare_names(package: str, tmp_path: Path) -> None:
    outcome = subprocess.run([sys.executable, "-c", f"import {package}"], cwd=tmp_path, capture_output=True, text=True)
    assert f"No module named '{package}'" in outcome.stderr


def test_the_links_of_an_editable_install_are_made_and_mended(tmp_path: Path) -> None:
    (tmp_path / "src/groundlings").mkdir(parents=True)
    for package in PACKAGES:
        (tmp_path / package).mkdir()
    (tmp_path / "src/groundlings/simulator").symlink_to("../../elsewhere")
    hook = runpy.run_path(str(ROOT / "hatch_build.py"))
    for _ in range(2):
        hook["link_rooms"](tmp_path)
    for package in PACKAGES:
        assert (tmp_path / "src/groundlings" / package).readlink() == Path("../..", package)


@pytest.mark.heavy
@pytest.mark.skipif(not NEIGHBOURS.exists(), reason="no build/neighbours; `make neighbours` makes it")
class TestBesideTheRegistrysRecommenders:
    """The wheel in an environment of its own, beside the package `recommenders` that everybody knows."""

    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        """A project with packages of two of our names; `recommenders` is installed."""
        make_packages(tmp_path, "experiments", "environments")
        return tmp_path

    def test_the_wheel_holds_one_top_level_name(self) -> None:
        (wheel,) = (ROOT / "build/neighbours/dist").glob("groundlings-*.whl")
        tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
        assert {top for top in tops if not top.endswith(".dist-info")} == {"groundlings"}

    def test_both_are_imported_from_site_packages(self, project: Path) -> None:
        theirs, ours = outcome_of(NEIGHBOURS / "python", "-c", BOTH, project=project).split()
        assert Path(theirs).parent.parent == Path(ours).parent.parent
        assert Path(ours).is_relative_to(NEIGHBOURS.parent)

    def test_an_experiment_is_checked(self, project: Path) -> None:
        command = (NEIGHBOURS / "groundlings", "check", ROOT / "experiments/configs/own_data.yaml")
        assert "popular" in outcome_of(*command, project=project)
