"""A mind that follows a fixed rule: for tests, examples and the plumbing of everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from groundlings.environments.actions import Action, Illegal
from groundlings.environments.decision import Decision
from groundlings.personas.mind import FEED_ACTIONS, Situation

Misdeed = Literal["none", "illegal", "unreadable"]


class ScriptedOptions(BaseModel):
    """The rule."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    click: tuple[int, ...] = (0,)
    """Positions to open on every page, 0 for the first; empty slots are left alone."""
    stars: float | None = None
    """Stars for every clicked item; none are given where the environment takes none."""
    pages: int = Field(default=1, ge=1)
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
        return FEED_ACTIONS

    async def decide(self, situation: Situation) -> Decision:
        """See `Mind.decide`."""
        return self._rule(situation)

    def describe(self) -> Mapping[str, Any]:
        """See `Mind.describe`."""
        return {"kind": "scripted", **self._options.model_dump(mode="json")}

    def _follow(self, situation: Situation) -> Decision:
        page, options = situation.page, self._options
        opened = [position for position in options.click if position < page.items.shape[1]]
        click = np.zeros(page.items.shape, dtype=np.bool_)
        click[:, opened] = page.shown[:, opened]
        opinion = situation.legal.schema.opinion
        given = {}
        if options.stars is not None and opinion is not None and situation.legal.values(opinion):
            given = {opinion: np.where(click, options.stars, np.nan)}
        sessions = len(page.items)
        decision = Decision.of(
            situation.legal,
            page,
            click=click,
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
