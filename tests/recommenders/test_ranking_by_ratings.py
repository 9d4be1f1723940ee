"""Recommenders that rank by ratings or demographics: answers worked out by hand, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import RatingScale
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.recommenders.bias_svd import BiasSvdRecommender
from groundlings.recommenders.demographics import MOST_VALUES, groups_of
from groundlings.recommenders.feature_regression import FeatureRegressionRecommender
from groundlings.recommenders.group_popular import GroupPopularRecommender
from groundlings.recommenders.item_mean import ItemMeanRecommender
from groundlings.recommenders.liked_knn import LikedKnnRecommender
from groundlings.recommenders.rating_bias import fit_biases

RATED = (ItemMeanRecommender, BiasSvdRecommender, FeatureRegressionRecommender, LikedKnnRecommender)


def rated(cells, n_users=4, n_items=4):
    """Rows (user, item, rating)."""
    users, items, ratings = np.array(cells, dtype=np.float64).T
    users, items = users.astype(np.int64), items.astype(np.int64)
    return Interactions.of(users, items, ratings, np.arange(len(users)), n_users=n_users, n_items=n_items)


def catalog(genres):
    names = tuple(map(str, range(len(genres))))
    return Catalog(names, names, np.full(len(names), np.nan), tuple(genres))


def people(*attributes):
    return People(tuple(map(str, range(len(attributes)))), attributes)


PLAIN = catalog([()] * 4)


def test_item_mean_is_the_mean_drawn_towards_that_of_all():
    recommender = ItemMeanRecommender(shrinkage=2)
    recommender.fit(rated([(0, 0, 5), (1, 0, 4), (2, 1, 1), (3, 1, 2), (0, 2, 3)]), PLAIN)
    middle = 15 / 5
    expected = [(9 + 2 * middle) / 4, (3 + 2 * middle) / 4, (3 + 2 * middle) / 3, middle]
    np.testing.assert_allclose(recommender.score(np.array([3, 0])), [expected, expected])


def test_without_shrinkage_an_item_nobody_rated_has_the_mean_of_all():
    recommender = ItemMeanRecommender(shrinkage=0)
    recommender.fit(rated([(0, 0, 5), (1, 1, 1)]), PLAIN)
    np.testing.assert_allclose(recommender.score(np.array([0]))[0], [5, 1, 3, 3])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([1, 2, 3, 4, 5])), min_size=1))
def test_undamped_biases_leave_no_mean_to_any_user(cells):
    rows = rated(cells)
    left = fit_biases(rows, damping=0).residuals(rows)
    for user in np.unique(rows.users):
        assert abs(left[rows.users == user].mean()) < 1e-9


def test_what_the_biases_leave_decides_between_users():
    """Two tastes: users 0 and 1 rate items 0 and 1 high, users 2 and 3 the other two; each misses one of theirs."""
    cells = [(user, item, 5 if (user < 2) == (item < 2) else 1) for user in range(4) for item in range(4)]
    left_out = {(0, 1), (3, 2)}
    recommender = BiasSvdRecommender(factors=1)
    recommender.fit(rated([cell for cell in cells if cell[:2] not in left_out]), PLAIN)
    scores = recommender.score(np.arange(4))
    assert scores[0, 1] > scores[0, 2:].max()
    assert scores[3, 2] > scores[3, :2].max()


def test_equal_ratings_leave_nothing_to_decompose():
    recommender = BiasSvdRecommender()
    recommender.fit(rated([(user, item, 3) for user in range(4) for item in range(4)]), PLAIN)
    np.testing.assert_allclose(recommender.score(np.arange(4)), np.zeros((4, 4)), atol=1e-9)


def test_a_group_that_likes_a_genre_gets_it_also_where_nobody_of_it_rated_the_item():
    """Item 3 has the genre of item 0, and only somebody of the other group has rated it."""
    genres = catalog([("warm",), ("light",), ("light",), ("warm",)])
    said = people({"kind": "a"}, {"kind": "a"}, {"kind": "b"}, {"kind": "b"})
    cells = [(0, 0, 5), (0, 1, 1), (1, 0, 5), (1, 2, 1), (2, 0, 1), (2, 1, 5), (3, 3, 1), (3, 2, 5)]
    recommender = FeatureRegressionRecommender(regularisation=0.1, demographics=said)
    recommender.fit(rated(cells), genres)
    scores = recommender.score(np.arange(4))
    assert scores[0, 3] > scores[0, 1]
    assert scores[2, 3] < scores[2, 1]
    blind = FeatureRegressionRecommender(regularisation=0.1)
    blind.fit(rated(cells), genres)
    np.testing.assert_allclose(blind.score(np.array([0])), blind.score(np.array([2])))


def test_only_the_most_frequent_features_are_used():
    genres = catalog([("often",), ("often", "once"), ("often",), ()])
    cells = [(0, 1, 5), (0, 0, 1), (1, 1, 5), (1, 2, 1)]
    few, many = (FeatureRegressionRecommender(most_features=most) for most in (1, 2))
    for recommender in (few, many):
        recommender.fit(rated(cells), genres)
    assert few.state() != many.state()


def test_a_low_rating_is_no_like():
    cells = [(0, 0, 5), (0, 1, 5), (1, 0, 5), (1, 1, 5), (2, 0, 5), (2, 2, 1), (3, 0, 5), (3, 2, 1)]
    recommender = LikedKnnRecommender(shrinkage=0, weighting="none")
    recommender.fit(rated(cells), PLAIN)
    scores = recommender.score(np.array([3]))[0]
    assert scores[1] > 0
    assert scores[2] == 0


def test_what_a_like_is_comes_from_the_scale_or_from_the_option():
    assert LikedKnnRecommender(rating_scale=RatingScale(0, 100, 1)).like_from == 75
    assert LikedKnnRecommender(like_from=3, rating_scale=RatingScale(0, 100, 1)).like_from == 3


def test_a_group_gets_what_it_has_and_a_user_of_none_what_all_have():
    said = people({"kind": "a"}, {"kind": "a"}, {"kind": "b"}, {})
    recommender = GroupPopularRecommender(shrinkage=0, demographics=said)
    recommender.fit(rated([(0, 0, 1), (1, 0, 1), (2, 1, 1), (3, 1, 1), (3, 2, 1)]), PLAIN)
    np.testing.assert_allclose(
        recommender.score(np.arange(4)), [[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0.5, 0.5, 0.25, 0]]
    )


def test_several_attributes_count_alike():
    said = people({"kind": "a", "place": "x"}, {"kind": "a", "place": "y"}, {"kind": "b", "place": "x"}, {})
    recommender = GroupPopularRecommender(shrinkage=0, demographics=said)
    recommender.fit(rated([(0, 0, 1), (1, 1, 1), (2, 2, 1)]), PLAIN)
    np.testing.assert_allclose(recommender.score(np.array([0]))[0], [0.5, 0.25, 0.25, 0])


def test_an_attribute_that_nobody_has_is_told_before_a_fit():
    with pytest.raises(ConfigError, match=r"attributes: found knd, expected .* they have: kind"):
        GroupPopularRecommender(attributes=["knd"], demographics=people({"kind": "a"}))


def test_a_postcode_makes_no_group_unless_it_is_asked_for():
    said = people(*({"code": str(user), "kind": "a"} for user in range(MOST_VALUES + 1)))
    assert groups_of(said, MOST_VALUES + 1).names == (("kind", "a"),)
    assert len(groups_of(said, MOST_VALUES + 1, ["code"]).names) == MOST_VALUES + 1


@pytest.mark.parametrize("kind", RATED)
def test_data_without_a_rating_is_refused(kind):
    with pytest.raises(DataError, match="ranks by ratings, and none of 2 interactions has one"):
        kind().fit(rated([(0, 0, np.nan), (1, 1, np.nan)]), PLAIN)


@pytest.mark.parametrize("kind", [*RATED, GroupPopularRecommender])
def test_an_arm_that_starts_with_nothing_can_be_fitted(kind):
    recommender = kind()
    recommender.fit(rated([(0, 0, 5)]).take(np.zeros(0, dtype=np.int64)), PLAIN)
    assert np.isfinite(recommender.score(np.arange(4))).all()
