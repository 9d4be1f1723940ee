"""A finished run in which some people click and rate, some cannot be read, and one arm explores."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import yaml

from groundlings.experiments.config.loading import load_config
from groundlings.experiments.exports.export import Exported, export_run
from groundlings.experiments.running.run import run_experiment

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 40, "interactions_per_user": 10}},
    "simulation": {"days": 2},
    "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4, "pages": 2, "misdeeds": ["none", "none", "unreadable"]},
    "arms": [
        {"name": "popular", "recommender": "popular"},
        {
            "name": "explored",
            "recommender": "epsilon_slots",
            "options": {"of": {"recommender": "popular"}, "epsilon": 0.5},
        },
    ],
}


@pytest.fixture(scope="session")
def config(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture(scope="session")
def run(config, tmp_path_factory, leave_pictures_blank) -> Path:
    """The run directory; read it, never write it."""
    with pytest.MonkeyPatch.context() as patched:
        leave_pictures_blank(patched)
        return run_experiment(load_config(config), tmp_path_factory.mktemp("run") / "small").directory


@pytest.fixture
def export(run, tmp_path):
    """Export a run into `exported` under the test's own directory."""

    def exported(format_name: str, of: Path = run) -> Exported:
        return export_run(of, format_name, tmp_path / "exported")

    return exported


@pytest.fixture
def ask(run):
    """Rows of the log."""

    def asked(sql: str, of: Path = run) -> list[tuple]:
        with sqlite3.connect(of / "log.db") as connection:
            return connection.execute(sql).fetchall()

    return asked
