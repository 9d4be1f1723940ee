"""Quantities, play times and repeats, where a recommender is told to count them."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.recommenders.als import AlsRecommender
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.strengths import strengths

BOUGHT, DISLIKED = KINDS.index("purchase"), KINDS.index("dislike")


def history(weights=(4.0, 2.0, np.nan, 2.0, 9.0), kinds=(BOUGHT, BOUGHT, BOUGHT, BOUGHT, DISLIKED)) -> Interactions:
    """User 0 buys item 0 twice, user 1 buys items 0 and 1 and dislikes item 2."""
    users, items = np.array([0, 0, 1, 1, 1]), np.array([0, 0, 0, 1, 2])
    given = None if weights is None else np.array(weights)
    told = None if kinds is None else np.array(kinds)
    return Interactions.of(users, items, None, np.arange(5), n_users=2, n_items=3, kinds=told, weights=given)


def test_amounts_count_in_units_of_the_usual_row_and_an_unknown_one_is_usual():
    expected = 1 + np.log1p([[6 / 2, 0, 0], [1, 2 / 2, 0]])
    np.testing.assert_allclose(strengths(history()).toarray(), np.where(expected > 1, expected, 0))


def test_without_weights_rows_are_counted():
    found = strengths(history(weights=None)).toarray()
    np.testing.assert_allclose(found[0], [1 + np.log(3), 0, 0])
    np.testing.assert_allclose(found[1], [1 + np.log(2), 1 + np.log(2), 0])


def test_the_pairs_are_those_of_the_matrix():
    assert (strengths(history()) > 0).toarray().tolist() == (history().matrix > 0).toarray().tolist()


@pytest.mark.parametrize("kind", [ItemKnnRecommender, EaseRecommender, AlsRecommender])
def test_a_recommender_reads_weights_only_where_it_is_told_to(kind):
    rng = np.random.default_rng(3)
    users, items = np.repeat(np.arange(30), 6), np.concatenate([rng.permutation(12)[:6] for _ in range(30)])
    world = {"n_users": 30, "n_items": 12}
    plain = Interactions.of(users, items, None, np.arange(180), **world)
    weighty = Interactions.of(users, items, None, np.arange(180), weights=rng.integers(1, 20, 180) * 1.0, **world)

    def state(rows: Interactions, **options) -> str:
        recommender = kind(**options)
        recommender.fit(rows, Catalog(tuple("abcdefghijkl"), ("?",) * 12, np.full(12, np.nan), ((),) * 12))
        return recommender.state()

    assert state(weighty) == state(plain)
    assert state(weighty, weights="log") != state(plain, weights="log")
