"""Replicates: every combination of prompts, models and seeds is a run, and an effect has to hold over all of them."""

from __future__ import annotations

import json

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.answer.file import sealed
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.report.page import read_material
from groundlings.experiments.archive.cells import cell_directories, has_cells
from groundlings.experiments.archive.inventory import find_runs
from groundlings.experiments.cli import main as cli
from groundlings.experiments.config.loading import config_hash, load_config
from groundlings.experiments.config.variants import cells_of
from groundlings.experiments.running.cost import estimate, print_plan
from groundlings.experiments.running.events import ArmBegins, RunBegins
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.replicates import go_on_with, resume_matrix, run_matrix
from groundlings.experiments.running.run import run_experiment
from groundlings.experiments.running.run_directory import Resuming
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.spending import Spending
from groundlings.simulator.log.writer import LogWriter

TOY = {"name": "toy", "toy": {"n_users": 60, "n_items": 60, "interactions_per_user": 12}}
ARMS = [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}]
LANGUAGE = {"kind": "language", "model": {"provider": "scripted", "temperature": 0.5}}


@pytest.fixture(scope="module", autouse=True)
def _commands():
    cli._mount()


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch):
    """Pictures take longer than these runs; a page is all that the matrix looks for."""

    def write(directory, *_):
        (directory / "report.html").write_text("drawn")

    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", write)


@pytest.fixture(scope="module")
def uninterrupted():
    """Filled by whoever needs it first: cell -> digest of three seeds that nobody interrupted."""
    return {}


@pytest.fixture
def configured(tmp_path):
    def configure(variants, mind="behavioural", **changes):
        content = {"name": "m", "seed": 3, "dataset": TOY, "mind": mind, "arms": ARMS, "variants": variants, **changes}
        path = tmp_path / "matrix.yaml"
        path.write_text(yaml.safe_dump(content))
        return load_config(path)

    return configure


def test_every_combination_is_a_cell_of_its_own_name(configured):
    models = [{"provider": "scripted", "temperature": 0.5}, {"provider": "scripted", "temperature": 0.9}]
    config = configured({"prompts": ["standard", "story"], "models": models, "seeds": [3, 4]}, LANGUAGE)
    cells = cells_of(config)
    assert len({cell.name for cell in cells}) == len({config_hash(cell.config) for cell in cells}) == 8
    assert cells[0].name == "prompt-standard_model-1_seed-3"
    assert cells[-1].config.mind.wording == "story"
    assert cells[-1].config.mind.model.temperature == 0.9
    assert (cells[-1].config.seed, cells[-1].config.variants) == (4, None)


def test_a_matrix_whose_server_is_away_leaves_no_directory(configured, tmp_path):
    pytest.importorskip("psycopg")
    config = configured({"seeds": [3, 4]}, log={"url": f"postgresql://me@/runs?host={tmp_path}"})
    with pytest.raises(RunDirectoryError, match="the server cannot be reached"):
        run_matrix(config, tmp_path / "matrix")
    assert not (tmp_path / "matrix").exists()


def test_a_calibrated_mind_can_hear_other_models(configured):
    models = [{"provider": "scripted"}, {"provider": "embedded"}]
    cells = cells_of(configured({"models": models}, {"kind": "calibrated"}))
    assert [(each.name, each.config.mind.model.provider) for each in cells] == [
        ("model-1", "scripted"), ("model-2", "embedded")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("variants", "mind", "said"),
    [
        ({"prompts": ["plain"]}, "behavioural", "give seeds alone"),
        ({"prompts": ["plain"]}, {"kind": "calibrated"}, "give models and seeds"),
        ({"models": [{"provider": "scripted"}]}, "behavioural", "asks no model"),
        ({"seeds": [1, 1]}, "behavioural", "stands there twice"),
        ({"models": [{"temperature": 0.5}, {"temperature": 0.5, "timeout_seconds": 9}]}, LANGUAGE, "there twice"),
        ({"models": [{"temperature": 0.5}, {"temperature": 0.9}]}, {"kind": "calibrated"}, "there twice"),
        ({"models": [{}]}, {"kind": "calibrated", "terms": ["evidence"]}, "asks no model"),
        ({"prompts": ["poem"]}, LANGUAGE, "'standard', 'plain' or 'story'"),
        ({"seed": [1]}, "behavioural", "did you mean 'seeds'"),
    ],
)
def test_what_cannot_vary_is_refused(configured, variants, mind, said):
    with pytest.raises(ConfigError, match=said):
        configured(variants, mind)


