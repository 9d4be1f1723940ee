"""Items that nobody had met when a recommender was fitted."""

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.catalog import Catalog
from groundlings.environments.content import measure_content
from groundlings.environments.errors import NotFitted
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.als import AlsRecommender
from groundlings.recommenders.base import FoldsIn
from groundlings.recommenders.content_knn import ContentKnnRecommender, neighbour_shares
from groundlings.recommenders.contract import checkerboard, toy_catalog
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.popular import PopularRecommender

NEW = 0
USERS = np.arange(1, 19)
EVEN = USERS % 2 == 0

FOLDING = [
    EaseRecommender(regularisation=1.0),
    ItemKnnRecommender(shrinkage=0),
    AlsRecommender(factors=4, regularisation=0.1),
    AlsRecommender(factors=2, regularisation=0.1, new_items="least_squares"),
]


def without_new() -> Interactions:
    whole = checkerboard()
    return whole.take(whole.items != NEW)


def takers(*people: int) -> sp.csr_array:
    column = np.zeros((20, 1))
    column[list(people)] = 1
    return sp.csr_array(column)


@pytest.mark.parametrize(
    "recommender", FOLDING, ids=lambda each: f"{type(each).__name__}-{vars(each).get('new_items')}"
)
class TestFoldingIn:
    def test_two_takers_are_enough_to_tell_who_else_likes_it(self, recommender):
        recommender.fit(without_new(), toy_catalog())
        assert isinstance(recommender, FoldsIn)
        scores = recommender.score_new(USERS, takers(2, 4))[:, 0]
        assert scores[EVEN].min() > scores[~EVEN].max()

    def test_what_was_learnt_stays(self, recommender):
        recommender.fit(without_new(), toy_catalog())
        before, state = recommender.score(USERS), recommender.state()
        recommender.score_new(USERS, takers(3))
        np.testing.assert_array_equal(recommender.score(USERS), before)
        assert recommender.state() == state

    def test_before_the_fit_there_is_nothing_to_fold_into(self, recommender):
        fresh = type(recommender)()
        with pytest.raises(NotFitted):
            fresh.score_new(USERS, takers(1))


def test_ease_folds_in_what_a_fit_would_have_learnt():
    recommender = EaseRecommender(regularisation=5.0)
    recommender.fit(checkerboard(), toy_catalog())
    fitted = recommender.score(USERS)[:, NEW]
    recommender.fit(without_new(), toy_catalog())
    folded = recommender.score_new(USERS, sp.csr_array(checkerboard().matrix[:, [NEW]]))[:, 0]
    np.testing.assert_allclose(folded, fitted, atol=1e-5)


def test_als_solves_for_a_new_item_as_its_fit_does():
    recommender = AlsRecommender(
        factors=3, regularisation=0.5, confidence=4.0, iterations=200, new_items="least_squares"
    )
    recommender.fit(checkerboard(), toy_catalog())
    column = sp.csr_array(checkerboard().matrix[:, [NEW]])
    np.testing.assert_allclose(recommender.score_new(USERS, column)[:, 0], recommender.score(USERS)[:, NEW], atol=1e-3)


def films() -> Catalog:
    return Catalog(
        item_ids=("a", "b", "c", "new"),
        titles=("Star Wars", "Star Trek", "Amelie", "Star Gate"),
        years=np.array([1977.0, 1979.0, 2001.0, np.nan]),
        genres=(("Sci-Fi",), ("Sci-Fi",), ("Romance",), ("Sci-Fi",)),
    )


def test_content_counts_genres_years_and_words():
    alike = measure_content(films()).similarity(np.arange(4), np.arange(4))
    assert alike[0, 1] > alike[0, 3] > alike[0, 2], "an unknown year is near no other"
    np.testing.assert_allclose(alike, alike.T)
    assert np.linalg.eigvalsh(alike.astype(np.float64)).min() > -1e-6, "a kernel"


def test_a_new_item_gets_the_score_of_its_neighbours():
    shares = neighbour_shares(measure_content(films()), np.array([0, 1, 2]), np.array([3]), 2)[:, 0]
    assert shares[2] == 0
    assert shares.sum() == pytest.approx(1)
    history = Interactions.of(np.array([0, 1, 0]), np.array([0, 0, 2]), None, np.arange(3), n_users=2, n_items=4)
    recommender = ContentKnnRecommender(PopularRecommender(), neighbours=1)
    recommender.fit(history, films())
    assert recommender.score(np.array([0]))[0].tolist() == [2, 2, 1, 2], "b and new are most like a"
