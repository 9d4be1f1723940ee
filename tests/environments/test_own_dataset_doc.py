"""Data sets by plug-in and `module:NAME`: the tutorial works as it is written, and mistakes are told."""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from groundlings.environments.dataset import RatingScale
from groundlings.environments.datasets import DATASETS, DatasetConfig, available_datasets, load_dataset
from groundlings.environments.datasets.checking import problems
from groundlings.environments.datasets.config import ToyOptions
from groundlings.environments.datasets.contract import DatasetContract
from groundlings.environments.datasets.toy import make_toy
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.experiments.cli.datasets import app
from groundlings.experiments.config.loading import config_hash, load_config
from groundlings.experiments.running.run import run_experiment

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "own-dataset.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', TEXT, flags=re.DOTALL))
SHOP = {"name": "my_data:Shop", "options": {"path": "purchases.jsonl"}}
FUNCTIONS = '''
from pathlib import Path

from my_data import Shop


def shop(context, path: Path):
    """A shop by function."""
    return Shop(path).load(context)


def unordered(context):
    from dataclasses import replace

    found = Shop(Path("purchases.jsonl")).load(context)
    return replace(found, interactions=found.interactions.take([1, 0, 2, 3, 4, 5]))


def nothing(context):
    return None


def no_context(path: str):
    return None


LOADER = Shop(Path("purchases.jsonl"))
'''


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A directory with every block of the tutorial in the file it is titled with."""
    for name, block in BLOCKS.items():
        (tmp_path / name).write_text(block, encoding="utf-8")
    (tmp_path / "my_functions.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for module in ("my_data", "my_functions"):
        sys.modules.pop(module, None)


@pytest.fixture
def installed(project, monkeypatch) -> Path:
    """The same, with the tutorial's package as pip would install it."""
    declared = tomllib.loads(BLOCKS["pyproject.toml"])["project"]
    info = project / "my_data-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: {declared['version']}\n")
    lines = [f"{name} = {value}" for name, value in declared["entry-points"]["groundlings.datasets"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[groundlings.datasets]", *lines]))
    monkeypatch.syspath_prepend(str(project))
    return project


def load(**config):
    return load_dataset(DatasetConfig.model_validate(config))


def test_no_block_is_left_untested():
    assert len(re.findall(r"^```\w", TEXT, flags=re.MULTILINE)) == len(BLOCKS) == 5


def test_the_contract_test_of_the_tutorial_passes(project, pass_in_process):
    assert pass_in_process(project / "test_my_data.py") == 7


@pytest.mark.usefixtures("quick_report")
def test_the_experiment_of_the_tutorial_runs_on_its_data(project):
    config = load_config(project / "experiment.yaml")
    run = run_experiment(config, project / "run").directory
    assert "CC BY 4.0" in (run / "manifest.json").read_text()
    assert config_hash(load_config(run / "config.yaml")) == config_hash(config)


def test_a_class_a_function_and_a_loader_load_the_same(project):
    by_class = load(**SHOP)
    by_function = load(name="my_functions:shop", options={"path": "purchases.jsonl"})
    assert by_class.fingerprint == by_function.fingerprint == load(name="my_functions:LOADER").fingerprint
    assert len(by_class.interactions) == 6


def test_an_installed_plug_in_has_a_name_like_the_shipped_ones(installed):
    assert load(name="shop", options={"path": "purchases.jsonl"}).name == "shop"
    assert list(available_datasets()) == [*DATASETS, "shop"]
    listed = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"}).output
    assert "Purchases of a shop" in listed
    with pytest.raises(ConfigError, match=r"expected one of ml-100k.*shop.*did you mean 'shop'"):
        DatasetConfig(name="shopp")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"licence": None}, "licence is None, expected text"),
        ({"name": 5}, "name is 5, expected text"),
        ({"scale": None}, "scale is None, expected a RatingScale"),
        ({"scale": RatingScale(1, 5, 0)}, "the scale is RatingScale(low=1, high=5, step=0)"),
        ({"scale": RatingScale(1, 5, float("nan"))}, "the scale is"),
        ({"scale": RatingScale(1, 5, 1e-9)}, "1 to 1,000"),
        ({"catalog": {"titles": (5, "b", "c", "d")}}, "an item's title is 5"),
        ({"catalog": {"titles": None}}, "catalog: titles are None"),
        ({"catalog": {"item_ids": ("\udc80", "b", "c", "d")}}, "expected text that UTF-8 can hold"),
        ({"catalog": {"genres": None}}, "catalog: genres are None"),
        ({"catalog": {"genres": (["toys"],) * 4}}, "genres of an item are ['toys']; expected a tuple"),
        ({"catalog": {"genres": ((5,),) * 4}}, "catalog: a genre is no text"),
        ({"catalog": {"years": ["1999"] * 4}}, "catalog: years are ['1999'"),
        ({"catalog": {"years": np.full(4, np.inf)}}, "catalog: years are array([inf"),
        ({"people": {"attributes": ({"hobbies": ["tea"]}, {}, {})}}, "an attribute's value is ['tea']"),
        ({"people": {"attributes": ("old", {}, {})}}, "attributes are 'old'"),
        ({"interactions": {"ticks_per_second": 0}}, "ticks_per_second is 0; expected 1, 1,000"),
        ({"interactions": {"timestamps": np.arange(6) + 10**18}}, "beyond the year 5138"),
    ],
)
def test_what_is_of_another_type_is_named_with_its_field(project, monkeypatch, changes, said):
    def made(name, change):
        return replace(getattr(found, name), **change) if isinstance(change, dict) else change

    def changed(_loader, _context):
        return replace(found, **{name: made(name, change) for name, change in changes.items()})

    found = load(**SHOP)
    monkeypatch.setattr(sys.modules["my_data"].Shop, "load", changed)
    with pytest.raises(DataError, match=re.escape(said)):
        load(**SHOP)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (np.array([1700000000.9, 1700000000.5]), "found 1700000000.9 in row 0"),
        (np.array([1700000000, np.nan]), "found nan in row 1"),
        (np.array([1.5e18, 1.7e18]), "found 1.5e+18 in row 0"),
        (np.array(["2024-05-31", "2024-06-01"], dtype="datetime64[ns]"), "array of datetime64[ns]; expected whole"),
        (np.array([1, 2**63], dtype=np.uint64), "in row 1"),
        (np.array(["1", "2"]), "found '1' in row 0"),
    ],
)
def test_times_that_are_no_whole_numbers_are_refused_and_not_cut(times, said):
    with pytest.raises(DataError, match=re.escape(said)):
        Interactions.of(np.array([0, 0]), np.array([0, 1]), None, times, n_users=1, n_items=2)


