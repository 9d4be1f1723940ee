"""A small shop with carts, purchases, quantities, prices and costs: its environment, its shoppers, a finished run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

import groundlings as gl
from groundlings.environments.actions import ActionSchema, ActionSpec, LegalActions
from groundlings.environments.environment import EndedBy, Observation, Served, SessionState
from groundlings.environments.page import Page
from groundlings.environments.ranking import RankingRequest
from groundlings.personas.minds.behavioural import BehaviouralMind, BehaviouralOptions

USERS, ITEMS, DAYS, SLOTS, PAGES = 60, 48, 3, 5, 2
NO_PRICE, NO_COST = 7, 5
"""Every such item has no known price, or no known cost."""

SCHEMA = ActionSchema(
    (
        ActionSpec("click", per="slot"),
        ActionSpec("dwell", per="slot", kind="number", needs="click"),
        ActionSpec("add_to_cart", per="slot", needs="click"),
        ActionSpec("purchase", per="slot", needs="add_to_cart"),
        ActionSpec("quantity", per="slot", kind="number", within=(1.0, 99.0), needs="purchase"),
        ActionSpec("paid", per="slot", kind="number", needs="purchase"),
        ActionSpec("cost", per="slot", kind="number", needs="purchase"),
        ActionSpec("next_page", per="page"),
    ),
    interaction="purchase",
)


@dataclass(frozen=True, slots=True)
class ShopState(SessionState):
    ranking: object
    number: int = 1


class MoneyShop:
    """Two pages; items that the user had are shown again."""

    schema = SCHEMA
    page_size, max_pages = SLOTS, PAGES

    async def open(self, sessions, seen, rank):
        anything = seen * 0
        anything.eliminate_zeros()
        request = RankingRequest(sessions.users, SLOTS * PAGES, anything, sessions.draws, sim_time=sessions.sim_time)
        return ShopState.arrived(sessions, seen, ranking=await rank(request))

    async def observe(self, state, rank):
        first = (state.number - 1) * SLOTS
        if state.number > PAGES or not len(state.here):
            return None
        items = state.ranking.items[state.here, first : first + SLOTS]
        page = Page(state.number, first, items)
        more = np.full(len(items), state.number < PAGES)
        served = Served.part_of(state.ranking, state.here, first, page)
        return Observation(state.here, page, LegalActions(SCHEMA, {"next_page": more}), served)

    def apply(self, state, observation, decision):
        last = observation.page.number >= PAGES
        reasons = np.full(len(observation.rows), EndedBy.LAST_PAGE if last else EndedBy.EXIT, dtype=object)
        return state.after(observation, decision["next_page"], reasons, number=state.number + 1)

    def describe(self):
        return {"kind": "money_shop"}


def drawn(situation, purpose, share):
    return situation.sessions.draws.uniform(purpose, situation.page.items) < share


def price(items):
    return 1.0 + items % 9


def buying(value):
    """A number with every purchase of an item that has it."""

    def handler(mind, situation, decision):
        return np.where(decision["purchase"], value(situation.page.items), np.nan)

    return handler


def units(items):
    return 1.0 + items % 3


def paid(items):
    return np.where(items % NO_PRICE == 0, np.nan, units(items) * price(items))


def cost(items):
    return np.where(items % NO_COST == 0, np.nan, 0.6 * units(items) * price(items))


class MoneyShopper(BehaviouralMind):
    handlers: ClassVar = {
        "dwell": lambda mind, situation, decision: np.where(decision["click"], 10.0 + situation.page.items, np.nan),
        "add_to_cart": lambda mind, situation, decision: decision["click"] & drawn(situation, "add_to_cart", 0.6),
        "purchase": lambda mind, situation, decision: decision["add_to_cart"] & drawn(situation, "purchase", 0.6),
        "quantity": buying(units),
        "paid": buying(paid),
        "cost": buying(cost),
    }


def shop_experiment(**changes):
    """An experiment in the shop; `changes` are arguments of `Experiment`."""
    given = {
        "name": "money",
        "seed": 4,
        "dataset": {"name": "toy", "toy": {"n_users": USERS, "n_items": ITEMS, "interactions_per_user": 12}},
        "arms": {"popular": "popular", "chance": "random_order", "item_knn": "item_knn"},
        "environment": MoneyShop(),
        "mind": lambda context: MoneyShopper(
            context.population, context.fit_taste(), BehaviouralOptions(random_click_rate=0.25)
        ),
        "simulation": {"days": DAYS, "visit_probability": 0.7, "refit_every": 0},
        "held_out": False,
    }
    return gl.Experiment(**{**given, **changes})


def shop_run(folder: Path, **changes) -> Path:
    """The directory of a finished run in the shop."""
    return shop_experiment(**changes).run(folder).directory


OBJECTIVES = {
    "metrics": ["shipped", "mean_popularity", "novelty", "diversity"],
    "plan": {
        "objectives": [
            {"metric": "revenue_per_session", "role": "primary", "weight": 1.0},
            {"metric": "diversity", "weight": 20.0, "direction": "up"},
            {"metric": "cart_abandonment", "role": "guardrail", "loss": 0.1},
        ],
        "utility": "units",
    },
}
"""An experiment's arguments for all metrics, and for two objectives beside a guardrail."""
