"""A varied list: worked out by hand, and the promises of every recommender."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.base import ScoringRecommender
from groundlings.recommenders.contract import RecommenderContract
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.mmr import MmrRecommender


class TestMmr(RecommenderContract):
    personalised = True

    def build(self):
        return MmrRecommender(ItemKnnRecommender(), variety=0.4, candidates=8)


class InOrder(ScoringRecommender):
    """Ranks items 0, 1, 2, ... for everybody."""

    def fit(self, interactions, catalog):
        self.size = interactions.n_items

    def score(self, users):
        return np.tile(-np.arange(float(self.size)), (len(users), 1))


def catalog(*genres):
    ids = tuple(f"i{number}" for number in range(len(genres)))
    return Catalog(ids, ids, np.full(len(genres), np.nan), genres)


def listed(recommender, genres, size):
    from groundlings.environments.interactions import Interactions

    nothing = np.zeros(0, dtype=np.int64)
    history = Interactions.of(nothing, nothing, None, nothing, n_users=2, n_items=len(genres))
    recommender.fit(history, catalog(*genres))
    users = np.arange(2)
    request = RankingRequest(users, size, sp.csr_array((2, len(genres))), Draws.for_sessions(1, users, 0))
    return recommender.recommend(request).items.tolist()


KINDS = (("a",), ("a",), ("a",), ("b",), ("a", "b"))


def test_each_place_goes_to_what_is_relevant_and_unlike_what_stands_above():
    # Relevance 1, .8, .6, .4, .2. After item 0 the others count .5 * relevance - .5 * cosine:
    # item 1 .4 - .5, item 2 .3 - .5, item 3 .2 - 0, item 4 .1 - .354. Item 3 wins; then item 1 is the best of the rest.
    assert listed(MmrRecommender(InOrder(), variety=0.5), KINDS, 5) == [[0, 3, 1, 2, 4]] * 2


@pytest.mark.parametrize("size", [1, 3, 5])
def test_without_variety_the_inner_list_stays(size):
    assert listed(MmrRecommender(InOrder(), variety=0.0), KINDS, size) == [list(range(size))] * 2


def test_an_item_from_below_the_page_may_come_onto_it():
    assert listed(MmrRecommender(InOrder(), variety=0.9), KINDS, 2) == [[0, 3]] * 2


def test_a_catalogue_without_categories_is_refused():
    with pytest.raises(ConfigError, match="this catalogue has none"):
        listed(MmrRecommender(InOrder()), ((), ()), 2)
