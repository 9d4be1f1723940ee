"""The actions of a shop: put into the cart, buy, how many, and what was paid; and the books that follow from them.

    click -> add_to_cart -> purchase -> quantity, paid, cost

Minds say what they put into the cart and buy, and how many units. What was paid and what the seller paid for it follow
from the prices on the page and the costs of the catalog: the environment adds them (`booked`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np

from groundlings.environments.actions import ActionSpec, Cells
from groundlings.environments.arrays import FloatArray
from groundlings.environments.decision import Decision
from groundlings.environments.errors import ConfigError
from groundlings.environments.offers import PRICE
from groundlings.environments.page import Page

FeedAction = Literal["click", "rate", "like", "add_to_cart", "purchase", "quantity", "paid", "cost"]
FEED_ACTION_NAMES: Final[tuple[FeedAction, ...]] = get_args(FeedAction)
"""What `site.actions` may name, in the order in which they happen."""

ADD_TO_CART, PURCHASE, QUANTITY, PAID, COST = "add_to_cart", "purchase", "quantity", "paid", "cost"

MOST_UNITS = 1e6
"""A purchase of more units is refused as a slip."""


def shop_specs(named: Sequence[FeedAction]) -> tuple[ActionSpec, ...]:
    """The actions of a shop among those that were named, in the order in which they happen."""
    in_cart = ADD_TO_CART if ADD_TO_CART in named else "click"
    specs = (
        ActionSpec(
            ADD_TO_CART,
            per="slot",
            needs="click",
            said="add to cart",
            refusals={"needs": "only an opened item can be put into the cart"},
        ),
        ActionSpec(
            PURCHASE,
            per="slot",
            needs=in_cart,
            refusals={
                "needs": "only what is in the cart can be bought"
                if in_cart == ADD_TO_CART
                else "only an opened item can be bought"
            },
        ),
        ActionSpec(
            QUANTITY, per="slot", kind="number", within=(1, MOST_UNITS), needs=PURCHASE, optional=True, said="quantity"
        ),
        ActionSpec(PAID, per="slot", kind="number", needs=PURCHASE, optional=True),
        ActionSpec(COST, per="slot", kind="number", needs=PURCHASE, optional=True),
    )
    return tuple(spec for spec in specs if spec.name in named)


def check_actions(named: Sequence[str], *, priced: bool, costed: bool, opinion: str | None) -> None:
    """Refuse actions that do not fit together, or that the data cannot fill.

    Args:
        named: As `site.actions` has them.
        priced: Whether any price is known.
        costed: Whether the cost of any item is known.
        opinion: The action by which people of the data set say what they think of an item: `rate`, `like` or None.

    Raises:
        ConfigError: In one sentence, what does not fit and what to do.
    """
    unknown = [name for name in named if name not in FEED_ACTION_NAMES]
    if unknown:
        raise ConfigError(
            f"site.actions: found {', '.join(unknown)}, expected some of {', '.join(FEED_ACTION_NAMES)}; next page and "
            "satisfaction are always there"
        )
    if len(set(named)) < len(named):
        raise ConfigError(f"site.actions: each action once, found {', '.join(named)}")
    for name in (QUANTITY, PAID, COST):
        if name in named and PURCHASE not in named:
            raise ConfigError(f"site.actions: {name} is said of a purchase; add purchase, or take {name} out")
    if "click" not in named:
        raise ConfigError("site.actions: click is missing; every other action of an item needs it, so add it")
    for name, what in (("rate", "ratings"), ("like", "likes and dislikes")):
        if name in named and opinion != name:
            raise ConfigError(f"site.actions: {name} needs {what}, and the data set has none; take {name} out")
    if PAID in named and not priced:
        raise ConfigError(
            "site.actions: paid needs prices, and the data set has none; add a table of offers with prices "
            "(dataset.own.offers, docs/shop.md), or take paid out"
        )
    if COST in named and not costed:
        raise ConfigError(
            "site.actions: cost needs the cost of items, and the catalog has none; name its column "
            "(dataset.own.items.cost), or take cost out"
        )


def booked(decision: Decision, page: Page, costs: FloatArray | None) -> Decision:
    """The decision with what follows from its purchases: units (1 where none were said), money paid, and cost.

    A price or cost that is unknown leaves `paid` or `cost` unsaid, never 0.

    Args:
        decision: After its check.
        page: What was shown; its prices are `page.further[PRICE]`.
        costs: The seller's cost per unit of every item, NaN where unknown; None where none is known.
    """
    schema = decision.actions.schema
    if PURCHASE not in schema:
        return decision
    units, bought = units_bought(decision), decision[PURCHASE]
    columns: dict[str, Cells] = {}
    if QUANTITY in schema:
        columns[QUANTITY] = units
    if PAID in schema:
        prices = page.further.get(PRICE)
        columns[PAID] = np.full(units.shape, np.nan) if prices is None else units * prices
    if COST in schema:
        unknown = np.full(units.shape, np.nan)
        columns[COST] = unknown if costs is None else units * np.where(bought, costs[page.items], np.nan)
    return decision.taking(**columns) if columns else decision


def units_bought(decision: Decision) -> FloatArray:
    """Units bought of every slot, shape (n_sessions, n_slots), NaN where nothing was bought."""
    bought, said = decision[PURCHASE], decision.get(QUANTITY)
    units = np.ones(bought.shape) if said is None else np.where(np.isnan(said), 1.0, said)
    return np.where(bought, units, np.nan)
