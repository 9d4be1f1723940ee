"""The examples of docs/own-data.md are loaded as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml

from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.experiments.cli.data import check_data
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.schema import SplitConfig
from groundlings.experiments.running.plan import build_plan
from groundlings.personas.population import build_population

PAGE = Path(__file__).parents[2] / "docs" / "own-data.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with the page's tables under the names it gives them."""
    (tmp_path / "shop").mkdir()
    names = ("items.csv", "purchases.csv", "customers.csv", "events.csv", "folds.csv")
    for name, table in zip(names, blocks("csv"), strict=True):
        (tmp_path / "shop" / name).write_text(table, encoding="utf-8")
    return tmp_path


def test_both_experiment_files_load(folder):
    full, least = (
        load_dataset(DatasetConfig.model_validate(yaml.safe_load(block)["dataset"]), base=folder)
        for block in blocks("yaml")[:2]
    )
    assert full.people.attributes == ({"age": "34", "town": "Porto"}, {"town": "Leeds"})
    assert full.catalog[0].genres == ("outdoor", "shoes")
    assert np.nansum(full.interactions.ratings) == 11.5
    assert np.isnan(least.interactions.ratings).all()
    assert least.people.user_ids == full.people.user_ids


def test_the_shop_of_events_has_the_interactions_that_the_page_describes(folder):
    content = yaml.safe_load(blocks("yaml")[2])
    dataset = load_dataset(DatasetConfig.model_validate(content["dataset"]), base=folder)
    assert dataset.notes == (
        "interactions are 3 of kind purchase; known of people, and learnt by nobody: 3 of kind view "
        "(own.interactions.counted)",
    )
    assert dataset.history.weights.tolist() == [2, 1, 1]
    persona = build_population(dataset, dataset.history, size="all", seed=0).persona(0)
    sentence = "You bought Walking boots (twice, 3 in all, last less than a day before the simulation)"
    assert sentence in persona.description
    assert "You bought Walking boots (twice, 3 in all" in PAGE.read_text(encoding="utf-8")


def test_the_split_in_three_parts_is_the_one_that_the_page_describes(folder):
    counts = []
    for block in blocks("yaml")[3:]:
        content = yaml.safe_load(block)
        dataset = load_dataset(DatasetConfig.model_validate(content["dataset"]), base=folder)
        split = SplitConfig.model_validate(content["split"]).of(dataset)
        counts.append((len(split.train), len(split.test), split.left_out))
    assert counts == [(2, 2, 1), (3, 2, 0)]


def test_the_whole_file_without_times_can_be_run(tmp_path):
    ((name, block),) = re.findall(r'^```yaml title="([^"]+)"\n(.*?)^```', TEXT, re.DOTALL | re.MULTILINE)
    plays = [f"u{user},a{(user * 7 + step * step) % 20},{step + 1}" for user in range(30) for step in range(5)]
    (tmp_path / "plays.csv").write_text("\n".join(dict.fromkeys(["user,artist,plays", *plays])) + "\n")
    artists = [f"a{artist},Artist {artist}" for artist in range(20)]
    (tmp_path / "artists.csv").write_text("\n".join(["artist,name", *artists]) + "\n")
    (tmp_path / name).write_text(block, encoding="utf-8")
    plan = build_plan(load_config(tmp_path / name))
    assert not plan.dataset.times_known
    assert plan.dataset.catalog.words.many == "artists"
    assert plan.dataset.interactions.weights is not None


def test_the_proposal_for_the_tables_of_the_page_is_what_the_page_prints(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    check_data([Path(f"shop/{name}.csv") for name in ("customers", "items", "purchases")])
    said = capsys.readouterr().out
    printed = TEXT[TEXT.index("users  shop/customers.csv") :].partition("```")[0]
    for line in printed.splitlines():
        assert line.removesuffix("...").strip(" ,") in said, line
    section = yaml.safe_load(said[said.index("dataset:") : said.index("To be looked at")])
    assert section["dataset"]["own"]["scale"] == {"low": 1, "high": 5, "step": 0.5}


def test_the_python_example_runs(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (example,) = blocks("python")
    exec(compile(example, str(PAGE), "exec"), {})
    assert capsys.readouterr().out == "2 3 4\n"


def test_every_key_of_the_mapping_is_on_the_page():
    schema = DatasetConfig.model_json_schema()["$defs"]
    text = PAGE.read_text(encoding="utf-8")
    for part in ("InteractionColumns", "ItemColumns", "UserColumns", "ScaleConfig"):
        for key in schema[part]["properties"]:
            assert re.search(rf"[`.]{key}`", text), key


def test_the_yaml_alone_keeps_the_doubts_and_says_the_split_of_data_without_times(tmp_path, capsys):
    (tmp_path / "plays.csv").write_text("user,artist,plays\n1,1,70\n1,2,3\n2,2,13\n")
    (tmp_path / "artists.csv").write_text("artist,name\n1,One\n2,Two\n")
    check_data([tmp_path / "plays.csv", tmp_path / "artists.csv"], only_yaml=True)
    printed = capsys.readouterr().out
    assert "# no column tells the time" in printed
    assert "split:\n  kind: random" in printed


def test_an_incomplete_section_ends_with_status_1(tmp_path):
    (tmp_path / "plays.csv").write_text("user,artist,plays\n1,1,70\n1,2,3\n2,2,13\n")
    with pytest.raises(typer.Exit) as ended:
        check_data([tmp_path / "plays.csv"], only_yaml=True)
    assert ended.value.exit_code == 1
