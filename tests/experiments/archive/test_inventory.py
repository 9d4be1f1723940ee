"""Looking after runs: nothing is hidden, nothing but a run is deleted, and a difference is named where it lies."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
import typer
import yaml
from filelock import FileLock
from typer.testing import CliRunner

from groundlings.environments.errors import RunDirectoryError, RunWarning
from groundlings.experiments.archive.inventory import (
    UNREADABLE,
    check_deletable,
    delete_run,
    diff_runs,
    find_runs,
    read_run,
)
from groundlings.experiments.cli import exports as cli_exports
from groundlings.experiments.cli import runs as cli_runs
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.run import run_experiment

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 40, "interactions_per_user": 10}},
    "mind": {"kind": "scripted", "stars": 4},
    "arms": [{"name": "popular", "recommender": "popular"}],
}


SECRET = "sk-proj-0123456789abcdef"


@pytest.fixture(scope="module")
def made(tmp_path_factory, leave_pictures_blank) -> Path:
    """A directory with three runs: one, its twin, and one with another seed and fewer people."""
    root = tmp_path_factory.mktemp("made")
    config = root / "small.yaml"
    config.write_text(yaml.safe_dump(SMALL))
    for name, changes in (("one", []), ("twin", []), ("other", ["seed=4", "population.size=10"])):
        with pytest.MonkeyPatch.context() as patched:
            leave_pictures_blank(patched)
            run_experiment(load_config(config, changes), root / "runs" / name)
    return root / "runs"


@pytest.fixture
def runs(made, tmp_path) -> Path:
    """A copy of them that a test may change."""
    shutil.copytree(made, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def command():
    """Call the commands of these two modules as `groundlings` mounts them."""
    app = typer.Typer()
    app.add_typer(cli_exports.app)
    app.add_typer(cli_runs.app, name="runs")
    runner = CliRunner(env={"COLUMNS": "200"})

    def called(*arguments: object, answer: str | None = None):
        return runner.invoke(app, [str(argument) for argument in arguments], input=answer)

    return called


def test_every_run_is_found_and_a_damaged_one_is_told(runs):
    (runs / "not-a-run").mkdir()
    log = runs / "twin/log.db"
    log.write_bytes(b"this is no database" * 100)
    found = {run.directory.name: run for run in find_runs(runs)}
    assert set(found) == {"one", "twin", "other"}
    assert (found["one"].status, found["one"].sessions, found["other"].sessions) == ("done", 12, 10)
    assert found["one"].digest == json.loads((runs / "one/manifest.json").read_text())["digest"]
    assert found["one"].size_bytes == sum(path.stat().st_size for path in (runs / "one").iterdir())
    assert found["twin"].status == UNREADABLE
    assert "twin" in found["twin"].problem
    assert log.read_bytes().startswith(b"this is no database")


def test_a_run_without_a_manifest_is_read_from_its_log(runs):
    (runs / "one/manifest.json").unlink()
    with sqlite3.connect(runs / "one/log.db") as connection:
        connection.execute("UPDATE runs SET status = 'interrupted'")
    run = read_run(runs / "one")
    assert (run.status, run.digest, run.sessions) == ("interrupted", None, 12)


def test_a_run_and_its_twin_do_not_differ_whatever_a_summary_says(runs):
    (runs / "twin/summary.json").write_text((runs / "other/summary.json").read_text())
    assert diff_runs(runs / "one", runs / "twin") == []


def test_a_difference_is_named_where_it_lies(runs):
    found = {(contrast.part, contrast.name): contrast for contrast in diff_runs(runs / "one", runs / "other")}
    assert (found["config", "seed"].first, found["config", "seed"].second) == (3, 4)
    assert (found["config", "population.size"].first, found["config", "population.size"].second) == ("all", 10)
    assert ("behaviour", "digest") in found
    assert not any(part in ("data", "versions") for part, _ in found)


def test_versions_and_results_are_compared(runs):
    manifest = json.loads((runs / "twin/manifest.json").read_text())
    manifest["versions"]["numpy"] = "1.0"
    (runs / "twin/manifest.json").write_text(json.dumps(manifest))
    with sqlite3.connect(runs / "twin/log.db") as connection:
        connection.execute("UPDATE impressions SET clicked = 1")
    with pytest.warns(RunWarning, match=r"twin: .*manifest.json was changed"):
        found = {(contrast.part, contrast.name): contrast for contrast in diff_runs(runs / "one", runs / "twin")}
    assert set(found) == {
        *(("behaviour", each) for each in ("digest", "log")),
        ("versions", "numpy"),
        ("results", "popular: view_ratio"),
    }
    assert found["behaviour", "log"].first is None
    assert found["results", "popular: view_ratio"].second == 1.0


def test_a_difference_of_configurations_is_told_without_keys(runs):
    with sqlite3.connect(runs / "other/log.db") as connection:
        (config,) = connection.execute("SELECT config FROM runs").fetchone()
        content = {**json.loads(config), SECRET: 1, "description": f"password={SECRET}"}
        connection.execute("UPDATE runs SET config = ?", [json.dumps(content)])
    with pytest.warns(RunWarning, match="other"):
        found = diff_runs(runs / "one", runs / "other")
    assert SECRET not in str(found)
    assert sum("not shown" in str(contrast) for contrast in found) == 2


def test_only_runs_are_deleted(runs, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years")
    (tmp_path / "link").symlink_to(runs / "one")
    for path in (tmp_path / "mine", tmp_path / "link", tmp_path / "nowhere", runs):
        with pytest.raises(RunDirectoryError):
            delete_run(path)
    assert (tmp_path / "mine/thesis.txt").read_text() == "years"
    assert (runs / "one/log.db").is_file()


def test_of_an_experiment_with_variants_a_run_to_delete_is_named(runs):
    (matrix := runs / "matrix" / "cells").mkdir(parents=True)
    (matrix.parent / "config.yaml").write_text("name: matrix")
    (runs / "one").rename(matrix / "seed-3")
    with pytest.raises(RunDirectoryError, match=r"deleted one by one, such as .*cells/seed-3; nothing was deleted"):
        delete_run(matrix.parent)
    delete_run(matrix / "seed-3")
    assert not (matrix / "seed-3").exists()


def test_a_damaged_run_can_be_deleted(runs):
    (runs / "one/log.db").write_bytes(b"broken")
    assert check_deletable(runs / "one").status == UNREADABLE
    delete_run(runs / "one")
    assert sorted(path.name for path in runs.iterdir()) == ["other", "twin"]


def test_a_run_that_somebody_is_working_on_is_not_deleted(runs):
    before = sorted(path.name for path in (runs / "one").iterdir())
    with FileLock(runs / "one" / ".lock"), pytest.raises(RunDirectoryError, match="another process"):
        delete_run(runs / "one")
    assert set(before) <= {path.name for path in (runs / "one").iterdir()}
    delete_run(runs / "one")
    assert not (runs / "one").exists()


def test_delete_asks_first(command, runs):
    for answer in ("n\n", "\n"):
        refused = command("runs", "delete", runs / "one", answer=answer)
        assert refused.exit_code == 0
        assert "12 sessions" in refused.output
        assert "nothing was deleted" in refused.output
    with pytest.raises(RunDirectoryError, match="nobody answered, so nothing was deleted; --yes"):
        raise command("runs", "delete", runs / "one", answer="").exception
    assert (runs / "one").is_dir()
    assert command("runs", "delete", runs / "one", answer="y\n").exit_code == 0
    assert not (runs / "one").exists()
    assert command("runs", "delete", runs / "twin", "--yes").exit_code == 0
    assert not (runs / "twin").exists()


def test_the_tables_show_what_is_known(command, runs):
    listed = command("runs", "list", "--dir", runs)
    assert all(word in listed.output for word in ("one", "twin", "other", "done"))
    assert "no runs" in command("runs", "list", "--dir", runs / "one").output
    shown = command("runs", "show", runs / "one").output
    assert json.loads((runs / "one/manifest.json").read_text())["digest"] in shown
    assert "popular" in shown
    assert "no difference" in command("runs", "diff", runs / "one", runs / "twin").output
    assert "population.size" in command("runs", "diff", runs / "one", runs / "other").output


def test_export_and_synthesize_from_the_command_line(command, runs, tmp_path, blank_pictures):
    assert "open_bandit" in command("formats").output
    done = command("export", runs / "one", "--format", "trec", "--out", tmp_path / "trec")
    assert done.exit_code == 0, done.output
    assert "popular/qrels.txt" in done.output
    config = tmp_path / "small.yaml"
    config.write_text(yaml.safe_dump(SMALL))
    done = command(
        "synthesize", config, "--people", 5, "--days", 2, "--format", "lenskit", "--out", tmp_path / "made",
        "--keep-log", tmp_path / "kept",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    facts = json.loads((tmp_path / "made/datasheet.json").read_text())
    assert facts["people"]["agents"] == 5
    assert facts["config"]["simulation"]["days"] == 2
    assert read_run(tmp_path / "kept").sessions == 10


@pytest.mark.parametrize("versions", [["numpy"], "numpy", 1, None])
def test_versions_in_another_form_are_left_out(runs, command, versions):
    manifest = json.loads((runs / "twin/manifest.json").read_text())
    (runs / "twin/manifest.json").write_text(json.dumps({**manifest, "versions": versions}))
    assert "groundlings" in read_run(runs / "twin").versions
    assert "twin" in command("runs", "list", "--dir", runs).output


@pytest.mark.parametrize("day", ["x", 10**4299, -1, True, 1.5, None])
def test_an_open_session_as_no_run_writes_it_is_not_known(runs, command, day):
    with sqlite3.connect(runs / "twin/log.db") as connection:
        connection.execute("UPDATE runs SET status = 'interrupted'")
    for said, known in (
        ({"arm": "popular", "day": day, "user_id": "u1"}, None),
        ({"arm": "popular", "day": 2, "user_id": "u1"}, 1),
    ):
        (runs / "twin/interrupted.json").write_text(json.dumps({"cut_short": [said]}))
        found = read_run(runs / "twin").cut_short
        assert (found if found is None else len(found)) == known
        shown = command("runs", "show", runs / "twin")
        assert shown.exit_code == 0, shown.exception
        assert ("not known" if known is None else "popular day 3 user u1") in shown.output
        assert "not yet; stopped 20" in shown.output, "what is interrupted is not finished"


def test_a_file_that_goes_while_a_run_is_measured_is_no_damage(runs, monkeypatch):
    looked = Path.lstat

    def gone(path):
        if path.name == "summary.json":
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return looked(path)

    monkeypatch.setattr(Path, "lstat", gone)
    assert read_run(runs / "one").size_bytes > 0


def test_a_manifest_of_any_depth_is_told(runs):
    for depth in (*range(900, 1000, 7), 5_000):
        (runs / "twin/manifest.json").write_text('{"a": ' + "[" * depth + "]" * depth + "}")
        (info,) = (each for each in find_runs(runs) if each.directory.name == "twin")
        assert info.problem or info.changes.faults
