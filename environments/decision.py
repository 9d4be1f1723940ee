"""A cohort's decision about its page: what is done, kept apart from how it came about, and its check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.actions import Actions, Cells, Illegal, LegalActions
from groundlings.environments.arrays import BoolArray
from groundlings.environments.chat import CallRecord
from groundlings.environments.errors import ConfigError
from groundlings.environments.legality import check_chances, check_columns, legal_only
from groundlings.environments.page import Page
from groundlings.environments.trace import NO_TRACE, Trace


@dataclass(frozen=True, slots=True)
class Decision:
    """What every session of a cohort does with its page.

    Attributes:
        actions: What is done; `decision["click"]` is a column of it.
        unreadable: Sessions whose page is lost, because no reply came that could be read: nothing else about it is
            known, shape (n_sessions,).
        trace: Draws, probabilities, calls and moods behind it.
        stray: Actions that name a slot outside the page; each is logged as illegal.
        unanswerable: Of a lost page that the model's server refused for good, the server's words; None for any other
            session; one entry per session, or none at all.
    """

    actions: Actions
    unreadable: BoolArray
    trace: Trace = NO_TRACE
    stray: tuple[Illegal, ...] = ()
    unanswerable: tuple[str | None, ...] = ()

    def __getitem__(self, action: str) -> Cells:
        """The column of a declared action."""
        return self.actions[action]

    def get(self, action: str) -> Cells | None:
        """The column of an action, None where the environment does not declare it."""
        return self.actions.get(action)

    @property
    def opinion(self) -> Cells | None:
        """The column of ratings or of likes, None where the environment takes neither."""
        name = self.actions.schema.opinion
        return None if name is None else self.actions[name]

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
        """No page of the cohort has a reply that can be read; an `unanswerable` call was refused for good."""
        everyone = np.ones(len(page.items), dtype=np.bool_)
        said = {call.row: call.reply.text for call in calls if call.status == "unanswerable"}
        words = tuple(said.get(row) for row in range(len(everyone))) if said else ()
        return cls(Actions.of(legal.schema, page, {}), everyone, Trace(calls=tuple(calls)), unanswerable=words)

    @classmethod
    def joined(cls, parts: Sequence[Decision]) -> Decision:
        """Decisions of several cohorts about the same page number, as that of one cohort; see `Trace.joined`."""
        sizes = [len(part.unreadable) for part in parts]
        firsts = np.cumsum([0, *sizes[:-1]]).tolist()
        schema = parts[0].actions.schema
        words: list[str | None] = []
        for part, size in zip(parts, sizes, strict=True):
            words += part.unanswerable or (None,) * size
        return cls(
            Actions(schema, {name: np.concatenate([part[name] for part in parts]) for name in schema.names}),
            np.concatenate([part.unreadable for part in parts]),
            Trace.joined([part.trace for part in parts], sizes),
            stray=tuple(
                replace(stray, row=stray.row + first)
                for part, first in zip(parts, firsts, strict=True)
                for stray in part.stray
            ),
            unanswerable=tuple(words) if any(part.unanswerable for part in parts) else (),
        )

    @property
    def refused(self) -> BoolArray:
        """Sessions whose page is lost because the server refused the question for good, shape (n_sessions,)."""
        if not self.unanswerable:
            return np.zeros(len(self.unreadable), dtype=np.bool_)
        return self.unreadable & np.array([words is not None for words in self.unanswerable], dtype=np.bool_)

    def taking(self, **columns: Cells) -> Decision:
        """The same decision with other cells for some actions."""
        return replace(self, actions=self.actions.replaced(columns))

    def take(self, rows: NDArray[np.integer]) -> Decision:
        """The decisions of some sessions, without the calls, remarks and strays behind them."""
        words = tuple(self.unanswerable[row] for row in rows) if self.unanswerable else ()
        return Decision(self.actions.take(rows), self.unreadable[rows], self.trace.take(rows), unanswerable=words)


@dataclass(frozen=True, slots=True)
class Checked:
    """A decision after its check: only legal actions are left, the others are listed by session."""

    decision: Decision
    illegal: tuple[Illegal, ...] = field(default=())


def checked(decision: Decision, page: Page, legal: LegalActions) -> Checked:
    """Take out of a decision what its page did not offer, and say what it was; see `legality.legal_only`.

    Raises:
        ConfigError: It is no decision about this page; see `legality.check_columns` and `legality.check_chances`.
    """
    if not isinstance(decision, Decision):
        raise ConfigError(f"mind: decide gave {type(decision).__name__}; expected a Decision, as Decision.of makes it")
    check_columns(decision.actions, decision.unreadable, page)
    check_chances(decision.trace.chances, decision.unreadable, page, legal)
    actions, refused = legal_only(decision.actions, decision.unreadable, page, legal)
    illegal = (*decision.stray, *refused)
    if len(illegal) > 1:
        illegal = tuple(sorted(illegal, key=lambda each: each.row))
    return Checked(replace(decision, actions=actions), illegal)
