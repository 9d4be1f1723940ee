"""The recommender `text_embedding` keeps the contract and ranks items that nobody met by what their texts say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.errors import DataError
from groundlings.environments.ridge import fit_ridge
from groundlings.recommenders.contract import RecommenderContract, checkerboard, toy_catalog
from groundlings.recommenders.text_embedding import TextEmbeddingRecommender
from groundlings.recommenders.text_vectors import plain_vectors

NEW = 0
USERS = np.arange(1, 19)
EVEN = USERS % 2 == 0


def without_new():
    whole = checkerboard()
    return whole.take(whole.items != NEW)


def small(**options):
    return TextEmbeddingRecommender(factors=4, regularisation=0.1, **options)


class TestTextEmbedding(RecommenderContract):
    personalised = True

    def build(self):
        return small()


class TestOfTextAlone(RecommenderContract):
    personalised = True

    def build(self):
        return small(trust=1e9)


def words_for_genres():
    """The same catalogue, its kinds told by words of texts and a column instead of genres."""
    catalog = toy_catalog()
    kinds = tuple(genres[0] for genres in catalog.genres)
    texts = tuple(f"{kind} {item % 3} again" for item, kind in enumerate(kinds))
    return (
        replace(catalog, genres=((),) * len(catalog), texts=texts),
        replace(catalog, genres=((),) * len(catalog), features={"brand": np.array(kinds, dtype=object)}),
        replace(catalog, genres=((),) * len(catalog), years=np.array([1950.0 + 40 * (i % 2) for i in range(20)])),
    )


@pytest.mark.parametrize("catalog", [toy_catalog(), *words_for_genres()[1:]], ids=["genres", "brand", "years"])
def test_an_item_that_nobody_met_is_liked_by_those_who_like_its_kind(catalog):
    recommender = small()
    recommender.fit(without_new(), catalog)
    scores = recommender.score(USERS)[:, NEW]
    assert scores[EVEN].min() > scores[~EVEN].max()


def test_items_with_many_users_keep_the_vector_that_als_gives_them():
    catalog, users = toy_catalog(), np.arange(19)
    with_text, without = small(trust=1e-9), small(trust=1e-9)
    without.embed = lambda catalog: np.zeros((len(catalog), 1))
    for each in (with_text, without):
        each.fit(checkerboard(), catalog)
    np.testing.assert_allclose(with_text.score(users), without.score(users), atol=1e-6)


def test_other_text_vectors_come_from_a_subclass_and_are_checked():
    class Own(TextEmbeddingRecommender):
        def embed(self, catalog):
            return np.array([[item % 2] for item in range(len(catalog))])

    recommender = Own(factors=4, regularisation=0.1)
    recommender.fit(without_new(), replace(toy_catalog(), genres=((),) * 20))
    scores = recommender.score(USERS)[:, NEW]
    assert scores[EVEN].min() > scores[~EVEN].max()
    for wrong in (np.zeros((3, 2)), np.full((20, 2), np.nan), np.zeros(20)):
        recommender.embed = lambda catalog, wrong=wrong: wrong
        with pytest.raises(DataError, match=r"Own.embed: found an array of shape .* for each of 20 items"):
            recommender.fit(without_new(), toy_catalog())


def test_a_catalogue_that_says_nothing_gives_new_items_the_mean_vector():
    recommender = small()
    recommender.fit(without_new(), replace(toy_catalog(), genres=((),) * 20, titles=("x",) * 20))
    assert np.isfinite(recommender.score(USERS)).all()


def test_vectors_tell_apart_what_texts_tell_apart():
    vectors = plain_vectors(toy_catalog(), 8)
    alike = vectors @ vectors.T
    assert alike[0, 2] > alike[0, 1]
    assert plain_vectors(toy_catalog(), 1).shape == (20, 1)
    np.testing.assert_array_equal(vectors, plain_vectors(toy_catalog(), 8))
    described = plain_vectors(words_for_genres()[1], 8)
    assert described[0] @ described[2] > described[0] @ described[1] - 1e-9


@given(st.integers(0, 2**32 - 1))
def test_without_a_penalty_a_linear_map_is_found_and_rows_without_weight_teach_nothing(seed):
    chance = np.random.default_rng(seed)
    inputs, weights = chance.normal(size=(12, 3)), np.r_[np.ones(10), 0, 0]
    targets = inputs @ chance.normal(size=(3, 2)) + 1
    wrong = targets.copy()
    wrong[10:] = 99
    np.testing.assert_allclose(fit_ridge(inputs, wrong, weights, 1e-12).predict(inputs), targets, atol=1e-4)
    mean = targets[:10].mean(axis=0)
    flat = fit_ridge(inputs, wrong, weights, 1e12).predict(inputs)
    np.testing.assert_allclose(flat, np.tile(mean, (12, 1)), atol=1e-4)
