"""A mind that follows a fixed rule: for tests, examples and the plumbing of everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from groundlings.environments.actions import Action, Illegal
from groundlings.environments.arrays import BoolArray
from groundlings.environments.decision import Decision
from groundlings.environments.page import Page
from groundlings.environments.shop_actions import ADD_TO_CART, PURCHASE
from groundlings.environments.trace import NO_TRACE
from groundlings.personas.mind import FEED_ACTIONS, SHOP_ACTIONS, Situation

Misdeed = Literal["none", "illegal", "unreadable"]
_Slot = Annotated[int, Field(ge=0, le=100_000)]


class ScriptedOptions(BaseModel):
    """The rule."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    click: tuple[_Slot, ...] = (0,)
    """Positions to open on every page, 0 for the first; empty slots are left alone."""
    stars: float | None = None
    """Stars for every clicked item; none are given where the environment takes none."""
    cart: tuple[_Slot, ...] | None = None
    """Positions of those to put into the cart, where the environment has one."""
    buy: tuple[_Slot, ...] | None = None
    """Positions of those to buy, one unit each, where the environment sells."""
    pages: int = Field(default=1, ge=1, le=100_000)
    """Pages to see before leaving, where there are so many."""
    satisfaction: float | None = Field(default=None, ge=1, le=10)
    """Said of every page."""
    misdeeds: tuple[Misdeed, ...] = ()
    """What is wrong with a reply, taken in turn by agent number: `illegal` opens a slot that is not there and asks for
    a page after the last, `unreadable` says nothing that can be read, `none` follows the rule."""


class ScriptedMind:
    """Follows its options, or a function from situation to decision."""

    def __init__(
        self, options: ScriptedOptions | None = None, rule: Callable[[Situation], Decision] | None = None
    ) -> None:
        self._options = options or ScriptedOptions()
        self._rule = rule or self._follow

    @property
    def cohort_size(self) -> int:
        """See `Mind.cohort_size`."""
        return 4096

    @property
    def actions(self) -> frozenset[str]:
        """See `Mind.actions`."""
        return FEED_ACTIONS | SHOP_ACTIONS

    async def decide(self, situation: Situation) -> Decision:
        """See `Mind.decide`."""
        return self._rule(situation)

    def describe(self) -> Mapping[str, Any]:
        """See `Mind.describe`."""
        return {"kind": "scripted", **self._options.model_dump(mode="json")}

    def _follow(self, situation: Situation) -> Decision:
        page, options = situation.page, self._options
        click = _at(options.click, page)
        schema = situation.legal.schema
        given = {}
        if options.stars is not None and schema.opinion is not None and situation.legal.values(schema.opinion):
            given = {schema.opinion: np.where(click, options.stars, np.nan)}
        sessions = len(page.items)
        decision = Decision.of(
            situation.legal,
            page,
            NO_TRACE,
            click=click,
            add_to_cart=_at(options.cart, page) if options.cart and ADD_TO_CART in schema else None,
            purchase=_at(options.buy, page) if options.buy and PURCHASE in schema else None,
            satisfaction=None if options.satisfaction is None else np.full(sessions, options.satisfaction),
            next_page=situation.legal.offers("next_page", page) & (page.number < options.pages),
        ).taking(**given)
        return self._misbehave(decision, situation) if options.misdeeds else decision

    def _misbehave(self, decision: Decision, situation: Situation) -> Decision:
        """Spoil the replies of the agents whose turn it is."""
        pattern = np.array(self._options.misdeeds)[situation.sessions.agents % len(self._options.misdeeds)]
        illegal, unreadable = pattern == "illegal", pattern == "unreadable"
        width = situation.page.items.shape[1]
        beyond = illegal & ~situation.legal.offers("next_page", situation.page)
        stray = str(Action("click", width))
        silent = unreadable[:, None]
        said = {"click": decision["click"] & ~silent, "next_page": (decision["next_page"] | beyond) & ~unreadable}
        if (opinion := situation.legal.schema.opinion) is not None:
            said[opinion] = np.where(silent, np.nan, decision[opinion])
        if decision.get("satisfaction") is not None:
            said["satisfaction"] = np.where(unreadable, np.nan, decision["satisfaction"])
        return replace(
            decision.taking(**said),
            unreadable=unreadable,
            stray=tuple(
                Illegal(int(row), None, stray, f"the page has slots 0 to {width - 1}")
                for row in np.flatnonzero(illegal)
            ),
        )


def _at(positions: Sequence[int], page: Page) -> BoolArray:
    """The slots at some positions that hold an item, in the shape of the page."""
    there = [position for position in positions if position < page.items.shape[1]]
    taken = np.zeros(page.items.shape, dtype=np.bool_)
    taken[:, there] = page.shown[:, there]
    return taken
