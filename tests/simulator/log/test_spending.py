"""What a run has spent is counted by who asked, from its log alone."""

from __future__ import annotations

import sqlite3

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.language.budget import Spent
from groundlings.simulator.log.spending import Spending, spent_in
from groundlings.simulator.log.sqlite import SqliteStore

ASKING = {
    "name": "asking",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 20, "interactions_per_user": 6}},
    "site": {"page_size": 3, "max_pages": 2},
    "mind": {"kind": "language", "model": {"provider": "scripted"}},
    "arms": [{"name": name, "recommender": name} for name in ("popular", "random_order")],
}


def test_agents_share_a_budget_and_each_arms_recommender_has_its_own(tmp_path):
    log = tmp_path / "log.db"
    assert spent_in(SqliteStore(log)) == Spending()
    log_experiment(ExperimentConfig.model_validate(ASKING), log)
    whole = spent_in(SqliteStore(log))
    assert whole.agents.calls > 0
    assert whole.recommenders == {}
    with sqlite3.connect(log) as connection:
        connection.execute(
            "UPDATE calls SET asked_by = 'recommender' WHERE session_id IN (SELECT session_id FROM sessions"
            " JOIN arms USING (arm_id) WHERE name = 'popular')"
        )
    parted = spent_in(SqliteStore(log))
    assert parted.agents + parted.by("popular") == whole.agents
    assert parted.by("random_order") == Spent()
    assert (parted + parted).by("popular").tokens == 2 * parted.by("popular").tokens > 0


def test_replies_read_from_a_record_took_nothing(tmp_path):
    log = tmp_path / "log.db"
    log_experiment(ExperimentConfig.model_validate(ASKING), log)
    with sqlite3.connect(log) as connection:
        connection.execute("UPDATE calls SET from_store = 1")
    assert spent_in(SqliteStore(log)) == Spending()
