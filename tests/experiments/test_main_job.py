"""The main job on a made-up world: YAML in, log and summary out, and nothing that chance or order could change."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import yaml

from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.run import run_experiment

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 40, "n_items": 60, "interactions_per_user": 15}},
    "simulation": {"days": 2},
    "site": {"page_size": 5, "max_pages": 3},
    "mind": "behavioural",
    "arms": [{"name": "random", "recommender": "random_order"}, {"name": "popular", "recommender": "popular"}],
}


@pytest.fixture
def drawn(tmp_path):
    """Run a variation of the small experiment; gives its outcome."""
    count = 0

    def ran(*changes: str, seed: int | None = None, **sections):
        nonlocal count
        count += 1
        path = tmp_path / f"small-{count}.yaml"
        path.write_text(yaml.safe_dump({**SMALL, **sections}))
        return run_experiment(load_config(path, changes, seed), tmp_path / f"run-{count}")

    return ran


@pytest.fixture
def run(drawn, quick_report):
    """The same, with a report that takes no time."""
    return drawn


def query(directory: Path, sql: str) -> list[tuple]:
    with sqlite3.connect(directory / "log.db") as connection:
        return connection.execute(sql).fetchall()


def test_a_run_leaves_everything_it_promises(drawn):
    outcome = drawn()
    names = {path.name for path in outcome.directory.iterdir()}
    assert {"log.db", "config.yaml", "manifest.json", "summary.json", "report.html"} <= names
    assert list(outcome.directory.glob("*.png"))
    assert not list(outcome.directory.glob("*.part"))
    manifest = json.loads((outcome.directory / "manifest.json").read_text())
    assert manifest["digest"] == outcome.digest
    assert manifest["synthetic"] is True
    assert query(outcome.directory, "SELECT status FROM runs") == [("done",)]


def test_the_books_balance(run):
    directory = run().directory
    shown, by_pages = query(
        directory, "SELECT (SELECT count(*) FROM impressions), (SELECT sum(pages) FROM sessions) * 5"
    )[0]
    assert shown == by_pages  # 60 items and 15 pages of history fill every page
    assert query(directory, "SELECT count(*) FROM sessions") == [(2 * 2 * 40,)]
    assert query(directory, "SELECT count(*) FROM events LEFT JOIN sessions USING (session_id) WHERE day IS NULL") == [
        (0,)
    ]
    assert query(
        directory,
        "SELECT count(*) FROM events LEFT JOIN impressions USING (impression_id)"
        " WHERE kind IN ('click', 'rate') AND (impressions.session_id IS NULL"
        " OR impressions.session_id != events.session_id)",
    ) == [(0,)]
    for kind, condition in (("click", "clicked"), ("rate", "rating IS NOT NULL")):
        assert query(directory, f"SELECT count(*) FROM events WHERE kind = '{kind}'") == query(
            directory, f"SELECT count(*) FROM impressions WHERE {condition}"
        )
    closing = "SELECT count(*) FROM events WHERE kind IN ('next_page', 'exit', 'unreadable')"
    assert query(directory, closing) == query(directory, "SELECT sum(pages) FROM sessions")
    assert query(directory, "SELECT count(*) FROM impressions WHERE clicked != (u_click < p_click)") == [(0,)]


def test_nobody_is_shown_what_they_met_before(run):
    directory = run().directory
    repeated = query(
        directory,
        """
        SELECT count(*) FROM (
            SELECT arm_id, agent_id, item_id, day FROM impressions JOIN sessions USING (session_id) WHERE clicked
        ) AS clicked
        JOIN (
            SELECT arm_id, agent_id, item_id, day FROM impressions JOIN sessions USING (session_id)
        ) AS later USING (arm_id, agent_id, item_id)
        WHERE later.day > clicked.day
        """,
    )
    assert repeated == [(0,)]


def test_the_same_seed_gives_the_same_digest_and_another_seed_another(run):
    first = run().digest
    assert run().digest == first
    assert run(seed=4).digest != first


def test_neither_concurrency_nor_the_order_of_arms_reaches_the_result(run):
    language = {"kind": "language", "model": {"provider": "scripted"}}
    first = run("simulation.concurrency=1", mind=language).digest
    assert run("simulation.concurrency=32", mind=language).digest == first
    assert run("simulation.concurrency=5", mind=language, arms=SMALL["arms"][::-1]).digest == first


def test_the_bounds_bound(run):
    arms = [{"name": name, "recommender": name} for name in ("random_order", "oracle", "anti_oracle")]
    likes = {
        arm["name"]: arm["metrics"]["likes_per_session"]["mean"]
        for arm in json.loads((run(arms=arms).directory / "summary.json").read_text())["arms"]
    }
    assert likes["anti_oracle"] < likes["random_order"] < likes["oracle"]


def test_running_the_saved_configuration_again_gives_the_same_digest(run, tmp_path):
    outcome = run()
    again = run_experiment(load_config(outcome.directory / "config.yaml"), tmp_path / "again")
    assert again.digest == outcome.digest


def test_misbehaviour_is_counted_not_mended(run):
    outcome = run(mind={"kind": "scripted", "misdeeds": ["none", "illegal", "unreadable"]})
    summary = json.loads((outcome.directory / "summary.json").read_text())
    for kind in ("illegal", "unreadable"):
        logged = query(outcome.directory, f"SELECT count(*) FROM events WHERE kind = '{kind}'")[0][0]
        assert logged > 0
        assert sum(arm["counts"][kind] for arm in summary["arms"]) == logged


def test_exploration_logs_its_propensities(run):
    popular = {"recommender": "popular"}
    arms = [
        {"name": "plain", "recommender": "popular"},
        {"name": "epsilon", "recommender": "epsilon_slots", "options": {"of": popular, "epsilon": 0.5}},
        {"name": "drawn", "recommender": "plackett_luce", "options": {"of": popular, "temperature": 2.0}},
    ]
    directory = run(arms=arms).directory
    per_arm = "SELECT {} FROM impressions JOIN sessions USING (session_id) JOIN arms USING (arm_id) WHERE name = '{}'"
    assert query(directory, per_arm.format("DISTINCT pscore, pscore_kind", "plain")) == [(1.0, "deterministic")]
    for name in ("epsilon", "drawn"):
        lowest, highest, chance = query(directory, per_arm.format("min(pscore), max(pscore), avg(is_random)", name))[0]
        assert 0 < lowest < highest <= 1
        assert name != "epsilon" or 0.3 < chance < 0.7
