"""A run goes on where its data lies elsewhere now, as long as the content is the same."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, DataError
from groundlings.experiments.cli.main import run as run_command
from groundlings.experiments.config.loading import as_yaml, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.relocation import check_files, with_data_at
from groundlings.experiments.running.replicates import go_on_with, run_as_configured
from groundlings.experiments.running.run_directory import Resuming

pytestmark = pytest.mark.usefixtures("quick_report")


def arm(recommender: str, **options) -> list[dict]:
    return [{"name": "mine", "recommender": recommender, "options": options}]


def status(run: Path) -> tuple:
    """What the log says of a run, and how many changes were accepted."""
    with sqlite3.connect(run / "log.db") as log:
        return log.execute("SELECT status, (SELECT count(*) FROM accepted_changes) FROM runs").fetchone()


def printed(*arguments: object) -> str:
    """What `groundlings run` prints, and what it complains of."""
    app = typer.Typer()
    app.command()(run_command)
    done = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})
    return f"{done.output}{done.exception or ''}"


def own_tables(folder: Path) -> dict:
    folder.mkdir()
    rows = [f"u{user},i{(user * 3 + place) % 12},{1_500_000_000 + place}" for user in range(10) for place in range(6)]
    (folder / "clicks.csv").write_text("\n".join(["user,item,time", *rows]) + "\n")
    (folder / "items.csv").write_text("\n".join(["id,title", *(f"i{item},Item {item}" for item in range(12))]) + "\n")
    return {
        "name": "own",
        "own": {
            "interactions": {"path": str(folder / "clicks.csv"), "user": "user", "item": "item", "timestamp": "time"},
            "items": {"path": str(folder / "items.csv"), "id": "id", "title": "title"},
        },
    }


def test_own_data_that_has_moved_is_found_again_where_its_content_is_the_same(interrupted, tmp_path):
    run = interrupted(dataset=own_tables(tmp_path / "here"), arms=arm("popular"))
    whole = run_as_configured(load_config(tmp_path / "small.yaml"), tmp_path / "whole")
    shutil.move(run, tmp_path / "elsewhere")
    run = tmp_path / "elsewhere"
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(DataError, match=r"here/clicks\.csv and .*--resume .*elsewhere --data"):
        go_on_with(run)
    with pytest.raises(ConfigError, match="found none of"):
        go_on_with(run, resuming=Resuming(data=tmp_path))
    clicks = tmp_path / "there" / "clicks.csv"
    content = clicks.read_text()
    clicks.write_text(content.replace("u0,i1,", "u0,i11,"))
    with pytest.raises(ConfigError, match=r"another data set"):
        go_on_with(run, resuming=Resuming(True, tmp_path / "there"))
    clicks.write_text(content)
    assert go_on_with(run, resuming=Resuming(data=tmp_path / "there")).digest == whole.digest
    assert go_on_with(run).digest == whole.digest, "its configuration names the new place"


@pytest.mark.parametrize("listed", [False, True])
def test_a_path_that_is_corrected_by_hand_is_accepted_where_the_content_is_the_same(interrupted, tmp_path, listed):
    data = own_tables(tmp_path / "here")
    clicks = data["own"]["interactions"]
    clicks["path"] = [clicks["path"]] if listed else clicks["path"]
    run = interrupted(dataset=data, arms=arm("popular"))
    (tmp_path / "here").rename(tmp_path / "there")
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("/here/", "/there/"))
    go_on_with(run)
    assert status(run) == ("done", 0)


def test_the_rankings_of_another_program_may_move_too(interrupted, tmp_path):
    data = own_tables(tmp_path / "here")
    rankings = tmp_path / "here" / "rankings.csv"
    rows = [f"u{user},i{item},{12 - item}" for user in range(10) for item in range(12)]
    rankings.write_text("\n".join(["user_id,item_id,score", *rows]) + "\n")
    run = interrupted(dataset=data, arms=arm("external", path=str(rankings)))
    (tmp_path / "here").rename(tmp_path / "there")
    moved = tmp_path / "there" / "rankings.csv"
    content = moved.read_text()
    moved.write_text(content.replace("u3,i0,12", "u3,i0,0"))
    with pytest.raises(ConfigError, match=r"arms\.mine\.file\.path"):
        go_on_with(run, resuming=Resuming(data=tmp_path / "there"))
    moved.write_text(content)
    go_on_with(run, resuming=Resuming(data=tmp_path / "there"))
    assert status(run) == ("done", 0)


WEIGHED = """
from pathlib import Path

