"""What prices and promotions do to the log-odds of opening an item.

    price * log(P / U) + category_price * log(U / C) + promoted * D

Log-odds per log of a price are an elasticity of demand where purchases are rare: P(buy) changes by the coefficient
times 1 - P(buy) per cent for each per cent of the price, and quantities do not change.

P is today's price, U the item's own usual price (the median over the days before the simulation), C the median usual
price of its category (the first genre), and D whether it is promoted. What is unknown adds nothing: an item without a
known price is chosen as if it cost what it usually does. Each logarithm is held within `_FURTHEST`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.environments.offers import PRICE, PROMOTED, Offers
from groundlings.environments.page import Page
from groundlings.personas.offers.estimation import Estimate, estimated
from groundlings.personas.offers.options import OfferOptions

FILE, HISTORY, PRESET = "the experiment file", "the training history", "a preset"
"""Where a figure comes from; the words of `groundlings.personas.minds.browsing_parameters`."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and where it comes from.

    Attributes:
        value: The figure.
        standard_error: Of an estimate; None where it was stated or is a preset.
        origin: `FILE`, `HISTORY` or `PRESET`.
        source: What it was estimated on, or who says so; why it could not be estimated.
    """

    value: float
    standard_error: float | None
    origin: str
    source: str

    def describe(self) -> dict[str, Any]:
        """Plain JSON values, for manifests."""
        return {
            "value": self.value,
            "standard_error": self.standard_error,
            "origin": self.origin,
            "source": self.source,
        }


PRESETS: Final[Mapping[str, tuple[float, str]]] = {
    "price": (
        -2.62,
        "mean of 1,851 price elasticities of 81 studies (Bijmolt, van Heerde and Pieters 2005, Journal of Marketing "
        "Research 42); an elasticity is this coefficient times 1 - P(buy), so the two are alike for rare purchases",
    ),
    "category_price": (0.0, "not identified: between items a price goes with quality"),
    "promoted": (
        0.56,
        "displays and mailers of the Complete Journey: 0.56 with a standard error of 0.02, within 2,191 products",
    ),
}

_FURTHEST = 3.0
"""Of a logarithm of prices: a twentieth to twenty times."""


class OfferEffects:
    """The effects of offers for one catalog.

    Args:
        options: What the experiment file states.
        offers: The table of offers.
        catalog: For categories.
        train: The history, for what can be estimated.
    """

    def __init__(self, options: OfferOptions, offers: Offers, catalog: Catalog, train: Interactions) -> None:
        found = estimated(offers, train) if options.price is None or options.promoted is None else {}
        self.figures = {name: _figure(name, getattr(options, name), found.get(name)) for name in PRESETS}
        usual = offers.usual_prices(offers.opening(train.next_second))
        self._usual = usual
        self._beyond = _beyond_category(usual, catalog)

    def log_odds(self, page: Page) -> FloatArray | float:
        """What offers add to the log-odds of opening each slot, shape (n_sessions, n_slots); 0 without offers."""
        prices = page.further.get(PRICE)
        if prices is None:
            return 0.0
        items = np.where(page.shown, page.items, 0)
        total = self.figures["price"].value * _log_ratio(prices, self._usual[items])
        total += self.figures["category_price"].value * self._beyond[items]
        total += self.figures["promoted"].value * page.further[PROMOTED]
        return total

    def describe(self) -> dict[str, Any]:
        """Plain JSON values, for manifests."""
        return {name: figure.describe() for name, figure in self.figures.items()}


def _figure(name: str, stated: float | None, found: Estimate | None) -> Figure:
    if stated is not None:
        return Figure(stated, None, FILE, "stated")
    value, source = PRESETS[name]
    if found is None:
        return Figure(value, None, PRESET, source)
    if found.value is None:
        return Figure(value, None, PRESET, f"{source}; not estimated: {found.note}")
    return Figure(found.value, found.standard_error, HISTORY, found.note)


def _log_ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """log(above / below) within bounds, 0 where either is unknown or free."""
    known = (above > 0) & (below > 0)
    ratio = np.divide(above, below, out=np.ones(above.shape), where=known)
    return np.clip(np.log(ratio), -_FURTHEST, _FURTHEST)


def _beyond_category(usual: FloatArray, catalog: Catalog) -> FloatArray:
    """log(usual price / median of the category), shape (n_items,), 0 where either is unknown."""
    names = {name: number for number, name in enumerate(catalog.genre_names)}
    category = np.array([names[genres[0]] if genres else -1 for genres in catalog.genres])
    medians = np.full(len(usual), np.nan)
    for number in range(len(names)):
        there = category == number
        priced = usual[there & ~np.isnan(usual)]
        if len(priced):
            medians[there] = np.median(priced)
    return _log_ratio(usual, medians)
