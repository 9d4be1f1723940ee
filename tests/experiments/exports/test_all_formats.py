"""What every format promises: marked, counted, whole or not at all, and nothing made of what is unknown."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
import yaml

from groundlings.environments.errors import ConfigError, DataError, RunDirectoryError
from groundlings.environments.memory import Available
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports import arrays
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.exports.folders import folder_names, partition_value
from groundlings.experiments.exports.registry import FORMATS
from groundlings.experiments.exports.synthesis import synthesise
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reading import open_log

every_format = pytest.mark.parametrize("name", FORMATS)

PER_ARM = """
SELECT arms.name, count(DISTINCT session_id), count(*), count(clicked), total(clicked), count(rating)
FROM impressions JOIN sessions USING (session_id) JOIN arms USING (arm_id) GROUP BY arms.name
"""


@every_format
def test_the_datasheet_says_what_made_it_and_counts_everything(name, export, run, ask):
    out = export(name).directory
    facts = json.loads((out / "datasheet.json").read_text())
    manifest = json.loads((run / "manifest.json").read_text())
    assert facts["synthetic"] is True
    for key in ("run_id", "seed", "config_hash", "digest"):
        assert facts[key] == manifest[key]
    assert facts["dataset"]["licence"] == manifest["dataset"]["licence"]
    assert facts["config"]["seed"] == 3
    counted = {
        arm["name"]: tuple(arm[key] for key in ("sessions", "impressions", "known", "opened", "rated"))
        for arm in facts["arms"]
    }
    assert counted == {arm: tuple(counts) for arm, *counts in ask(PER_ARM)}
    assert all(arm["unknown"] == arm["impressions"] - arm["known"] > 0 for arm in facts["arms"])
    text = (out / "DATASHEET.md").read_text()
    assert manifest["digest"] in text
    assert "None is the behaviour of a real person" in text


@every_format
def test_every_file_is_listed_with_its_rows(name, export):
    exported = export(name)
    written = {path.relative_to(exported.directory).as_posix() for path in exported.directory.rglob("*.*")}
    data = {file for file in written if not file.rpartition("/")[2].lower().startswith(("datasheet", "arm="))}
    extra = {"user_numbers.csv", "item_numbers.csv"} if name == "movielens" else set()
    folders = {file for file in data if (exported.directory / file).is_dir()}
    listed = set(exported.written.rows)
    inside = {file for file in data for each in listed if file.startswith(f"{each}/")}
    assert data - folders - inside == {each for each in listed if name != "minari"} | extra
    assert all((exported.directory / each).exists() for each in listed)


@every_format
def test_an_existing_directory_is_left_as_it_is(name, export, run, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine.txt").write_text("mine")
    with pytest.raises(RunDirectoryError, match=r"taken.*--out"):
        export_run(run, name, tmp_path / "taken")
    assert [path.name for path in tmp_path.rglob("*")] == ["taken", "mine.txt"]


@every_format
def test_hostile_titles_and_people_who_cannot_be_read_do_no_harm(name, export, small_run):
    exported = export(name, small_run)
    assert all(count >= 0 for count in exported.written.rows.values())
    assert "<new>" not in (exported.directory / "DATASHEET.md").read_text()


def test_two_exports_of_a_run_are_equal_byte_by_byte(run, tmp_path):
    for name in set(FORMATS) - {"open_bandit"}:  # a zip archive holds the time it was made
        for copy in ("one", "two"):
            export_run(run, name, tmp_path / name / copy)
        files = [path for path in (tmp_path / name / "one").rglob("*") if path.is_file()]
        assert files
        for path in files:
            twin = tmp_path / name / "two" / path.relative_to(tmp_path / name / "one")
            assert path.read_bytes() == twin.read_bytes()


def test_a_mistaken_format_is_explained(run, tmp_path):
    with pytest.raises(ConfigError, match=r"recbol.*did you mean 'recbole'"):
        export_run(run, "recbol", tmp_path / "out")


def test_a_run_that_did_not_finish_needs_a_word(run, tmp_path):
    shutil.copytree(run, tmp_path / "cut")
    with sqlite3.connect(tmp_path / "cut/log.db") as connection:
        connection.execute("UPDATE runs SET status = 'interrupted'")
    with pytest.raises(RunDirectoryError, match=r"interrupted.*--partial"):
        export_run(tmp_path / "cut", "parquet", tmp_path / "out")
    out = export_run(tmp_path / "cut", "parquet", tmp_path / "out", partial=True).directory
    assert json.loads((out / "datasheet.json").read_text())["status"] == "interrupted"


def test_the_datasheet_of_a_split_says_that_nobody_lives_in_two_arms(run, tmp_path):
    shutil.copytree(run, tmp_path / "split")
    with sqlite3.connect(tmp_path / "split/log.db") as connection:
        connection.execute("""UPDATE runs SET config = json_set(config, '$.design', json('{"kind": "split"}'))""")
    for of, said in ((run, "the same people live through every arm"), (tmp_path / "split", "lives in one arm")):
        out = export_run(of, "trec", tmp_path / f"out of {of.name}").directory
        assert said in json.loads((out / "datasheet.json").read_text())["definitions"]["arm"]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("movielens", "UPDATE impressions SET rating = NULL", "nobody rated"),
        ("trec", "UPDATE items SET source_item_id = 'a b' || item_id", "holds white space"),
        ("recbole", "UPDATE items SET source_item_id = 'NA' WHERE item_id = 1", "'NA' means a missing value"),
        ("recbole", "UPDATE items SET source_item_id = 'a' || char(9) || item_id", "holds a tab"),
        ("mind", "UPDATE items SET source_item_id = 'a-b' || item_id", "'-'"),
    ],
)
def test_what_a_format_cannot_carry_is_refused_and_leaves_nothing_behind(name, change, said, run, tmp_path):
    shutil.copytree(run, tmp_path / "changed")
    with sqlite3.connect(tmp_path / "changed/log.db") as connection:
        connection.execute(change)
    with pytest.raises(DataError, match=said):
        export_run(tmp_path / "changed", name, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["changed"]


def test_folder_names_differ_whatever_the_arms_are_called():
    assert folder_names(["A b", "a/b", "../x", "", "a_B-2", "..."]) == ["A_b", "a_b-2", "x", "arm", "a_B-2-2", "arm-2"]
    assert folder_names(["items.parquet", "DATASHEET.md", "v1.2"]) == ["items_parquet", "DATASHEET_md", "v1.2"]


def test_long_names_make_folders_that_a_disk_takes_and_that_differ():
    long = ["a" * 300, "a" * 301, "\N{FAMILY}" * 90, "\N{FAMILY}" * 91, "'" * 66]
    for names in (folder_names(long), [f"arm={partition_value(name)}" for name in long]):
        assert len(set(names)) == len(long)
        assert max(len(name.encode()) for name in names) < 250
    assert partition_value("\N{FAMILY} a/b.") == "%F0%9F%91%AA%20a%2Fb."
    assert partition_value("\N{FAMILY}" * 90).startswith("%F0%9F%91%AA" * 8)


@pytest.mark.parametrize("name", ["parquet", "trec"])
def test_an_arm_may_have_a_longer_name_than_a_folder(name, run, tmp_path):
    shutil.copytree(run, tmp_path / "changed")
    with sqlite3.connect(tmp_path / "changed/log.db") as connection:
        connection.execute("UPDATE arms SET name = hex(zeroblob(150)) || name")
    assert export_run(tmp_path / "changed", name, tmp_path / "out").written.rows


def test_synthesise_gives_what_run_and_export_give(config, run, tmp_path, blank_pictures):
    export_run(run, "trec", tmp_path / "long")
    loaded = load_config(config)
    assert synthesise(loaded, "trec", tmp_path / "short", quality=False).quality is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long", "short"]
    for name in ("popular/qrels.txt", "explored/run.txt"):
        assert (tmp_path / "short" / name).read_bytes() == (tmp_path / "long" / name).read_bytes()
    reason = "it was not measured, because of --no-quality"
    assert json.loads((tmp_path / "short/datasheet.json").read_text())["quality"] == {"missing": reason}
    assert f"n/a: {reason}." in (tmp_path / "short/DATASHEET.md").read_text()
    synthesise(loaded, "trec", tmp_path / "again", tmp_path / "kept", quality=False)
    assert (tmp_path / "kept/log.db").is_file()


def test_synthesise_finds_a_mistake_before_it_simulates(config, tmp_path):
    with pytest.raises(ConfigError):
        synthesise(load_config(config), "parqet", tmp_path / "out", tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "item", "user", "rating", "said"),
    [
        ("trec", "oat milk", "h", ",3", "the id 'oat milk0' holds white space"),
        ("trec", "milk", "a h", ",3", "the id 'a h' holds white space"),
        ("recbole", "milk", "NA", ",3", "'NA' means a missing value"),
        ("recbole", "oat\tmilk", "h", ",3", "holds a tab or a line break"),
        ("mind", "oat-milk", "h", ",3", "the item id 'oat-milk0' holds a blank or a '-'"),
        ("movielens", "milk", "h", "", r"nobody can rate in this environment \(its actions are click"),
    ],
)
def test_synthesise_says_what_a_format_cannot_carry_of_the_data_before_it_simulates(
    name, item, user, rating, said, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    users = [user if number == 0 else f"{user}{number}" for number in range(4)]
    items = [f"{item}{number}" for number in range(6)]
    rows = [f"{each},{thing},2024-03-0{day}{rating}" for each in users for day, thing in enumerate(items, start=1)]
    Path("bought.csv").write_text("\n".join(["who,what,day" + (",stars" if rating else ""), *rows]))
    Path("items.csv").write_text("\n".join(["what,title", *(f"{thing},Milk" for thing in items)]))
    bought = {"path": "bought.csv", "user": "who", "item": "what", "timestamp": "day"}
    tables = {"interactions": bought | ({"rating": "stars"} if rating else {}),
              "items": {"path": "items.csv", "id": "what", "title": "title"}}  # fmt: skip
    shop = {"name": "shop", "seed": 1, "dataset": {"name": "own", "own": tables}, "mind": {"kind": "scripted"},
            "arms": [{"name": "popular", "recommender": "popular"}]}  # fmt: skip
    with pytest.raises(DataError, match=said):
        synthesise(ExperimentConfig.model_validate(shop), name, tmp_path / "out", tmp_path / "kept", quality=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bought.csv", "items.csv"]


def test_chunks_have_the_size_that_was_set_and_leave_no_trace(run, tmp_path, monkeypatch):
    texts = ("movielens", "recbole", "trec", "mind")
    for name in texts:
        export_run(run, name, tmp_path / name / "whole")
    monkeypatch.setattr(open_log, "CHUNK_ROWS", 7)
    with LogReader(run) as log:
        sizes = [len(rows) for _, rows in log.impression_chunks(["impression_id"])]
        assert sum(sizes) == len(log.impressions(columns=["impression_id"]))
    assert max(sizes) == 7
    for name in texts:
        export_run(run, name, tmp_path / name / "chunked")
        whole, chunked = tmp_path / name / "whole", tmp_path / name / "chunked"
        for path in whole.rglob("*.*"):
            if path.is_file():
                assert path.read_bytes() == (chunked / path.relative_to(whole)).read_bytes()


def test_arrays_of_text_that_no_memory_holds_are_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "available_memory", lambda: Available(10, "a test"))
    with pytest.raises(DataError, match=r"a category has \d+ characters, .* and 10 bytes are left \(a test\)"):
        export_run(run, "open_bandit", tmp_path / "out")


def test_the_datasheet_names_what_was_changed_on_the_way(config, tmp_path):
    changed = {
        **yaml.safe_load(config.read_text()),
        "interventions": [
            {"day": 2, "arms": ["popular"], "recommender": "random_order"},
            {"day": 2, "withdraw": ["i1"]},
        ],
    }
    log_experiment(ExperimentConfig.model_validate(changed), tmp_path / "log.db")
    export_run(tmp_path, "parquet", tmp_path / "exported")
    told = json.loads((tmp_path / "exported/datasheet.json").read_text())["interventions"]
    assert told["in_words"] == [
        "from day 2 on in popular: random_order makes the lists",
        "from day 2 on in popular, explored: item i1 withdrawn",
    ]
    assert {(row["arm"], row["day"], row["kind"]) for row in told["rows"]} == {
        ("popular", 1, "recommender"),
        ("popular", 1, "withdraw"),
        ("explored", 1, "withdraw"),
    }
    text = (tmp_path / "exported/DATASHEET.md").read_text()
    assert "- from day 2 on in popular: random\\_order makes the lists" in text.partition("**Changed on the way**")[2]
