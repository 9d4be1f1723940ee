"""The lab takes an experiment file as it is, and says what of it is not used."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml

from groundlings.environments.dataset import LEFT_OUT
from groundlings.environments.errors import ConfigError
from groundlings.experiments.config.loading import load_as
from groundlings.experiments.labs.fidelity.config import DEFAULT_ARMS, FidelityConfig
from groundlings.experiments.labs.fidelity.experiment_file import as_fidelity
from groundlings.experiments.labs.fidelity.lists import draw_lists
from groundlings.experiments.labs.fidelity.stage import set_stage

CONFIGS = Path(__file__).parents[4] / "experiments" / "configs"
EXPERIMENT = {
    "name": "shoes",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 90, "n_items": 60, "interactions_per_user": 20}},
    "split": {"kind": "random", "salt": "a"},
    "population": {"size": 80},
    "simulation": {"days": 3},
    "site": {"page_size": 5, "max_pages": 2},
    "mind": "behavioural",
    "plan": {"primary": "likes_per_session"},
    "arms": [
        {"name": "popular", "recommender": "ease"},
        {"name": "mine", "recommender": "item_knn", "options": {"neighbours": 7}},
    ],
}


def read(path: Path, *changes: str, **content) -> tuple[FidelityConfig, list[str]]:
    said: list[str] = []
    path.write_text(yaml.safe_dump({**EXPERIMENT, **content}))
    return load_as(FidelityConfig, path, changes, None, partial(as_fidelity, say=said.append)), said


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shoes.yaml"


def test_arms_become_recommenders_beside_the_labs_own(path):
    config, said = read(path)
    assert config.name == "shoes-fidelity"
    assert (config.split.kind, config.site.page_size, config.population.size) == ("random", 5, "all")
    names = [arm.name for arm in config.recommenders]
    assert names[:2] == ["popular", "mine"]
    assert "popular (lab)" in names  # of the same name as an arm, and another recommender
    assert len(names) == 2 + len(DEFAULT_ARMS) - 1  # ease is among the arms
    assert "not read: plan, population, simulation" in " ".join(said)


@pytest.mark.parametrize(
    ("arm", "told"),
    [
        ({"recommender": "oracle"}, "sees hidden preferences"),
        ({"recommender": "degraded", "options": {"of": {"recommender": "oracle"}, "share": 0.5}}, "hidden preferences"),
        ({"recommender": "popular", "history": "none"}, "learns from simulated interactions only"),
        ({"recommender": "popular", "model": {"provider": "scripted"}}, "asks a language model"),
        ({"recommender": "python:mine"}, "Python object"),
        ({"recommender": "ease"}, "copy of an earlier arm"),
    ],
)
def test_arms_that_cannot_be_ordered_here_are_left_out_with_a_line(path, arm, told):
    config, said = read(path, arms=[*EXPERIMENT["arms"], {"name": "odd", **arm}])
    assert "odd" not in [arm.name for arm in config.recommenders]
    (line,) = [line for line in said if line.startswith("arm odd: left out")]
    assert told in line


@pytest.mark.parametrize("mind", ["scripted", {"kind": "behavioural", "grounded": True}, {"kind": "language"}])
def test_other_minds_are_named_and_the_behavioural_one_is_examined(path, mind):
    config, said = read(path, mind=mind, plan=None)
    assert (config.mind.kind, config.mind.grounded) == ("behavioural", False)
    assert any(line.startswith("mind") for line in said)


def test_options_of_a_behavioural_mind_are_kept(path):
    config, _ = read(path, mind={"kind": "behavioural", "random_click_rate": 0.03})
    assert config.mind.random_click_rate == 0.03


def test_the_labs_keys_can_be_set_and_misspelt_ones_are_refused(path):
    config, _ = read(path, "bootstrap=200", lists={"length": 10})
    assert (config.bootstrap, config.lists.length) == (200, 10)
    with pytest.raises(ConfigError, match=r"splitt.*did you mean 'split'"):
        read(path, splitt={"kind": "random"})
    with pytest.raises(ConfigError, match=r"arms\[0\]\.recommender"):
        read(path, arms=[{"name": "mine", "recommender": "populr"}])


@pytest.mark.parametrize("name", ["ab_movielens", "audience", "own_data", "quickstart"])
def test_shipped_experiments_are_taken(name):
    config = load_as(FidelityConfig, CONFIGS / f"{name}.yaml", (), None, partial(as_fidelity, say=lambda _: None))
    assert len(config.recommenders) >= 8


def test_a_fidelity_file_is_what_it_was():
    shipped = CONFIGS / "fidelity_ml100k.yaml"
    told = partial(as_fidelity, say=pytest.fail)
    assert load_as(FidelityConfig, shipped, (), None, told) == load_as(FidelityConfig, shipped)


def test_what_the_given_split_leaves_out_is_no_negative(tmp_path):
    rng = np.random.default_rng(1)
    met = [(user, item) for user in range(60) for item in rng.choice(24, 15, replace=False)]
    parts = ("train",) * 6 + ("valid",) * 5 + ("test",) * 4
    rows = [f"u{user},i{item},{parts[place % 15]}" for place, (user, item) in enumerate(met)]
    (tmp_path / "met.csv").write_text("\n".join(["user,item,part", *rows]) + "\n")
    (tmp_path / "items.csv").write_text("\n".join(["id,title", *(f"i{item},Item" for item in range(24))]) + "\n")
    columns = {"path": "met.csv", "user": "user", "item": "item", "split": "part"}
    own = {"interactions": columns, "items": {"path": "items.csv", "id": "id", "title": "title"}}
    config, _ = read(tmp_path / "x.yaml", dataset={"name": "own", "own": own}, split={"kind": "given"}, site={})
    stage = set_stage(config)
    assert stage.split.labels == "random"
    left_out = stage.dataset.interactions.take(stage.dataset.parts == LEFT_OUT).matrix.toarray() > 0
    for lists in draw_lists(stage, stage.testers, "test").values():
        negative = lists.listed & ~lists.positive
        rows, places = np.nonzero(negative)
        assert not left_out[lists.users[rows], lists.items[rows, places]].any()
        assert negative.any()
