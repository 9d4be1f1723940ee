"""Cart and purchase in a reply, and prices before an agent's eyes: what a shop adds to a page and to its answer.

    {"open":[2,5],"cart":[2],"buy":{"2":3},"feel":"content","satisfaction":7,"next":false}

`buy` holds numbers with units where the site records quantities, else a plain list of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.actions import Action, ActionSchema
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.offers import PRICE, PROMOTED
from groundlings.environments.page import Page
from groundlings.environments.shop_actions import ADD_TO_CART, PURCHASE, QUANTITY
from groundlings.personas.mind import PageTurn
from groundlings.personas.minds.language.text import one_line

MOST_TOLD_UNITS = 99
"""Units that a reply may name: nobody is asked for more."""

_TITLE_CHARACTERS, _NAMED = 36, 4


@dataclass(frozen=True, slots=True)
class Basket:
    """What a site asks of cart and purchase.

    Attributes:
        cart: Whether things can be put into a cart.
        buys: Whether they can be bought.
        units: Whether a purchase says how many.
    """

    cart: bool = False
    buys: bool = False
    units: bool = False

    @classmethod
    def of(cls, schema: ActionSchema) -> Basket:
        """What an environment's actions ask for."""
        return cls(ADD_TO_CART in schema, PURCHASE in schema, PURCHASE in schema and QUANTITY in schema)

    @property
    def form(self) -> str:
        """The part of the form of a reply that is about it, "" for none."""
        cart = '"cart":[NUMBER],' if self.cart else ""
        buy = '"buy":{"NUMBER":UNITS},' if self.units else '"buy":[NUMBER],'
        return cart + (buy if self.buys else "")

    @property
    def meaning(self) -> str:
        """What that part means, one line each."""
        lines = []
        if self.cart:
            lines.append("cart: those of the opened ones that you put into your cart; [] for none.")
        if self.buys:
            of = "of the cart" if self.cart else "of the opened ones"
            nothing = "{}" if self.units else "[]"
            how = f", with the number of units from 1 to {MOST_TOLD_UNITS}" if self.units else ""
            lines.append(f"buy: what {of} you pay for now{how}; {nothing} for nothing.")
        return "".join(f"\n{line}" for line in lines)

    def fields(self, slots: Sequence[int]) -> dict[str, Any]:
        """JSON Schema of `cart` and `buy`, of those that the site asks for."""
        numbers = {"type": "array", "items": {"enum": list(slots)}, "uniqueItems": True, "maxItems": len(slots)}
        units = {"type": "integer", "minimum": 1, "maximum": MOST_TOLD_UNITS}
        with_units = {
            "type": "object",
            "properties": {str(slot): units for slot in slots},
            "additionalProperties": False,
        }
        found: dict[str, Any] = {"cart": numbers} if self.cart else {}
        return found | ({"buy": with_units if self.units else numbers} if self.buys else {})

    def check(self, cart: list[int] | None, buy: Mapping[str, int] | list[int] | None) -> None:
        """Raise `UnreadableReply` where the reply has another form than the site asks for."""
        for name, said, asked in (("cart", cart, self.cart), ("buy", buy, self.buys)):
            if (said is not None) != asked:
                raise UnreadableReply(f"{name} is missing" if asked else f"{name}: was not asked for")
            if isinstance(said, list) and len(set(said)) < len(said):
                raise UnreadableReply(f"{name}: a slot is named twice")
        if self.units and not isinstance(buy, Mapping) and buy:
            raise UnreadableReply("buy: expected an object of slot number and units")
        if not self.units and isinstance(buy, Mapping):
            raise UnreadableReply("buy: expected a list of slot numbers")

    def actions(
        self,
        cart: list[int] | None,
        buy: Mapping[str, int] | list[int] | None,
        slot: Callable[[int | str], int],
    ) -> list[Action]:
        """What a reply does; `slot` gives the slot under which a number was shown."""
        told = [Action(ADD_TO_CART, slot(number)) for number in cart or ()]
        told += [Action(PURCHASE, slot(number)) for number in buy or ()]
        if isinstance(buy, Mapping):
            told += [Action(QUANTITY, slot(number), float(units)) for number, units in buy.items()]
        return told


def offer_words(page: Page, row: int, slot: int, currency: str) -> str:
    """What a slot costs and whether it is promoted, behind its title; "" where nothing is known."""
    prices = page.further.get(PRICE)
    if prices is None:
        return ""
    price, promoted = float(prices[row, slot]), bool(page.further[PROMOTED][row, slot])
    words = "" if np.isnan(price) else f" - {price:.2f}{f' {currency}' if currency else ''}"
    return words + (" (promoted)" if promoted else "")


def basket_words(turn: PageTurn, row: int, catalog: Catalog) -> list[str]:
    """What was put into the cart and left there, and what was bought, as an agent remembers a page."""
    cart, bought = turn.decision.get(ADD_TO_CART), turn.decision.get(PURCHASE)
    words = []
    if bought is not None and bought[row].any():
        words.append(f"bought {_titles(turn, row, bought[row], catalog)}")
    if cart is not None:
        left = cart[row] if bought is None else cart[row] & ~bought[row]
        if left.any():
            words.append(f"left in the cart {_titles(turn, row, left, catalog)}")
    return words


def _titles(turn: PageTurn, row: int, slots: np.ndarray[Any, np.dtype[np.bool_]], catalog: Catalog) -> str:
    items = turn.page.items[row, slots].tolist()
    named = ", ".join(one_line(catalog.titles[item], _TITLE_CHARACTERS) for item in items[:_NAMED])
    return named + (f" and {len(items) - _NAMED} more" if len(items) > _NAMED else "")
