"""Before a site: people say what they do, visit it, talk to somebody they know, or nothing of it.

The first page of a session holds no item. Whoever enters sees the site's pages after it; whoever does not asks for no
list. What was said is in the events of that page, and is read back from there when a run is resumed (`Told`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.actions import ActionSchema, ActionSpec, LegalActions
from groundlings.environments.arrays import NO_ITEM, IntArray
from groundlings.environments.decision import Decision
from groundlings.environments.environment import (
    EndedBy,
    Environment,
    Observation,
    Rank,
    Served,
    SessionState,
    keeps_books,
    shows_friends,
)
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.page import Page
from groundlings.environments.sessions import Sessions

ENTER, CHAT, POST, TO, ABOUT, SAY = "enter", "chat", "post", "to", "about", "say"

_PEOPLE = (1, np.inf)

TURN = (
    ActionSpec(ENTER, per="page", goes_on=True, said="enter the site"),
    ActionSpec(CHAT, per="page", kind="number", within=_PEOPLE),
    ActionSpec(POST, per="page", kind="number", within=_PEOPLE),
    ActionSpec(TO, per="page", kind="text"),
    ActionSpec(ABOUT, per="page", kind="text"),
    ActionSpec(SAY, per="page", kind="text"),
)
"""What can be done before the site. `chat` and `post` hold how many people are told, `to` their ids as a JSON list,
`about` the id of the item, both as in the data set; `say` the words."""

SOCIAL_TURN = "social_turn"
"""What the page of a social turn says of itself: a name in `Page.further`, and the kind of an event."""

_OPTIONAL = ("lists_per_session", "lists_without_query")
"""What only some sites say of themselves (`CountsLists`, `SendsQueries`)."""


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody said to one of their ties, or to all of them.

    Attributes:
        agent: Who said it, row number in the population.
        to: Ids of those to whom it was said, as in the data set.
        about: Id of the item, likewise.
        words: What was said.
        posted: Whether it was said to all ties, and not to one of them.
    """

    agent: int
    to: tuple[str, ...]
    about: str
    words: str
    posted: bool

    @classmethod
    def of(cls, agent: int, said: Mapping[str, Any]) -> Told | None:
        """What a session's actions, or events, of a social turn say; None where nothing was said.

        Args:
            agent: Who it was.
            said: Name of an action -> its text, or its number; what was not taken is absent, None or NaN.

        Raises:
            ValueError: It is not whole, or says of no people to whom it was said: no run writes that.
        """
        missing = [name for name in (TO, ABOUT, SAY) if said.get(name) is None]
        if len(missing) == 3:
            return None
        if missing:
            raise ValueError(f"something was told, and `{missing[0]}` is missing")
        posted = said.get(POST)
        return cls(agent, _people(said[TO]), said[ABOUT], said[SAY], posted is not None and not math.isnan(posted))


def _people(to: str) -> tuple[str, ...]:
    """The ids in a text of `to`."""
    try:
        found = json.loads(to)
    except (TypeError, ValueError, RecursionError):
        found = None
    if not (isinstance(found, list) and found and all(isinstance(each, str) for each in found)):
        raise ValueError(f"`to` holds {shown(to)}, expected a JSON list of ids of users")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class TurnState(SessionState):
    """The state of a cohort's sessions.

    Attributes:
        entered: Indices of those that entered the site, shape (n_entered,); None before they have decided.
        inside: Their state there, whose cohort is `entered`; None before they see its first page.
    """

    entered: IntArray | None = None
    inside: SessionState | None = None


@dataclass(frozen=True, slots=True)
class _Inside(Observation):
    """A page of the site, with the state there from which it was made: the site is opened when it is first seen."""

    inside: SessionState | None = None


