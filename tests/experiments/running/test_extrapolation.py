"""How much of an arm's likes rests on items that people hardly pick: from whole small runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from groundlings.experiments.analysis.comparison.held_out import read_held_out
from groundlings.experiments.analysis.metrics.definitions import BY_NAME
from groundlings.experiments.experiment import Experiment
from groundlings.experiments.run_directory import Run

COMMON, RARE = [f"i{item}" for item in range(30)], [f"i{item}" for item in range(30, 50)]


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROUNDLINGS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def rated_world() -> pd.DataFrame:
    """Everybody picks common items and likes few of them; a rare item has three people, and all of them like it."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(90):
        common = rng.choice(30, size=18, replace=False)
        rated = [(COMMON[item], float(rng.choice([1, 2, 3, 4], p=[0.3, 0.4, 0.25, 0.05]))) for item in common]
        if user < 60:
            rated.insert(3, (RARE[user % 20], 5.0))
        rows += [(f"u{user}", item, rating, 1_000 * user + place) for place, (item, rating) in enumerate(rated)]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])


def rare(user_ids, k):
    return [RARE[:k] for _ in user_ids]


def experiment(**changes) -> Experiment:
    content = {
        "dataset": rated_world(), "arms": {"popular": "popular", "rare": rare}, "seed": 1, "days": 1,
        "plan": {"primary": "likes_per_session"}, "site": {"page_size": 5, "max_pages": 2},
    }  # fmt: skip
    return Experiment(**{**content, **changes})


