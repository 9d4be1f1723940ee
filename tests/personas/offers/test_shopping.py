"""From opening to paying: rates, levels and quantities."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.actions import LegalActions
from groundlings.environments.datasets.toy_offers import make_offers
from groundlings.environments.decision import checked
from groundlings.environments.feed import feed_schema
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.offers import PRICE, PROMOTED, STOCK, DayOffers
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.personas.mind import Situation
from groundlings.personas.minds.behavioural import BehaviouralMind, BehaviouralOptions
from groundlings.personas.offers.options import ShoppingOptions
from groundlings.personas.offers.quantities import Quantities
from groundlings.personas.offers.shopping import ADD_RATE, PURCHASE_RATE, Shopping

SHOP = feed_schema((), ("click", "add_to_cart", "purchase", "quantity"))
FEED = feed_schema(())


def history_of(rows: list[tuple[int, int, str, float]]) -> Interactions:
    """User, item, kind and weight of each row."""
    users, items, kinds, weights = (list(column) for column in zip(*rows, strict=True))
    return Interactions.of(
        np.array(users),
        np.array(items),
        None,
        np.arange(len(rows)),
        n_users=90,
        n_items=60,
        kinds=np.array([KINDS.index(kind) for kind in kinds]),
        weights=np.array(weights, dtype=float),
    )


def decide(mind, items, schema=SHOP, further=None, days=1):
    """What ninety agents do with the same slate, checked, over some days."""
    agents = np.arange(90)
    found = []
    for day in range(days):
        page = Page(1, 0, np.tile(np.asarray(items, dtype=np.int32), (90, 1)), further or {})
        legal = LegalActions(schema, {"next_page": np.ones(90, dtype=bool)})
        sessions = Sessions(agents, agents, day, Draws.for_sessions(5, agents, day))
        decision = asyncio.run(mind.decide(Situation(sessions, page, legal, agents)))
        assert not checked(decision, page, legal).illegal, "each step follows the one before it"
        found.append(decision)
    return {name: np.concatenate([each[name] for each in found]) for name in schema.names}


@pytest.fixture(scope="module")
def make_mind(toy_population, toy_taste):
    def make(train=None, offers=None, **options):
        population = toy_population if train is None else replace(toy_population, train=train)
        return BehaviouralMind(population, toy_taste, BehaviouralOptions(**options), offers=offers)

    return make


def test_purchases_have_the_level_that_clicks_would_have_and_opening_is_likelier(make_mind):
    options = {"examination_exponent": 0.0, "random_click_rate": 0.1}
    slate = np.arange(40)
    alone = decide(make_mind(**options), slate, FEED, days=12)["click"].mean()
    done = decide(make_mind(**options), slate, days=12)
    assert done["purchase"].mean() == pytest.approx(alone, rel=0.06)
    assert done["click"].mean() > 1.5 * alone
    assert done["purchase"].sum() < 0.95 * done["add_to_cart"].sum(), "some carts are abandoned"


def test_the_chance_of_a_purchase_is_that_of_a_click_where_nothing_lies_between(make_mind):
    agents = np.arange(90)
    page = Page(1, 0, np.tile(np.arange(12, dtype=np.int32), (90, 1)))
    sessions = Sessions(agents, agents, 0, Draws.for_sessions(5, agents, 0))
    traces = {}
    for name, schema in (("shop", SHOP), ("feed", FEED)):
        legal = LegalActions(schema, {"next_page": np.ones(90, dtype=bool)})
        traces[name] = asyncio.run(make_mind().decide(Situation(sessions, page, legal, agents))).trace
    np.testing.assert_allclose(traces["shop"].purchase_chance, traces["feed"].probability("click"), rtol=1e-9)
    assert traces["feed"].purchase_chance is None, "nothing is sold there"
    some = np.array([3, 7])
    assert np.array_equal(traces["shop"].take(some).purchase_chance, traces["shop"].purchase_chance[some])


def test_rates_of_one_leave_nothing_between_opening_and_paying(make_mind):
    certain = ShoppingOptions(add_rate=1, purchase_rate=1)
    plain = decide(make_mind(random_click_rate=0.2), np.arange(9), FEED)["click"]
    done = decide(make_mind(random_click_rate=0.2, shopping=certain), np.arange(9))
    for action in ("click", "add_to_cart", "purchase"):
        assert np.array_equal(done[action], plain), action


def test_rates_are_those_of_rare_purchases():
    shopping = Shopping(ShoppingOptions(add_rate=0.4, purchase_rate=0.25), history_of([(0, 0, "purchase", 1)]))
    wanted = np.array([1e-6, 0.3, 1.0, 0.0])
    opening = shopping.opening(SHOP, wanted)
    np.testing.assert_allclose(opening, wanted * 10 / (1 + 9 * wanted), atol=1e-12)
    assert np.array_equal(shopping.opening(FEED, wanted), wanted), "a site that sells nothing is what it was"


def test_kinds_that_are_told_apart_give_the_rates_and_the_level_of_opening():
    rows = [(user, item, "view", np.nan) for user in range(10) for item in range(10)]
    rows += [(user, item, "add_to_cart", np.nan) for user in range(10) for item in range(4)]
    rows += [(user, item, "purchase", 1) for user in range(10) for item in range(3)]
    shopping = Shopping(ShoppingOptions(), history_of(rows))
    add, buy = shopping.rates(SHOP)
    assert (add.value, buy.value, add.origin) == (0.4, 0.75, "the training history")
    assert add.standard_error == pytest.approx(np.sqrt(0.4 * 0.6 / 100))
    wanted = np.array([0.1, 0.5])
    assert np.array_equal(shopping.opening(SHOP, wanted), wanted)
    _, direct = shopping.rates(feed_schema((), ("click", "purchase")))
    assert direct.value == 0.3, "without a cart, of what was opened"


def test_a_history_without_kinds_leaves_presets_that_say_so():
    plain = replace(history_of([(0, 0, "purchase", 1)]), kinds=None)
    add, buy = Shopping(ShoppingOptions(), plain).rates(SHOP)
    assert (add.value, buy.value) == (ADD_RATE, PURCHASE_RATE)
    assert add.origin == "a preset"
    assert "chosen" in add.source


def test_quantities_are_those_of_the_user_then_of_the_item_then_of_all():
    rows = [(0, 0, "purchase", weight) for weight in (2, 2, 2)]
    rows += [(1, 0, "purchase", 8), (1, 1, "purchase", 5), (2, 1, "view", 70), (2, 1, "purchase", np.nan)]
    quantities = Quantities(history_of(rows))
    uniform = np.linspace(0, 0.999, 50)

    def drawn(user, item):
        return set(quantities.draw(np.full(50, user), np.full(50, item), uniform).tolist())

    assert len(quantities) == 5, "a view has no quantity, and an unknown one is not 0"
    assert drawn(0, 0) == {2}
    assert drawn(1, 0) == {2, 8}
    assert drawn(2, 1) == {2, 5, 8}
    assert set(Quantities(replace(history_of(rows), weights=None)).draw(*(np.zeros(3, int),) * 2, np.zeros(3))) == {1}


def test_nobody_takes_more_than_there_is(make_mind, toy_population):
    train = replace(toy_population.train, weights=np.full(len(toy_population.train), 6.0))
    stock = np.tile([2.0, np.nan, 40.0], (90, 1))
    further = {PRICE: np.full((90, 3), np.nan), PROMOTED: np.zeros((90, 3), bool), STOCK: stock}
    units = decide(make_mind(train, random_click_rate=0.5), [3, 4, 5], further=further, days=3)["quantity"]
    assert [set(units[~np.isnan(units[:, slot]), slot]) for slot in range(3)] == [{2}, {6}, {6}]


def test_a_lower_price_and_a_promotion_sell_more_and_unknown_prices_change_nothing(make_mind, toy_population):
    offers, _ = make_offers(np.random.default_rng(0), 60, np.array([1_577_836_800]))
    options = {"random_click_rate": 0.1, "examination_exponent": 0.0}
    mind = make_mind(offers=offers, **options)
    usual = offers.usual_prices(offers.opening(toy_population.train.next_second))

    def bought(prices, *, promoted):
        day = DayOffers(prices, np.full(60, promoted), np.full(60, np.nan))
        slate = np.arange(40)
        page = day.on_page(np.tile(slate.astype(np.int32), (90, 1)))
        return decide(mind, slate, further=page, days=4)["purchase"].mean()

    plain = bought(usual, promoted=False)
    assert bought(usual * 0.7, promoted=False) > 1.3 * plain
    assert bought(usual * 1.4, promoted=False) < 0.8 * plain
    assert bought(usual, promoted=True) > 1.2 * plain
    assert bought(np.full(60, np.nan), promoted=False) == plain
    assert decide(make_mind(**options), np.arange(40), days=4)["purchase"].mean() == plain


def test_earlier_stages_that_are_no_interactions_give_the_rates_and_leave_the_level_to_purchases():
    views = history_of([(user, item, "view", np.nan) for user in range(10) for item in range(10)])
    carts = history_of([(user, item, "add_to_cart", np.nan) for user in range(10) for item in range(4)])
    bought = history_of([(user, item, "purchase", 1) for user in range(10) for item in range(3)])
    shopping = Shopping(ShoppingOptions(), bought, views.joined(carts))
    assert [figure.value for figure in shopping.rates(SHOP)] == [0.4, 0.75]
    assert shopping.opening(SHOP, np.array([0.01]))[0] == pytest.approx(0.01 / 0.3 / (1 + 0.01 * (1 / 0.3 - 1)))
