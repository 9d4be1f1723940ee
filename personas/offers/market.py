"""Offers and shopping round a click model: what prices do to opening, and what follows a click."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from groundlings.environments.arrays import FloatArray
from groundlings.environments.decision import Decision
from groundlings.environments.offers import Offers
from groundlings.personas.mind import Situation
from groundlings.personas.minds.browsing_options import BrowsingOptions
from groundlings.personas.minds.click_model import Browsing
from groundlings.personas.offers.effects import OfferEffects
from groundlings.personas.offers.options import OfferOptions, ShoppingOptions
from groundlings.personas.offers.shopping import Shopping
from groundlings.personas.population import Population


class Market:
    """Turns log-odds of opening into decisions where there are offers, carts or purchases, and elsewhere too.

    Args:
        browsing: Decides about clicks, ratings and leaving.
        options: How agents browse; `offers` and `shopping` of it are read.
        population: For its catalog and training history.
        offers: Prices, stock and promotions by day; None where there are none.
        others: Actions that something else decides.
    """

    def __init__(
        self,
        browsing: Browsing,
        options: BrowsingOptions,
        population: Population,
        offers: Offers | None,
        others: frozenset[str] = frozenset(),
    ) -> None:
        self._browsing = browsing
        self._stated = options.shopping is not None
        self._shopping = Shopping(options.shopping or ShoppingOptions(), population.train, population.beside, others)
        self._effects: OfferEffects | None = None
        if offers is not None:
            self._effects = OfferEffects(options.offers or OfferOptions(), offers, population.catalog, population.train)

    def decide(self, situation: Situation, odds: FloatArray) -> Decision:
        """What a cohort does with its page.

        Args:
            situation: The page.
            odds: Log-odds of opening each slot that is looked at, at usual prices; the shape of the page.
        """
        if self._effects is not None:
            odds = odds + self._effects.log_odds(situation.page)
        wanted = np.asarray(expit(odds))
        opening = self._shopping.opening(situation.legal.schema, wanted)
        decision = self._browsing.decide(situation, opening)
        return self._shopping.after(situation, decision, wanted, opening)

    def describe(self) -> dict[str, Any]:
        """Plain JSON values, for manifests; {} where neither offers nor shopping play a part."""
        described: dict[str, Any] = {}
        if self._effects is not None:
            described["offers"] = self._effects.describe()
        if self._effects is not None or self._stated:
            described["shopping"] = self._shopping.describe()
        return described
