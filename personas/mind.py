"""The one question every mind answers: given this page, what do you do?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.actions import LegalActions
from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.chat import CallRecord
from groundlings.environments.decision import Decision
from groundlings.environments.page import Page
from groundlings.environments.visits import Visits
from groundlings.personas.memory import Memory


@dataclass(frozen=True, slots=True)
class PageTurn:
    """A page, and what was done with it after the check, one row per visit.

    Attributes:
        rows: The place of each visit in its cohort, shape (n,): visits drop out, places stay.
        page: What was shown.
        decision: What was done, legal actions only.
    """

    rows: IntArray
    page: Page
    decision: Decision

    def take(self, kept: NDArray[np.integer]) -> PageTurn:
        """The turn of some visits."""
        return PageTurn(self.rows[kept], self.page.take(kept), self.decision.take(kept))


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a mind may know when it decides; row r of every part is the same visit.

    Attributes:
        visits: Who, when and their random streams.
        page: What is in front of them.
        legal: What may be done with it.
        rows: The place of each visit in its cohort, ascending, shape (n,).
        turns: The cohort's earlier pages, oldest first, also of visits that are over; `earlier` has those of `visits`.
    """

    visits: Visits
    page: Page
    legal: LegalActions
    rows: IntArray
    turns: tuple[PageTurn, ...] = ()

    @property
    def earlier(self) -> tuple[PageTurn, ...]:
        """The earlier pages of these visits, oldest first."""
        # Places are ascending, and whoever is here now was there on every earlier page.
        return tuple(
            turn if len(turn.rows) == len(self.rows) else turn.take(np.searchsorted(turn.rows, self.rows))
            for turn in self.turns
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent said to one question of an interview.

    Attributes:
        row: Which visit of the cohort.
        question: As asked.
        answer: In the agent's words, None where the reply could not be read.
        call: Which of the `Afterthoughts.calls` it came with.
    """

    row: int
    question: str
    answer: str | None
    call: int


@dataclass(frozen=True, slots=True)
class Afterthoughts:
    """What is left of a cohort's visits once they are over.

    Attributes:
        memories: What the agents keep, in the order of agents.
        answers: What they said when they were interviewed.
        calls: The calls to a language model behind both.
    """

    memories: tuple[Memory, ...] = ()
    answers: tuple[Answer, ...] = ()
    calls: tuple[CallRecord, ...] = ()


FEED_ACTIONS = frozenset({"click", "rate", "next_page", "satisfaction"})
"""What can be done on a paginated feed."""


class Mind(Protocol):
    """Decides for agents.

    `decide` is called once a page for a cohort of at most `cohort_size` visits, possibly many cohorts at a
    time. It may read the situation and its own population, and nothing else: no clock, no global random
    numbers, no scores. It must answer for every row and change no array it is given. A mind that keeps
    something from one visit to the next follows `LooksBack` as well.
    """

    @property
    def cohort_size(self) -> int:
        """How many visits one call may carry: thousands for arithmetic, 1 for language."""
        ...

    @property
    def actions(self) -> frozenset[str]:
        """The actions it can take, by name; an environment that declares others (and misses them) is refused."""
        ...

    async def decide(self, situation: Situation) -> Decision:
        """What each visit does with its page."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Kind, parameters and versions, for the manifest; plain JSON values."""
        ...


@runtime_checkable
class LooksBack(Protocol):
    """A mind that thinks over what it has lived through.

    `look_back` is called once for each cohort, when its visits are over; like `decide` it may ask a model and must
    not change the mind. Its memories are logged and then handed to `remember`, in agent order, while visits of
    other agents may still be open. A run that is resumed hands over all memories of its log before anybody
    comes, so nothing else may be kept.
    """

    async def look_back(self, visits: Visits, turns: tuple[PageTurn, ...]) -> Afterthoughts:
        """What stays of the visits; `PageTurn.rows` says whose turn it was, and visits without a page have none."""
        ...

    def remember(self, memories: Sequence[Memory]) -> None:
        """Keep memories, oldest first."""
        ...


def looks_back(mind: Mind) -> TypeGuard[LooksBack]:
    """Whether a mind follows `LooksBack`; asked at every visit, so a class is looked at once."""
    return _follows_looks_back(type(mind))


@cache
def _follows_looks_back(kind: type) -> bool:
    return issubclass(kind, LooksBack)


@runtime_checkable
class KnowsPreference(Protocol):
    """A mind whose liking for an item can be read off, which is what `oracle` and `anti_oracle` rank by."""

    def preference(self, users: IntArray) -> FloatArray:
        """Hidden appeal of every item to each user, shape (n, n_items), higher = liked better."""
        ...
