"""Formats by plug-in and `module:Class`: the tutorial works as it is written, and mistakes are told."""

from __future__ import annotations

import csv
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError
from groundlings.experiments.cli.exports import app
from groundlings.experiments.exports.contract import ExportContract
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.exports.registry import FORMATS, Written, available_formats, find_format, format_of
from groundlings.simulator.log.reader import LogReader

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "own-export.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', TEXT, flags=re.DOTALL))
FAULTY = """
import os

from my_formats import ClickList
from groundlings.experiments.exports.registry import Written


class Forgetful(ClickList):
    def write(self, source, directory):
        return Written({"clicks.csv": 3})


class Silent(ClickList):
    mark = " "


class Careless(ClickList):
    def write(self, source, directory):
        return 3


class Needy(ClickList):
    def __init__(self, path):
        self.path = path


class Nothing:
    description = "nothing"


class Noteless(ClickList):
    def write(self, source, directory):
        return Written({}, None)


class Wandering(ClickList):
    def write(self, source, directory):
        os.chdir("/")
        return super().write(source, directory)


THERE = ClickList()
"""


@pytest.fixture(scope="module", autouse=True)
def _undrawn(leave_pictures_blank):
    """Nobody looks at a picture of the run that the contract makes."""
    with pytest.MonkeyPatch.context() as patched:
        leave_pictures_blank(patched)
        yield


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A directory with every block of the tutorial in the file it is titled with."""
    for name, block in BLOCKS.items():
        (tmp_path / name).write_text(block, encoding="utf-8")
    (tmp_path / "faulty.py").write_text(FAULTY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for module in ("my_formats", "faulty"):
        sys.modules.pop(module, None)


@pytest.fixture
def installed(project, monkeypatch) -> Path:
    """The same, with the tutorial's package as pip would install it."""
    declared = tomllib.loads(BLOCKS["pyproject.toml"])["project"]
    info = project / "my_formats-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: {declared['version']}\n")
    lines = [f"{name} = {value}" for name, value in declared["entry-points"]["groundlings.exports"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[groundlings.exports]", *lines, "broken = nowhere:X"]))
    monkeypatch.syspath_prepend(str(project))
    return project


def test_no_block_is_left_untested():
    assert len(re.findall(r"^```\w", TEXT, flags=re.MULTILINE)) == len(BLOCKS) == 4


def test_the_contract_test_of_the_tutorial_passes(project, pass_in_process):
    assert pass_in_process(project / "test_my_formats.py") == 6


def test_the_command_of_the_tutorial_writes_clicks(project, run):
    (project / "run").symlink_to(run)
    words = shlex.split(BLOCKS["use.sh"])[1:]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for arm in ("popular", "explored"):
        rows = list(csv.DictReader((project / "exported" / arm / "clicks.csv").open()))
        assert {row["synthetic"] for row in rows} == {"1"}
        with LogReader(run) as log:
            assert len(rows) == len(log.interactions(arm=arm)) > 0
    assert "my_formats:ClickList (One line per click)" in (project / "exported" / "DATASHEET.md").read_text()


def test_an_installed_plug_in_has_a_name_like_the_shipped_ones(installed, run):
    assert export_run(run, "clicks", installed / "out").written.rows
    assert list(available_formats()) == [*FORMATS, "broken", "clicks"]
    listed = CliRunner().invoke(app, ["formats"], env={"COLUMNS": "250"}).output
    assert "One line per click" in listed
    assert "cannot be used" in listed


def test_a_format_that_exists_already_needs_no_class(project):
    assert find_format("faulty:THERE").description == "One line per click"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my_formats:ClickLst", "did you mean 'ClickList'"),
        ("faulty:Silent", "says nothing under mark"),
        ("faulty:Forgetful", "says that it wrote clicks.csv, and did not"),
        ("faulty:Careless", "returned a int; expected a Written"),
        ("faulty:Noteless", "gives the notes None; expected a tuple of texts"),
        ("faulty:Needy", "cannot be built without arguments"),
        ("faulty:Nothing", "it lacks rows, unknown, mark, write"),
        ("nowhere:X", "cannot be imported"),
        ("parqet", r"there is no format 'parqet' \(did you mean 'parquet'\?\)"),
    ],
)
def test_a_mistake_is_told_and_leaves_nothing_behind(project, run, name, said):
    with pytest.raises(ConfigError, match=f"--format: .*{said}"):
        export_run(run, name, project / "out")
    assert not [path for path in project.iterdir() if "out" in path.name]


def test_a_format_that_changes_the_directory_writes_where_it_was_asked_to(project, run):
    found = export_run(run, "faulty:Wandering", Path("out"))
    assert found.directory == Path("out")
    assert (project / "out" / "DATASHEET.md").is_file()
    assert not [path for path in project.iterdir() if path.name.startswith(".out")]


class Intruder:
    """Writes beside its directory, without a mark, and miscounts."""

    description = rows = unknown = mark = "something"

    def write(self, source, directory):
        (directory.parent / "beside.txt").write_text("x")
        (directory / "a.csv").write_text("user\nu1\n")
        return Written({"a.csv": 2})


@pytest.mark.parametrize(
    "test", ["writes_only_below_its_directory", "rows_agree_with_the_log", "files_hold_the_rows_that_are_stated",
             "is_marked_as_synthetic"],
)  # fmt: skip
def test_the_contract_notices_what_is_broken(test):
    class Broken(ExportContract):
        def build(self):
            return Intruder()

        def expected_rows(self, log):
            return {"a.csv": 1}

    with pytest.raises(AssertionError):
        getattr(Broken(), f"test_{test}")()


class TestLenskit(ExportContract):
    """The shipped ones keep the contract as well."""

    def build(self):
        return FORMATS["lenskit"]

    def expected_rows(self, log):
        return {f"{arm}/interactions.parquet": len(log.interactions(arm=arm)) for arm in ("popular", "chance")}


def test_a_format_takes_the_name_it_is_found_under():
    assert format_of("mine", Intruder()).facts()["name"] == "mine"
