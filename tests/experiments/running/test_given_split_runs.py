"""A run on data with a split of its own and without times, from `check` to the export."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from groundlings.environments.errors import ConfigError, DataError
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.experiment import open_run
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.running.cost import print_plan
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.replicates import go_on_with, run_as_configured
from groundlings.experiments.running.run_directory import Resuming
from groundlings.experiments.terminal import Terminal

pytestmark = pytest.mark.usefixtures("quick_report")

N_USERS, N_ITEMS = 12, 20


def pair(user: int, place: int) -> str:
    return f"u{user},i{(user * 3 + place) % N_ITEMS}"


def in_two_files(folder: Path) -> dict:
    """Tables without times, 5 training and 2 held-out interactions per user; `dataset` of an experiment file."""
    folder.mkdir()
    for name, places in (("known", range(5)), ("later", range(5, 7))):
        rows = [pair(user, place) for user in range(N_USERS) for place in places]
        (folder / f"{name}.csv").write_text("\n".join(["user,item", *rows]) + "\n")
    items = [f"i{item},Item {item}" for item in range(N_ITEMS)]
    (folder / "items.csv").write_text("\n".join(["id,title", *items]) + "\n")
    columns = {"user": "user", "item": "item", "held_out": {"path": str(folder / "later.csv")}}
    return {
        "name": "own",
        "own": {
            "interactions": {"path": str(folder / "known.csv"), **columns},
            "items": {"path": str(folder / "items.csv"), "id": "id", "title": "title"},
        },
    }


def experiment(path: Path, dataset: dict, **changes) -> Path:
    content = {
        "name": "small",
        "seed": 3,
        "dataset": dataset,
        "split": {"kind": "given"},
        "simulation": {"days": 2},
        "mind": "behavioural",
        "arms": [{"name": "mine", "recommender": "popular"}],
        **changes,
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_check_says_what_is_held_out_and_that_time_is_unknown(tmp_path, capsys):
    path = experiment(tmp_path / "small.yaml", in_two_files(tmp_path / "data"))
    print_plan(build_plan(load_config(path)), Terminal(width=200))
    printed = capsys.readouterr().out
    assert "60 training interactions" in printed
    assert "given: 24 interactions held out" in printed
    assert "unknown: the interactions of each user are in a seeded order" in printed


def test_the_default_split_refuses_such_data_and_says_what_to_write(tmp_path):
    dataset = in_two_files(tmp_path / "data")
    with pytest.raises(ConfigError, match="write `kind: given`"):
        build_plan(load_config(experiment(tmp_path / "a.yaml", dataset, split={})))
    del dataset["own"]["interactions"]["held_out"]
    with pytest.raises(ConfigError, match=r"has no times; write `split: \{kind: random\}`"):
        build_plan(load_config(experiment(tmp_path / "b.yaml", dataset, split={})))
    with pytest.raises(ConfigError, match="brings no split"):
        build_plan(load_config(experiment(tmp_path / "c.yaml", dataset)))
    with pytest.raises(ConfigError, match="the split is given, so the data say what is held out"):
        load_config(experiment(tmp_path / "d.yaml", dataset, split={"kind": "given", "test_fraction": 0.3}))


def test_held_out_rows_are_in_no_export_and_the_datasheet_says_that_times_are_unknown(tmp_path):
    dataset = in_two_files(tmp_path / "data")
    run = run_as_configured(load_config(experiment(tmp_path / "small.yaml", dataset)), tmp_path / "run").directory
    written = json.loads((run / "manifest.json").read_text())["dataset"]
    assert (written["training_interactions"], written["held_out_interactions"]) == (60, 24)
    assert (written["times_known"], written["split"], written["labels"]) == (False, "given", "random")
    exported = export_run(run, "lenskit", tmp_path / "exported").directory
    facts = json.loads((exported / "datasheet.json").read_text())
    assert facts["real_times"] == "unknown"
    assert "it is no date" in (exported / "DATASHEET.md").read_text()
    simulated = open_run(run).interactions()
    assert len(simulated)
    assert sum(rows for name, rows in facts["format"]["files"].items() if "interaction" in name) == len(simulated)


def test_a_run_resumes_with_its_own_copy_and_refuses_other_held_out_rows(interrupted, tmp_path):
    dataset = in_two_files(tmp_path / "data")
    arms = [{"name": "mine", "recommender": "popular"}]
    whole = run_as_configured(
        load_config(experiment(tmp_path / "whole.yaml", dataset, mind="scripted")), tmp_path / "whole"
    )
    run = interrupted(dataset=dataset, split={"kind": "given"}, arms=arms)
    later = tmp_path / "data" / "later.csv"
    kept = later.read_text()
    later.write_text(kept.replace(pair(0, 6), pair(0, 8)))
    with pytest.raises(ConfigError, match="data"):
        go_on_with(run, resuming=Resuming())
    later.unlink()
    with pytest.raises(DataError, match=r"later\.csv"):
        go_on_with(run, resuming=Resuming())
    later.write_text(kept)
    assert go_on_with(run, resuming=Resuming()).digest == whole.digest


def test_copied_data_hold_the_split_and_no_times(interrupted, tmp_path):
    dataset = in_two_files(tmp_path / "data")
    run = interrupted(
        dataset=dataset, split={"kind": "given"}, arms=[{"name": "mine", "recommender": "popular"}], copy_data=True
    )
    shutil.rmtree(tmp_path / "data")
    assert sorted(path.name for path in (run / "data").iterdir()) == [
        "interactions.parquet",
        "items.parquet",
        "users.parquet",
    ]
    done = go_on_with(run, resuming=Resuming())
    facts = json.loads((done.directory / "manifest.json").read_text())["dataset"]
    assert (facts["held_out_interactions"], facts["times_known"]) == (24, False)
