"""Neighbours of items of a large data set are those that irspack finds, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.interactions import Interactions
from groundlings.recommenders import item_knn, nearest_items
from groundlings.recommenders.item_knn import ItemKnnRecommender


@pytest.fixture(scope="module")
def shop():
    chance = np.random.default_rng(1)
    weights = 1 / np.arange(1, 301) ** 0.9
    users = np.repeat(np.arange(700), 20)
    items = chance.choice(300, len(users), p=weights / weights.sum())
    return Interactions.of(users, items, None, np.arange(len(users)), n_users=700, n_items=300)


@pytest.mark.parametrize("weighting", ["tf_idf", "none"])
@pytest.mark.parametrize("neighbours", [1, 20, 400])
def test_a_large_data_set_has_the_neighbours_that_a_small_one_has(shop, weighting, neighbours, monkeypatch):
    found = []
    for large in (10**9, 10):
        monkeypatch.setattr(item_knn, "LARGE", large)
        recommender = ItemKnnRecommender(neighbours=neighbours, weighting=weighting)
        recommender.fit(shop, None)
        found.append(recommender.affinity(np.arange(300)))
    ours, theirs = found[1], found[0]
    # Of equal cosines at the end of the neighbours others may be kept: rare items that one user met.
    same = np.isclose(ours, theirs, rtol=1e-12, atol=0).mean()
    assert same == 1 if neighbours == 400 else same > 0.97


def test_neighbours_are_the_same_in_parts(shop, monkeypatch):
    monkeypatch.setattr(item_knn, "LARGE", 10)
    whole, parts = ItemKnnRecommender(), ItemKnnRecommender()
    whole.fit(shop, None)
    monkeypatch.setattr(nearest_items, "CELLS_AT_ONCE", 1000)
    parts.fit(shop, None)
    assert whole.state() == parts.state()
