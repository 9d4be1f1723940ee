"""The story of a visit, from the first page to the exit, for a cohort of visits at once.

A language agent is a cohort of one; arithmetic agents come in thousands. Both live by the same lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.actions import Decision, Illegal
from groundlings.environments.arrays import IntArray
from groundlings.environments.chat import CallRecord
from groundlings.environments.feed import Site
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.personas.mind import Afterthoughts, Mind, PageTurn, Situation, SoFar, Visits, looks_back
from groundlings.recommenders.base import Recommender


class EndedBy(StrEnum):
    """Why a visit was over. All but EXIT are censored: nobody knows when that person would have left."""

    EXIT = "exit"
    """The agent chose to leave."""
    LAST_PAGE = "last_page"
    """The site had no further page."""
    UNREADABLE = "unreadable"
    """The mind's reply could not be read; what the person did on that page is unknown."""
    NOTHING_SHOWN = "nothing_shown"
    """The recommender had no item for this person."""


_ENDINGS = np.array([EndedBy.EXIT, EndedBy.LAST_PAGE, EndedBy.UNREADABLE], dtype=np.object_)


@dataclass(frozen=True, slots=True)
class LoggedTurn:
    """One page of the visits that got so far: what was shown, done, refused and asked."""

    turn: PageTurn
    illegal: tuple[Illegal, ...]
    calls: tuple[CallRecord, ...]


@dataclass(frozen=True, slots=True)
class CohortRecord:
    """All that happened to a cohort of visits; the log is written from this and nothing else.

    Attributes:
        visits: Who came.
        ranking: What the recommender answered, one row a visit.
        turns: Page by page; later turns hold fewer visits.
        pages: Pages seen, shape (n,).
        ended_by: An `EndedBy` value each, shape (n,).
        afterthoughts: What the agents made of it.
    """

    visits: Visits
    ranking: Ranking
    turns: tuple[LoggedTurn, ...]
    pages: IntArray
    ended_by: NDArray[np.object_]
    afterthoughts: Afterthoughts = field(default_factory=Afterthoughts)


async def browse(
    visits: Visits,
    seen: sp.csr_array,
    *,
    recommender: Recommender,
    site: Site,
    mind: Mind,
    like: float,
) -> CohortRecord:
    """Let a cohort of agents visit the site once.

    Args:
        visits: Who comes, one row a visit.
        seen: What each of them must not be shown again, shape (n, n_items).
        recommender: Ranks; frozen while the visit lasts.
        site: Turns the ranking into pages and checks what is done with them.
        mind: Decides.
        like: From this many stars on, a rating is a like.
    """
    # 1. The recommender ranks once a visit, as deep as the visit can go.
    request = RankingRequest(visits.users, site.depth, seen, visits.draws)
    ranking = recommender.recommend(request)
    ranking.check(request, seen.shape[1])

    turns: list[LoggedTurn] = []
    earlier: tuple[PageTurn, ...] = ()
    pages = np.zeros(len(visits), dtype=np.int64)
    ended_by = np.full(len(visits), EndedBy.NOTHING_SHOWN, dtype=np.object_)
    number = 1
    page = site.paginate(ranking, number)
    here = np.flatnonzero(page.shown.any(axis=1)) if page else np.zeros(0, dtype=np.int64)
    so_far = SoFar.nothing(len(here))

    while page is not None and len(here):
        # 2. Everybody still here sees the next page, and what may be done with it.
        actions = site.actions(ranking, page).take(here)
        situation = Situation(visits.take(here), page.take(here), actions, so_far, earlier)

        # 3. The mind decides; the site takes out what was not offered.
        answer = await mind.decide(situation)
        checked = site.check(answer, situation.page, actions)
        decision = checked.decision

        # 4. What happened is noted, the refused and the unreadable included.
        turn = PageTurn(here, situation.page, decision)
        turns.append(LoggedTurn(turn, checked.illegal, answer.calls))
        pages[here] = number
        ended_by[here] = _ENDINGS[np.where(decision.unreadable, 2, np.where(actions.may_go_on, 0, 1))]

        # 5. Who goes on takes along what they have lived through.
        staying = decision.goes_on.nonzero()[0]
        so_far, earlier = _after(so_far, turn, like), (*earlier, turn)
        if len(staying) < len(here):
            so_far, earlier = so_far.take(staying), tuple(past.take(staying) for past in earlier)
            here = here[staying]
        number += 1
        page = site.paginate(ranking, number)

    # 6. Minds that keep something think it over.
    afterthoughts = Afterthoughts()
    if looks_back(mind):
        afterthoughts = await mind.look_back(visits, tuple(logged.turn for logged in turns))
    return CohortRecord(visits, ranking, tuple(turns), pages, ended_by, afterthoughts)


def _after(so_far: SoFar, turn: PageTurn, like: float) -> SoFar:
    decision: Decision = turn.decision
    stars = np.where(np.isnan(decision.stars), 0.0, decision.stars)
    return SoFar(
        impressions=so_far.impressions + turn.page.shown.sum(axis=1),
        clicks=so_far.clicks + decision.clicked.sum(axis=1),
        likes=so_far.likes + (stars >= like).sum(axis=1),
        stars=so_far.stars + stars.sum(axis=1),
    )
