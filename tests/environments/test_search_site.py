"""A site with a search box: what a query leads to, what is offered, and the promises of every environment."""

import asyncio

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.contract import EnvironmentContract
from groundlings.environments.dataset import RatingScale
from groundlings.environments.decision import Decision, checked
from groundlings.environments.environment import EndedBy
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking
from groundlings.environments.search_site import SearchSite
from groundlings.environments.sessions import Sessions

N_ITEMS = 12


def site(**options):
    return SearchSite(**{"page_size": 3, "max_pages": 4, "max_queries": 2, **options}, scale=RatingScale())


class TestSearchBox(EnvironmentContract):
    def make_environment(self):
        return site()


class TestFeedWithASearchBox(EnvironmentContract):
    def make_environment(self):
        return site(opens_on="feed", max_pages=5)


class Walk:
    """One or more sessions, page by page; `queries` are those that the recommender was asked."""

    def __init__(self, environment, n=1, lists=lambda query: range(N_ITEMS)):
        self.environment, self.lists, self.queries = environment, lists, []
        users = np.arange(n, dtype=np.int64)
        sessions = Sessions(users, users, 0, Draws.for_sessions(1, users, 0))
        self.state = asyncio.run(environment.open(sessions, sp.csr_array((n, N_ITEMS)), self.rank))
        self.look()

    async def rank(self, request):
        self.queries.append(request.queries)
        items = np.full((len(request), request.size), NO_ITEM, dtype=np.int32)
        for row in range(len(request)):
            query = None if request.queries is None else request.queries[row]
            seen = set(request.seen[[row]].indices)
            free = [item for item in self.lists(query) if item not in seen][: request.size]
            items[row, : len(free)] = free
        return Ranking.deterministic(items, np.zeros(items.shape))

    def look(self):
        self.page = asyncio.run(self.environment.observe(self.state, self.rank))

    def do(self, *queries, next_page=()):
        said = np.array([*queries, None], dtype=object)[:-1]
        turned = np.array(next_page or [False] * len(said), dtype=bool)
        decision = Decision.of(self.page.legal, self.page.page, query=said, next_page=turned)
        found = checked(decision, self.page.page, self.page.legal)
        self.state = self.environment.apply(self.state, self.page, found.decision)
        self.look()
        return found.illegal


def test_a_query_leads_from_the_empty_box_to_its_results():
    walk = Walk(site())
    assert not walk.page.page.shown.any()
    assert walk.queries == []
    walk.do("war films")
    assert walk.queries == [("war films",)]
    assert walk.page.page.items.tolist() == [[0, 1, 2]]
    walk.do(None, next_page=[True])
    assert walk.queries[1:] == [("war films",)]
    assert walk.page.page.items.tolist() == [[3, 4, 5]]


def test_feed_and_results_stand_side_by_side():
    walk = Walk(site(opens_on="feed"), n=3)
    assert walk.queries == [None]
    walk.do(None, "war", None, next_page=[True, False, False])
    assert walk.queries[1:] == [(None, "war")]
    assert walk.page.page.further["source"].tolist() == ["feed", "search"]
    assert walk.state.ended_by[2] == EndedBy.EXIT


def test_a_query_without_results_shows_that_there_are_none():
    walk = Walk(site(), lists=lambda query: [] if query == "nonsense" else [4])
    walk.do("nonsense")
    assert not walk.page.page.shown.any()
    assert walk.page.legal.available["next_page"].tolist() == [False]
    walk.do("sense")
    assert walk.page.page.items[0, 0] == 4


def test_what_cannot_be_asked_is_refused_and_said():
    walk = Walk(site())
    (blank,) = walk.do("  ")
    assert "a query has a word at least" in blank.reason
    assert walk.page is None
    walk = Walk(site())
    walk.do("a")
    walk.do("b")
    (third,) = walk.do("c")
    assert third.reason == "no further query can be made"
    assert walk.state.ended_by.tolist() == [EndedBy.EXIT]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_pages": 1}, "a query leads to a second page"),
        ({"page_size": 0}, "expected 1 to 100,000"),
        ({"max_queries": 10**9}, "expected 1 to 100,000"),
    ],
)
def test_a_site_that_cannot_be_searched_is_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        site(**options)