def test_a_cell_is_the_run_that_one_would_have_made_by_hand(configured, tmp_path):
    config = configured({"seeds": [3, 4]})
    outcome = run_matrix(config, tmp_path / "matrix")
    assert list(outcome.cells) == ["seed-3", "seed-4"]
    alone = run_experiment(cells_of(config)[1].config, tmp_path / "alone")
    assert outcome.cells["seed-4"].digest == alone.digest
    assert (tmp_path / "matrix" / "report.html").is_file()
    assert [run.directory.name for run in find_runs(tmp_path)] == ["alone", "seed-3", "seed-4"]
    told = sealed(tmp_path / "matrix", {"question": "Which?", "short": "knn leads"})
    (tmp_path / "matrix" / "answer.json").write_text(json.dumps(told))
    (tmp_path / "matrix" / "cells" / ".DS_Store").touch()  # a file manager's, and no cell
    listed = CliRunner().invoke(cli.app, ["runs", "list", "--dir", str(tmp_path)]).output.splitlines()
    assert [" ".join(line.split()) for line in listed if "knn leads" in line] == ["matrix Which? knn leads matrix"]


@pytest.mark.parametrize("stop", [1, 2, 3, 5])
def test_killed_anywhere_it_ends_with_the_digests_of_an_uninterrupted_one(
    configured, tmp_path, monkeypatch, uninterrupted, stop
):
    config = configured({"seeds": [3, 4, 5]})
    write, count = LogWriter.write, 0

    def failing(self, *arguments, **named):
        nonlocal count
        count += 1
        if count == stop:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            run_matrix(config, tmp_path / "cut")
    if stop < 5:
        with pytest.raises(RunDirectoryError, match="has not begun"):
            cell_directories(tmp_path / "cut")
    if not uninterrupted:
        whole = run_matrix(config, tmp_path / "whole")
        uninterrupted |= {name: each.digest for name, each in whole.cells.items()}
    again = go_on_with(tmp_path / "cut")
    assert {name: each.digest for name, each in again.cells.items()} == uninterrupted


def test_compare_hears_all_cells_and_names_them(configured, tmp_path):
    outcome = run_matrix(configured({"seeds": [3, 4, 5]}, plan={"primary": "view_ratio"}), tmp_path / "matrix")
    assert has_cells(tmp_path / "matrix")
    said = CliRunner().invoke(cli.app, ["compare", str(tmp_path / "matrix"), "--json"])
    found = json.loads(said.output)["arms"][0]
    assert found["variants"]["names"] == ["seed 3", "seed 4", "seed 5"]
    cells = cell_directories(tmp_path / "matrix")
    alone = [compare_run(cell, LogReader(cell)).arms[0].headline.effect.difference for cell in cells]
    assert found["variants"]["effects"] == pytest.approx(alone)
    first, *others = map(LogReader, cells)
    volume = read_material(cells[0], first, outcome.cells["seed-3"].summary, others).volume
    counts = [arm.counts for cell in outcome.cells.values() for arm in cell.summary.arms]
    assert (volume.runs, volume.sessions) == (3, sum(each.sessions for each in counts))
    assert (volume.impressions, volume.clicks) == (
        sum(each.impressions for each in counts),
        sum(each.clicks for each in counts),
    )
    text = " ".join(CliRunner().invoke(cli.app, ["compare", str(tmp_path / "matrix")]).output.split())
    assert "seed 4" in text
    assert "95 % over runs" in text
    digests = CliRunner().invoke(cli.app, ["digest", str(tmp_path / "matrix")]).output.split()
    assert digests[1::2] == ["seed-3", "seed-4", "seed-5"]


