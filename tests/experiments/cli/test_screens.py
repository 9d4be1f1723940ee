"""What commands print for people: panels, sentences, and lists that fit the terminal."""

from __future__ import annotations

import io
import itertools
import json
import re
import shutil
import sqlite3
from dataclasses import replace

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from groundlings.environments.errors import RunWarning
from groundlings.experiments.analysis.answer.file import StoredAnswer, sealed
from groundlings.experiments.analysis.answer.terminal import print_lights, print_sentence, render_ranking
from groundlings.experiments.analysis.comparison.pilot import Need, Pilot
from groundlings.experiments.analysis.metrics import METRICS, summarise
from groundlings.experiments.analysis.report import render_summary_table, write_report
from groundlings.experiments.analysis.report.page import read_material
from groundlings.experiments.analysis.report.verdict_terminal import needed, print_needs
from groundlings.experiments.archive.inventory import diff_runs, read_run
from groundlings.experiments.cli import main as cli
from groundlings.experiments.cli.help_pages import Commands
from groundlings.experiments.cli.progress import TerminalProgress
from groundlings.experiments.running.events import ArmBegins, Measuring, SessionsWritten
from groundlings.experiments.terminal import Terminal
from groundlings.simulator.log.reader import LogReader


@pytest.fixture(scope="module")
def answered(small_run, tmp_path_factory, leave_pictures_blank):
    """A copy of a run that has its report, and what that is made of."""
    directory = tmp_path_factory.mktemp("runs") / "small"
    shutil.copytree(small_run, directory)
    log = LogReader(directory)
    material = read_material(directory, log, summarise(log))
    with pytest.MonkeyPatch.context() as patched:
        leave_pictures_blank(patched)
        write_report(directory, log, material.summary)
    (directory / "summary.json").write_text(json.dumps(material.summary.as_dict()))
    log.close()
    return material


def printed(width, *parts):
    console = Terminal(file=io.StringIO(), width=width)
    for part in parts:
        console.print(part)
    return console.file.getvalue()


def test_commands_stand_in_panels_and_flags_have_no_type():
    app = typer.Typer(cls=Commands)

    @app.command(rich_help_panel="Compare")
    def first(loud: bool = typer.Option(False, "--loud")) -> None:
        """One."""

    @app.command(rich_help_panel="Data")
    def second() -> None:
        """Two."""

    shown = CliRunner().invoke(app, ["--help"]).output
    assert shown.index("Compare") < shown.index("first") < shown.index("Data") < shown.index("second")
    assert "<bool>" not in shown
    assert "<bool>" not in CliRunner().invoke(app, ["first", "--help"]).output


def test_one_section_of_the_reference_is_printed_by_its_name():
    cli._mount()
    shown = CliRunner().invoke(cli.app, ["schema", "plan"]).output
    assert shown.startswith("plan\n  primary  text, required")
    assert "guardrails" in shown
    assert "n_users" not in shown
    every_mind = CliRunner().invoke(cli.app, ["schema", "mind.shopping"]).output
    assert "mind (behavioural).shopping" in every_mind
    refused = CliRunner().invoke(cli.app, ["schema", "plam"])
    assert "expected one of dataset, " in str(refused.exception)


@pytest.mark.parametrize(("agents", "said"), [(300, "plans 400: enough."), (900, "plans 400: too few; these find 9 %")])
def test_power_ends_in_a_sentence(agents, said):
    need = Need("satisfaction", "ease", 40, 5.0, 1.0, None, 0.25, agents, 0.45, 0.09)
    metrics = {metric.name: metric for metric in METRICS}
    pilot = Pilot(40, 400, "satisfaction", 0.05, 0.8, 0.05, 1, (need,), metrics)
    sentence = needed(pilot)
    assert sentence.startswith(f"To find an effect of 5 % on satisfaction, {agents} agents are needed; the file ")
    assert said in sentence
    assert "How sure that number is, so small a pilot does not tell." in sentence
    sure = replace(pilot, needs=(replace(need, agents_low=agents - 50, agents_high=agents + 150),))
    assert f"The pilot tells that number to between {agents - 50} and" in needed(sure)
    assert ("; whether the plan is enough is not sure." in needed(sure)) == (agents == 300)
    none = needed(Pilot(40, 400, None, 0.05, 0.8, 0.05, 1, (need.__class__(
        "satisfaction", "ease", 40, 0.0, 1.0, None, 0.0, None, 0.4, 0.1),), metrics))  # fmt: skip
    assert none.startswith("No number of agents")
    assert "or it is too small for 1,000,000,000,000 agents" in none


def test_power_plans_no_agents_by_users_who_do_not_differ():
    metrics = {metric.name: metric for metric in METRICS}
    alike = Need("satisfaction", "ease", 40, 5.0, 0.0, None, 0.25, None, None, None)
    console = Console(width=100, record=True, file=io.StringIO())
    print_needs(Pilot(40, 400, "satisfaction", 0.05, 0.8, 0.05, 1, (alike,), metrics), console)
    shown = console.export_text()
    assert re.search(r"ease +0\.000 +\u2013 +\u2013", shown), shown
    assert "there is no spread to test against, so no number is needed" in " ".join(shown.split())
    assert "was not asked" not in shown
    others = replace(Pilot(40, 400, "satisfaction", 0.05, 0.8, 0.05, 1, (alike,), metrics), in_place_of="language")
    print_needs(others, console)
    assert "file's mind (language) was not asked" in " ".join(console.export_text().split())


