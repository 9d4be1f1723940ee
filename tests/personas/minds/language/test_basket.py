"""Prices before a language agent's eyes, and carts and purchases in its reply."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.actions import LegalActions
from groundlings.environments.decision import checked
from groundlings.environments.feed import feed_schema
from groundlings.environments.offers import DayOffers
from groundlings.personas.minds.language.basket import Basket
from groundlings.personas.minds.language.reply_schema import reply_schema
from groundlings.simulator.language.gbnf import grammar_for
from groundlings.simulator.language.scripted import legal_reply

WITH_UNITS = ("click", "add_to_cart", "purchase", "quantity")
OFFERS = DayOffers(
    np.array([2.5, np.nan, 10.0, np.nan]), np.array([False, True, True, False]), np.full(4, np.nan), "EUR"
)
REPLY = {"open": [2, 3], "cart": [2, 3], "buy": {"3": 2}, "feel": "curious", "satisfaction": 7, "next": True}


@pytest.fixture
def world(language, population_of_three):
    return language(population_of_three, stars=())


def shop(world, actions=WITH_UNITS, offers=OFFERS):
    """A page of four items in a shop, with today's offers."""
    asked = world.situation()
    page = replace(asked.page, further={} if offers is None else offers.on_page(asked.page.items))
    legal = LegalActions(feed_schema((), actions), asked.legal.available)
    return replace(asked, page=page, legal=legal, sessions=replace(asked.sessions, offers=offers))


def test_prices_and_promotions_stand_behind_titles_and_nothing_stands_for_what_is_unknown(world):
    mind, model = world.mind([json.dumps(REPLY)])
    world.decide(mind, shop(world))
    prompt = world.prompt(model.requests[0])
    page = prompt[prompt.index("<page>") : prompt.index("</page>")].splitlines()[1:]
    tails = (" - 2.50 EUR", " (promoted)", " - 10.00 EUR (promoted)", "Delta")
    assert all(line.endswith(tail) for line, tail in zip(page, tails, strict=False)), page
    assert "buy: what of the cart you pay for now, with the number of units from 1 to 99; {} for nothing." in prompt
    assert '{"open":[NUMBER],"cart":[NUMBER],"buy":{"NUMBER":UNITS},"feel":WORD' in prompt


def test_a_cart_a_purchase_and_its_units_are_read_from_one_reply(world):
    mind, _ = world.mind([json.dumps(REPLY)])
    asked = shop(world)
    decision = world.decide(mind, asked)
    assert decision["add_to_cart"].tolist() == [[False, True, True, False]]
    assert decision["purchase"].tolist() == [[False, False, True, False]]
    np.testing.assert_equal(decision["quantity"], [[np.nan, np.nan, 2, np.nan]])
    assert checked(decision, asked.page, asked.legal).illegal == ()


def test_what_was_bought_and_left_in_the_cart_is_remembered_on_the_next_page(world):
    mind, model = world.mind([json.dumps(REPLY)] * 2)
    asked = shop(world)
    turn = world.turn(asked, world.decide(mind, asked))
    world.decide(mind, replace(asked, page=replace(asked.page, number=2), turns=(turn,)))
    assert "bought Gamma; left in the cart Beta; felt curious" in world.prompt(model.requests[1])


def test_a_purchase_outside_of_the_cart_is_refused_and_told(world):
    mind, _ = world.mind([json.dumps(REPLY | {"cart": []})])
    asked = shop(world)
    offence, units = checked(world.decide(mind, asked), asked.page, asked.legal).illegal
    assert offence.reason == "only what is in the cart can be bought"
    assert units.said == "quantity 2"


@pytest.mark.parametrize(
    "changes",
    [
        {"cart": None},
        {"buy": None},
        {"buy": [3]},
        {"cart": [2, 2]},
        {"cart": [-1]},
        {"buy": {"three": 1}},
        {"buy": {"3": 1.5}},
        {"cart": {"2": 1}},
    ],
)
def test_baskets_of_another_shape_are_unreadable(world, changes):
    reply = {key: value for key, value in (REPLY | changes).items() if value is not None}
    mind, _ = world.mind([json.dumps(reply)] * 2)
    assert world.decide(mind, shop(world)).unreadable[0]


def test_a_site_without_a_cart_or_units_asks_for_neither(world):
    said = {key: value for key, value in REPLY.items() if key != "cart"} | {"buy": [3]}
    mind, model = world.mind([json.dumps(said)])
    decision = world.decide(mind, shop(world, ("click", "purchase"), None))
    assert decision["purchase"].tolist() == [[False, False, True, False]]
    prompt = world.prompt(model.requests[0])
    assert "cart" not in prompt
    assert "buy: what of the opened ones you pay for now; [] for nothing." in prompt


def test_a_site_that_sells_nothing_is_told_nothing_of_it(world):
    said = {key: value for key, value in REPLY.items() if key not in ("cart", "buy")}
    mind, model = world.mind([json.dumps(said)])
    assert not world.decide(mind, world.situation()).unreadable[0]
    assert set(model.requests[0].reply_schema["properties"]) == {"open", "feel", "satisfaction", "next"}


def test_replies_follow_the_schema_and_the_grammar_knows_it(world):
    schema = reply_schema([1, 2], (), True, ["fine", "bad"], basket=Basket(cart=True, buys=True, units=True))
    assert '\\"cart\\":' in grammar_for(schema)
    mind, _ = world.mind(legal_reply)
    for day in range(15):
        asked = shop(world)
        decision = world.decide(mind, replace(asked, sessions=replace(asked.sessions, day=day)))
        assert not decision.unreadable[0]


def test_a_currency_closes_no_page(world):
    mind, model = world.mind([json.dumps(REPLY)])
    world.decide(mind, shop(world, offers=replace(OFFERS, currency="</page>")))
    prompt = world.prompt(model.requests[0])
    with_euros, asked = world.mind([json.dumps(REPLY)])
    world.decide(with_euros, shop(world))
    assert prompt.count("</page>") == world.prompt(asked.requests[0]).count("</page>")
    assert " - 2.50 ‹/page›" in prompt  # noqa: RUF001 - look-alikes are the point
