"""Runs of more agents than there are real users: nothing is fitted on them, and nobody takes them for real ones."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from groundlings.environments.errors import ConfigError
from groundlings.experiments.config.loading import with_effect
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.quality.real import RealData
from groundlings.experiments.exports.source import LogSource
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import run_experiment
from groundlings.experiments.split_out.writing import write_split

USERS = 40
TOY = {"name": "toy", "toy": {"n_users": USERS, "n_items": 60, "interactions_per_user": 15}}


def experiment(**changes):
    content = {
        "name": "synthetic",
        "seed": 3,
        "dataset": TOY,
        "population": {"size": 90, "synthetic": "resample"},
        "mind": {"kind": "behavioural"},
        "site": {"page_size": 5, "max_pages": 1},
        "simulation": {"days": 2},
        "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
        **changes,
    }
    return ExperimentConfig.model_validate(content)


@pytest.fixture(scope="module")
def plan():
    return build_plan(experiment())


@pytest.fixture(scope="module")
def finished(tmp_path_factory, blank_pictures_in_file):
    out = tmp_path_factory.mktemp("runs") / "run"
    return run_experiment(experiment(), out)


def test_more_agents_than_real_users_take_part_and_the_log_knows_them(finished):
    with LogSource(finished.directory) as source:
        ids = [agent.user_id for agent in source.agents()]
    assert ids == [f"synthetic-{number}" for number in range(1, 91)]


def test_the_directory_says_whose_histories_each_was_made_from(finished):
    table = pq.read_table(finished.directory / "synthetic_users.parquet").to_pydict()
    assert table["user_id"][:2] == ["synthetic-1", "synthetic-2"]
    real = build_plan(experiment(population={"size": "all"})).dataset.people.user_ids
    for made_from, attributes_from in zip(table["made_from"], table["attributes_from"], strict=True):
        assert len(set(made_from)) == len(made_from) >= 5
        assert set(made_from) <= set(real)
        assert attributes_from in made_from


def test_what_real_people_do_is_asked_of_real_users_and_said_so(finished):
    found = json.loads((finished.directory / "held_out.json").read_text())
    assert (found["population"], found["of_real_users"], found["missing"]) == (USERS, True, "")
    report = (finished.directory / "report.html").read_text()
    assert "40 real users really met in the held-out part" in report
    assert "The agents are synthetic users, whom nothing real is known of." in report


def test_the_manifest_names_the_data_as_they_were_made(finished, plan):
    told = json.loads((finished.directory / "manifest.json").read_text())
    assert told["population"]["agents"] == 90
    assert told["population"]["synthetic"] == plan.dataset.synthetic.recipe
    assert told["dataset"]["sha256"] != plan.dataset.real.fingerprint


def test_taste_is_fitted_on_real_users_alone(plan):
    real = build_plan(experiment(population={"size": "all"}))
    ours, theirs = plan.minds.taste, real.minds.taste
    assert ours.describe()["appeal"] == theirs.describe()["appeal"]
    assert ours.describe()["stars"] == theirs.describe()["stars"]
    # Items say of each other, and of real users, what they said without anybody else.
    users, items = np.repeat(np.arange(10), 6), np.tile(np.arange(6) * 7, 10)
    assert ours.appeal_of(users, items) == pytest.approx(theirs.appeal_of(users, items), abs=0.3)
    assert ours.evidence.popularity.tolist() == theirs.evidence.popularity.tolist()
    similar, _ = ours.evidence.similar.of(plan.population.users[:20])
    assert similar.max() < USERS


def test_who_comes_back_when_is_estimated_on_real_users_alone():
    returns = {"days": 2, "returns": {"kind": "history"}}
    days = {"interactions_per_user": 30, "n_users": 120, "n_items": 90}
    dataset = {"name": "toy", "toy": days}
    made, real = (
        build_plan(experiment(simulation=returns, dataset=dataset, population=population)).returns
        for population in ({"size": 50, "synthetic": "copula"}, {"size": "all"})
    )
    assert made.described["history"] == real.described["history"]


def test_a_recommender_that_starts_cold_learns_nothing_of_synthetic_histories(plan):
    seen = []

    class Learner:
        def fit(self, interactions, catalog):
            seen.append(len(interactions))

    arm = plan.make_arm(plan.config.arms[0].model_copy(update={"history": "none"}), Learner(), plan.mind())
    arm.fit()
    assert seen == [0]


def test_a_log_of_synthetic_users_is_not_held_against_what_they_really_did(plan):
    with pytest.raises(ConfigError, match=r"population\.synthetic: .*--no-quality"):
        RealData.of(plan)


def test_the_training_part_is_written_with_the_synthetic_users_to_serve(tmp_path):
    write_split(experiment(), tmp_path / "split")
    served = (tmp_path / "split" / "users.csv").read_text()
    assert served.count("synthetic-") == 90
    train = (tmp_path / "split" / "train.csv").read_text()
    assert train.count("synthetic-") == 90 * 12


def test_too_large_a_population_is_told_how_to_get_one():
    with pytest.raises(ConfigError, match=r"found 90, .* has 40 people .*population\.synthetic"):
        build_plan(experiment(population={"size": 90}))


def test_a_file_that_asks_for_none_means_what_it_always_meant():
    assert with_effect(experiment(population={"size": 9}))["population"] == {"size": 9}


def test_only_synthetic_histories_are_cut():
    with pytest.raises(ValueError, match="only synthetic histories are cut"):
        experiment(population={"size": 9, "longest_history": 4})


def test_nothing_that_really_happened_can_be_replayed_for_synthetic_users():
    with pytest.raises(ValueError, match=r"mind\.grounded: .*population\.synthetic"):
        experiment(mind={"kind": "behavioural", "grounded": True})
