"""What holds a log: the file says it, or the size of the run does."""

from __future__ import annotations

import pytest

from groundlings.environments.errors import ConfigError
from groundlings.experiments.config.loading import config_hash, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.cost import print_plan
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.sizes import impressions_expected, store_line, store_of
from groundlings.experiments.terminal import Terminal

SMALL = {
    "name": "small", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 4, "visit_probability": 0.5}, "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "scripted", "click": [0, 2], "pages": 2},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "chance", "recommender": "random_order"}],
}  # fmt: skip
EXPECTED = 2 * 20 * 2 * 12  # arms, people, sessions of four days with a chance of a half, slots


def plan_of(**changes):
    return build_plan(ExperimentConfig.model_validate({**SMALL, **changes}))


@pytest.mark.parametrize(("limit", "name"), [(EXPECTED, "parquet"), (EXPECTED + 1, "sqlite")])
def test_the_number_of_expected_impressions_decides(monkeypatch, capsys, limit, name):
    monkeypatch.setattr("groundlings.experiments.running.sizes.COLUMNAR_FROM", limit)
    plan = plan_of()
    assert impressions_expected(plan) == EXPECTED
    assert store_of(plan).name == name
    print_plan(plan, Terminal())
    said = " ".join(capsys.readouterr().out.split())
    assert (
        f"log {'Parquet files with a SQLite index (from' if name == 'parquet' else 'SQLite, one file (below'}" in said
    )
    assert f"{limit:,} expected impressions" in said


def test_a_run_that_asks_a_language_model_keeps_one_file(monkeypatch):
    monkeypatch.setattr("groundlings.experiments.running.sizes.COLUMNAR_FROM", 1)
    plan = plan_of(mind={"kind": "language", "model": {"provider": "scripted"}})
    assert store_of(plan).name == "sqlite"
    assert store_line(plan) == "SQLite, one file (a language model is asked)"


def test_the_file_has_the_last_word(monkeypatch):
    monkeypatch.setattr("groundlings.experiments.running.sizes.COLUMNAR_FROM", 1)
    plan = plan_of(log={"store": "sqlite"})
    assert (store_of(plan).name, store_line(plan)) == ("sqlite", "SQLite, one file (log.store)")


def test_where_the_log_lies_is_no_part_of_an_experiment():
    plain, kept = (ExperimentConfig.model_validate({**SMALL, **log}) for log in ({}, {"log": {"store": "parquet"}}))
    assert config_hash(plain) == config_hash(kept)


def test_a_server_and_a_store_at_once_are_refused(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(str(SMALL))
    with pytest.raises(ConfigError, match=r"log.store: found parquet beside log.url.*keep one of the two"):
        load_config(path, ["log.store=parquet", "log.url=postgresql://me@server/runs"])
