"""Pages of a feed, and the check of what is done with them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments import levels
from groundlings.environments.actions import Action, lay_out
from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.catalog import COST, Catalog
from groundlings.environments.dataset import RatingScale
from groundlings.environments.decision import Decision, checked
from groundlings.environments.environment import EndedBy
from groundlings.environments.errors import ConfigError
from groundlings.environments.feed import PaginatedFeed, feed_actions
from groundlings.environments.offers import Offers
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking
from groundlings.environments.sessions import Sessions


class Lists:
    """Answers every request with the first unseen items of fixed lists, and remembers what it was asked."""

    def __init__(self, *lists: list[int]):
        self.lists, self.requests = lists, []

    async def rank(self, request):
        self.requests.append(request)
        items = np.full((len(request), request.size), NO_ITEM, dtype=np.int32)
        for row, user in enumerate(request.users):
            seen = set(request.seen[[row]].indices.tolist())
            left = [item for item in self.lists[user] if item not in seen][: request.size]
            items[row, : len(left)] = left
        ranking = Ranking.deterministic(items, np.where(items == NO_ITEM, np.nan, -items.astype(float)))
        ranking.check(request, 40)
        return ranking


def sessions_of(n: int) -> Sessions:
    agents = np.arange(n)
    return Sessions(agents, agents, 0, Draws.for_sessions(1, agents, 0), sim_time=77)


def walk(feed: PaginatedFeed, lists: Lists, leaves_after: list[int]):
    """Everybody turns pages, session r until page `leaves_after[r]`: observations, and the last state."""

    async def walked():
        sessions = sessions_of(len(lists.lists))
        state = await feed.open(sessions, sp.csr_array((len(sessions), 40)), lists.rank)
        found = []
        while (observation := await feed.observe(state, lists.rank)) is not None:
            found.append(observation)
            wants = np.array([observation.page.number < leaves_after[row] for row in observation.rows])
            turned = Decision.of(observation.legal, observation.page, next_page=wants)
            state = feed.apply(state, observation, checked(turned, observation.page, observation.legal).decision)
        return found, state

    return asyncio.run(walked())


@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=6),
    page_size=st.integers(1, 7),
    max_pages=st.integers(1, 6),
    leaves=st.integers(1, 7),
    asks=st.sampled_from(["visit", "page"]),
)
def test_pages_show_each_list_in_order_once_and_no_deeper_than_allowed(lengths, page_size, max_pages, leaves, asks):
    feed = PaginatedFeed(page_size, max_pages, RatingScale(), asks)
    lists = Lists(*(list(range(length)) for length in lengths))
    leaves_after = [leaves + row % 2 for row in range(len(lengths))]
    observations, state = walk(feed, lists, leaves_after)
    shown: list[list[int]] = [[] for _ in lengths]
    for observation in observations:
        assert observation.page.first_rank == (observation.page.number - 1) * page_size
        for place, row in enumerate(observation.rows):
            slots = observation.page.shown[place]
            assert np.array_equal(observation.served.scores[place][slots], -observation.page.items[place][slots])
            shown[row] += observation.page.items[place][slots].tolist()
    pages = [min(each, max_pages) for each in leaves_after]
    assert shown == [list(range(min(length, n * page_size))) for length, n in zip(lengths, pages, strict=True)]
    assert len(lists.requests) <= (1 if asks == "visit" else max_pages)
    for row, length in enumerate(lengths):
        if not length:
            assert state.ended_by[row] == EndedBy.NOTHING_SHOWN
        elif pages[row] * page_size < length and pages[row] < max_pages:
            assert state.ended_by[row] == EndedBy.EXIT


def test_a_feed_that_asks_for_each_page_says_which_page_and_what_was_shown():
    lists = Lists([0, 1, 2, 3, 4], [5, 6], [7, 8, 9, 10])
    observations, _ = walk(PaginatedFeed(2, 2, RatingScale(), "page"), lists, [2, 2, 1])
    first, second = lists.requests
    assert (first.page, first.shown, first.size, first.sim_time) == (1, None, 2, 77)
    assert second.page == 2
    assert second.users.tolist() == [0, 1], "session 2 has left, and session 1 had a full page and may look for another"
    assert second.shown.tolist() == [[0, 1], [5, 6]]
    assert second.seen.toarray()[0, :3].tolist() == [1, 1, 0]
    assert observations[1].rows.tolist() == [0]
    assert observations[1].page.items.tolist() == [[2, 3]]


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    page_size=st.integers(1, 4),
    max_pages=st.integers(1, 4),
    asks=st.sampled_from(["visit", "page"]),
)
def test_a_next_page_is_offered_where_there_may_be_one(lengths, page_size, max_pages, asks):
    feed = PaginatedFeed(page_size, max_pages, RatingScale(), asks)
    observations, _ = walk(feed, Lists(*(list(range(length)) for length in lengths)), [9] * len(lengths))
    for observation in observations:
        number = observation.page.number
        # A list for the session is known to its end; one for the page may have a successor if it was full.
        enough = [lengths[row] > number * page_size - (asks == "page") for row in observation.rows]
        offered = observation.legal.offers("next_page", observation.page)
        assert offered.tolist() == [each and number < max_pages for each in enough]


@pytest.mark.parametrize(
    ("max_pages", "unreadable", "ended_by"),
    [
        (2, [False, False], [EndedBy.EXIT, EndedBy.LAST_PAGE]),
        (1, [False, False], [EndedBy.LAST_PAGE, EndedBy.LAST_PAGE]),
        (2, [True, False], [EndedBy.UNREADABLE, EndedBy.LAST_PAGE]),
        (1, [False, True], [EndedBy.LAST_PAGE, EndedBy.UNREADABLE]),
    ],
)
def test_a_session_ends_by_an_exit_only_where_it_could_have_gone_on(max_pages, unreadable, ended_by):
    feed, lists = PaginatedFeed(2, max_pages, RatingScale()), Lists([5, 6, 8], [7])

    async def ended():
        state = await feed.open(sessions_of(2), sp.csr_array((2, 40)), lists.rank)
        observation = await feed.observe(state, lists.rank)
        idle = Decision.of(observation.legal, observation.page)
        return feed.apply(state, observation, replace(idle, unreadable=np.array(unreadable)))

    assert asyncio.run(ended()).ended_by.tolist() == ended_by


@pytest.mark.parametrize("asks", ["visit", "page"])
def test_there_is_no_page_behind_the_last_for_somebody_who_would_go_on_all_the_same(asks):
    feed, lists = PaginatedFeed(1, 1, RatingScale(), asks), Lists([5, 6, 8])

    async def beyond():
        state = await feed.open(sessions_of(1), sp.csr_array((1, 40)), lists.rank)
        observation = await feed.observe(state, lists.rank)
        goes_on = Decision.of(observation.legal, observation.page, next_page=np.array([True]))
        return await feed.observe(feed.apply(state, observation, goes_on), lists.rank)

    assert asyncio.run(beyond()) is None


def test_a_mind_must_click_rate_and_turn_pages_and_may_do_without_satisfaction():
    feed = PaginatedFeed(1, 1, RatingScale())
    assert feed.schema.beyond({"click", "rate", "next_page"}) == ()
    assert feed.schema.beyond({"satisfaction"}) == ("click", "rate", "next_page")


def decided(*said):
    feed, lists = PaginatedFeed(2, 1, RatingScale()), Lists([5, 6], [7])

    async def observed():
        state = await feed.open(sessions_of(2), sp.csr_array((2, 40)), lists.rank)
        return await feed.observe(state, lists.rank)

    observation = asyncio.run(observed())
    actions, stray = lay_out(feed.schema, observation.page, said)
    decision = Decision(actions, np.zeros(2, dtype=np.bool_), stray=stray)
    return checked(decision, observation.page, observation.legal)


def test_legal_actions_pass_unchanged():
    found = decided([Action("click", 1), Action("rate", 1, 4.0)], [Action("click", 0)])
    assert found.illegal == ()
    assert found.decision["click"].tolist() == [[False, True], [True, False]]
    assert found.decision["rate"][0, 1] == 4.0


@pytest.mark.parametrize(
    ("action", "position", "reason"),
    [
        (Action("click", 9), None, "slots 0 to 1"),
        (Action("click", -1), None, "slots 0 to 1"),
        (Action("click", 1), 1, "empty"),
        (Action("rate", 0, 4.0), 0, "opened"),
        (Action("next_page"), None, "no next page"),
        (Action("satisfaction", value=11.0), None, "satisfaction is 1 to 10"),
    ],
)
def test_what_the_page_does_not_offer_is_refused_named_and_not_carried_out(action, position, reason):
    found = decided([], [action])
    (illegal,) = found.illegal
    assert (illegal.row, illegal.position) == (1, position)
    assert reason in illegal.reason
    for spec in found.decision.actions.schema.specs:
        assert not spec.taken(found.decision[spec.name]).any()


@given(st.floats(-10, 10))
def test_only_stars_on_the_scale_are_given(stars):
    found = decided([Action("click", 0), Action("rate", 0, stars)], [])
    place = levels.place(RatingScale().values, stars)
    if place >= 0:
        assert found.decision["rate"][0, 0] == RatingScale().values[place]
        assert not found.illegal
    else:
        assert np.isnan(found.decision["rate"][0, 0])
        assert float(found.illegal[0].said.removeprefix("rate ")) not in RatingScale().values
        assert found.decision["click"][0, 0]


def test_an_unreadable_reply_leaves_no_action_behind():
    feed, lists = PaginatedFeed(2, 2, RatingScale()), Lists([1, 2, 3, 4])
    (observation, *_), _ = walk(feed, lists, [1])
    everything = lay_out(
        feed.schema, observation.page, [[Action("click", 0), Action("rate", 0, 3.0), Action("next_page")]]
    )[0]
    lost = Decision(everything, np.array([True]))
    found = checked(lost, observation.page, observation.legal)
    assert found.decision.unreadable.all()
    assert found.illegal == ()
    for spec in feed.schema.specs:
        assert not spec.taken(found.decision[spec.name]).any()


def test_a_feed_without_slots_is_a_config_error():
    with pytest.raises(ConfigError, match="page_size"):
        PaginatedFeed(0, 3, RatingScale())


@pytest.mark.parametrize("stars", [(), (1.0, 2.0)])
def test_a_page_of_a_feed_offers_stars_where_there_are_any_and_the_next_page_to_some(stars):
    legal = feed_actions(stars, np.array([True, False]))
    assert legal.available["next_page"].tolist() == [True, False]
    assert legal.values("rate") == stars
    assert legal.schema.names == ("click", *(["rate"] if stars else []), "next_page", "satisfaction")
    assert legal.schema.strength == ("rate" if stars else None)


def test_a_grid_is_filled_line_by_line_and_says_so():
    grid = PaginatedFeed(6, 1, RatingScale(), columns=4)
    ((observation,), _) = walk(grid, Lists([0, 1, 2, 3, 4, 5], [5, 4]), [1, 1])
    places = observation.page.places
    assert places.rows.tolist() == [[0, 0, 0, 0, 1, 1]] * 2
    assert places.slots.tolist() == [[0, 1, 2, 3, 0, 1]] * 2
    assert not places.scrolls.any()
    assert (places.names, set(places.named.ravel().tolist())) == ((), {-1})
    plain = {"kind": "feed", "page_size": 6, "max_pages": 1, "rank_each": "visit"}
    assert grid.describe() == {**plain, "layout": {"kind": "grid", "columns": 4}}
    assert PaginatedFeed(6, 1, RatingScale()).describe() == plain


def test_a_page_of_one_list_needs_no_places():
    ((observation,), _) = walk(PaginatedFeed(2, 1, RatingScale()), Lists([0, 1]), [1])
    assert observation.page.places is None


def selling(costs=None, prices=None, actions=("click", "purchase")):
    """A feed of two items, perhaps with costs and with offers that have prices or none."""
    known = {} if costs is None else {COST: costs}
    catalog = Catalog(("a", "b"), ("A", "B"), np.full(2, np.nan), ((), ()), features=known)
    first = np.zeros(1, dtype=np.int64)
    offers = None if prices is None else Offers(
        first.astype(np.int32), first, first + 9, np.array(prices), np.full(1, np.nan), first > 0, 2, dated=False
    )  # fmt: skip
    return PaginatedFeed(2, 1, RatingScale(), actions=actions, catalog=catalog, offers=offers)


def test_money_is_counted_where_the_data_can_say_how_much():
    paid, cost = ("click", "purchase", "paid"), ("click", "purchase", "cost")
    assert "paid" in selling(prices=[2.5], actions=paid).schema
    assert "cost" in selling(costs=np.array([1.0, np.nan]), actions=cost).schema
    for prices in (None, [np.nan]):
        with pytest.raises(ConfigError, match="paid needs prices, and the data set has none"):
            selling(costs=np.ones(2), prices=prices, actions=paid)
    for feed in (lambda: selling(prices=[2.5], actions=cost), lambda: PaginatedFeed(2, 1, RatingScale(), actions=cost)):
        with pytest.raises(ConfigError, match="cost needs the cost of items, and the catalog has none"):
            feed()


def test_people_rate_in_a_shop_where_the_file_names_it_and_the_data_have_stars():
    assert "rate" in PaginatedFeed(2, 1, RatingScale(), actions=("click", "rate")).schema
    assert "rate" not in PaginatedFeed(2, 1, RatingScale(), actions=("click", "purchase")).schema
    with pytest.raises(ConfigError, match="rate needs ratings, and the data set has none"):
        PaginatedFeed(2, 1, RatingScale(), actions=("click", "rate"), opinions="none")


def test_feeds_are_the_same_whatever_costs_and_offers_they_are_given():
    plain, rich = selling(), selling(costs=np.ones(2), prices=[2.5])
    assert plain == rich
    assert repr(plain) == repr(rich)


def test_a_purchase_costs_the_shop_what_its_units_cost_and_nothing_is_said_where_that_is_not_known():
    actions = ("click", "purchase", "quantity", "cost")
    feed = selling(costs=np.array([1.5, np.nan]), actions=actions)
    ((observation,), _) = walk(feed, Lists([0, 1]), [1])
    everything = np.array([[True, True]])
    decision = Decision.of(
        observation.legal, observation.page, click=everything, purchase=everything, quantity=np.array([[2.0, 3.0]])
    )
    np.testing.assert_array_equal(feed.book(observation, decision)["cost"], [[3.0, np.nan]])
    plain = PaginatedFeed(2, 1, RatingScale(), actions=("click", "purchase"))
    ((observation,), _) = walk(plain, Lists([0, 1]), [1])
    decision = Decision.of(observation.legal, observation.page, click=everything, purchase=everything)
    assert plain.book(observation, decision)["purchase"].all()
