"""Price and promotion effects from a history whose effects are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.offers import PRICE, PROMOTED, Offers
from groundlings.environments.page import Page
from groundlings.personas.offers.effects import PRESETS, OfferEffects
from groundlings.personas.offers.estimation import estimated
from groundlings.personas.offers.options import OfferOptions

N_ITEMS, N_WEEKS, START = 120, 40, 17_000
PRICE_EFFECT, PROMOTED_EFFECT = -1.8, 0.7


@pytest.fixture(scope="module")
def world() -> tuple[Offers, Interactions]:
    """Weekly offers, and interactions that follow them: busier weeks, dearer items that sell more."""
    rng = np.random.default_rng(3)
    usual = np.exp(rng.normal(1, 0.6, N_ITEMS))
    ratio = np.where(rng.random((N_ITEMS, N_WEEKS)) < 0.3, rng.uniform(0.6, 0.9, (N_ITEMS, N_WEEKS)), 1.0)
    promoted = rng.random((N_ITEMS, N_WEEKS)) < np.where(ratio < 1, 0.6, 0.1)
    base = 0.8 * np.log(usual)[:, None] + rng.normal(0, 0.4, N_ITEMS)[:, None] + rng.normal(0, 0.5, N_WEEKS)
    rate = np.exp(base + PRICE_EFFECT * np.log(ratio) + PROMOTED_EFFECT * promoted)
    sold = rng.poisson(rate * 3)
    items, weeks = (np.repeat(index.ravel(), sold.ravel()) for index in np.indices(sold.shape))
    days = START + weeks * 7 + rng.integers(0, 7, len(weeks))
    users = rng.integers(0, 50, len(items))
    history = Interactions.of(users, items, None, days * 86_400 + 100, n_users=50, n_items=N_ITEMS)
    first = np.tile(START + 7 * np.arange(N_WEEKS), N_ITEMS)
    offers = Offers(
        np.repeat(np.arange(N_ITEMS, dtype=np.int32), N_WEEKS),
        first,
        first + 6,
        (usual[:, None] * ratio).ravel(),
        np.full(first.size, np.nan),
        promoted.ravel(),
        N_ITEMS,
    )
    return offers, history.chronological()


def catalog_of(n_items: int) -> Catalog:
    names = tuple(str(number) for number in range(n_items))
    return Catalog(names, names, np.full(n_items, np.nan), tuple((f"kind {n % 2}",) for n in range(n_items)))


def test_effects_within_items_are_found_with_their_errors(world):
    offers, history = world
    found = estimated(offers, history)
    for name, true in (("price", PRICE_EFFECT), ("promoted", PROMOTED_EFFECT)):
        error = found[name].standard_error
        assert 0.005 < error < 0.15, name
        assert abs(found[name].value - true) < 4 * error, name
        assert "120 items" in found[name].note


def test_interactions_of_other_kinds_than_purchases_count_for_nothing_where_purchases_are_told(world):
    offers, history = world
    rng = np.random.default_rng(1)
    views = replace(history, timestamps=rng.permutation(history.timestamps))
    kinds = np.repeat([KINDS.index("purchase"), KINDS.index("view")], len(history)).astype(np.int8)
    both = replace(history.joined(views), kinds=kinds)
    assert estimated(offers, both)["price"] == estimated(offers, history)["price"]


@pytest.mark.parametrize("lacking", ["dates of offers", "times", "changes", "enough items"])
def test_what_cannot_be_identified_stays_a_preset_and_says_why(world, lacking):
    offers, history = world
    if lacking == "dates of offers":
        offers = replace(offers, dated=False)
    elif lacking == "times":
        history = replace(history, timestamps=np.zeros_like(history.timestamps))
    elif lacking == "changes":
        offers = replace(offers, price=np.ones_like(offers.price), promoted=np.zeros_like(offers.promoted))
    else:
        offers = replace(offers, price=np.where(offers.items < 20, offers.price, np.nan))
    effects = OfferEffects(OfferOptions(), offers, catalog_of(N_ITEMS), history)
    for name, figure in effects.figures.items():
        assert (figure.value, figure.standard_error, figure.origin) == (PRESETS[name][0], None, "a preset")
    assert "not estimated: " in effects.figures["price"].source
    assert "not identified" in effects.figures["category_price"].source


def test_a_history_is_not_asked_what_the_file_states(world):
    offers, history = world
    stated = OfferOptions(price=-1.0, category_price=0.5, promoted=0.25)
    figures = OfferEffects(stated, offers, catalog_of(N_ITEMS), history).figures
    assert [figure.value for figure in figures.values()] == [-1.0, 0.5, 0.25]
    assert {figure.origin for figure in figures.values()} == {"the experiment file"}


def test_the_log_odds_are_the_sum_of_what_is_known():
    rows = [(0, 2.0, 0), (1, 8.0, 1), (2, 4.0, 0), (3, np.nan, 1)]
    items, prices, promoted = (np.array(column) for column in zip(*rows, strict=True))
    zeros = np.zeros(4, dtype=np.int64)
    offers = Offers(items.astype(np.int32), zeros, zeros + 9, prices, np.full(4, np.nan), promoted == 1, 4, dated=False)
    stated = OfferOptions(price=-2.0, category_price=0.5, promoted=0.3)
    nothing = Interactions.of(zeros[:1], zeros[:1], None, zeros[:1], n_users=1, n_items=4)
    effects = OfferEffects(stated, offers, catalog_of(4), nothing)
    shown = np.array([[0, 1, 2, 3]], dtype=np.int32)
    page = Page(1, 0, shown, {PRICE: np.array([[1.0, 8.0, np.nan, 5.0]]), PROMOTED: np.array([[0, 1, 0, 1]]) == 1})
    # Items 0 and 2 are of one kind (median 3), 1 and 3 of the other (median 8).
    wanted = [-2 * np.log(1 / 2) + 0.5 * np.log(2 / 3), 0.3, 0.5 * np.log(4 / 3), 0.3]
    np.testing.assert_allclose(effects.log_odds(page), [wanted])
    assert effects.log_odds(Page(1, 0, shown)) == 0
