"""The tutorial works as it is written."""

import csv
import importlib.util
import inspect
import re
import subprocess
import sys
import tomllib
import types
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from groundlings.recommenders.contract import checkerboard, toy_catalog, toy_request, toy_user_ids
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.registry import (
    ENTRY_POINT_GROUP,
    SHIPPED,
    RecommenderContext,
    available_recommenders,
    build_recommender,
    find_recommender,
)

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "own-recommender.md").read_text()
BLOCKS = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', TEXT, flags=re.DOTALL))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A directory with every block of the tutorial in the file it is titled with."""
    for name, block in BLOCKS.items():
        (tmp_path / name).write_text(block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for module in ("my_recommender", "my_shuffle", "my_index"):
        sys.modules.pop(module, None)


def rank(recommender, users=(0, 1)):
    recommender.fit(checkerboard(), toy_catalog())
    request = toy_request(checkerboard(), np.array(users), 3)
    ranking = recommender.recommend(request)
    ranking.check(request, len(toy_catalog()))
    return ranking


def test_no_block_is_left_untested():
    assert len(re.findall(r"^```\w", TEXT, flags=re.MULTILINE)) == len(BLOCKS) == 9


def test_candidates_of_your_own_give_the_list_of_all_scores(project):
    users = tuple(range(20))
    found, expected = rank(find_recommender("my_index:MostClicked")(), users), rank(PopularRecommender(), users)
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_a_library_reads_the_training_part_and_its_rankings_come_back(project, monkeypatch):
    """With the library where it is installed, else with a stand-in that ranks by the number of users."""
    if importlib.util.find_spec("implicit") is None:
        monkeypatch.setitem(sys.modules, "implicit", types.ModuleType("implicit"))
        monkeypatch.setitem(sys.modules, "implicit.als", types.SimpleNamespace(AlternatingLeastSquares=ByPopularity))
    (project / "split").mkdir()
    toy, catalog = checkerboard(), toy_catalog()
    users = np.array(toy_user_ids())
    train = {"user_id": users[toy.users], "item_id": np.array(catalog.item_ids)[toy.items]}
    pd.DataFrame(train).to_csv(project / "split" / "train.csv", index=False)
    pd.DataFrame({"user_id": np.unique(train["user_id"])}).to_csv(project / "split" / "users.csv", index=False)
    pd.DataFrame({"item_id": catalog.item_ids}).to_csv(project / "split" / "items.csv", index=False)
    exec(compile(BLOCKS["train_elsewhere.py"], "train_elsewhere.py", "exec"), {})
    arm = yaml.safe_load(BLOCKS["external.yaml"])["arms"][0]
    recommender = build_recommender(
        arm["recommender"], arm["options"], RecommenderContext(catalog, toy_user_ids(), project)
    )
    ranking = rank(recommender)
    assert (ranking.items >= 0).all()


class ByPopularity:
    """Answers as the library of the example does."""

    def __init__(self, **options):
        pass

    def fit(self, met, *, show_progress):
        self.counts = np.asarray(met.sum(axis=0)).ravel()

    def recommend(self, rows, met, N):  # noqa: N803 - the library's own name
        scores = np.where(met.toarray() > 0, -np.inf, self.counts)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :N]
        return order, np.take_along_axis(scores, order, axis=1)


def test_the_stand_in_of_the_library_will_do(project, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    test_a_library_reads_the_training_part_and_its_rankings_come_back(project, monkeypatch)


def test_the_contract_test_passes(project):
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(project), str(project)],
        cwd=project,
        env={"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout
    assert re.search(r"\d\d passed", outcome.stdout)


@pytest.mark.parametrize("block", ["arms.yaml", "external.yaml"])
def test_the_arms_can_be_built_and_asked(project, block):
    context = RecommenderContext(toy_catalog(), toy_user_ids(), project)
    arms = yaml.safe_load(BLOCKS[block])["arms"]
    for arm in arms:
        rank(build_recommender(arm["recommender"], arm["options"], context, where=arm["name"]))


def test_the_option_is_the_one_in_the_yaml(project):
    arm = yaml.safe_load(BLOCKS["arms.yaml"])["arms"][0]
    context = RecommenderContext(toy_catalog(), toy_user_ids(), project)
    assert build_recommender(arm["recommender"], arm["options"], context).damping == 5.0


def test_the_shuffle_keeps_the_contract(project):
    (project / "test_shuffle.py").write_text(
        BLOCKS["test_my_recommender.py"]
        .replace("my_recommender", "my_shuffle")
        .replace("FavouriteGenres", "ShuffledTop")
        .replace("personalised = True", "personalised = False")
    )
    (project / "test_my_recommender.py").unlink()
    test_the_contract_test_passes(project)


def test_the_entry_point_is_found(project, monkeypatch):
    declared = tomllib.loads(BLOCKS["pyproject.toml"])["project"]
    info = project / "my_recommender-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: {declared['version']}\n")
    lines = [f"{name} = {value}" for name, value in declared["entry-points"][ENTRY_POINT_GROUP].items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{ENTRY_POINT_GROUP}]", *lines]))
    monkeypatch.syspath_prepend(str(project))
    assert available_recommenders()["my_genres"].startswith("Scores an item by the share of its genres")
    rank(build_recommender("my_genres", {}, RecommenderContext(toy_catalog(), toy_user_ids(), project)))


def test_the_file_holds_the_ranking_that_comes_out(project):
    rows = list(csv.DictReader(BLOCKS["rankings.csv"].splitlines()))
    options = yaml.safe_load(BLOCKS["external.yaml"])["arms"][0]["options"]
    built = build_recommender("external", options, RecommenderContext(toy_catalog(), toy_user_ids(), project))
    nothing = checkerboard().take(np.zeros(0, dtype=np.int64))
    built.fit(nothing, toy_catalog())
    items = built.recommend(toy_request(nothing, np.array([0]), 2)).items[0]
    assert [f"i{item}" for item in items] == [row["item_id"] for row in rows if row["user_id"] == "u0"]


def table() -> str:
    """The shipped names with their options, as the tutorial must list them."""
    filled_in = {field.name for field in fields(RecommenderContext)}
    rows = []
    for name in sorted(SHIPPED):
        options = [
            f"`{parameter.name}`" + ("" if parameter.default is parameter.empty else f" {parameter.default}")
            for parameter in inspect.signature(find_recommender(name)).parameters.values()
            if parameter.name not in filled_in
        ]
        rows.append(f"| `{name}` | {', '.join(options) or 'none'} |")
    return "\n".join(rows)


def test_the_table_of_shipped_recommenders_is_complete():
    assert table() in TEXT
