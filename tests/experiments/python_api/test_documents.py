"""The examples for Python users run as they are written, and the page about it names every column."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest
import yaml

import groundlings as gl

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
FRAMES = ["impressions", "sessions", "events", "interactions", "calls", "agents", "items", "arms", "metrics"]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\b[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_of_the_page_run_one_after_the_other(here, capsys):
    names: dict[str, object] = {"__name__": "__main__"}
    for example in blocks(PAGE, "python"):
        exec(compile(example, "python-api.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "site.page_sise: this key does not exist; did you mean 'page_size'?" in printed
    assert (here / "runs/nightly/report.html").is_file()


def test_the_job_of_the_page_ends_with_the_status_of_its_verdict(here, in_process):
    (here / "ab_test.py").write_text(blocks(PAGE, "python")[0])
    (job,) = blocks(PAGE, "yaml")
    statuses = []
    for step in yaml.safe_load(job)["steps"]:
        program, *words = shlex.split(step["run"])
        if program == "python":
            (file,) = words
            runpy.run_path(file, run_name="__main__")
            statuses.append(0)
        else:
            assert program == "groundlings"
            statuses.append(in_process(*words).returncode)
    failed = gl.open_run(here / "runs/nightly").compare().verdict == "not supported"
    assert statuses == [0, 3 if failed else 0]


def test_the_example_of_readme_runs(here):
    (example,) = blocks(README, "python")
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})
    assert list(here.glob("runs/*/report.html"))


@pytest.mark.parametrize("name", FRAMES)
def test_every_column_is_on_the_page(small_run, name):
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{name}()` |"))
    columns = re.findall(r"`(\w+)`", row.split(" | ")[2])
    assert columns == list(getattr(gl.open_run(small_run), name)().columns)


def test_every_column_of_the_effects_is_on_the_page(small_run):
    told = re.search(r"one row per\narm and metric: (.*?)\.\n", PAGE, re.DOTALL)
    assert told is not None
    assert re.findall(r"`(\w+)`", told[1]) == list(gl.open_run(small_run).compare().effects.columns)
