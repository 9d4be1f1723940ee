"""The door for environments: what can be seen, what may be done with it, and what follows from it.

The loop (`groundlings.simulator.session.browse`) only carries values: it asks the environment for an observation, the
mind for a decision about it, checks the decision against what was offered, and hands it back. Search, a conversation
or a shop is another environment; the loop, the log and the minds of other environments stay as they are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias, TypeGuard, TypeVar, runtime_checkable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.actions import ActionSchema, LegalActions
from groundlings.environments.arrays import BoolArray, FloatArray, IntArray, seal_arrays
from groundlings.environments.decision import Decision
from groundlings.environments.earlier_names import EarlierAttribute, earlier_attributes
from groundlings.environments.notes import NOTE, Notes
from groundlings.environments.page import Page
from groundlings.environments.ranking import PropensityKind, Ranking, RankingRequest
from groundlings.environments.sessions import Sessions
from groundlings.environments.ties import FRIENDS_LIKED

Rank: TypeAlias = Callable[[RankingRequest], Awaitable[Ranking]]
"""Asks the recommender under test. The answer is checked, and its model calls are logged, before it comes back."""


class EndedBy(StrEnum):
    """Why a session ended. All but EXIT are censored: when the agent would have left is not known."""

    EXIT = "exit"
    """The agent chose to leave."""
    LAST_PAGE = "last_page"
    """The environment had no further page."""
    UNREADABLE = "unreadable"
    """The mind's reply could not be read; what the agent did on that page is unknown."""
    UNANSWERABLE = "unanswerable"
    """The model's server refused the question for good; what the agent did on that page is unknown. Environments say
    UNREADABLE of every lost page; the loop says which of them were refused."""
    NOTHING_SHOWN = "nothing_shown"
    """The recommender had no item for this user."""


LOST = (EndedBy.UNREADABLE, EndedBy.UNANSWERABLE)
"""Endings of sessions whose last page is lost: nobody knows what the agent did there."""


@dataclass(frozen=True, slots=True)
class Served:
    """Scores and propensities of a page's items: for the log only, never for a mind. All arrays have the page's shape.

    Attributes:
        scores: The recommender's own, NaN where there is none.
        propensities: P(this item in this slot | request); see `Ranking.propensities`.
        explored: Whether chance, not the score, chose the slot.
        teams: On a list that several recommenders draft together, whose pick a slot is; None on any other list.
        propensity_kind: As `Ranking.propensity_kind`.
        notes: What the recommender says of the items, beside what the catalogue says; None where it says nothing. The
            loop puts the lines themselves on the page (`Observation.with_notes`).
    """

    scores: FloatArray
    propensities: FloatArray
    explored: BoolArray
    teams: IntArray | None
    propensity_kind: PropensityKind
    notes: Notes | None = None

    @classmethod
    def part_of(cls, ranking: Ranking, rows: IntArray, first: int, page: Page) -> Served:
        """A page that shows some ranks of a list.

        Args:
            ranking: The lists.
            rows: Whose list stands in each row of the page, shape (n_sessions,).
            first: The rank in the page's first slot; the following ranks stand in the slots behind it.
            page: The page; slots behind the end of the list hold no item.
        """
        listed = min(page.items.shape[1], ranking.items.shape[1] - first)
        missing = ((0, 0), (0, page.items.shape[1] - listed))

        def part(cells: NDArray[Any], filler: Any) -> NDArray[Any]:
            some = cells[rows, first : first + listed] if len(rows) < len(cells) else cells[:, first : first + listed]
            return np.pad(some, missing, constant_values=filler) if missing[1][1] else some

        return cls(
            scores=part(ranking.scores, np.nan),
            propensities=part(ranking.propensities, 1.0),
            explored=part(ranking.explored, False),
            teams=None if ranking.teams is None else part(ranking.teams, -1),
            propensity_kind=ranking.propensity_kind,
            notes=None if ranking.notes is None else ranking.notes.each(part),
        )

    def take(self, rows: NDArray[np.integer]) -> Served:
        """The origin of the pages of some sessions."""
        teams = None if self.teams is None else self.teams[rows]
        notes = None if self.notes is None else self.notes.each(lambda cells, _: cells[rows])
        columns = (self.scores[rows], self.propensities[rows], self.explored[rows])
        return Served(*columns, teams, self.propensity_kind, notes)


