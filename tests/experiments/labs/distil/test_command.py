"""The command `groundlings distil`: what it writes and prints, and how it goes on when a budget is used up."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from groundlings.environments.errors import BudgetExhausted, RunDirectoryError
from groundlings.experiments.cli.distil import distil

SMALL = (
    "--set",
    "pairs.rounds=1",
    "--set",
    "pairs.first=60",
    "--set",
    "pairs.per_round=20",
    "--set",
    "teacher.scenes=10",
)


@pytest.fixture
def command(distil_file):
    app = typer.Typer()
    app.command()(distil)
    return lambda *options: CliRunner().invoke(app, [str(distil_file), *map(str, options)])


def test_a_used_up_budget_keeps_the_answers_and_a_higher_one_goes_on(command, tmp_path):
    out = tmp_path / "an out"
    stopped = command("--out", out, *SMALL, "--set", "teacher.model.budget.tokens=9000")
    assert isinstance(stopped.exception, BudgetExhausted)
    assert "Raise teacher.model.budget to go on" in str(stopped.exception)
    said = " ".join(stopped.output.split())
    assert f"--out '{out}' --set=pairs.rounds=1 " in said, (
        "going on without what was changed would be another experiment"
    )
    assert said.endswith("--set=teacher.model.budget.tokens=9000 --resume")
    before = (out / "teacher.csv").read_text().splitlines()
    found = command("--out", out, *SMALL, "--resume")
    assert found.exception is None, found.output
    after = (out / "teacher.csv").read_text().splitlines()
    assert 10 < len(before) < len(after)
    assert after[: len(before)] == before
    assert len({line.partition(",")[0] for line in after}) == len(after)
    records = json.loads((out / "distil.json").read_text())
    assert records["about"]["asked"]["asked_now"] == len(after) - len(before)
    assert len(json.loads((out / "student.json").read_text())["columns"]) == 10 + 3 * 4
    for told in ("shuffled answers", "less that of pairs: uniform", "predictions", "item kNN", "teacher.csv"):
        assert told in found.output


def test_without_answers_there_is_nothing_to_go_on_from(command, tmp_path):
    found = command("--out", tmp_path, "--resume").exception
    assert isinstance(found, RunDirectoryError)
    assert "found no teacher.csv to go on from" in str(found)
