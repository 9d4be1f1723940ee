"""The conversation: the user speaks first, then a recommender and the user take turns until one of them ends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from groundlings.environments.actions import LegalActions
from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.cleaning import storable
from groundlings.environments.conversation.attributes import Attributes
from groundlings.environments.conversation.messages import Move, read_move
from groundlings.environments.conversation.talk_actions import (
    ACCEPT,
    GO_ON,
    RECORDED,
    SAY,
    TALK,
    UNSHOWN,
    Heard,
    system_record,
    told,
)
from groundlings.environments.conversation.titles_named import TitlesNamed
from groundlings.environments.decision import Decision
from groundlings.environments.environment import EndedBy, Observation, Rank, Served, SessionState
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.feed import with_shown
from groundlings.environments.page import Page
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.sessions import Sessions

HEARD, NAMED = "heard", "named_before"
"""Names in `Page.further`: what the system says, a `Heard` per session (None before it has said anything), and the
items that it has named in earlier turns, shape (n_sessions, n_turns)."""


@dataclass(frozen=True, slots=True)
class TalkState(SessionState):
    """The state of a cohort's conversations.

    Attributes:
        number: The turn that comes next; in the first one the user opens the conversation.
        dialogue: What was said in each session of the cohort, the user's words first.
        shown: Items named in each session of the cohort, shape (n, turns so far), `NO_ITEM` where a turn named none.
    """

    number: int
    dialogue: tuple[tuple[str, ...], ...]
    shown: ItemArray


@dataclass(frozen=True)
class Conversation:
    """A conversation with a recommender: one turn is one page, with one slot for the item that is named, if any.

    The recommender is asked once per turn, with all that was said (`RankingRequest.dialogue`); the user's last words
    are the request's query as well. One that converses answers with a move (`environments.conversation.messages`) in
    `Ranking.replies`. Any other recommender names the first item of its list, and the user may refuse it: what it takes
    of the user's words is up to it. An accepted item ends the conversation, and so does a recommendation, an
    abstention, a text that is no move (`breaks_off`), and a user who leaves.

    Attributes:
        turns: Turns of the system at most.
        catalog: The items.
    """

    turns: Annotated[int, Field(ge=1, le=1_000)] = 24
    catalog: Catalog = field(kw_only=True, compare=False, repr=False)

    schema = TALK
    page_size = 1
    holds_dialogue = True
    lists_without_query = False

    @property
    def max_pages(self) -> int:
        """See `Environment.max_pages`; the user's opening is a page of its own."""
        return self.turns + 1

    @property
    def lists_per_session(self) -> int:
        """See `CountsLists.lists_per_session`."""
        return self.turns

    @cached_property
    def _attributes(self) -> Attributes:
        return Attributes.of_catalog(self.catalog)

    @cached_property
    def _titles(self) -> TitlesNamed:
        return TitlesNamed(self.catalog.titles)

    async def open(self, sessions: Sessions, seen: sp.csr_array, rank: Rank) -> TalkState:  # noqa: ARG002 - the user begins
        """See `Environment.open`."""
        nothing = np.empty((len(sessions), 0), dtype=np.int32)
        return TalkState.arrived(sessions, seen, number=1, dialogue=((),) * len(sessions), shown=nothing)

    async def observe(self, state: TalkState, rank: Rank) -> Observation | None:
        """See `Environment.observe`; the first page is empty, for the user to speak."""
        if not len(state.here) or state.number > self.max_pages:
            return None
        if state.number == 1:
            return self._opening(state)
        request = self._request(state)
        ranking = await rank(request)
        heard = [self._heard(ranking, row) for row in range(len(request))]
        lists = np.array([row for row, each in enumerate(heard) if each is not None], dtype=np.int64)
        if not len(lists):
            return None
        return self._turn(state, ranking, lists, [each for each in heard if each is not None])

    def apply(self, state: TalkState, observation: Observation, decision: Decision) -> TalkState:
        """See `Environment.apply`."""
        accepted = decision[ACCEPT].any(axis=1)
        offered = observation.legal.offers(GO_ON, observation.page)
        staying = decision[GO_ON] & ~accepted
        endings = np.where(accepted | (offered & ~staying), EndedBy.EXIT, EndedBy.LAST_PAGE).astype(np.object_)
        endings[staying] = EndedBy.NOTHING_SHOWN  # of those who go on and are answered by nobody
        endings[decision.unreadable] = EndedBy.UNREADABLE
        dialogue, shown = list(state.dialogue), np.full((len(state.dialogue), 1), NO_ITEM, dtype=np.int32)
        shown[observation.rows, 0] = observation.page.items[:, 0]
        for place, row in enumerate(observation.rows.tolist()):
            heard: Heard | None = observation.page.further[HEARD][place]
            said = decision[SAY][place] or ""
            dialogue[row] = (*dialogue[row], said) if heard is None else (*dialogue[row], heard.written, said)
        return state.after(
            observation,
            staying,
            endings,
            number=state.number + 1,
            dialogue=tuple(dialogue),
            shown=np.concatenate([state.shown, shown], axis=1),
        )

    def book(self, observation: Observation, decision: Decision) -> Decision:
        """See `KeepsBooks.book`: what the system did, and titles that the user names without having been shown them."""
        page = observation.page
        shown = np.concatenate([page.further[NAMED], page.items], axis=1).tolist()
        spoken = zip(decision[SAY], shown, strict=True)
        unshown = [np.nan if said is None else self._titles.named(said, items) for said, items in spoken]
        recorded = system_record(page.further[HEARD].tolist())
        return decision.taking(**recorded, **{UNSHOWN: np.array(unshown, dtype=np.float64)})

    def describe(self) -> Mapping[str, Any]:
        """See `Environment.describe`."""
        return {"kind": "conversation", "turns": self.turns}

    def _opening(self, state: TalkState) -> Observation:
        """An empty page, for the user to speak."""
        items = np.full((len(state.here), 1), NO_ITEM, dtype=np.int32)
        blank = np.full(items.shape, np.nan)
        served = Served(blank, np.ones(items.shape), np.zeros(items.shape, dtype=np.bool_), None, "deterministic")
        unheard = np.full(len(items), None, dtype=np.object_)
        page = Page(1, 0, items, {HEARD: unheard, NAMED: state.shown, **told([None] * len(items))})
        return Observation(state.here, page, _legal(np.ones(len(items), dtype=np.bool_)), served)

    def _turn(self, state: TalkState, ranking: Ranking, lists: IntArray, heard: Sequence[Heard]) -> Observation:
        """What the system says in the rows `lists` of those who are here."""
        items = np.full((len(lists), 1), NO_ITEM, dtype=np.int32)
        for row, each in enumerate(heard):
            if each.move is not None and each.move.item:
                items[row, 0] = self._attributes.rows[each.move.item]
        column = np.empty(len(heard), dtype=np.object_)
        column[:] = heard
        rows = state.here[lists]
        page = Page(state.number, state.number - 2, items, {HEARD: column, NAMED: state.shown[rows], **told(heard)})
        going_on = np.array([not each.final for each in heard]) & (state.number < self.max_pages)
        return Observation(rows, page, _legal(going_on), Served.part_of(ranking, lists, 0, page))

    def _heard(self, ranking: Ranking, row: int) -> Heard | None:
        """What the system says to one session; None where it neither says nor lists anything."""
        listed = ranking.items[row, 0] if ranking.items.shape[1] else NO_ITEM
        item = self.catalog.item_ids[listed] if listed != NO_ITEM else ""
        if ranking.replies is None:
            return Heard(Move("", "suggest", item=item).as_json(), Move("", "suggest", item=item)) if item else None
        written = storable(ranking.replies[row])
        try:
            move = read_move(written, self._attributes)
        except UnreadableReply as fault:
            return Heard(written, None, str(fault))
        if move.item != item:
            why = "it was named before, or is not to be shown to this user" if not item else f"the list has {item}"
            return Heard(written, None, f"{move.kind}: found {move.item or 'no item'}; {why}")
        return Heard(written, move)

    def _request(self, state: TalkState) -> RankingRequest:
        here = state.here
        sessions, seen = state.sessions, state.seen
        if len(here) < len(sessions):
            sessions, seen = sessions.take(here), seen[here]
        shown = state.shown[here, 1:]
        dialogue = tuple(state.dialogue[row] for row in here.tolist())
        return RankingRequest(
            users=sessions.users,
            size=1,
            seen=with_shown(seen, shown),
            draws=sessions.draws,
            page=state.number,
            shown=shown if shown.shape[1] else None,
            queries=tuple(said[-1] or None for said in dialogue),
            sim_time=sessions.sim_time,
            offers=sessions.offers,
            dialogue=dialogue,
        )


def _legal(going_on: BoolArray) -> LegalActions:
    """What the user may do; what the environment records is offered to nobody."""
    nobody = np.zeros(len(going_on), dtype=np.bool_)
    return LegalActions(TALK, {GO_ON: going_on, **dict.fromkeys(RECORDED, nobody)})
