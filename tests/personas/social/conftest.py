"""A toy world whose users are a ring with ties to the next three."""

from __future__ import annotations

import pytest
import yaml

from groundlings.experiments.config.loading import load_config

EXPERIMENT = {
    "name": "social", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 40, "n_items": 60, "interactions_per_user": 12}},
    "simulation": {"days": 3},
    "mind": {"kind": "behavioural", "social": {"ties": "ties.csv", "likes": 2.0}},
    "held_out": False,
    "arms": [{"name": "a", "recommender": "popular"}, {"name": "b", "recommender": "random_order"}],
}  # fmt: skip


@pytest.fixture
def start(tmp_path, toy_population, monkeypatch):
    """Reads an experiment file whose agents have the ties of a table, the users of the toy data being a ring."""
    monkeypatch.setattr(
        "groundlings.experiments.analysis.report.write_report",
        lambda directory, *_: (directory / "report.html").write_text("drawn"),
    )
    ids = toy_population.people.user_ids[:40]
    rows = [f"{one},{other}" for step in (1, 2, 3) for one, other in zip(ids, ids[step:], strict=False)]
    (tmp_path / "ties.csv").write_text("\n".join(["user,friend", *rows]))

    def started(**changes):
        path = tmp_path / "social.yaml"
        path.write_text(yaml.safe_dump({**EXPERIMENT, **changes}))
        return load_config(path)

    return started