from groundlings.recommenders.popular import PopularRecommender


class Weighed(PopularRecommender):
    def __init__(self, weights: str, base_directory: Path):
        super().__init__()
        assert (base_directory / weights).read_text() == "1"
"""


def test_a_file_that_an_option_of_ones_own_code_names_is_found_when_the_run_goes_on(interrupted, tmp_path, module):
    """Relative paths start at the experiment's file, also for a run that lies elsewhere."""
    named = tmp_path / "weights.json"
    named.write_text("1")
    run = interrupted(arms=arm(f"{module(WEIGHED)}:Weighed", weights="weights.json"))
    named.rename((tmp_path / "there").mkdir() or tmp_path / "there" / "weights.json")
    go_on_with(run, resuming=Resuming(data=tmp_path / "there"))
    assert status(run) == ("done", 0)


def test_replicates_go_on_with_data_that_has_moved(interrupted, tmp_path):
    run = interrupted(dataset=own_tables(tmp_path / "here"), arms=arm("popular"), variants={"seeds": [3, 4]})
    (tmp_path / "here").rename(tmp_path / "there")
    done = go_on_with(run, resuming=Resuming(data=tmp_path / "there"))
    assert list(done.cells) == ["seed-3", "seed-4"]
    assert "/here/" not in "".join(path.read_text() for path in run.rglob("config.yaml"))


def test_the_command_goes_on_with_what_was_accepted_and_with_data_elsewhere(interrupted, tmp_path):
    run = interrupted(dataset=own_tables(tmp_path / "here"), arms=arm("popular"))
    with sqlite3.connect(run / "log.db") as log:
        log.execute("DELETE FROM seals WHERE seal_id > 1")
        log.execute("UPDATE seals SET kind = 'unsealed'")  # as a log of an earlier version, which may be edited
        (identity,) = log.execute("SELECT identity FROM runs").fetchone()
        log.execute("UPDATE runs SET identity = ?", [json.dumps({**json.loads(identity), "mind.code": "0" * 64})])
    (tmp_path / "here").rename(tmp_path / "there")
    refused = printed("--resume", run, "--data", tmp_path / "there")
    assert "mind.code: 000000000000... when it began" in refused
    assert "--accept-changes" in refused
    done = printed("--resume", run, "--data", tmp_path / "there", "--accept-changes")
    assert "from here on this run is another experiment" in done
    assert "digest" in done
    assert "belong to --resume" in printed(tmp_path / "small.yaml", "--accept-changes")


@pytest.mark.parametrize("named", [["clicks.csv", "more.csv"], "*s.csv", ["clicks.csv", "mor?.csv"]])
def test_lists_and_patterns_of_files_are_looked_for_elsewhere_too(tmp_path, named):
    data = own_tables(tmp_path / "here")
    (tmp_path / "here" / "more.csv").write_text("user,item,time\nu0,i0,1600000000\n")
    folder = str(tmp_path / "here")
    data["own"]["interactions"]["path"] = (
        f"{folder}/{named}" if isinstance(named, str) else [f"{folder}/{each}" for each in named]
    )
    config = ExperimentConfig.model_validate(
        {"name": "x", "seed": 1, "dataset": data, "mind": {"kind": "behavioural"}, "arms": arm("popular")}
    )
    check_files(config, tmp_path)
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(DataError, match="there is no such file any more"):
        check_files(config, tmp_path)
    moved = with_data_at(config, tmp_path / "there")
    check_files(moved, tmp_path)
    assert "/here/" not in as_yaml(moved)
    (tmp_path / "there").rename(tmp_path / "here")
    for file in (tmp_path / "here").iterdir():
        file.rename(file.with_name(f"._{file.name}"))
    with pytest.raises(DataError, match="there is no such file any more"):
        check_files(config, tmp_path)


def test_data_whose_names_another_disk_has_composed_otherwise_is_told_as_such(tmp_path):
    data = own_tables(tmp_path / "here")
    data["own"]["items"]["path"] = str((tmp_path / "here" / "items.csv").rename(tmp_path / "here" / "K\u00e4ufe.csv"))
    config = ExperimentConfig.model_validate(
        {"name": "x", "seed": 1, "dataset": data, "mind": {"kind": "behavioural"}, "arms": arm("popular")}
    )
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "Ka\u0308ufe.csv").touch()
    with pytest.raises(ConfigError, match=r"found none of .* there; it is written 'K\\xe4ufe\.csv'"):
        with_data_at(config, tmp_path / "there")
