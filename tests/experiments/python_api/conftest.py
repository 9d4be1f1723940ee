"""A small experiment, the same world as somebody's own tables, and a report that takes no time to draw."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

import groundlings as gl
from groundlings.environments.datasets import ToyOptions
from groundlings.environments.datasets.toy import make_toy

NAMES = {
    "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 24, "interactions_per_user": 8}},
    "arms": {"popular": "popular", "ease": {"recommender": "ease", "options": {"regularisation": 50}}},
    "seed": 3,
    "mind": {"kind": "scripted"},
    "name": "small",
    "days": 2,
    "site": {"page_size": 3, "max_pages": 2},
}


@pytest.fixture(autouse=True)
def _quick_report(quick_report):
    """No test here looks at pictures."""


@pytest.fixture
def experiment() -> Callable[..., gl.Experiment]:
    """A small one, with changes."""
    return lambda **changes: gl.Experiment(**{**NAMES, **changes})


@pytest.fixture
def names() -> dict[str, object]:
    """Its arguments."""
    return dict(NAMES)


@pytest.fixture
def tables() -> gl.Tables:
    """Its world as somebody's own tables, with ids that a careless reader would change."""
    toy = make_toy(ToyOptions(n_users=12, n_items=24, interactions_per_user=8))
    history = toy.interactions
    return gl.Tables(
        interactions=pd.DataFrame(
            {
                "user": [f"0{user} ü" for user in history.users],
                "item": history.items,
                "rating": history.ratings,
                "timestamp": history.timestamps,
            }
        ),
        items=pd.DataFrame({"id": range(24), "title": toy.catalog.titles, "genres": ["a|b"] * 24}),
    )
