"""`buy_again` and `blend`: their promises, and answers worked out by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.blend import BlendRecommender
from groundlings.recommenders.buy_again import BuyAgainRecommender
from groundlings.recommenders.contract import RecommenderContract, checkerboard, toy_catalog, toy_user_ids
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.registry import RecommenderContext, build_recommender, takes_a_model

DAY = 86_400


class TestBuyAgain(RecommenderContract):
    def build(self):
        return BuyAgainRecommender()


class TestInterleaved(RecommenderContract):
    personalised = True

    def build(self):
        return BlendRecommender((EaseRecommender(), ItemKnnRecommender()))


class TestWeighted(RecommenderContract):
    personalised = True

    def build(self):
        return BlendRecommender((EaseRecommender(), PopularRecommender()), (3.0, 1.0), "weighted")


def bought(*rows: tuple[int, int, int], n_items: int = 6) -> Interactions:
    """Rows of (user, item, day)."""
    users, items, days = map(np.array, zip(*rows, strict=True))
    return Interactions.of(users, items, None, days * DAY, n_users=int(users.max()) + 1, n_items=n_items)


def asked(recommender, users, size, n_items=6, seen=None) -> Ranking:
    nothing = sp.csr_array((len(users), n_items))
    people = np.array(users)
    request = RankingRequest(people, size, nothing if seen is None else seen, Draws.for_sessions(1, people, 0))
    ranking = asyncio.run(recommender.rank(request))
    ranking.check(request, n_items)
    return ranking


def again(*rows, **options):
    recommender = BuyAgainRecommender(**options)
    recommender.fit(bought(*rows), toy_catalog())
    return recommender


def test_what_is_bought_on_every_occasion_comes_before_what_was_bought_once():
    rows = [(0, 4, day) for day in range(4)] + [(0, 1, 3), (1, 2, 0), (2, 2, 0), (3, 3, 0)]
    assert asked(again(*rows), [0], 4).items[0].tolist() == [4, 1, 2, 3]


def test_of_two_that_were_bought_as_often_the_later_one_comes_first():
    rows = [(0, 5, 0), (0, 5, 1), (0, 2, 5), (0, 2, 6), (0, 0, 7)]
    recommender = again(*rows, half_life=2.0, overdue=0.0, prior=0.1)
    listed = asked(recommender, [0], 3).items[0].tolist()
    assert listed.index(2) < listed.index(5)


def test_an_item_whose_time_has_gone_by_falls_behind_and_one_that_is_not_due_does_where_that_counts():
    lapsed = [(0, 1, day) for day in range(5)]
    steady = [(0, 2, day) for day in (0, 4, 8, 12, 16)]
    rows = [*lapsed, *steady, *((0, 3, day) for day in range(17, 22))]
    kept = again(*rows, half_life=1e6, prior=0.1, overdue=1.0).score(np.array([0]))[0]
    assert kept[2] > kept[1]
    plain = again(*rows, half_life=1e6, prior=0.1, overdue=0.0).score(np.array([0]))[0]
    assert plain[2] == pytest.approx(plain[1], rel=1e-5)
    soon = [(0, 1, day) for day in range(10)] + [(0, 2, 0), (0, 2, 9)]
    waits = again(*soon, half_life=1e6, prior=0.1, overdue=0.0, not_due=1.0).score(np.array([0]))[0]
    assert waits[2] / waits[1] < 0.5 * plain[2] / plain[1]


def test_a_gap_in_the_history_changes_nothing_because_time_is_counted_in_occasions():
    near = [(0, 1, 0), (0, 2, 1), (0, 1, 2), (1, 3, 0)]
    far = [(0, 1, 0), (0, 2, 1), (0, 1, 900), (1, 3, 0)]
    np.testing.assert_allclose(again(*near).score(np.array([0, 1])), again(*far).score(np.array([0, 1])))


def test_two_packets_on_one_day_are_one_purchase():
    once = [(0, 1, 0), (0, 2, 0), (0, 2, 1)]
    np.testing.assert_array_equal(again(*once).score(np.array([0])), again(*once, (0, 1, 0)).score(np.array([0])))


def test_without_times_what_was_met_comes_first_and_the_most_popular_of_it():
    rows = [(0, 1, 0), (0, 2, 0), (1, 2, 0), (1, 3, 0), (2, 3, 0)]
    assert asked(again(*rows), [0], 3).items[0].tolist() == [2, 1, 3]


class Given(Recommender):
    """Lists that are known."""

    def __init__(self, *items, randomised=False):
        self.items, self.randomised = items, randomised

    def fit(self, interactions, catalog):
        """Nothing to learn."""

    def recommend(self, request):
        left = [[item for item in self.items if not request.seen[[row], [item]][0]] for row in range(len(request))]
        items = np.full((len(request), request.size), NO_ITEM, dtype=np.int32)
        for row, some in enumerate(left):
            items[row, : len(some[: request.size])] = some[: request.size]
        return Ranking.deterministic(items, np.full(items.shape, np.nan))


def test_interleaving_gives_ranks_by_weight_and_lists_no_item_twice():
    blend = BlendRecommender((Given(0, 1, 2, 3), Given(4, 1, 5)))
    assert asked(blend, [0], 6).items[0].tolist() == [0, 4, 1, 5, 2, 3]
    blend = BlendRecommender((Given(0, 1, 2, 3), Given(4, 1, 5)), (2.0, 1.0))
    assert asked(blend, [0], 6).items[0].tolist() == [0, 4, 1, 2, 5, 3]


def test_an_empty_list_leaves_its_ranks_to_the_others_and_a_short_union_is_a_short_list():
    blend = BlendRecommender((Given(), Given(3, 2)))
    assert asked(blend, [0], 4).items[0].tolist() == [3, 2, NO_ITEM, NO_ITEM]


def test_what_was_seen_is_left_out_by_each_of_them():
    seen = sp.csr_array(np.array([[1.0, 0, 0, 0, 1, 0]]))
    blend = BlendRecommender((Given(0, 1, 2), Given(4, 1, 5)))
    assert asked(blend, [0], 4, seen=seen).items[0].tolist() == [1, 5, 2, NO_ITEM]


def test_weighted_fusion_puts_first_what_several_list():
    blend = BlendRecommender((Given(0, 1, 2), Given(3, 1, 4)), how="weighted")
    ranking = asked(blend, [0], 5)
    assert ranking.items[0].tolist() == [1, 0, 3, 2, 4]
    np.testing.assert_allclose(ranking.scores[0], [2 / 62, 1 / 61, 1 / 61, 1 / 63, 1 / 63])


def test_a_blend_is_built_from_names_and_its_faults_are_told_with_their_place():
    context = RecommenderContext(toy_catalog(), toy_user_ids(), Path())

    def built(**options):
        return build_recommender("blend", options, context, where="arms[3]")

    parts = [{"recommender": "buy_again", "options": {"half_life": 5.0}}, {"recommender": "ease"}]
    recommender = built(of=parts, weights=[2, 1])
    recommender.fit(checkerboard(), toy_catalog())
    assert recommender.of[0].half_life == 5.0
    assert recommender.state().count("+") == 1
    for options, words in (
        ({"of": parts[:1]}, "two recommenders or more, found 1"),
        ({"of": parts, "weights": [1]}, "a weight for each of its 2"),
        ({"of": parts, "weights": [1, 0]}, r"arms\[3\].options.weights"),
        ({"of": {"recommender": "ease"}}, r"arms\[3\].options.of: found .*expected a list"),
        ({"of": [parts[0], {"recommender": "eese"}]}, r"arms\[3\].options.of\[1\]"),
        ({"of": [parts[0], {"recommender": "random_order"}]}, "draws lots"),
    ):
        with pytest.raises(ConfigError, match=words):
            built(**options)
    assert not takes_a_model("blend", {"of": parts})