class SocialTurns:
    """A social turn before a site: its page is the first of each session, and the site's pages follow it.

    Args:
        site: Where those go who enter.

    Raises:
        ConfigError: Its actions are among those of a social turn, as in a conversation.
    """

    pages_before = 1

    def __init__(self, site: Environment[Any]) -> None:
        if twice := sorted({spec.name for spec in TURN} & set(site.schema.names)):
            raise ConfigError(
                f"mind.social.turns: the environment has the actions {', '.join(twice)} itself, and a social turn "
                "comes with its own; take the turns out, or name another environment"
            )
        self.site = site
        specs, tells = (*site.schema.specs, *TURN), (*site.schema.tells, SOCIAL_TURN)
        self.schema = replace(site.schema, specs=specs, tells=tells)
        self.page_size, self.max_pages = site.page_size, site.max_pages + 1
        self.shows_friends = shows_friends(site)
        for name in _OPTIONAL:
            if hasattr(site, name):
                setattr(self, name, getattr(site, name))
        self._only_here = [spec.name for spec in site.schema.specs if spec.per == "page"]

    async def open(self, sessions: Sessions, seen: sp.csr_array, rank: Rank) -> TurnState:  # noqa: ARG002 - asked later
        """See `Environment.open`; no list is asked for before somebody enters."""
        return TurnState.arrived(sessions, seen)

    async def observe(self, state: TurnState, rank: Rank) -> Observation | None:
        """See `Environment.observe`."""
        if not len(state.here):
            return None
        if state.entered is None:
            return self._turn(state)
        inside = state.inside
        if inside is None:
            some = state.entered
            inside = await self.site.open(state.sessions.take(some), state.seen[some], rank)
        found = await self.site.observe(inside, rank)
        if found is None:
            return None
        nobody = np.zeros(len(found.rows), dtype=np.bool_)
        legal = LegalActions(self.schema, {**found.legal.available, **{spec.name: nobody for spec in TURN}})
        further = {**found.page.further, SOCIAL_TURN: np.full(len(found.rows), None, dtype=np.object_)}
        page = replace(found.page, number=found.page.number + self.pages_before, further=further)
        return _Inside(state.entered[found.rows], page, legal, found.served, inside)

    def apply(self, state: TurnState, observation: Observation, decision: Decision) -> TurnState:
        """See `Environment.apply`."""
        if state.entered is None:
            staying = decision[ENTER] & ~decision.unreadable
            endings = np.full(len(staying), EndedBy.EXIT, dtype=np.object_)
            endings[staying] = EndedBy.NOTHING_SHOWN  # of those who enter and find nothing there
            endings[decision.unreadable] = EndedBy.UNREADABLE
            return state.after(observation, staying, endings, entered=observation.rows[staying])
        assert isinstance(observation, _Inside), "the loop hands back what `observe` gave"
        assert observation.inside is not None
        inside = self.site.apply(observation.inside, self._within(state, observation), decision)
        endings = state.ended_by.copy()
        endings[state.entered] = inside.ended_by
        return replace(state, here=state.entered[inside.here], ended_by=endings, inside=inside)

    def book(self, observation: Observation, decision: Decision) -> Decision:
        """See `KeepsBooks.book`: what the site adds, on its own pages."""
        if not (keeps_books(self.site) and isinstance(observation, _Inside)):
            return decision
        return self.site.book(observation, decision)

    def describe(self) -> Mapping[str, Any]:
        """See `Environment.describe`: the site, and that a social turn comes before it."""
        return {**self.site.describe(), "social_turns": True}

    def _turn(self, state: TurnState) -> Observation:
        """The page on which everybody says what they do; only a social turn can be taken on it."""
        n = len(state.here)
        items = np.full((n, 1), NO_ITEM, dtype=np.int32)
        further = {name: np.full(n, None, dtype=np.object_) for name in self.site.schema.tells}
        page = Page(1, 0, items, {**further, SOCIAL_TURN: np.full(n, "before the site", dtype=np.object_)})
        legal = LegalActions(self.schema, {name: np.zeros(n, dtype=np.bool_) for name in self._only_here})
        nothing = np.zeros(items.shape, dtype=np.bool_)
        served = Served(np.full(items.shape, np.nan), np.ones(items.shape), nothing, None, "deterministic")
        return Observation(state.here, page, legal, served)

    def _within(self, state: TurnState, observation: Observation) -> Observation:
        """A page as the site made it: its own numbers of pages and of sessions."""
        assert state.entered is not None
        page = replace(observation.page, number=observation.page.number - self.pages_before)
        rows = np.searchsorted(state.entered, observation.rows)
        return Observation(rows, page, observation.legal, observation.served)


def site_alone(environment: Environment[Any]) -> Environment[Any]:
    """The site behind a social turn; any other environment as it is."""
    return environment.site if isinstance(environment, SocialTurns) else environment


def takes_turns(schema: ActionSchema) -> bool:
    """Whether sessions begin with a social turn."""
    return SOCIAL_TURN in schema.tells
