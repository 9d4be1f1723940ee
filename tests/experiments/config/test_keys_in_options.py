"""A run keeps the options of one's own code in its log; so no key and no password may stand among them."""

from __future__ import annotations

import json

import pytest

from groundlings.environments.errors import ConfigError
from groundlings.experiments.config.loading import load_as
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.running.replicates import run_as_configured

KEY = "sk-proj-9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"
ARMS = [{"name": "mine", "recommender": "nowhere:Mine"}]


def run(out, **changes):
    content = {"name": "kept", "seed": 1, "dataset": "toy", "mind": "scripted", "arms": ARMS, **changes}
    run_as_configured(ExperimentConfig.model_validate(content), out)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"arms": [ARMS[0] | {"options": {"api_key": "x1"}}]}, r"arms\[0\]\.options\.api_key"),
        ({"arms": [ARMS[0] | {"options": {"password": "hunter2"}}]}, r"arms\[0\]\.options\.password"),
        ({"arms": [ARMS[0] | {"options": {"of": {"options": {"say": [KEY]}}}}]}, r"options\.of\.options\.say\[0\]"),
        ({"arms": [ARMS[0] | {"options": {"url": "https://joe:hunter2@host/x"}}]}, r"options\.url"),
        ({"arms": [ARMS[0] | {"options": {"url": "https://host/x?api_key=hunter2"}}]}, r"options\.url"),
        ({"arms": [ARMS[0] | {"options": {"headers": {"X": f"Bearer {KEY}"}}}]}, r"options\.headers\.X"),
        ({"dataset": {"name": "nowhere:Data", "options": {"auth_token": "x1"}}}, r"dataset\.options\.auth_token"),
        ({"mind": {"kind": "nowhere:Mind", "access_key": "x1"}}, r"mind\.access_key"),
        ({"environment": {"kind": "nowhere:Site", "hf_token": "x1"}}, r"environment\.hf_token"),
    ],
)
def test_a_key_among_options_is_refused_before_anything_is_written(tmp_path, changes, where):
    with pytest.raises(ConfigError, match=f"{where}: found a key or a password") as told:
        run(tmp_path / "run", **changes)
    assert KEY not in str(told.value)
    assert not (tmp_path / "run").exists()


def test_a_lab_keeps_its_options_too_and_refuses_keys_among_them(tmp_path):
    arms = [{"name": f"a{number}", "recommender": "nowhere:Mine"} for number in range(8)]
    arms[3]["options"] = {"secret_key": "x1"}
    path = tmp_path / "lab.yaml"
    path.write_text(json.dumps({"name": "lab", "seed": 1, "dataset": {"name": "toy"}, "recommenders": arms}))
    with pytest.raises(ConfigError, match=r"recommenders\[3\]\.options\.secret_key: found a key or a password"):
        load_as(FidelityConfig, path)


@pytest.mark.parametrize(
    "options",
    [
        {"api_key_env": "MY_KEY", "api_key": "", "max_tokens": "60", "key": "user_id", "token": "word"},
        {"join_key": "user", "url": "https://host/x?sort_key=popularity&page=2", "team": "sk-team-of-europe"},
    ],
)
def test_words_that_only_look_like_keys_are_no_keys(tmp_path, options):
    with pytest.raises(ConfigError, match="cannot be imported"):
        run(tmp_path / "run", arms=[ARMS[0] | {"options": options}])
