"""The guard against other packages of our names, against directories that hold what pip would have written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from groundlings.environments.errors import NameConflict
from groundlings.experiments.cli import name_conflicts as names
from groundlings.experiments.cli.name_conflicts import Claim, check_names, describe_claim, find_claims, find_shadows


def install(site: Path, name: str, version: str = "1.2.1", record: str = "", top_level: str = "") -> None:
    """Write a distribution's metadata as an installer does, with no files behind it."""
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if record:
        (folder / "RECORD").write_text(record)
    if top_level:
        (folder / "top_level.txt").write_text(top_level)


def test_the_development_environment_has_no_conflict() -> None:
    check_names()


@pytest.mark.parametrize(
    "record",
    ["recommenders/__init__.py,sha256=x,10\n", '"recommenders/a,b.py",sha256=x,10\n', "recommenders.py,sha256=x,10\n"],
)
def test_a_recorded_package_is_a_claim(tmp_path: Path, record: str) -> None:
    install(tmp_path, "recommenders", record="recommenders-1.2.1.dist-info/METADATA,,\n" + record)
    assert find_claims([str(tmp_path)]) == [Claim("recommenders", "1.2.1", ("recommenders",), tmp_path.resolve())]


def test_a_declared_package_is_a_claim(tmp_path: Path) -> None:
    install(tmp_path, "old-style", top_level="simulator\nenvironments\nothers\n")
    (claim,) = find_claims([str(tmp_path)])
    assert claim.packages == ("environments", "simulator")


@pytest.mark.parametrize(
    "record",
    ["lenskit/recommenders/__init__.py,,\n", "recommenders_lab/__init__.py,,\n", "../../../bin/simulator,,\n"],
)
def test_similar_names_and_nested_packages_are_not_claims(tmp_path: Path, record: str) -> None:
    install(tmp_path, "neighbour", record=record)
    assert find_claims([str(tmp_path)]) == []


def test_our_own_wheel_is_not_a_claim(tmp_path: Path) -> None:
    install(tmp_path, "groundlings", "0.1.0", record="recommenders/__init__.py,,\nsimulator/__init__.py,,\n")
    assert find_claims([str(tmp_path)]) == []


def test_the_message_names_culprit_version_package_and_fix(tmp_path: Path) -> None:
    message = describe_claim(Claim("experiments", "0.1.384", ("experiments",), tmp_path), {})
    assert "experiments 0.1.384" in message
    assert "pip uninstall experiments" in message
    assert "fresh virtual environment" in message


def test_what_pip_cannot_uninstall_is_taken_out_of_the_path(tmp_path: Path) -> None:
    message = describe_claim(
        Claim("experiments", "0.1.384", ("experiments",), tmp_path.resolve()), {"PYTHONPATH": f"/elsewhere:{tmp_path}"}
    )
    assert "out of PYTHONPATH" in message
    assert "pip uninstall" not in message


def test_a_foreign_folder_without_a_distribution_is_a_shadow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = tmp_path / "personas" / "__init__.py"
    stranger.parent.mkdir()
    stranger.touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(names, "PACKAGES", ("personas",))
    monkeypatch.delitem(sys.modules, "personas", raising=False)
    assert find_shadows() == {"personas": str(stranger)}
    with pytest.raises(NameConflict, match=r"personas is imported from .*personas/__init__\.py"):
        check_names()


def test_the_console_script_stops_before_it_runs_foreign_code(tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    install(site, "recommenders", record="recommenders/__init__.py,,\n")
    (site / "recommenders").mkdir()
    (site / "recommenders" / "__init__.py").write_text("raise SystemExit('foreign code ran')\n")

    script = Path(sys.executable).with_name("groundlings")
    outcome = subprocess.run(
        [script, "version"],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 2, outcome.stderr
    assert "recommenders 1.2.1" in outcome.stderr
    assert "out of PYTHONPATH" in outcome.stderr
    assert "Traceback" not in outcome.stderr
