"""Stock of an arm: settled when a day begins, reduced when it ends, and never by the order of sessions."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import RatingScale
from groundlings.environments.decision import Decision
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.offers import DayOffers, Offers
from groundlings.environments.ranking import Ranking
from groundlings.personas.minds.scripted import ScriptedMind
from groundlings.recommenders.base import AsyncRecommender
from groundlings.simulator.arm import Arm
from groundlings.simulator.days import Schedule, live_together
from groundlings.simulator.engines.engine import IN_PROCESS
from groundlings.simulator.resume_state import Past, PastDay
from groundlings.simulator.shelf import Shelf, largest_cohort, without

SHOP = ("click", "purchase", "quantity")
N_ITEMS = 6


def stocked(*rows: tuple[int, int, int, float]) -> Offers:
    """Item, first and last day, stock; days are numbers, and everything costs 1."""
    items, first, last, stock = (np.array(column) for column in zip(*rows, strict=True))
    nothing = np.zeros(len(rows), dtype=bool)
    return Offers(
        items.astype(np.int32), first, last, np.ones(len(rows)), stock.astype(float), nothing, N_ITEMS, dated=False
    )


class Buyers(ScriptedMind):
    """The first `buyers` of them buy two units of what the first slot shows; the others look on."""

    def __init__(self, buyers: int, size: int = 4096):
        super().__init__(rule=self._buy)
        self._buyers, self._size = buyers, size

    @property
    def cohort_size(self):
        return self._size

    def _buy(self, situation):
        first = np.zeros(situation.page.items.shape, dtype=bool)
        first[:, 0] = situation.sessions.agents < self._buyers
        units = np.where(first, 2.0, np.nan)
        return Decision.of(situation.legal, situation.page, click=first, purchase=first, quantity=units)


@pytest.fixture
def browse(recommender):
    """Three people for some days; the items of their pages by day, and the arm."""

    def lived(offers, buyers=2, *, days=3, past=None, size=4096, history=None, changes=None):
        arm = Arm(
            "only",
            np.arange(3),
            recommender,
            PaginatedFeed(2, 1, RatingScale(), actions=SHOP),
            Buyers(buyers, size),
            Catalog(tuple("abcdef"), tuple("ABCDEF"), np.full(N_ITEMS, np.nan), ((),) * N_ITEMS),
            history or Interactions.of(np.array([0]), np.array([5]), None, np.array([9]), n_users=3, n_items=N_ITEMS),
            1,
            past=past or Past(),
            offers=offers,
        )
        pages = {}

        class Ledger:
            def write(self, record, **_):
                for agent, items in zip(record.sessions.agents, record.turns[0].turn.page.items, strict=True):
                    pages[record.sessions.day, int(agent)] = items.tolist()

            def flush(self):
                pass

        asyncio.run(live_together([arm], Schedule(days, 2, 1, 1.0), Ledger(), lambda _: None, interventions=changes))
        return pages, arm

    return lived


def test_what_is_sold_out_is_shown_to_nobody_from_the_next_day_on(browse):
    pages, _ = browse(stocked((0, 0, 9, 4), (1, 0, 9, np.nan), (2, 0, 9, 0)))
    assert pages[0, 0] == pages[0, 2] == [0, 1], "item 2 was never there"
    assert pages[1, 2] == [1, 3], "four units of item 0 were sold, and its stock was four"
    assert pages[1, 0] == [1, 3]
    assert pages[2, 2] == [1, 3], "nobody counts item 1"


def test_what_is_left_stays_and_two_may_buy_the_last_unit_on_one_day(browse):
    pages, _ = browse(stocked((0, 0, 9, 5)))
    assert pages[1, 2] == [0, 1]
    both, _ = browse(stocked((0, 0, 9, 1)))
    assert both[0, 0] == both[0, 1] == [0, 1]
    assert both[1, 2] == [1, 2]


class Withdraws:
    """Item 0 on the second day; it is back on the third."""

    def begin_day(self, day, arms):
        if day:
            arms[0].offer(np.array([0], dtype=np.int32), offered=day == 2)
        return []

    def next_swap(self, arm, day, otherwise):
        assert (arm, otherwise) == ("only", 3)
        assert day in range(3)
        return otherwise


def test_what_is_withdrawn_is_shown_to_nobody_until_it_is_back(browse):
    pages, _ = browse(None, buyers=0, changes=Withdraws())
    assert [pages[day, 2] for day in range(3)] == [[0, 1], [1, 2], [0, 1]]
    pages, _ = browse(stocked((1, 0, 9, 0)), buyers=0, changes=Withdraws())
    assert [pages[day, 2] for day in range(3)] == [[0, 2], [2, 3], [0, 2]], "item 1 is sold out all the time"


class Waits(AsyncRecommender):
    def fit(self, interactions, catalog):
        pass

    async def rank(self, request):
        return Ranking.deterministic(np.zeros((len(request), 0), dtype=np.int32), np.zeros((len(request), 0)))


def test_a_recommender_that_waits_takes_its_arm_back_into_this_process(browse):
    class Elsewhere:
        def over(self, name):
            told.append(name)

    _, arm = browse(None, buyers=0)
    told, arm.engine = [], Elsewhere()
    arm.swap(arm.recommender)
    assert told == []
    arm.swap(Waits())
    assert told == ["only"]
    assert arm.engine is IN_PROCESS


def test_a_swapped_recommender_hears_of_interactions_once_it_is_fitted(browse):
    class Fitted(Waits):
        def __init__(self):
            self.heard = 0

        def observe(self, interactions):
            self.heard += len(interactions)

    _, arm = browse(None, buyers=0)
    clicks = [Interactions.of(np.array([1]), np.array([2]), None, np.array([10]), n_users=3, n_items=N_ITEMS)]
    arm.swap(Fitted())
    arm.learn_from(clicks)
    assert arm.recommender.heard == 0
    arm.fit()
    arm.learn_from(clicks)
    assert arm.recommender.heard == 1


def test_an_arm_that_stops_is_over_for_its_engine_too(browse):
    class Elsewhere:
        def over(self, name):
            told.append(name)

    _, arm = browse(None, buyers=0)
    told, arm.engine = [], Elsewhere()
    arm.stop()
    assert told == ["only"]


def test_a_new_period_brings_new_stock(browse):
    pages, _ = browse(stocked((0, 0, 1, 4), (0, 2, 9, 4)))
    assert [pages[day, 2][0] for day in range(3)] == [0, 1, 0]


def test_without_purchases_nothing_is_taken_off(browse):
    pages, _ = browse(stocked((0, 0, 9, 1)), buyers=0)
    assert [pages[day, 2] for day in range(3)] == [[0, 1]] * 3


def test_cohorts_of_one_and_of_all_leave_the_same(browse):
    offers = stocked((0, 0, 9, 4), (1, 0, 9, 3))
    assert browse(offers, size=1)[0] == browse(offers)[0]


def test_a_resumed_arm_knows_what_its_log_has_sold(browse):
    offers = stocked((0, 0, 9, 4))
    whole, arm = browse(offers)
    agents, items = np.array([0, 1]), np.array([0, 0], dtype=np.int32)
    day = PastDay(0, np.arange(3), agents, items, np.full(2, np.nan), units=np.full(2, 2.0))
    half = PastDay(0, np.arange(1), agents[:1], items[:1], np.full(1, np.nan), units=np.full(1, 2.0))
    for past in (day, half):
        resumed, again = browse(offers, past=Past((past,)))
        assert {key: items for key, items in whole.items() if key[0]} == {k: i for k, i in resumed.items() if k[0]}
        assert again.history.fingerprint == arm.history.fingerprint


def test_simulated_purchases_are_purchases_of_so_many_units_where_the_history_tells(browse):
    plain = Interactions.of(np.array([0]), np.array([5]), None, np.array([9]), n_users=3, n_items=N_ITEMS)
    told = Interactions.of(
        np.array([0]),
        np.array([5]),
        None,
        np.array([9]),
        n_users=3,
        n_items=N_ITEMS,
        kinds=np.array([KINDS.index("purchase")]),
        weights=np.array([7.0]),
    )
    _, arm = browse(None, days=1, history=told)
    assert arm.history.weights.tolist() == [7, 2, 2]
    assert {KINDS[kind] for kind in arm.history.kinds} == {"purchase"}
    _, arm = browse(None, days=1, history=plain)
    assert arm.history.kinds is None
    assert arm.history.weights is None


@given(st.permutations([(0, 0.1), (0, 0.2), (0, 0.3), (1, 1.0), (1, 1e-9)]))
def test_the_order_in_which_purchases_are_named_changes_nothing(sold):
    def left(parts):
        shelf = Shelf(stocked((0, 0, 9, 4), (1, 0, 9, 4)), 0)
        items, units = (np.array(column) for column in zip(*parts, strict=True))
        shelf.take_off(0, [(items[:2].astype(np.int32), units[:2]), (items[2:].astype(np.int32), units[2:])])
        return shelf.on(1).stock[:2].tolist()

    assert left(sold) == left(sorted(sold))


def test_hidden_items_join_what_was_seen():
    seen = sp.csr_array(np.array([[1.0, 0, 0], [0, 0, 1.0]]))
    assert (without(seen, np.array([True, True, False])).toarray() > 0).tolist() == [[True, True, False], [True] * 3]
    assert without(seen, np.zeros(3, dtype=bool)) is seen


def test_cohorts_are_smaller_where_much_is_sold_out():
    nothing = np.full(100_000, np.nan)
    day = DayOffers(nothing, np.zeros(100_000, dtype=bool), np.zeros(100_000))
    assert largest_cohort(4096, None) == 4096
    assert largest_cohort(4096, day.sold_out) == 200
