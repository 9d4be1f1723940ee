"""Every shipped recommender keeps the contract."""

from pathlib import Path

import numpy as np
import pytest

from groundlings.environments.errors import ConfigError
from groundlings.environments.people import People
from groundlings.recommenders.als import AlsRecommender
from groundlings.recommenders.base import Recommender, ScoringRecommender
from groundlings.recommenders.bias_svd import BiasSvdRecommender
from groundlings.recommenders.bpr import BprRecommender
from groundlings.recommenders.content_knn import ContentKnnRecommender
from groundlings.recommenders.contract import (
    COLD_USER,
    TOY_SIZE,
    RecommenderContract,
    checkerboard,
    toy_catalog,
    toy_request,
    toy_user_ids,
)
from groundlings.recommenders.degraded import DegradedRecommender
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.exploration import EpsilonSlots, PlackettLuce
from groundlings.recommenders.external import ExternalRecommender
from groundlings.recommenders.feature_regression import FeatureRegressionRecommender
from groundlings.recommenders.group_popular import GroupPopularRecommender
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.item_mean import ItemMeanRecommender
from groundlings.recommenders.liked_knn import LikedKnnRecommender
from groundlings.recommenders.oracle import AntiOracleRecommender, OracleRecommender
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.random_order import RandomOrderRecommender


def liking(users):
    """Everybody likes small distances from their own number best."""
    return -np.abs(users[:, None] - np.arange(TOY_SIZE)[None]).astype(float)


def toy_people():
    """Even and odd users say what they are, all but the last."""
    attributes = [{"kind": ("even", "odd")[user % 2]} for user in range(COLD_USER)]
    return People(toy_user_ids(), (*attributes, {}))


class TestRandomOrder(RecommenderContract):
    def build(self):
        return RandomOrderRecommender()


class TestPopular(RecommenderContract):
    def build(self):
        return PopularRecommender()


class TestItemKnn(RecommenderContract):
    personalised = True

    def build(self):
        return ItemKnnRecommender()


class TestItemKnnUnweighted(RecommenderContract):
    personalised = True

    def build(self):
        return ItemKnnRecommender(neighbours=TOY_SIZE, shrinkage=0, weighting="none")


class TestEase(RecommenderContract):
    personalised = True

    def build(self):
        return EaseRecommender()


class TestAls(RecommenderContract):
    personalised = True

    def build(self):
        return AlsRecommender(factors=4, regularisation=0.1)


class TestBpr(RecommenderContract):
    personalised = True

    def build(self):
        return BprRecommender(factors=4, learning_rate=0.1, epochs=200)


class TestItemMean(RecommenderContract):
    def build(self):
        return ItemMeanRecommender()


class TestBiasSvd(RecommenderContract):
    def build(self):
        return BiasSvdRecommender(factors=3)


class TestFeatureRegression(RecommenderContract):
    def build(self):
        return FeatureRegressionRecommender(demographics=toy_people())


class TestLikedKnn(RecommenderContract):
    personalised = True

    def build(self):
        return LikedKnnRecommender()


class TestGroupPopular(RecommenderContract):
    def build(self):
        return GroupPopularRecommender(demographics=toy_people())


class TestContentKnn(RecommenderContract):
    personalised = True

    def build(self):
        return ContentKnnRecommender(ItemKnnRecommender())


class TestOracle(RecommenderContract):
    def build(self):
        return OracleRecommender(liking)


class TestAntiOracle(RecommenderContract):
    def build(self):
        return AntiOracleRecommender(liking)


class TestDegraded(RecommenderContract):
    def build(self):
        return DegradedRecommender(PopularRecommender(), share=0.4)


class TestEpsilonSlots(RecommenderContract):
    def build(self):
        return EpsilonSlots(EaseRecommender(), epsilon=0.4)


class TestPlackettLuce(RecommenderContract):
    def build(self):
        return PlackettLuce(EaseRecommender(), temperature=0.1)


class TestExternal(RecommenderContract):
    knows_everybody = False

    @pytest.fixture(autouse=True)
    def rankings(self, tmp_path):
        rows = ["user_id,item_id,rank"]
        rows += [f"u{user},i{(user + rank) % TOY_SIZE},{rank}" for user in range(COLD_USER) for rank in range(TOY_SIZE)]
        (tmp_path / "rankings.csv").write_text("\n".join(rows))
        self.directory = tmp_path

    def build(self):
        return ExternalRecommender(
            Path("rankings.csv"),
            catalog=toy_catalog(),
            user_ids=toy_user_ids(),
            base_directory=self.directory,
        )