@dataclass(frozen=True, slots=True)
class Observation:
    """What some sessions of a cohort see now, and which actions are legal; row r of every part is the same session.

    Attributes:
        rows: Index of each of these sessions in the cohort, ascending, shape (n,); ended sessions drop out.
        page: The items shown.
        legal: The actions offered.
        served: Scores and propensities of the items.
    """

    rows: IntArray
    page: Page
    legal: LegalActions
    served: Served

    def __post_init__(self) -> None:
        seal_arrays(self, "rows")

    def with_notes(self) -> Observation:
        """The same with what the recommender says of the items on the page, where it says anything."""
        if self.served.notes is None:
            return self
        return self._with(NOTE, self.served.notes.shown)

    def with_friends(self, liked: IntArray) -> Observation:
        """The same with how many ties of each agent liked the item in each slot on the page, shape as its items."""
        return self._with(FRIENDS_LIKED, np.where(self.page.shown, liked, 0))

    def _with(self, name: str, cells: NDArray[Any]) -> Observation:
        return replace(self, page=replace(self.page, further={**self.page.further, name: cells}))


@dataclass(frozen=True, slots=True)
class SessionState:
    """The state of a cohort's sessions; an environment adds fields of its own in a subclass.

    Attributes:
        sessions: The sessions.
        seen: Items not to be shown to each of them again, shape (n, n_items), a stored entry means "seen".
        here: Indices of the sessions that go on, ascending, shape (n_here,).
        ended_by: An `EndedBy` value each, shape (n,); that of a session that goes on has no meaning.
    """

    sessions: Sessions
    seen: sp.csr_array
    here: IntArray
    ended_by: NDArray[np.object_]
    visits = EarlierAttribute[Sessions]("sessions")

    @classmethod
    def arrived(cls, sessions: Sessions, seen: sp.csr_array, **further: Any) -> Self:
        """A cohort that has just come; `further` are the fields that a subclass adds."""
        nothing = np.full(len(sessions), EndedBy.NOTHING_SHOWN, dtype=np.object_)
        return cls(sessions, seen, np.arange(len(sessions), dtype=np.int64), nothing, **further)

    def after(
        self, observation: Observation, staying: BoolArray, ended_by: EndedBy | NDArray[np.object_], **further: Any
    ) -> Self:
        """The state after a page: who stays, and how the sessions of the others have ended.

        Args:
            observation: The page. Sessions that were here and did not see it are over.
            staying: Who of its sessions goes on, shape (n_sessions of the page,).
            ended_by: Why the sessions end here if they do: one for all, or one per session of the page.
            further: New values of fields that a subclass adds.
        """
        endings = self.ended_by.copy()
        endings[observation.rows] = ended_by
        return replace(self, here=observation.rows[staying], ended_by=endings, **further)


State = TypeVar("State", bound=SessionState)


