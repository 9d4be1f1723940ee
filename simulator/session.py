"""The story of a session, from the first page to the exit, for a cohort of visits at once.

A language agent is a cohort of one; arithmetic agents come in thousands. Both live by the same lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.actions import ActionSchema, Illegal
from groundlings.environments.arrays import IntArray
from groundlings.environments.chat import CallRecord
from groundlings.environments.decision import checked
from groundlings.environments.environment import Environment, Served, State
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.visits import Visits
from groundlings.personas.mind import Afterthoughts, Mind, PageTurn, Situation, looks_back
from groundlings.recommenders.base import AsyncRecommender


@dataclass(frozen=True, slots=True)
class LoggedTurn:
    """One page of the visits that got so far: what was shown, from where, what was done and refused."""

    turn: PageTurn
    served: Served
    illegal: tuple[Illegal, ...]

    @property
    def calls(self) -> tuple[CallRecord, ...]:
        """What the mind asked a model for this page."""
        return self.turn.decision.trace.calls


@dataclass(frozen=True, slots=True)
class CohortRecord:
    """All that happened to a cohort of visits; the log is written from this and nothing else.

    Attributes:
        visits: Who came.
        schema: What could be done.
        turns: Page by page; later turns hold fewer visits.
        pages: Pages seen, shape (n,).
        ended_by: An `EndedBy` value each, shape (n,).
        afterthoughts: What the agents made of it.
        asked: What the recommender asked a model: the page it was for, and the call, whose `row` is the visit.
    """

    visits: Visits
    schema: ActionSchema
    turns: tuple[LoggedTurn, ...]
    pages: IntArray
    ended_by: NDArray[np.object_]
    afterthoughts: Afterthoughts = field(default_factory=Afterthoughts)
    asked: tuple[tuple[int, CallRecord], ...] = ()


async def browse(
    visits: Visits,
    seen: sp.csr_array,
    *,
    recommender: AsyncRecommender,
    environment: Environment[State],
    mind: Mind,
) -> CohortRecord:
    """Let a cohort of agents visit once.

    Args:
        visits: Who comes, one row per visit.
        seen: What each of them must not be shown again, shape (n, n_items).
        recommender: Ranks; frozen while the visit lasts.
        environment: Says what can be seen and done, and what follows from it.
        mind: Decides.
    """
    asked: list[tuple[int, CallRecord]] = []

    async def rank(request: RankingRequest) -> Ranking:
        ranking = await recommender.rank(request)
        ranking.check(request, seen.shape[1])
        asked.extend((request.page, _of_visit(call, request, visits)) for call in ranking.calls)
        return ranking

    turns: list[LoggedTurn] = []
    pages = np.zeros(len(visits), dtype=np.int64)
    state = await environment.open(visits, seen, rank)

    # 1. Everybody still here sees the next page, and what may be done with it.
    while (observation := await environment.observe(state, rank)) is not None:
        here, page, legal = observation.rows, observation.page, observation.legal
        present = visits if len(here) == len(visits) else visits.take(here)

        # 2. The mind decides.
        situation = Situation(present, page, legal, here, tuple(logged.turn for logged in turns))
        decision = await mind.decide(situation)

        # 3. What was not offered is taken out.
        legal_part = checked(decision, page, legal)

        # 4. What happened is noted, the refused and the unreadable included.
        turns.append(LoggedTurn(PageTurn(here, page, legal_part.decision), observation.served, legal_part.illegal))
        pages[here] = page.number

        # 5. The environment says what follows: who stays, and how the others have left.
        state = environment.apply(state, observation, legal_part.decision)

    # 6. Minds that keep something think it over.
    afterthoughts = Afterthoughts()
    if looks_back(mind):
        afterthoughts = await mind.look_back(visits, tuple(logged.turn for logged in turns))
    return CohortRecord(visits, environment.schema, tuple(turns), pages, state.ended_by, afterthoughts, tuple(asked))


def _of_visit(call: CallRecord, request: RankingRequest, visits: Visits) -> CallRecord:
    """A recommender's call, whose row is one of its request, as one of the visit it was made for."""
    return replace(call, row=int(np.flatnonzero(visits.users == request.users[call.row])[0]))
