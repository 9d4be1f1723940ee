"""Code of somebody's own does what it likes with the process that it runs in; a run is where it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.replicates import go_on_with, run_as_configured

WANDERING = """
import os

from groundlings.recommenders.popular import PopularRecommender

os.makedirs("imported", exist_ok=True)
os.chdir("imported")


class Wandering(PopularRecommender):
    def fit(self, history, catalog):
        super().fit(history, catalog)
        os.chdir("/")
"""


@pytest.mark.usefixtures("quick_report")
@pytest.mark.parametrize("variants", [None, {"seeds": [1, 2]}])
def test_a_run_stays_where_it_was_asked_for_when_own_code_changes_the_directory(
    tmp_path, monkeypatch, module, variants
):
    config = ExperimentConfig.model_validate(
        {
            "name": "wandering",
            "seed": 3,
            "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 20, "interactions_per_user": 6}},
            "mind": "scripted",
            "arms": [{"name": "own", "recommender": f"{module(WANDERING)}:Wandering"}],
            "variants": variants,
        }
    )
    for out, place in ((Path("asked"), "asked"), (None, "runs/wandering")):
        monkeypatch.chdir(tmp_path)
        outcome = run_as_configured(config, out)
        assert outcome.directory == tmp_path / place
    monkeypatch.chdir(tmp_path)
    assert go_on_with(Path("asked")).directory == tmp_path / "asked"
    assert not list((tmp_path / "imported").iterdir())