class Environment(Protocol[State]):
    """What agents see and may do. It is pure: what changes in a session is in the state, all randomness in its draws.

    For each cohort the loop calls `open` once, then `observe` and `apply` in turn, until `observe` returns None.
    Many cohorts are open at a time, and nothing may be kept outside of their states. Environments see no persona.
    `open` and `observe` may ask the recommender: once per session, per page, per query, as the environment wants it.

    Example, a single page on which the list's first item can be bought:

        class Kiosk:
            schema = ActionSchema((ActionSpec("buy", per="slot"),), interaction="buy")
            page_size = max_pages = 1

            async def open(self, sessions, seen, rank):
                return SessionState.arrived(sessions, seen)

            async def observe(self, state, rank):
                if not len(state.here):
                    return None
                ranking = await rank(RankingRequest(state.sessions.users, 1, state.seen, state.sessions.draws))
                rows = state.here[ranking.items[:, 0] != NO_ITEM]  # a session without an item sees no page
                if not len(rows):
                    return None
                page = Page(1, 0, ranking.items[rows])
                served = Served.part_of(ranking, rows, 0, page)
                return Observation(rows, page, LegalActions(self.schema), served)

            def apply(self, state, observation, decision):
                endings = np.where(decision.unreadable, EndedBy.UNREADABLE, EndedBy.LAST_PAGE)
                return state.after(observation, np.zeros(len(observation.rows), dtype=bool), endings)

            def describe(self):
                return {"kind": "kiosk"}

    `groundlings.environments.contract.EnvironmentContract` checks these promises, and docs/own-environment.md builds a
    shop.

    Attributes:
        schema: All that may be done here.
        page_size: Slots of a page at most.
        max_pages: Pages of a session at most.
    """

    @property
    def schema(self) -> ActionSchema:
        """All that may be done here."""
        ...

    @property
    def page_size(self) -> int:
        """Slots of a page at most."""
        ...

    @property
    def max_pages(self) -> int:
        """Pages of a session at most."""
        ...

    async def open(self, sessions: Sessions, seen: sp.csr_array, rank: Rank) -> State:
        """The state of sessions that begin."""
        ...

    async def observe(self, state: State, rank: Rank) -> Observation | None:
        """What the sessions that are still here see now; None where nobody is left or nothing can be shown."""
        ...

    def apply(self, state: State, observation: Observation, decision: Decision) -> State:
        """The state after a decision, of which only legal actions are left; see `SessionState.after`."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Kind and parameters, for the manifest; plain JSON values."""
        ...


@runtime_checkable
class KeepsBooks(Protocol):
    """An environment that adds to a decision what follows from it and no mind says, such as what a purchase costs.

    `book` is called once per page, after illegal actions were taken out and before `Environment.apply`.
    """

    def book(self, observation: Observation, decision: Decision) -> Decision:
        """The decision with the columns that follow from it; see `Decision.taking`."""
        ...


@runtime_checkable
class CountsLists(Protocol):
    """An environment that says how many lists it asks for at most; any other is taken to ask for one per page."""

    @property
    def lists_per_session(self) -> int:
        """Lists that a recommender is asked for in one session at most."""
        ...


def pages_before(environment: object) -> int:
    """Pages of a session before the first for which a recommender is asked, where its requests count from 1 behind
    them: what has an attribute `pages_before` says so."""
    return int(getattr(environment, "pages_before", 0))


def shows_friends(environment: object) -> bool:
    """Whether its pages say how many ties of an agent liked an item: what has an attribute `shows_friends` says so."""
    return bool(getattr(environment, "shows_friends", False))


def without_friends(environment: Environment[State]) -> Environment[State]:
    """The same site, which does not say what friends liked, as on a day before anybody has liked anything."""
    if not (shows_friends(environment) and is_dataclass(environment) and not isinstance(environment, type)):
        return environment
    return replace(environment, shows_friends=False)


@runtime_checkable
class SendsQueries(Protocol):
    """An environment in which people say in words what they look for, so that requests have queries."""

    @property
    def lists_without_query(self) -> bool:
        """Whether it asks for lists without a query as well."""
        ...


def holds_dialogue(environment: object) -> bool:
    """Whether people and recommender talk with each other: what has an attribute `holds_dialogue` says so."""
    return bool(getattr(environment, "holds_dialogue", False))


def keeps_books(environment: object) -> TypeGuard[KeepsBooks]:
    """Whether an environment follows `KeepsBooks`; asked on every page, so a class is looked at once."""
    kind: type = type(environment)
    return _follows_keeps_books(kind)


@cache
def _follows_keeps_books(kind: type) -> bool:
    return issubclass(kind, KeepsBooks)


if not TYPE_CHECKING:  # type checkers know today's names only
    __getattr__ = earlier_attributes(__name__, VisitState="SessionState")
