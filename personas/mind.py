"""The protocol of minds: given a page and the legal actions, decide which actions each agent takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.actions import LegalActions
from groundlings.environments.arrays import FloatArray, IntArray, seal_arrays
from groundlings.environments.chat import CallRecord, ChatModel
from groundlings.environments.decision import Decision
from groundlings.environments.earlier_names import EarlierAttribute
from groundlings.environments.interactions import Interactions
from groundlings.environments.page import Page
from groundlings.environments.sessions import Sessions
from groundlings.environments.social_turns import TURN, Told
from groundlings.personas.memory import Memory


@dataclass(frozen=True, slots=True)
class PageTurn:
    """A page and the legal actions taken on it, one row per session.

    Attributes:
        rows: Index of each session in its cohort, shape (n,): ended sessions drop out, indices stay.
        page: What was shown.
        decision: What was done, legal actions only.
    """

    rows: IntArray
    page: Page
    decision: Decision

    def take(self, kept: NDArray[np.integer]) -> PageTurn:
        """The turn of some sessions."""
        return PageTurn(self.rows[kept], self.page.take(kept), self.decision.take(kept))


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a mind may know when it decides; row r of every part is the same session.

    Attributes:
        sessions: Agents, day and random streams, one row per session.
        page: The items shown.
        legal: The actions offered.
        rows: Index of each session in its cohort, ascending, shape (n,).
        turns: The cohort's earlier pages, oldest first, ended sessions included; `earlier` has those of `sessions`.
    """

    sessions: Sessions
    page: Page
    legal: LegalActions
    rows: IntArray
    turns: tuple[PageTurn, ...] = ()
    visits = EarlierAttribute[Sessions]("sessions")

    def __post_init__(self) -> None:
        seal_arrays(self, "rows")

    @property
    def earlier(self) -> tuple[PageTurn, ...]:
        """The earlier pages of these sessions, oldest first."""
        # Indices ascend, and a session that goes on was on every earlier page.
        return tuple(_of(turn, self.rows) for turn in self.turns)

    def each(self) -> Iterator[Situation]:
        """The situation of each session, as if it were a cohort of its own."""
        earlier = self.earlier
        for row in range(len(self.rows)):
            one = np.array([row])
            yield Situation(
                self.sessions.take(one),
                self.page.take(one),
                self.legal.take(one),
                self.rows[one],
                tuple(turn.take(one) for turn in earlier),
            )


def by_pages_seen(n_sessions: int, turns: Sequence[PageTurn]) -> Iterator[tuple[list[int], tuple[PageTurn, ...]]]:
    """The sessions of a cohort that saw equally many pages, and these pages, oldest first, with a row for each."""
    seen = np.zeros(n_sessions, dtype=np.int64)
    for turn in turns:
        seen[turn.rows] += 1
    for number in np.unique(seen).tolist():
        rows = np.flatnonzero(seen == number)
        yield rows.tolist(), tuple(_of(turn, rows) for turn in turns[:number])


def _of(turn: PageTurn, rows: IntArray) -> PageTurn:
    """The turn of sessions that are among its own, both in ascending order."""
    return turn if len(turn.rows) == len(rows) else turn.take(np.searchsorted(turn.rows, rows))


@dataclass(frozen=True, slots=True)
class Answer:
    """An agent's answer to one question of an interview.

    Attributes:
        row: Which session of the cohort.
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
    """Memories and interview answers of a cohort after its sessions.

    Attributes:
        memories: New memories, in the order of agents.
        answers: Answers to the interview.
        calls: The calls to a language model behind both.
    """

    memories: tuple[Memory, ...] = ()
    answers: tuple[Answer, ...] = ()
    calls: tuple[CallRecord, ...] = ()

    @classmethod
    def joined(cls, each: Sequence[Afterthoughts]) -> Afterthoughts:
        """Those of a cohort from those of each of its sessions."""
        answers: list[Answer] = []
        calls: list[CallRecord] = []
        for row, own in enumerate(each):
            answers += (replace(answer, row=row, call=answer.call + len(calls)) for answer in own.answers)
            calls += (replace(call, row=row) for call in own.calls)
        return cls(tuple(memory for own in each for memory in own.memories), tuple(answers), tuple(calls))


FEED_ACTIONS = frozenset({"click", "rate", "like", "next_page", "satisfaction"})
"""What can be done on a paginated feed."""

SHOP_ACTIONS = frozenset({"add_to_cart", "purchase", "quantity"})
"""What can be done in a shop besides; what was paid and what it cost the seller follow from it."""

SEARCH_ACTIONS = frozenset({"query"})
"""What can be done on a site with a search box besides."""


TURN_ACTIONS = frozenset(spec.name for spec in TURN)
"""What can be done in a social turn, before a site."""


class Mind(Protocol):
    """Decides for agents.

    `decide` is called once per page for a cohort of at most `cohort_size` sessions, possibly many cohorts at a
    time. It may read the situation and its own population, and nothing else: no clock, no global random
    numbers, no scores. It must answer for every row and change no array it is given. A mind with
    a memory across sessions follows `LooksBack` as well.

    Example, a mind that clicks the first slot of every page and leaves:

        class FirstSlot:
            cohort_size = 4096
            actions = frozenset({"click", "rate", "next_page"})

            async def decide(self, situation):
                click = np.zeros(situation.page.items.shape, dtype=bool)
                click[:, 0] = True
                return Decision.of(situation.legal, situation.page, click=click)

            def describe(self):
                return {"kind": "first_slot"}
    """

    @property
    def cohort_size(self) -> int:
        """Largest number of sessions per call: thousands for a choice model, 1 for a language model."""
        ...

    @property
    def actions(self) -> frozenset[str]:
        """The actions it can take, by name; an environment that declares others (and misses them) is refused."""
        ...

    async def decide(self, situation: Situation) -> Decision:
        """The actions of each session on its page."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Kind, parameters and versions, for the manifest; plain JSON values."""
        ...