def test_power_names_the_arms_of_whom_too_little_is_known_instead_of_leaving_them_out():
    metrics = {metric.name: metric for metric in METRICS}
    known = Need("satisfaction", "ease", 40, 5.0, 1.0, None, 0.25, 300, 0.45, 0.09)
    unknown = Need("satisfaction", "als", 1, 5.0, *(None,) * 6)
    sentence = needed(Pilot(40, 400, "satisfaction", 0.05, 0.8, 0.05, 1, (known, unknown), metrics))
    assert "300 agents are needed" in sentence
    assert "This leaves out als: how many it takes there is not known" in sentence
    console = Console(width=100, record=True, file=io.StringIO())
    print_needs(Pilot(40, 400, "satisfaction", 0.05, 0.8, 0.05, 1, (unknown,), metrics), console)
    assert re.search(r"als +\u2013 +\u2013", shown := console.export_text()), shown
    assert "Fewer than two agents" in shown


def test_bars_have_a_rate_and_what_is_measured_has_one_too():
    looks = itertools.count()
    console = Console(file=io.StringIO(), width=80, force_terminal=True, get_time=lambda: float(next(looks)))
    with TerminalProgress(console) as progress:
        progress.event(ArmBegins("first", 2000))
        progress.event(SessionsWritten(1500, "first", 12_000, 1_800))
        progress.event(SessionsWritten(500, "first", 8_000, 200))
        progress.event(Measuring(0, 10, "measuring"))
        progress.event(Measuring(10, 10, "drawing"))
    shown = console.file.getvalue()
    assert "2,000/2,000" in shown
    assert "/s" in shown
    assert "10 of 10" in shown
    assert shown.rindex("first") < shown.rindex("drawing")


def test_marks_are_explained_and_a_wide_terminal_has_intervals(answered):
    table = render_summary_table(answered.summary)
    narrow, wide = printed(80, table), printed(200, table)
    assert "clearly better" in narrow
    assert wide.count("[") > narrow.count("[")


@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_ranking_fits_the_terminal(answered, width):
    shown = printed(width, render_ranking(answered.answer, width))
    assert max(map(len, shown.splitlines())) <= width
    assert "chance" in shown


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_answer_survives_a_terminal_that_knows_few_letters(answered, encoding):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Terminal(file=file, width=160)
    print_sentence(answered.answer, console)
    print_lights(answered.answer, console)
    console.print(render_ranking(answered.answer, 160))
    file.flush()
    shown = file.buffer.getvalue().decode(encoding)
    assert "good & <new>" in shown
    assert "\\u" not in shown


def test_the_list_of_runs_has_question_and_answer(answered):
    directory = answered.run_dir
    assert read_run(directory).answer.values["sentence"] == answered.answer.sentence
    (directory / "answer.json").unlink()
    assert read_run(directory).answer == StoredAnswer()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda told, _: "[1, 2", "cannot be read"),
        (lambda told, _: json.dumps(told | {"short": "mine wins"}), "was changed after it was written"),
        (lambda told, _: json.dumps(told | {"seal": None, "short": "mine wins"}), "was changed"),
        (lambda told, _: json.dumps({name: told[name] for name in told if name != "seal"}), "has no seal"),
        (lambda told, other: json.dumps(sealed(other, told)), "was not made of this run as it stands"),
    ],
)
def test_an_answer_that_is_not_as_it_was_written_is_not_believed(small_run, tmp_path, change, fault):
    run, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(small_run, run)
    other.mkdir()
    (other / "manifest.json").write_text(json.dumps({"seal": "of another"}))
    told = sealed(run, {"question": "Which?", "sentence": "Theirs leads.", "short": "theirs leads"})
    (run / "answer.json").write_text(json.dumps(told))
    assert read_run(run).answer.values["short"] == "theirs leads"
    (run / "answer.json").write_text(change(told, other))
    found = read_run(run).answer
    assert not found.values
    assert fault in found.fault
    assert f"`groundlings report {run}`" in found.fault
    cli._mount()
    for command in (["runs", "list", "--dir", str(tmp_path)], ["runs", "show", str(run)]):
        shown = CliRunner().invoke(cli.app, command, env={"COLUMNS": "400"}).output
        assert fault in shown
        assert "groundlings report" in shown
        assert "mine wins" not in shown


def test_a_difference_of_two_runs_says_what_is_more_than_noise(answered, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(answered.run_dir, other)
    with sqlite3.connect(other / "log.db") as log:
        of_chance = "SELECT session_id FROM sessions JOIN arms USING (arm_id) WHERE name = 'chance'"
        log.execute(f"UPDATE impressions SET clicked = 1 WHERE session_id IN ({of_chance})")
        log.execute(f"UPDATE sessions SET satisfaction = 10 WHERE session_id IN ({of_chance} LIMIT 1)")
    with pytest.warns(RunWarning, match="rows of arm chance"):
        contrasts = diff_runs(answered.run_dir, other)
    found = {each.name: each.beyond_noise for each in contrasts if each.part == "results"}
    assert found == {"chance: view_ratio": True, "chance: satisfaction": False}
