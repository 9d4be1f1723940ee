"""The doctor finds what is wrong with an installation, and says nothing is wrong when nothing is."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from rich.console import Console

from groundlings.experiments.cli import doctor
from groundlings.experiments.cli.doctor import Finding, print_findings, run_doctor


def finding(subject: str) -> Finding:
    """The worst finding about a subject."""
    found = [entry for entry in run_doctor() if entry.subject == subject]
    return max(found, key=lambda entry: ("ok", "warn", "fail").index(entry.status))


def test_a_working_installation_has_nothing_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    findings = run_doctor()
    assert [entry for entry in findings if entry.status == "fail"] == []
    assert {"Python", "Groundlings", "dependencies", "extra embedded", "SQLite"} <= {f.subject for f in findings}


def test_looking_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GROUNDLINGS_DATA", str(tmp_path / "data"))
    run_doctor()
    assert list(tmp_path.iterdir()) == []


def test_whatever_is_wrong_comes_with_a_fix_and_an_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "requires", lambda _: ["nosuchthing>=3"])
    absent = finding("dependency nosuchthing")
    assert absent.status == "fail"
    assert "pip install" in absent.fix
    console = Console(record=True, width=100, quiet=False, file=None)
    with console.capture() as printed:
        assert print_findings(console) == 2
    assert "1 to mend" in printed.get()


def test_an_absent_and_an_old_dependency_are_told_with_the_wanted_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "requires", lambda _: ["nosuchthing>=3", "numpy>=999", "sub-zero>=1; extra == 'neural'"]
    )
    assert "not installed; wanted nosuchthing>=3" in finding("dependency nosuchthing").found
    assert "wanted >=999" in finding("dependency numpy").found
    assert "'numpy>=999'" in finding("dependency numpy").fix
    assert "sub-zero" in finding("extra neural").found
    assert finding("extra neural").status == "ok", "nobody has to have an optional part"


def test_a_package_that_does_not_import_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def examine_caches() -> list[Finding]:
        raise ImportError("No module named 'platformdirs'")

    monkeypatch.setattr(doctor, "EXAMINATIONS", (examine_caches,))
    assert finding("caches") == Finding(
        "fail", "caches", "cannot be examined: No module named 'platformdirs'", "install Groundlings again"
    )


def test_caches_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDLINGS_DATA", str(tmp_path))
    (tmp_path / "one.zip").write_bytes(bytes(3 * 2**20))
    assert finding("cache of data sets").found == f"{tmp_path}: 1 files, 3 MiB"


@pytest.mark.parametrize(("free_mib", "status"), [(100, "fail"), (1000, "warn"), (5000, "ok")])
def test_a_filling_disk_is_noticed(free_mib: int, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = doctor.shutil.disk_usage("/")._replace(free=free_mib * 2**20)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    assert finding("free disk").status == status


def test_an_old_sqlite_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 7, 17))
    assert finding("SQLite").status == "fail"


def test_variables_are_named_without_their_values_and_misspelt_ones_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDLINGS_REMOTE", "forbid")
    monkeypatch.setenv("GROUNDLINGS_OFLINE", "hush")
    texts = [f"{entry.found} {entry.fix}" for entry in run_doctor() if entry.subject == "environment"]
    assert "GROUNDLINGS_REMOTE" in texts[0]
    assert texts[1] == "GROUNDLINGS_OFLINE is set, and nothing reads it did you mean GROUNDLINGS_OFFLINE?"
    assert "hush" not in "".join(texts)


def test_every_variable_that_the_code_reads_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = [folder for folder in Path(doctor.__file__).parents[2].iterdir() if folder.is_dir()]
    sources = [path.read_text() for room in rooms for path in room.rglob("*.py")]
    read = set(re.findall(r'"(GROUNDLINGS_[A-Z_]*[A-Z])"', "\n".join(sources)))
    assert read, "the search finds nothing any more"
    for name in read:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("GROUNDLINGS_REMOTE", "forbid")
    assert [entry for entry in run_doctor() if entry.subject == "environment" and entry.status != "ok"] == []