def test_the_cold_user_of_every_collaborative_recommender_gets_the_popular_list():
    history = checkerboard()
    request = toy_request(history, np.array([COLD_USER]), 10)
    popular = PopularRecommender()
    popular.fit(history, toy_catalog())
    expected = popular.recommend(request).items
    for recommender in (
        ItemKnnRecommender(),
        EaseRecommender(),
        AlsRecommender(factors=4),
        BprRecommender(factors=4, epochs=5),
    ):
        recommender.fit(history, toy_catalog())
        np.testing.assert_array_equal(recommender.recommend(request).items, expected)


@pytest.mark.parametrize(
    "recommender",
    [PopularRecommender(), ItemKnnRecommender(), EaseRecommender(), AlsRecommender(), BprRecommender()],
    ids=lambda each: type(each).__name__,
)
def test_a_history_of_nothing_can_be_fitted(recommender: Recommender):
    nothing = checkerboard().take(np.zeros(0, dtype=np.int64))
    recommender.fit(nothing, toy_catalog())
    request = toy_request(nothing, np.arange(3), 4)
    np.testing.assert_array_equal(recommender.recommend(request).items, [[0, 1, 2, 3]] * 3)


def test_popular_counts_people_not_rows():
    history = checkerboard()
    twice = history.joined(history.take(history.items == 2)).joined(history.take(history.items == 2))
    recommender = PopularRecommender()
    recommender.fit(twice, toy_catalog())
    np.testing.assert_array_equal(recommender.score(np.array([0]))[0], history.item_counts)


def test_the_oracle_bounds_are_marked_and_so_is_what_is_built_on_them():
    oracle = OracleRecommender(liking)
    assert oracle.sees_hidden_preference
    assert AntiOracleRecommender(liking).sees_hidden_preference
    assert DegradedRecommender(oracle, share=0.1).sees_hidden_preference
    assert not DegradedRecommender(PopularRecommender(), share=0.1).sees_hidden_preference
    assert not PopularRecommender.sees_hidden_preference


def test_oracle_and_anti_oracle_are_each_other_reversed():
    lists = []
    for recommender in (OracleRecommender(liking), AntiOracleRecommender(liking)):
        recommender.fit(checkerboard(), toy_catalog())
        nothing_seen = toy_request(checkerboard().take(np.zeros(0, dtype=np.int64)), np.array([0]), TOY_SIZE)
        lists.append(recommender.recommend(nothing_seen).items[0])
    np.testing.assert_array_equal(lists[0], np.arange(TOY_SIZE))
    np.testing.assert_array_equal(lists[1], lists[0][::-1])


@pytest.mark.parametrize("answer", [np.zeros((1, 3)), np.full((1, TOY_SIZE), np.nan)])
def test_the_oracle_refuses_a_preference_that_is_none(answer):
    recommender = OracleRecommender(lambda users: answer)
    recommender.fit(checkerboard(), toy_catalog())
    with pytest.raises(ValueError, match="expected finite numbers of shape"):
        recommender.recommend(toy_request(checkerboard(), np.array([0]), 3))


def test_hyperparameters_reach_the_libraries():
    """A changed option changes what is learnt; an option that is not passed on would not."""
    rng = np.random.default_rng(0)
    history = checkerboard().take(rng.random(len(checkerboard())) < 0.7)

    def state(recommender: ScoringRecommender) -> str:
        recommender.fit(history, toy_catalog())
        return recommender.state()

    changes = {
        ItemKnnRecommender: {"neighbours": 2, "shrinkage": 1.0, "weighting": "none"},
        EaseRecommender: {"regularisation": 3.0},
        AlsRecommender: {"factors": 3, "regularisation": 0.5, "confidence": 4.0, "iterations": 2, "seed": 9},
        BprRecommender: {"factors": 3, "learning_rate": 0.2, "regularisation": 0.5, "epochs": 2, "seed": 9},
    }
    for kind, options in changes.items():
        for name, value in options.items():
            assert state(kind(**{name: value})) != state(kind()), f"{kind.__name__}.{name} changes nothing"


@pytest.mark.parametrize(
    ("recommender", "told"),
    [
        (AlsRecommender(regularisation=1e300), "AlsRecommender: the fit ran beyond all numbers"),
        (EaseRecommender(regularisation=1e300), "regularisation: found 1e[+]300, with which the fit has no solution"),
        (EaseRecommender(regularisation=1e-12), "regularisation: found 1e-12, with which the fit has no solution"),
    ],
)
def test_a_fit_that_runs_beyond_all_numbers_is_a_mistake_of_the_options(recommender, told):
    with pytest.raises(ConfigError, match=told):
        recommender.fit(checkerboard(), toy_catalog())
