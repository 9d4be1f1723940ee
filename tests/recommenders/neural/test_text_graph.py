"""`text_graph` keeps the contract, and ranks by texts what nobody met, by the graph what others chose."""

import numpy as np
import pytest

from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.contract import RecommenderContract, checkerboard, toy_catalog
from groundlings.recommenders.neural.text_graph import TextGraphRecommender

NEW = 0
USERS = np.arange(1, 19)
EVEN = USERS % 2 == 0


def small(**options):
    return TextGraphRecommender(**{"factors": 8, "epochs": 12, "batch_size": 64, "negatives": 16} | options)


class TestTextGraph(RecommenderContract):
    personalised = True

    @pytest.fixture(autouse=True)
    def _torch(self):
        pytest.importorskip("torch")

    def build(self):
        return small(epochs=2)


def test_a_network_that_learned_no_numbers_is_refused_and_not_the_best_of_all():
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match=r"learning_rate: found 1e\+30"):
        small(learning_rate=1e30).fit(checkerboard(), toy_catalog())


def without_new():
    whole = checkerboard()
    return whole.take(whole.items != NEW)


def test_an_item_that_nobody_met_is_liked_by_those_who_like_its_kind():
    pytest.importorskip("torch")
    recommender = small()
    recommender.fit(without_new(), toy_catalog())
    scores = recommender.score(USERS)[:, NEW]
    assert scores[EVEN].min() > scores[~EVEN].max()


def test_items_with_equal_texts_are_told_apart_by_the_graph_alone():
    pytest.importorskip("torch")

    class Pairs(TextGraphRecommender):
        def embed(self, catalog):
            return np.eye(len(catalog) // 2)[np.arange(len(catalog)) // 2]

    apart = {}
    for layers in (0, 2):
        recommender = Pairs(factors=8, epochs=12, batch_size=64, negatives=16, layers=layers)
        recommender.fit(checkerboard(), toy_catalog())
        scores = recommender.score(USERS)
        apart[layers] = scores[:, ::2] - scores[:, 1::2]
    np.testing.assert_allclose(apart[0], 0, atol=1e-6)
    assert apart[2][EVEN].mean() > apart[2][~EVEN].mean() + 1e-3, "even users chose the even one of each pair"


def test_scores_are_cosines_and_training_gets_better_at_the_items_kept_back():
    pytest.importorskip("torch")
    recommender = small(epochs=30, patience=30)
    recommender.fit(checkerboard(), toy_catalog())
    assert np.abs(recommender.score(USERS)).max() <= 1 + 1e-6
    assert len(recommender.measured) == 30
    assert recommender.measured.max() > recommender.measured[0]


def test_training_stops_where_nothing_gets_better():
    pytest.importorskip("torch")
    recommender = small(epochs=500, patience=2, learning_rate=1e-12)
    recommender.fit(checkerboard(), toy_catalog())
    assert len(recommender.measured) == 3


def test_a_site_on_which_nobody_chose_anything_is_fitted():
    pytest.importorskip("torch")
    nobody = Interactions.of(*(np.zeros(0, int),) * 2, None, np.zeros(0, int), n_users=3, n_items=len(toy_catalog()))
    recommender = small()
    recommender.fit(nobody, toy_catalog())
    assert not recommender.score(np.arange(3)).any()


def test_vectors_of_its_own_must_be_finite_and_one_per_item():
    class Wrong(TextGraphRecommender):
        def embed(self, catalog):
            return np.full((len(catalog), 2), np.nan)

    pytest.importorskip("torch")
    with pytest.raises(DataError, match=r"Wrong.embed: found an array of shape \(20, 2\), not all finite"):
        Wrong().fit(checkerboard(), toy_catalog())


def test_without_pytorch_it_names_the_extra(monkeypatch):
    monkeypatch.setattr("groundlings.recommenders.neural.extra.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'groundlings\[neural\]'"):
        small().fit(checkerboard(), toy_catalog())
    with pytest.raises(ConfigError, match=r"pip install 'groundlings\[neural\]'"):
        small().check_users(np.ones(1))
