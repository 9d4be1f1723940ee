"""A cohort's decision about its page: what is done, kept apart from how it came about, and its check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.actions import Actions, Cells, Illegal, LegalActions
from groundlings.environments.arrays import BoolArray
from groundlings.environments.chat import CallRecord
from groundlings.environments.legality import legal_only
from groundlings.environments.page import Page
from groundlings.environments.trace import NO_TRACE, Trace


@dataclass(frozen=True, slots=True)
class Decision:
    """What every session of a cohort does with its page.

    Attributes:
        actions: What is done; `decision["click"]` is a column of it.
        unreadable: Sessions whose reply could not be read: nothing else about their page is known, shape (n_visits,).
        trace: Draws, probabilities, calls and moods behind it.
        stray: Actions that name a slot outside the page; each is logged as illegal.
    """

    actions: Actions
    unreadable: BoolArray
    trace: Trace = NO_TRACE
    stray: tuple[Illegal, ...] = ()

    def __getitem__(self, action: str) -> Cells:
        """The column of a declared action."""
        return self.actions[action]

    def get(self, action: str) -> Cells | None:
        """The column of an action, None where the environment does not declare it."""
        return self.actions.get(action)

    @classmethod
    def of(cls, legal: LegalActions, page: Page, trace: Trace = NO_TRACE, **taken: Cells | None) -> Decision:
        """A readable decision.

        Args:
            legal: What was offered.
            page: What was shown.
            trace: How it came about.
            taken: A column for each action that is taken. Actions left out are idle, and a column of an action that
                this environment does not declare may be given as None.

        Example:
            >>> Decision.of(situation.legal, situation.page, click=draw < probability, next_page=goes_on)
        """
        given = {name: cells for name, cells in taken.items() if cells is not None}
        return cls(Actions.of(legal.schema, page, given), np.zeros(len(page.items), dtype=np.bool_), trace)

    @classmethod
    def lost(cls, legal: LegalActions, page: Page, calls: Sequence[CallRecord]) -> Decision:
        """Every reply of the cohort was unreadable."""
        everyone = np.ones(len(page.items), dtype=np.bool_)
        return cls(Actions.of(legal.schema, page, {}), everyone, Trace(calls=tuple(calls)))

    def taking(self, **columns: Cells) -> Decision:
        """The same decision with other cells for some actions."""
        return replace(self, actions=self.actions.replaced(columns))

    def take(self, rows: NDArray[np.integer]) -> Decision:
        """The decisions of some visits, without the calls, remarks and strays behind them."""
        return Decision(self.actions.take(rows), self.unreadable[rows], self.trace.take(rows))


@dataclass(frozen=True, slots=True)
class Checked:
    """A decision after its check: only legal actions are left, the others are listed by visit."""

    decision: Decision
    illegal: tuple[Illegal, ...] = field(default=())


def checked(decision: Decision, page: Page, legal: LegalActions) -> Checked:
    """Take out of a decision what its page did not offer, and say what it was; see `legality.legal_only`."""
    actions, refused = legal_only(decision.actions, decision.unreadable, page, legal)
    illegal = (*decision.stray, *refused)
    if len(illegal) > 1:
        illegal = tuple(sorted(illegal, key=lambda each: each.row))
    return Checked(replace(decision, actions=actions), illegal)
