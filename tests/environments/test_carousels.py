"""Grids and carousels: what stands where, what fills it, and what was asked of the recommender."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.carousels import CarouselFeed
from groundlings.environments.catalog import Catalog
from groundlings.environments.contract import N_ITEMS, N_SESSIONS, EnvironmentContract
from groundlings.environments.dataset import RatingScale
from groundlings.environments.decision import Decision
from groundlings.environments.environment import EndedBy
from groundlings.environments.errors import ConfigError
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.layout import Carousel, item_category, most_liked_categories
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest, top_items
from groundlings.environments.sessions import Sessions

CUT = (Carousel("For you", 2, 1), Carousel("More", 2))
FILTERED = (
    Carousel("Because you like {category}", 2, 1, "most_liked"),
    Carousel("For you", 2),
    Carousel("Odd ones", 2, 1, "category", "odd"),
)
NAMES = ("even", "odd")
IS = np.array([np.arange(N_ITEMS) % 2 == 0, np.arange(N_ITEMS) % 2 == 1])


def feed_of(carousels, max_pages=2, **further) -> CarouselFeed:
    filtered = any(each.filter != "ranking" for each in carousels)
    return CarouselFeed(
        sum(each.slots for each in carousels),
        max_pages,
        RatingScale(),
        "page" if filtered else "visit",
        carousels=carousels,
        **{"categories": IS, "category_names": NAMES, **further},
    )


def filtered_feed(likes=None, max_pages=2) -> CarouselFeed:
    likes = np.arange(N_SESSIONS) % 3 - 1 if likes is None else likes
    return feed_of(FILTERED, max_pages, most_liked=np.asarray(likes))


class Asked:
    """Ranks by item number, and remembers what it was asked."""

    def __init__(self, chance=False):
        self.requests, self.chance = [], chance

    async def rank(self, request: RankingRequest) -> Ranking:
        self.requests.append(request)
        ranking = top_items(np.tile(-np.arange(float(N_ITEMS)), (len(request), 1)), request)
        ranking.check(request, N_ITEMS)
        return replace(ranking, propensity_kind="exact") if self.chance else ranking


def pages_of(feed, n=3, asked=None, seen=None):
    """Everybody turns every page: the observations, and the state at the end."""
    asked = asked or Asked()
    users = np.arange(n)
    sessions = Sessions(users, users, 0, Draws.for_sessions(1, users, 0))

    async def walked():
        state = await feed.open(sessions, sp.csr_array((n, N_ITEMS)) if seen is None else seen, asked.rank)
        found = []
        while (observation := await feed.observe(state, asked.rank)) is not None:
            found.append(observation)
            turned = observation.legal.available["next_page"]
            decision = Decision.of(observation.legal, observation.page, next_page=turned)
            state = feed.apply(state, observation, decision)
        return found, state

    return asyncio.run(walked())


class TestGrid(EnvironmentContract):
    def make_environment(self):
        return PaginatedFeed(6, 3, RatingScale(), columns=4)


class TestCutRows(EnvironmentContract):
    def make_environment(self):
        return feed_of(CUT, 3)


class TestRowsAskedForByPage(EnvironmentContract):
    def make_environment(self):
        return replace(feed_of(CUT, 3), rank_each="page")


class TestFilteredRows(EnvironmentContract):
    def make_environment(self):
        return filtered_feed()


def test_rows_without_a_filter_are_one_list_cut_into_parts():
    asked = Asked()
    (first, second), _ = pages_of(feed_of(CUT), asked=asked)
    assert [request.size for request in asked.requests] == [10]
    assert first.page.items.tolist() == [[0, 1, 2, 3, 4]] * 3
    assert second.page.items.tolist() == [[5, 6, 7, 8, 9]] * 3
    places = first.page.places
    assert places.rows[0].tolist() == [0, 0, 0, 1, 1]
    assert places.slots[0].tolist() == [0, 1, 2, 0, 1]
    assert places.scrolls[0].tolist() == [0, 0, 1, 0, 0]
    assert [places.names[each] for each in places.named[0]] == ["For you"] * 3 + ["More"] * 2


def test_a_row_with_a_filter_holds_the_best_of_its_category_and_nothing_that_stands_above_it():
    (first, second), _ = pages_of(filtered_feed(likes=[0, 1, -1]))
    assert first.page.items.tolist() == [
        [0, 2, 4, 1, 3, 5, 7, 9],
        [1, 3, 5, 0, 2, 7, 9, 11],
        [0, 1, 3, 5, 7, NO_ITEM, NO_ITEM, NO_ITEM],
    ]
    assert second.page.items[0].tolist() == [6, 8, 10, 11, 12, 13, 15, 17], "a later page goes on where it stopped"
    places = first.page.places
    assert places.names == ("Because you like even", "Because you like odd", "For you", "Odd ones", "Odd ones")
    assert [places.names[each] for each in places.named[2, :5]] == ["For you"] * 2 + ["Odd ones"] * 3
    assert places.rows[0].tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert places.rows[2, :5].tolist() == [0, 0, 1, 1, 1], "a row without an item is not shown and not counted"
    assert places.slots[2, :5].tolist() == [0, 1, 0, 1, 2]
    assert places.scrolls[2, :5].tolist() == [0, 0, 0, 0, 1]


def test_each_row_is_asked_for_with_what_stands_above_it():
    asked = Asked()
    pages_of(filtered_feed(likes=[0, 1, -1], max_pages=2), asked=asked)
    first_page = asked.requests[:3]
    assert [(request.first, request.size, len(request), request.page) for request in first_page] == [
        (0, 3, 2, 1),
        (3, 2, 3, 1),
        (5, 3, 3, 1),
    ]
    assert first_page[0].shown is None
    assert first_page[2].shown[2].tolist() == [NO_ITEM, NO_ITEM, NO_ITEM, 0, 1]
    assert asked.requests[3].shown.shape == (2, 8), "a later page knows the earlier ones"
    assert asked.requests[5].shown.shape == (3, 13)
    words = [tuple(request.draws.who[-1:]) for request in asked.requests]
    assert len(set(words)) == len(words), "chance in one row is independent of chance in another"


def test_pages_say_the_least_that_is_known_of_chances():
    (first, _), _ = pages_of(filtered_feed(), asked=Asked(chance=True))
    assert first.served.propensity_kind == "exact"
    assert first.served.scores[0, 0] == -float(first.page.items[0, 0])


def test_a_session_goes_on_while_a_row_was_full():
    few = np.ones((2, N_ITEMS))
    few[:, :6] = 0
    (page,), state = pages_of(filtered_feed(likes=[0, 0]), 2, seen=sp.csr_array(few))
    assert page.page.items[0].tolist() == [0, 2, 4, 1, 3, 5, NO_ITEM, NO_ITEM]
    assert page.legal.available["next_page"].tolist() == [True, True]
    assert set(state.ended_by) == {EndedBy.EXIT}
    few[:, 1:] = 1
    (page,), state = pages_of(filtered_feed(likes=[-1, -1]), 2, seen=sp.csr_array(few))
    assert page.page.items[0].tolist() == [0] + [NO_ITEM] * 7
    assert page.legal.available["next_page"].tolist() == [False, False]
    assert set(state.ended_by) == {EndedBy.LAST_PAGE}


@pytest.mark.parametrize(
    ("change", "message"), [({"page_size": 3}, "number of all slots"), ({"rank_each": "visit"}, "page by page")]
)
def test_a_feed_of_rows_that_cannot_be_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(filtered_feed(), **change)


def catalog_of(*genres) -> Catalog:
    ids = tuple(map(str, range(len(genres))))
    return Catalog(ids, ids, np.full(len(ids), np.nan), genres)


def met(users, items, ratings, n_users=5) -> Interactions:
    columns = (np.array(users), np.array(items), None if ratings is None else np.array(ratings, dtype=float))
    return Interactions.of(*columns, np.arange(len(users)), n_users=n_users, n_items=4)


BY_GENRE = catalog_of(("b",), ("a",), ("a", "b"), ())


@pytest.mark.parametrize(
    ("history", "like_from", "expected"),
    [
        (met([0, 0, 1, 2, 3], [0, 1, 1, 3, 2], None), None, [0, 0, -1, 0, -1]),
        (met([4, 0, 0, 0, 1], [0, 1, 0, 0, 1], [5, 2, 4, 5, 3]), 4.0, [1, -1, -1, -1, 1]),
    ],
    ids=["without ratings", "likes alone"],
)
def test_the_category_that_a_user_liked_most_is_that_of_most_likes(history, like_from, expected):
    assert most_liked_categories(history, BY_GENRE, like_from).tolist() == expected


def test_nobody_likes_a_category_where_there_are_none():
    nothing = catalog_of((), (), (), ())
    assert most_liked_categories(met([0], [0], None), nothing, None).tolist() == [-1] * 5
    with pytest.raises(ConfigError, match="here: no item has the category 'a'; no item of this data set has"):
        item_category(nothing, "a", "here")