def test_row_numbers_are_not_cut_either():
    whole, wrong = np.array([0.0, 1.0]), np.array([0, 2**32])
    assert Interactions.of(whole, whole, None, whole, n_users=2, n_items=2).items.tolist() == [0, 1]
    with pytest.raises(DataError, match=r"items: found 4294967296 in row 1"):
        Interactions.of(whole, wrong, None, whole, n_users=2, n_items=2)


def test_the_licence_is_told_once_per_data_directory(project):
    told: list[str] = []
    config = DatasetConfig.model_validate({**SHOP, "directory": str(project)})
    for _ in range(2):
        load_dataset(config, notify=told.append)
    assert told == ["my_data:Shop: CC BY 4.0"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"name": "my_data:Shopp"}, r"dataset\.name: module my_data has no 'Shopp' \(did you mean 'Shop'\?\)"),
        ({"name": "my_data:Shop"}, r"dataset\.options: my_data:Shop needs the option 'path'"),
        ({"name": "my_data:Shop", "options": {"pth": "x"}}, r"dataset\.options\.pth: .*did you mean 'path'"),
        ({"name": "my_functions:shop", "options": {"path": 3}}, r"dataset\.options\.path: found 3"),
        ({"name": "my_functions:shop", "options": {"context": 3, "path": "x"}}, "no such option"),
        ({"name": "my_functions:LOADER", "options": {"path": "x"}}, "takes no options"),
        ({"name": "my_functions:nothing"}, "loads a NoneType; expected a Dataset"),
        ({"name": "my_functions:no_context"}, "no parameter `context`"),
        ({"name": "my_functions:FUNCTION"}, "has no 'FUNCTION'"),
        ({"name": "my_functions:Path"}, "it lacks description, size, licence, load"),
        ({"name": "nowhere:Shop"}, "nowhere:Shop cannot be imported"),
        ({"name": "toy", "options": {"n_users": 3}}, r"dataset\.options: only plug-ins"),
    ],
)
def test_a_mistake_is_told_with_its_place(project, config, said):
    with pytest.raises(ConfigError, match=said):
        load(**config)


def test_rows_out_of_order_are_refused_and_not_sorted(project):
    with pytest.raises(DataError, match=r"dataset my_functions:unordered: rows are not in the order of time"):
        load(name="my_functions:unordered")


def toy():
    return make_toy(ToyOptions(n_users=6, n_items=9, n_groups=3, interactions_per_user=3))


def changed(**columns):
    dataset = toy()
    return replace(dataset, interactions=replace(dataset.interactions, **columns))


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        (replace(toy(), people=replace(toy().people, user_ids=("u1",) * 6)), "'u1' appears more than once"),
        (replace(toy(), people=replace(toy().people, attributes=())), "attributes of 0 users"),
        (replace(toy(), licence=" "), "the licence says nothing"),
        (changed(n_users=7), "n_users is 7"),
        (changed(n_items=10), "n_items is 10"),
        (changed(ratings=np.full(18, 3.5)), "a rating is 3.5"),
        (changed(ratings=np.full(18, 6.0)), "a rating is 6"),
        (changed(synthetic=np.full(18, True)), "marked as simulated"),
        (replace(toy(), interactions=toy().interactions.take(np.zeros(2, int))), "at the same moment"),
        (replace(toy(), interactions=toy().interactions.take(np.zeros(0, int))), "there are no interactions"),
    ],
    ids=range(10),
)  # fmt: skip
def test_each_rule_is_noticed_when_it_is_broken(dataset, said):
    assert problems(toy()) == []
    assert any(said in problem for problem in problems(dataset))


def test_hashes_of_earlier_files_do_not_know_of_options():
    assert "options" not in DatasetConfig(name="toy").model_dump(mode="json", exclude_none=True)


class TestToy(DatasetContract):
    """The shipped ones keep the contract as well."""

    def build(self):
        return DATASETS["toy"]