def test_the_cost_is_that_of_all_cells_and_each_is_told_what_the_others_spent(configured, tmp_path, monkeypatch):
    config = configured({"prompts": ["standard", "plain", "story"], "seeds": [1, 2]}, LANGUAGE)
    whole = estimate(build_plan(config))
    parts = [estimate(build_plan(cell.config)) for cell in cells_of(config)]
    assert whole.calls == sum(part.calls for part in parts) == 6 * parts[0].calls
    assert whole.prompt_tokens == sum(part.prompt_tokens for part in parts)
    console = Console(record=True, width=120)
    print_plan(build_plan(config), console)
    assert "6 runs: prompt-standard_seed-1" in console.export_text()
    told = []

    def spied(config, out, progress, *, spent, **further):
        told.append(spent)
        return run_experiment(config, out, progress, spent=spent, **further)

    monkeypatch.setattr("groundlings.experiments.running.replicates.run_experiment", spied)
    run_matrix(configured({"prompts": ["standard", "plain"]}, LANGUAGE, population={"size": 3}), tmp_path / "matrix")
    assert told[0] == Spending()
    assert told[1].agents.calls > 0


def test_progress_says_which_cell_is_at_work_and_what_can_be_resumed(configured, tmp_path):
    heard, begun = [], []

    class Listening:
        def event(self, event):
            match event:
                case ArmBegins(name, _):
                    heard.append(name)
                case RunBegins(directory):
                    begun.append(directory)

    run_matrix(configured({"seeds": [3, 4]}), tmp_path / "matrix", Listening())
    assert heard == ["1/2 seed-3: popular", "1/2 seed-3: knn", "2/2 seed-4: popular", "2/2 seed-4: knn"]
    assert set(begun) == {tmp_path / "matrix"}
    assert set(resume_matrix(tmp_path / "matrix").cells) == {"seed-3", "seed-4"}


def test_a_cell_that_begins_later_is_of_the_same_configuration_as_the_others(configured, tmp_path, monkeypatch):
    run_matrix(configured({"seeds": [3]}), tmp_path / "matrix")
    path = tmp_path / "matrix" / "config.yaml"
    begun = yaml.safe_load(path.read_text())
    monkeypatch.setattr("groundlings.experiments.running.replicates.resume_experiment", lambda *_, **__: None)
    path.write_text(yaml.safe_dump({**begun, "variants": {"seeds": [3, 4]}, "site": {**begun["site"], "page_size": 3}}))
    with pytest.raises(ConfigError, match=r"another configuration:\n +config\.site\.page_size: 10 when it began"):
        resume_matrix(tmp_path / "matrix", resuming=Resuming(accept_changes=True))
    assert not (tmp_path / "matrix" / "cells" / "seed-4").exists()


def test_a_cell_that_is_resumed_alone_keeps_to_what_the_others_have_left_of_the_budget(
    configured, tmp_path, monkeypatch
):
    run_matrix(configured({"prompts": ["standard", "plain"]}, LANGUAGE, population={"size": 3}), tmp_path / "matrix")
    told = []

    def spied(directory, progress, *, spent, **_):
        told.append(spent.agents.calls)

    monkeypatch.setattr("groundlings.experiments.running.replicates.resume_experiment", spied)
    first, second = cell_directories(tmp_path / "matrix")
    go_on_with(first)
    with LogReader(second) as other:
        assert told == [len(other.calls())]
    moved = first.rename(tmp_path / "alone")
    go_on_with(moved)
    assert told[1] == 0
