"""BM25, and a recommender for the feed beside one for results: the contract, and scores worked out by hand."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.contract import RecommenderContract, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.search.bm25 import Bm25
from groundlings.recommenders.search.feed_and_search import FeedAndSearch
from groundlings.recommenders.search.text_search import TextSearch


class TestBm25(RecommenderContract):
    learns = False

    def build(self):
        return Bm25()


class TestTextSearch(RecommenderContract):
    learns = False

    def build(self):
        return TextSearch(width=4)


class TestFeedAndSearch(RecommenderContract):
    def build(self):
        return FeedAndSearch(feed=PopularRecommender(), search=Bm25())


def shop(*titles, texts=()):
    return Catalog(
        item_ids=tuple(map(str, range(len(titles)))),
        titles=titles,
        years=np.full(len(titles), np.nan),
        genres=((),) * len(titles),
        texts=tuple(texts),
    )


def found(recommender, *queries, size=3, n_items=3):
    users = np.arange(len(queries))
    request = RankingRequest(users, size, sp.csr_array((len(queries), n_items)), Draws.for_sessions(1, users, 0))
    return asyncio.run(recommender.rank(replace(request, queries=queries)))


def fitted(recommender, catalog):
    nobody = np.zeros(0, dtype=np.int64)
    recommender.fit(Interactions.of(nobody, nobody, np.zeros(0), nobody, n_users=2, n_items=len(catalog)), catalog)
    return recommender


def test_scores_are_those_of_the_formula():
    bm25 = fitted(Bm25(k1=1.2, b=0.75), shop("oat milk", "milk milk chocolate bar", "rye bread"))
    rarity = np.log(1 + (3 - 2 + 0.5) / (2 + 0.5))  # two of three items have the word
    mean = (2 + 4 + 2) / 3
    once = rarity * 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / mean))
    twice = rarity * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 4 / mean))
    answer = found(bm25, "Milk")
    assert answer.items.tolist() == [[1, 0, NO_ITEM]]
    assert answer.scores[0, :2] == pytest.approx([twice, once])


def test_a_query_without_a_known_word_finds_nothing():
    answer = found(fitted(Bm25(), shop("oat milk", "rye bread", "tea")), "zebra", "rye")
    assert (answer.items[0] == NO_ITEM).all()
    assert answer.items[1, 0] == 1


def test_texts_are_searched_too():
    bm25 = fitted(Bm25(), shop("A", "B", "C", texts=("", "a warm drink", None)))
    assert found(bm25, "drink").items[0, 0] == 1


def test_vectors_find_what_shares_no_word_with_the_query():
    catalog = shop("tea drink", "coffee drink", "coffee", "bread", "bread roll", "roll")
    search = fitted(TextSearch(width=2), catalog)
    assert set(found(search, "tea", size=6, n_items=6).items[0].tolist()) == {0, 1, 2, NO_ITEM}
    assert set(found(fitted(Bm25(), catalog), "tea", size=6, n_items=6).items[0].tolist()) == {0, NO_ITEM}
    whole = fitted(TextSearch(width=64), catalog)  # with all dimensions it is the cosine of the words
    tea, drink = np.log1p(6 / 1), np.log1p(6 / 2)
    assert found(whole, "tea", size=6, n_items=6).scores[0, 0] == pytest.approx(tea / np.hypot(tea, drink))


def test_a_feed_cannot_be_made_of_results():
    recommender = Bm25()
    recommender.fit(checkerboard(), toy_catalog())
    with pytest.raises(ConfigError, match=r"lists items for a query, and was asked without one.*feed_and_search"):
        recommender.recommend(toy_request(checkerboard(), np.arange(3), 5))


def test_each_session_gets_the_list_of_what_it_asked_for():
    both = FeedAndSearch(feed=PopularRecommender(), search=Bm25())
    both.fit(checkerboard(), toy_catalog())
    request = replace(toy_request(checkerboard(), np.arange(4), 3), queries=(None, "odd", None, "even"))
    answer = asyncio.run(both.rank(request))
    feed = asyncio.run(both.feed.rank(replace(request, queries=None)))
    assert answer.items[[0, 2]].tolist() == feed.items[[0, 2]].tolist()
    assert (answer.items[1][answer.items[1] != NO_ITEM] % 2 == 1).all()
    assert (answer.items[3][answer.items[3] != NO_ITEM] % 2 == 0).all()
