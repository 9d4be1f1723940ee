"""A mind that follows a fixed rule: for tests, examples and the plumbing of everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from groundlings.environments.actions import Decision, Illegal
from groundlings.personas.mind import Situation

Misdeed = Literal["none", "illegal", "unreadable"]


class ScriptedOptions(BaseModel):
    """The rule."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    click: tuple[int, ...] = (0,)
    """Positions to open on every page, 0 for the first; empty slots are left alone."""
    stars: float | None = None
    """Stars for everything opened; none are given where the site takes none."""
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

    async def decide(self, situation: Situation) -> Decision:
        """See `Mind.decide`."""
        return self._rule(situation)

    def describe(self) -> Mapping[str, Any]:
        """See `Mind.describe`."""
        return {"kind": "scripted", **self._options.model_dump(mode="json")}

    def _follow(self, situation: Situation) -> Decision:
        page, options = situation.page, self._options
        opened = [position for position in options.click if position < page.items.shape[1]]
        decision = Decision.idle(page)
        decision.clicked[:, opened] = page.shown[:, opened]
        if options.stars is not None and situation.actions.stars:
            decision.stars[decision.clicked] = options.stars
        if options.satisfaction is not None:
            decision.satisfaction[:] = options.satisfaction
        decision.goes_on[:] = situation.actions.may_go_on & (page.number < options.pages)
        return self._misbehave(decision, situation) if options.misdeeds else decision

    def _misbehave(self, decision: Decision, situation: Situation) -> Decision:
        """Spoil the replies of the agents whose turn it is."""
        pattern = np.array(self._options.misdeeds)[situation.visits.agents % len(self._options.misdeeds)]
        illegal, unreadable = pattern == "illegal", pattern == "unreadable"
        width = situation.page.items.shape[1]
        silent = unreadable[:, None]
        return replace(
            decision,
            clicked=decision.clicked & ~silent,
            stars=np.where(silent, np.nan, decision.stars),
            satisfaction=np.where(unreadable, np.nan, decision.satisfaction),
            goes_on=(decision.goes_on | (illegal & ~situation.actions.may_go_on)) & ~unreadable,
            unreadable=unreadable,
            stray=tuple(
                Illegal(int(row), None, f"Click(position={width})", f"the page has slots 0 to {width - 1}")
                for row in np.flatnonzero(illegal)
            ),
        )
