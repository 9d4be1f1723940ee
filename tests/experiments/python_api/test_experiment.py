"""The Python door: the same configuration, files and digest as the YAML road, and objects where a file has names."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

import groundlings as gl
from groundlings.environments.datasets import ToyOptions
from groundlings.environments.datasets.toy import make_toy
from groundlings.experiments.config.loading import config_hash, load_config
from groundlings.experiments.running.run import run_experiment
from groundlings.recommenders.ease import EaseRecommender


def newest(user_ids, k):
    """Items by their number, the highest first."""
    return [list(range(23, 23 - k, -1)) for _ in user_ids]


# The same as the YAML road


def test_arguments_that_are_names_are_the_file_with_these_names(experiment, names, tmp_path):
    file = tmp_path / "small.yaml"
    arms = [{"name": "popular", "recommender": "popular"}, {"name": "ease", **names["arms"]["ease"]}]
    file.write_text(
        yaml.safe_dump(
            {
                **{key: value for key, value in names.items() if key != "days"},
                "simulation": {"days": 2},
                "population": {"size": 9},
                "plan": {"primary": "view_ratio"},
                "arms": arms,
            }
        )
    )
    config = load_config(file)
    door = experiment(population=9, plan={"primary": "view_ratio"})
    assert config_hash(door.config) == config_hash(config)
    assert door.config.model_copy(update={"base": config.base}) == config

    of_file = run_experiment(config, tmp_path / "file")
    run = door.run(tmp_path / "door")
    assert run.digest == of_file.digest
    assert (run.directory / "config.yaml").read_text() == (of_file.directory / "config.yaml").read_text()
    assert {path.name for path in run.directory.iterdir()} == {path.name for path in of_file.directory.iterdir()}
    manifests = [json.loads((where / "manifest.json").read_text()) for where in (run.directory, of_file.directory)]
    assert manifests[0]["config_hash"] == manifests[1]["config_hash"] == config_hash(config)


def test_a_file_is_an_experiment_too(experiment, tmp_path):
    (tmp_path / "small.yaml").write_text(experiment().as_yaml())
    again = gl.Experiment.from_file(tmp_path / "small.yaml", ["simulation.days=1"], seed=4)
    assert (again.config.seed, again.config.simulation.days) == (4, 1)


def test_check_says_what_the_command_says(experiment, tmp_path, in_process):
    (tmp_path / "small.yaml").write_text(experiment().as_yaml())
    printed = in_process("check", "small.yaml", COLUMNS="80").stdout
    checked = experiment().check()
    assert [line.rstrip() for line in str(checked).splitlines()] == [line.rstrip() for line in printed.splitlines()]
    assert (checked.people, checked.items, checked.bounds.sessions, checked.bounds.calls) == (12, 24, 48, 0)


# Data frames


def test_a_run_of_frames_needs_its_directory_alone(experiment, tables, tmp_path, in_process):
    run = experiment(dataset=tables, arms={"popular": "popular"}).run(tmp_path / "there")
    kept = yaml.safe_load((run.directory / "config.yaml").read_text())
    assert kept["dataset"]["own"]["interactions"]["path"] == "data/interactions.parquet"
    expected = run.digest
    shutil.move(tmp_path / "there", tmp_path / "moved")

    moved = gl.resume(tmp_path / "moved")
    assert moved.digest == expected
    for command in (["report", "moved"], ["run", "--resume", "moved"], ["run", "moved/config.yaml", "--out", "again"]):
        assert in_process(*command).returncode == 0
    again = gl.open_run(tmp_path / "again")
    assert again.digest == expected
    hashes = {json.loads((each / "manifest.json").read_text())["config_hash"] for each in tmp_path.iterdir()}
    assert len(hashes) == 1, "where a run lies is no part of what it is"
    shutil.rmtree(tmp_path / "moved")
    assert gl.resume(again.directory).digest == expected


def test_ids_of_frames_are_those_of_the_log(experiment, tables, tmp_path):
    run = experiment(dataset=tables, arms={"popular": "popular"}).run(tmp_path / "run")
    assert set(run.agents().user_id) == {f"0{user} ü" for user in range(12)}
    assert set(run.items().item_id) == {str(item) for item in range(24)}


def test_a_frame_of_interactions_is_enough(experiment, tables, tmp_path):
    run = experiment(dataset=tables.interactions, arms={"all": "popular"}).run(tmp_path / "run")
    assert len(run.items()) == tables.interactions.item.nunique()


def test_a_data_set_runs_as_the_one_it_is_a_copy_of(experiment, names, tmp_path):
    toy = make_toy(ToyOptions(**names["dataset"]["toy"]))
    assert experiment(dataset=toy).run(tmp_path / "given").digest == experiment().run(tmp_path / "named").digest


def test_a_data_set_that_breaks_a_rule_is_refused_with_the_rule(experiment, names):
    toy = make_toy(ToyOptions(**names["dataset"]["toy"]))
    with pytest.raises(gl.DataError, match="dataset: licence is None, expected text"):
        experiment(dataset=replace(toy, licence=None))


def test_own_tables_of_a_file_can_be_copied_as_well(experiment, tables, tmp_path):
    tables.interactions.to_csv(tmp_path / "met.csv", index=False)
    tables.items.to_csv(tmp_path / "items.csv", index=False)
    own = {
        "interactions": {
            "path": "met.csv",
            "user": "user",
            "item": "item",
            "rating": "rating",
            "timestamp": "timestamp",
        },
        "items": {"path": "items.csv", "id": "id", "title": "title", "genres": "genres"},
    }
    file = tmp_path / "own.yaml"
    file.write_text(experiment(dataset={"name": "own", "own": own}, copy_data=True).as_yaml())
    run = gl.Experiment.from_file(file).run(tmp_path / "run")
    (tmp_path / "met.csv").unlink()
    assert gl.resume(run.directory).digest == run.digest
    of_frames = experiment(dataset=tables).run(tmp_path / "frames")
    assert of_frames.digest == run.digest


def test_frames_and_variants_go_together(experiment, tables, tmp_path):
    run = experiment(
        **{"days": 1, "dataset": tables, "arms": {"fn": newest, "all": "popular"}},
        variants={"seeds": [1, 2]},
        population=6,
    ).run(tmp_path / "run")
    assert set(run.sessions().cell) == {"seed-1", "seed-2"}
    assert len({cell.digest for cell in run.cells}) == 2
    with pytest.raises(gl.RunDirectoryError, match="2 cells"):
        _ = run.digest
    assert gl.resume(run.directory, arms={"fn": newest}).cells[1].digest == run.cells[1].digest
    assert run.compare().findings.arms[0].variants is not None


# Where a loop runs already


def test_everything_works_in_a_running_loop(experiment, tmp_path):
    language = {"kind": "language", "model": {"provider": "scripted"}}
    outside = experiment(mind=language, days=1, population=4)
    expected = outside.run(tmp_path / "outside")

    async def cell() -> tuple[str, str, str]:
        inside = experiment(mind=language, days=1, population=4)
        checked = inside.check()
        run = inside.run(tmp_path / "inside")
        run.compare()
        return str(checked), run.digest, inside.resume(run.directory).digest

    assert asyncio.run(cell()) == (str(outside.check()), expected.digest, expected.digest)


# Mistakes


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"arms": {"a": "populer"}}, ["populer", "popular"]),
        ({"arms": {"a": 3}}, ["arms['a']", "found 3", "(user_ids, k)"]),
        ({"arms": {}}, ["arms"]),
        ({"arms": ["popular"]}, ["arms", "found list", "mapping of names"]),
        ({"arms": {"a": lambda only: only}}, ["arms['a']", "takes neither (user_ids, k) nor nothing"]),
        ({"arms": {"a": lambda: 3}}, ["arms['a']", "the factory made int"]),
        ({"arms": {"a": EaseRecommender()}}, ["arms['a']", "not fitted", "refitted"]),
        ({"arms": {"a": gl.refitted(newest)}}, ["arms['a']", "refitted takes a Recommender, found function"]),
        ({"arms": {"a": {"recommender": newest, "options": {"x": 1}}}}, ["arms['a'].options", "take them out"]),
        ({"arms": {"a": {"name": "b", "recommender": "popular"}}}, ["arms['a'].name"]),
        ({"arms": {"a": {"recommender": "popular", "optoins": {}}}}, ["arms['a'].optoins", "options"]),
        ({"dataset": "movielens"}, ["dataset", "ml-100k"]),
        ({"dataset": 3}, ["dataset: found 3", "pandas DataFrame"]),
        ({"dataset": Path("met.csv")}, ["dataset", "met.csv", "read it with pandas"]),
        ({"dataset": gl.Tables(pd.DataFrame({"user": ["a"]}), columns={"interactions": {"usr": "user"}})},
         ["dataset.interactions.usr", "did you mean 'user'"]),
        ({"days": 0}, ["simulation.days", "expected 1 or more", "found 0"]),
        ({"days": 2, "simulation": {"days": 3}}, ["days: stands under simulation as well"]),
        ({"population": 0}, ["population.size"]),
        ({"population": 13}, ["13", "12"]),
        ({"pagse": 3}, ["pagse: this key does not exist"]),
        ({"site": {"page_sise": 3}}, ["site.page_sise", "page_size"]),
        ({"mind": "behavoural"}, ["mind", "behavoural"]),
        ({"plan": {"primary": "clicks"}}, ["plan.primary", "view_ratio"]),
        ({"base": Path()}, ["base: this key does not exist"]),
        ({"copy_data": True}, ["copy_data", "toy"]),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error_that_names_the_argument(experiment, changes, parts):
    with pytest.raises(gl.UserError) as error:
        experiment(**changes).check()
    for part in parts:
        assert part in str(error.value)


def test_data_that_is_handed_over_has_to_be_copied(experiment, tables):
    with pytest.raises(gl.ConfigError, match="copy_data: data that is handed over has to be copied"):
        experiment(dataset=tables, copy_data=False)


def test_check_asks_functions_for_a_few_lists(experiment):
    with pytest.raises(gl.DataError, match=r"arms\['mine'\].*item 'nowhere' for user"):
        experiment(arms={"mine": lambda user_ids, k: [["nowhere"]] * len(user_ids)}).check()


def test_what_a_function_raises_in_a_run_comes_out_as_it_is(experiment, tmp_path):
    def broken(user_ids, k):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        experiment(arms={"mine": broken}).run(tmp_path / "run")


def test_nothing_is_overwritten(experiment, tmp_path):
    experiment(days=1).run(tmp_path / "run")
    with pytest.raises(gl.RunDirectoryError, match="not empty"):
        experiment(days=1).run(tmp_path / "run")
    with pytest.raises(gl.RunDirectoryError, match="nothing"):
        gl.open_run(tmp_path / "nothing")
