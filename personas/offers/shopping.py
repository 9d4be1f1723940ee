"""From opening an item to paying for it: who puts it into the cart, who buys, and how many units.

Where views and clicks count as interactions, P(open) has the level of what people opened, and each further step is
taken with one probability:

    P(add | opened) = add_rate,   P(purchase | in the cart) = purchase_rate

Elsewhere interactions are purchases, or taken for such, so what the mind computes is P(buy | examined) = p. Opening is
then likelier by the odds 1 / (add_rate * purchase_rate), and the steps after it lead back to p exactly:

    P(open) = logistic(logit(p) - log(add_rate * purchase_rate)),   P(purchase | opened) = p / P(open)

and the logarithm of the latter is shared between cart and purchase as the logarithms of the two rates are. For rare
purchases these are the rates themselves; who would buy for certain abandons no cart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit, logit

from groundlings.environments.actions import ActionSchema
from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.environments.decision import Decision
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.offers import STOCK
from groundlings.environments.shop_actions import ADD_TO_CART, PURCHASE, QUANTITY
from groundlings.personas.mind import Situation
from groundlings.personas.offers.effects import FILE, HISTORY, PRESET, Figure
from groundlings.personas.offers.options import ShoppingOptions
from groundlings.personas.offers.quantities import Quantities

ADD_RATE, PURCHASE_RATE = 0.5, 0.7
"""Chosen, not estimated: half of what is opened goes into the cart, and a good two thirds of that are bought."""

_FEWEST_PAIRS = 30


class Shopping:
    """What happens after a click.

    Args:
        options: What the experiment file states.
        history: The training part: kinds of interactions for the rates, weights for quantities.
        beside: Earlier stages that are no interactions, such as views (`Population.beside`); for the rates.
        actions: Those that something else decides; they are left alone.
    """

    def __init__(
        self,
        options: ShoppingOptions,
        history: Interactions,
        beside: Interactions | None = None,
        actions: frozenset[str] = frozenset(),
    ) -> None:
        self._options = options
        self._history = history
        self._told = history if beside is None else history.joined(beside)
        self._others = actions
        self._opens_known = bool(_of_kind(history, "view", "click").any())
        self._rates: dict[tuple[bool, bool], tuple[Figure, Figure]] = {}
        self._quantities: Quantities | None = None

    def opening(self, schema: ActionSchema, wanted: FloatArray) -> FloatArray:
        """P(open | examined), from what the mind computes; the same shape."""
        if self._opens_known or PURCHASE not in schema:
            return wanted
        chance = self._chance(schema)
        if chance == 1:
            return wanted
        return np.asarray(expit(logit(wanted) - np.log(chance)))

    def after(self, situation: Situation, decision: Decision, wanted: FloatArray, opening: FloatArray) -> Decision:
        """The decision with what is put into the cart, bought, and how many units.

        Args:
            situation: The page.
            decision: What is opened.
            wanted, opening: What the mind computes, and P(open | examined) as made from it, shape of the page.
        """
        schema = situation.legal.schema
        steps = [name for name in (ADD_TO_CART, PURCHASE) if name in schema and name not in self._others]
        if not steps:
            return decision
        done, items = decision["click"], situation.page.items
        certain = _really_met(decision)
        taken: dict[str, Any] = {}
        reached = decision.trace.probability("click")
        for name, chance in zip((ADD_TO_CART, PURCHASE), self._steps(schema, wanted, opening), strict=True):
            if name in steps:
                likely = np.where(certain, 1.0, chance)
                done = taken[name] = done & (situation.sessions.draws.uniform(name, items) < likely)
                reached = None if reached is None else reached * likely
            elif name in schema:
                reached = None  # something else decides about this step
        if QUANTITY in schema and QUANTITY not in self._others and PURCHASE in steps:
            taken[QUANTITY] = self._units(situation, done)
        if PURCHASE in steps:
            decision = replace(decision, trace=replace(decision.trace, purchase_chance=reached))
        return decision.taking(**taken)

    def rates(self, schema: ActionSchema) -> tuple[Figure, Figure]:
        """P(add | opened) and P(purchase | in the cart); a step that the site does not have is certain."""
        key = (ADD_TO_CART in schema, PURCHASE in schema)
        if key not in self._rates:
            self._rates[key] = self._settled(*key)
        return self._rates[key]

    def describe(self) -> dict[str, Any]:
        """Plain JSON values, for manifests: the rates of a site that has carts and purchases."""
        add, buy = self._settled(cart=True, sells=True)
        return {"add_rate": add.describe(), "purchase_rate": buy.describe()}

    def _settled(self, cart: bool, sells: bool) -> tuple[Figure, Figure]:
        certain = Figure(1.0, None, PRESET, "the site has no such step")
        opens_told = bool(_of_kind(self._told, "view", "click").any())
        opened = _pairs(self._told, "view", "click", "add_to_cart", "purchase")
        in_cart, bought = _pairs(self._told, "add_to_cart", "purchase"), _pairs(self._told, "purchase")
        carts_known = bool(_of_kind(self._told, "add_to_cart").any())
        add = _rate(self._options.add_rate, in_cart, opened, opens_told and carts_known, ADD_RATE, "views and carts")
        told = carts_known if cart else opens_told
        buy = _rate(
            self._options.purchase_rate, bought, in_cart if cart else opened, told, PURCHASE_RATE, "carts and purchases"
        )
        return (add if cart else certain), (buy if sells else certain)

    def _chance(self, schema: ActionSchema) -> float:
        add, buy = self.rates(schema)
        return add.value * buy.value

    def _steps(
        self, schema: ActionSchema, wanted: FloatArray, opening: FloatArray
    ) -> tuple[FloatArray | float, FloatArray | float]:
        """P(add | opened) and P(purchase | in the cart)."""
        add, buy = (figure.value for figure in self.rates(schema))
        if self._opens_known or PURCHASE not in schema or add * buy == 1:
            return add, buy
        kept = np.divide(wanted, opening, out=np.ones(wanted.shape), where=opening > 0)
        share = np.log(add) / (np.log(add) + np.log(buy))
        return kept**share, kept ** (1 - share)

    def _units(self, situation: Situation, bought: BoolArray) -> FloatArray:
        """Units of what was bought, at most what is in stock; NaN elsewhere, shape of the page."""
        if self._quantities is None:
            self._quantities = Quantities(self._history)
        sessions, page = situation.sessions, situation.page
        units = np.full(page.items.shape, np.nan)
        rows, slots = np.nonzero(bought)
        if not len(rows):
            return units
        items = page.items[rows, slots].astype(np.int64)
        drawn = self._quantities.draw(sessions.users[rows], items, sessions.draws.take(rows).uniform(QUANTITY, items))
        stock = page.further.get(STOCK)
        if stock is not None:
            left = stock[rows, slots]
            drawn = np.where(np.isnan(left), drawn, np.maximum(1.0, np.minimum(drawn, left)))
        units[rows, slots] = drawn
        return units


def _of_kind(history: Interactions, *kinds: str) -> BoolArray:
    """Rows of one of some kinds, shape (n,)."""
    if history.kinds is None:
        return np.zeros(len(history), dtype=np.bool_)
    return np.isin(history.kinds, [KINDS.index(kind) for kind in kinds])


def _pairs(history: Interactions, *kinds: str) -> int:
    """Pairs of a user and an item that have a row of one of some kinds."""
    rows = _of_kind(history, *kinds)
    return len(np.unique(history.users[rows] * history.n_items + history.items[rows]))


def _rate(stated: float | None, part: int, whole: int, told: bool, preset: float, needed: str) -> Figure:
    if stated is not None:
        return Figure(stated, None, FILE, "stated")
    if not told or whole < _FEWEST_PAIRS or not part:
        return Figure(preset, None, PRESET, f"chosen; the history does not tell {needed} apart")
    share = part / whole
    error = float(np.sqrt(share * (1 - share) / whole))
    return Figure(share, error, HISTORY, f"{part:,} of {whole:,} pairs of a user and an item")


def _really_met(decision: Decision) -> BoolArray:
    """Where grounded replay decided, in the shape of the page: what was really bought is bought."""
    met = np.zeros(decision["click"].shape, dtype=np.bool_)
    for remark in decision.trace.remarks:
        if remark.kind == "grounded":
            met[remark.row, remark.position] = True
    return met
