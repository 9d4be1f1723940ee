"""One session, from the first page to the exit, for a cohort of agents at once.

A language agent is a cohort of one; agents of a choice model come in thousands. Both run the same code. `Sessions`
are the sessions of a cohort, one row each.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from inspect import isawaitable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.actions import ActionSchema, Illegal
from groundlings.environments.arrays import IntArray
from groundlings.environments.chat import CallRecord
from groundlings.environments.decision import Decision, checked
from groundlings.environments.earlier_names import EarlierAttribute
from groundlings.environments.environment import (
    EndedBy,
    Environment,
    Observation,
    Served,
    State,
    keeps_books,
    pages_before,
    shows_friends,
)
from groundlings.environments.environment_answers import EnvironmentAnswers
from groundlings.environments.errors import ConfigError, UnanswerablePrompt
from groundlings.environments.ranking import Ranking, RankingRequest, sound_ranking
from groundlings.environments.sessions import Sessions
from groundlings.personas.mind import Afterthoughts, Mind, PageTurn, Situation, knows_ties, looks_back
from groundlings.recommenders.base import AsyncRecommender


@dataclass(frozen=True, slots=True)
class LoggedTurn:
    """One page of the sessions that reached it: impressions, their propensities, actions, refused actions."""

    turn: PageTurn
    served: Served
    illegal: tuple[Illegal, ...]

    @property
    def calls(self) -> tuple[CallRecord, ...]:
        """What the mind asked a model for this page."""
        return self.turn.decision.trace.calls


@dataclass(frozen=True, slots=True)
class CohortRecord:
    """Everything that happened in a cohort's sessions; the log is written from this and nothing else.

    Attributes:
        sessions: Agents, day and random streams, one row per session.
        schema: The actions of the environment.
        turns: Page by page; later turns hold fewer sessions.
        pages: Pages seen, shape (n,).
        ended_by: An `EndedBy` value per session, shape (n,).
        afterthoughts: Memories and interview answers.
        asked: The recommender's calls to a model: the page it was for, and the call, whose `row` is the session.
    """

    sessions: Sessions
    schema: ActionSchema
    turns: tuple[LoggedTurn, ...]
    pages: IntArray
    ended_by: NDArray[np.object_]
    afterthoughts: Afterthoughts = field(default_factory=Afterthoughts)
    asked: tuple[tuple[int, CallRecord], ...] = ()
    visits = EarlierAttribute[Sessions]("sessions")


async def browse(
    sessions: Sessions,
    seen: sp.csr_array,
    *,
    recommender: AsyncRecommender,
    environment: Environment[State],
    mind: Mind,
) -> CohortRecord:
    """Simulate one session for each agent of a cohort.

    Args:
        sessions: The sessions, one row each.
        seen: Items that must not be shown to each of them again, shape (n, n_items).
        recommender: Ranks; it does not change during a session.
        environment: Makes the pages, says which actions are legal, and what follows from them.
        mind: Decides which actions are taken.
    """
    asked: list[tuple[int, CallRecord]] = []
    noted, before = False, pages_before(environment)

    async def rank(request: RankingRequest) -> Ranking:
        answer = await recommender.rank(request)
        ranking = sound_ranking(answer, request, seen.shape[1], whose=type(recommender).__name__)
        asked.extend((before + request.page, _of_session(call, request, sessions)) for call in ranking.calls)
        nonlocal noted
        noted = noted or ranking.notes is not None
        return ranking

    turns: list[LoggedTurn] = []
    pages = np.zeros(len(sessions), dtype=np.int64)
    answers = EnvironmentAnswers(environment, len(sessions), seen.shape[1])
    state = await environment.open(sessions, seen, rank)
    answers.state(state, "open")

    # 1. Each session that has not ended gets its next page and the legal actions.
    while (observation := await environment.observe(state, rank)) is not None:
        answers.observation(observation)
        observation = _as_presented(observation, environment, lists_have_notes=noted)
        here = observation.rows
        present = sessions if len(here) == len(sessions) else sessions.take(here)
        if shows_friends(environment):
            observation = _with_friends(observation, present, mind)

        # 2. The mind decides, what was not offered is taken out, and the page is recorded.
        logged = await answered(present, observation, tuple(each.turn for each in turns), mind, environment)
        turns.append(logged)
        pages[here] = observation.page.number

        # 3. The environment says which sessions continue, and how the others ended.
        state = environment.apply(state, observation, logged.turn.decision)
        answers.state(state, "apply")

    # 4. Minds with a memory store what they keep of the session.
    afterthoughts = Afterthoughts()
    if looks_back(mind):
        afterthoughts = await mind.look_back(sessions, tuple(logged.turn for logged in turns))
    ended_by = _endings(state.ended_by, turns)
    return CohortRecord(sessions, environment.schema, tuple(turns), pages, ended_by, afterthoughts, tuple(asked))


async def answered(
    sessions: Sessions,
    observation: Observation,
    turns: tuple[PageTurn, ...],
    mind: Mind,
    environment: Environment[State],
) -> LoggedTurn:
    """One page and the legal actions on it, refused actions and unreadable replies included.

    Args:
        sessions: Those that see the page, row by row as in the observation.
        observation: What they see.
        turns: The cohort's earlier pages.
        mind: Decides.
        environment: Knows what follows from a decision.
    """
    page, legal = observation.page, observation.legal
    try:
        answer = mind.decide(Situation(sessions, page, legal, observation.rows, turns))
        if not isawaitable(answer):
            raise ConfigError(f"mind: decide gave {type(answer).__name__} at once; write it as `async def decide`")
        decision = await answer
    except UnanswerablePrompt as refusal:  # the model's server refuses the question for good, and the page is lost
        lost = Decision.lost(legal, page, ())
        decision = replace(lost, unanswerable=(refusal.what,) * len(observation.rows))
    legal_part = checked(decision, page, legal)
    done = legal_part.decision
    if keeps_books(environment):  # what a purchase costs follows from the page, and no mind says it
        done = environment.book(observation, done)
    return LoggedTurn(PageTurn(observation.rows, page, done), observation.served, legal_part.illegal)


def _as_presented(observation: Observation, environment: Environment[Any], *, lists_have_notes: bool) -> Observation:
    """A page with what its recommender says of the items; raises ConfigError where the environment lost it."""
    if lists_have_notes and observation.served.notes is None:
        raise ConfigError(
            f"environment {type(environment).__name__}: found a page without the notes of its list; expected "
            "`served` to come from Served.part_of, or to hold Ranking.notes in `notes`"
        )
    return observation.with_notes()


def _with_friends(observation: Observation, present: Sessions, mind: Mind) -> Observation:
    """A page that says how many ties liked what it shows; raises ConfigError where agents have no ties."""
    items = np.where(observation.page.shown, observation.page.items, 0)
    liked = mind.ties_who_liked(present.users, items) if knows_ties(mind) else None
    if liked is None:
        raise ConfigError(
            f"friends: the site shows what friends liked, and agents of the mind {type(mind).__name__} have no ties; "
            "give mind.social, or take it out"
        )
    return observation.with_friends(liked)


def _endings(ended_by: NDArray[np.object_], turns: list[LoggedTurn]) -> NDArray[np.object_]:
    """How sessions ended; environments know lost pages, and not which of them the server had refused."""
    endings = ended_by.copy()
    for logged in turns:
        refused = logged.turn.rows[logged.turn.decision.refused]
        endings[refused[ended_by[refused] == EndedBy.UNREADABLE]] = EndedBy.UNANSWERABLE
    return endings


def _of_session(call: CallRecord, request: RankingRequest, sessions: Sessions) -> CallRecord:
    """A recommender's call with its row changed from the request's to the cohort's."""
    return replace(call, row=int(np.flatnonzero(sessions.users == request.users[call.row])[0]))