@runtime_checkable
class LooksBack(Protocol):
    """A mind with memories: it is called after each session.

    `look_back` is called once for each cohort, when its sessions are over; like `decide` it may ask a model and must
    not change the mind. Its memories are logged and then handed to `remember`, in agent order, while sessions of
    other agents may still be open. A run that is resumed hands over all memories of its log before anybody
    comes, so nothing else may be kept.
    """

    async def look_back(self, sessions: Sessions, turns: tuple[PageTurn, ...]) -> Afterthoughts:
        """Memories and answers; `PageTurn.rows` says whose turn it was, sessions without a page have none."""
        ...

    def remember(self, memories: Sequence[Memory]) -> None:
        """Keep memories, oldest first."""
        ...


def looks_back(mind: Mind) -> TypeGuard[LooksBack]:
    """Whether a mind follows `LooksBack`; asked at every session, so a class is looked at once."""
    return _follows_looks_back(type(mind))


@cache
def _follows_looks_back(kind: type) -> bool:
    return issubclass(kind, LooksBack)


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown on a day, one row per impression.

    Attributes:
        users, items: Row numbers of the data set, shape (n,).
    """

    users: IntArray
    items: IntArray


@runtime_checkable
class Notices(Protocol):
    """A mind whose later decisions depend on what its agents did before: it is told after each day.

    A run that is resumed tells it the days of its log before anybody comes, so nothing else may be kept.
    """

    def counts_shown(self) -> bool:
        """Whether it needs to know what was shown; else it is told of no impression."""
        ...

    def notice(self, day: int, interactions: Interactions, shown: Shown) -> None:
        """Take note of a day (0 for the first): its simulated interactions, and what was shown."""
        ...


def notices(mind: Mind) -> TypeGuard[Notices]:
    """Whether a mind follows `Notices`; asked every day, so a class is looked at once."""
    return _follows_notices(type(mind))


@cache
def _follows_notices(kind: type) -> bool:
    return issubclass(kind, Notices)


@runtime_checkable
class Hears(Protocol):
    """A mind whose agents hear what others said to them: it is told after each day, behind `Notices.notice`.

    A run that is resumed tells it the days of its log before anybody comes, so nothing else may be kept.
    """

    def hear(self, day: int, told: Sequence[Told]) -> None:
        """Take note of what was said on a day (0 for the first), in the order of those who said it."""
        ...


def hears(mind: Mind) -> TypeGuard[Hears]:
    """Whether a mind follows `Hears`; asked every day, so a class is looked at once."""
    return _follows_hears(type(mind))


@cache
def _follows_hears(kind: type) -> bool:
    return issubclass(kind, Hears)


@runtime_checkable
class KnowsTies(Protocol):
    """A mind whose agents may have ties, which a site that shows what friends liked asks."""

    def ties_who_liked(self, users: IntArray, items: NDArray[np.integer]) -> IntArray | None:
        """How many ties of each user liked each item lately, shape as `items`, one row per user; None without ties."""
        ...


def knows_ties(mind: Mind) -> TypeGuard[KnowsTies]:
    """Whether a mind follows `KnowsTies`; asked on every page, so a class is looked at once."""
    return _follows_knows_ties(type(mind))


@cache
def _follows_knows_ties(kind: type) -> bool:
    return issubclass(kind, KnowsTies)


@runtime_checkable
class GetsReady(Protocol):
    """A mind that keeps what it has worked out about a user: it is asked to do so before sessions are shared out.

    Processes that are forked afterwards have it; what one of them works out later, the others lack. Decisions must be
    the same without it.
    """

    def get_ready(self, users: IntArray) -> None:
        """Work out what is kept about some users, where there is room for all of it."""
        ...


@runtime_checkable
class GetsReadyAhead(Protocol):
    """A mind that can get ready in a thread of its own, while the log begins and recommenders are fitted."""

    def ready_ahead(self, users: IntArray) -> AbstractContextManager[None]:
        """Work out, until the context ends, what `get_ready` waits for; what is not done by then is left."""
        ...


@runtime_checkable
class KnowsPreference(Protocol):
    """A mind whose preference for an item is known, which is what `oracle` and `anti_oracle` rank by."""

    def preference(self, users: IntArray) -> FloatArray:
        """Hidden appeal of every item to each user, shape (n, n_items), higher = liked better."""
        ...


@runtime_checkable
class AsksModel(Protocol):
    """A mind that asks a language model, and may ask it from several processes: sessions of a day share nothing."""

    @property
    def model(self) -> ChatModel:
        """Who is asked."""
        ...

    def ask_through(self, model: ChatModel) -> None:
        """Ask it in another way from now on, such as with connections of another process."""
        ...
