"""Small finished logs of every kind that a story may be told of, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.store import LOG_NAME

BEHAVIOURAL = {"kind": "behavioural", "random_click_rate": 0.2}
ROWS = [
    {"name": "For <you>", "visible": 2, "scrolled": 2},
    {"name": "Ones", "visible": 2, "filter": {"category": "genre 1"}},
]
KINDS = {
    "parallel": {"mind": BEHAVIOURAL},
    "language": {
        "mind": {
            "kind": "language", "model": {"provider": "scripted"}, "reasons": True, "rotate_slots": True,
            "reflection": {"every": 1}, "interview": {"questions": ["What was <missing>?"]},
        },
        "population": {"size": 4},
    },
    "lost": {"mind": {"kind": "scripted", "stars": 4, "misdeeds": ["illegal", "unreadable", "none"]}},
    "split": {"mind": BEHAVIOURAL, "design": "split"},
    "interleaving": {"mind": BEHAVIOURAL, "design": "interleaving", "arms": ("popular", "random_order")},
    "one": {"mind": BEHAVIOURAL, "arms": ("popular",)},
    "rows": {
        "mind": {**BEHAVIOURAL, "scroll_probability": 0.5},
        "site": {"max_pages": 2, "layout": {"kind": "rows", "rows": ROWS}},
    },
    "shop": {
        "dataset": {"name": "toy", "toy": {"n_users": 24, "n_items": 30, "interactions_per_user": 8, "offers": True}},
        "site": {"page_size": 5, "max_pages": 2, "actions": ["click", "add_to_cart", "purchase", "quantity", "paid"]},
        "mind": {**BEHAVIOURAL, "shopping": {"add_rate": 0.6, "purchase_rate": 0.5}},
    },
    "twice": {"mind": BEHAVIOURAL, "simulation": {"days": 1, "returns": {"sessions_per_day": 2, "again": 0.95}}},
}  # fmt: skip


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind -> the directory of a finished log; read them, never write them."""
    found = {}
    for kind, changes in KINDS.items():
        arms = changes.pop("arms", ("popular", "random_order"))
        again = [{"name": "popular again", "recommender": "popular"}] if kind in ("parallel", "split") else []
        config = {
            "name": kind, "seed": 5, "dataset": "toy", "population": {"size": 8}, "simulation": {"days": 2},
            "site": {"page_size": 4, "max_pages": 3},
            "arms": [*({"name": arm, "recommender": arm} for arm in arms), *again], **changes,
        }  # fmt: skip
        found[kind] = tmp_path_factory.mktemp(kind)
        log_experiment(ExperimentConfig.model_validate(config), found[kind] / LOG_NAME)
    return found
