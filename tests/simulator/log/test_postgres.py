"""The same log on a real PostgreSQL server."""

from __future__ import annotations

from experiments.config import ExperimentConfig
from experiments.run import run_experiment

SMALL = {
    "name": "small", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 2}, "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4.0, "pages": 2, "satisfaction": 6.0,
             "misdeeds": ["none", "illegal", "none", "unreadable"]},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}  # fmt: skip


def small(**changes) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**SMALL, **changes})


def test_a_run_has_the_same_digest_on_either_database(server, database, tmp_path):
    on_file = run_experiment(small(), tmp_path / "file")
    on_server = run_experiment(small(log={"url": server.url(database)}), tmp_path / "server")
    assert on_server.digest == on_file.digest
    assert not (tmp_path / "server" / "log.db").exists()
