"""An arm that could not be fitted on the data is refused before the first day, wherever the recommender stands."""

from __future__ import annotations

import pandas as pd
import pytest

import groundlings as gl
from groundlings.environments.errors import ConfigError, DataError

SHOP = {"user": [f"c{n % 6}" for n in range(36)], "item": [f"p{n * 5 % 11}" for n in range(36)], "timestamp": range(36)}
SOLD = {"id": [f"p{n}" for n in range(11)], "title": [f"Item {n}" for n in range(11)]}


def checked(arm: object, columns: dict[str, object] | None = None, **sections: object) -> str:
    data = gl.Tables(interactions=pd.DataFrame(SHOP), items=pd.DataFrame({**SOLD, **(columns or {})}))
    arms = {"popular": "popular", "odd": arm}
    return str(gl.Experiment(dataset=data, arms=arms, seed=1, **{"mind": "scripted", **sections}).check())


@pytest.mark.parametrize("name", ["item_mean", "liked_knn", "feature_regression", "bias_svd"])
def test_who_learns_from_ratings_needs_one(name):
    with pytest.raises(DataError, match=rf"^arms\[1\] \(odd\): {name}: it ranks by ratings"):
        checked(name)
    with pytest.raises(DataError, match=r"^arms\[1\] \(odd\): .* ranks by ratings"):
        checked({"recommender": "degraded", "options": {"of": {"recommender": name}, "share": 0.5}})
    assert "odd" in checked({"recommender": name, "history": "none"})


def test_who_varies_categories_needs_them():
    with pytest.raises(ConfigError, match=r"^arms\[1\] \(odd\): mmr varies the categories"):
        checked({"recommender": "mmr", "options": {"of": {"recommender": "popular"}}})
    change = {
        "day": 2,
        "arms": ["odd"],
        "recommender": {"recommender": "mmr", "options": {"of": {"recommender": "als"}}},
    }
    with pytest.raises(ConfigError, match=r"^interventions\[0\]\.recommender \(arm odd\): mmr varies the categories"):
        checked("popular", days=2, interventions=[change])


def test_who_asks_needs_the_attribute():
    arm = {"recommender": "chat", "options": {"system": "asking", "questions": ["color"]}}
    with pytest.raises(
        ConfigError, match=r"^arms\[1\] \(odd\): questions\[0\]: found 'color'; expected some of genres$"
    ):
        checked(arm, {"genres": ["tea", "tea|jam"] * 5 + ["jam"]}, environment="conversation", mind="conversing")
