"""Many sessions at once, each at a page of its own, whose next page somebody else chooses.

It is the loop of `groundlings.simulator.session.browse` turned inside out: there a recommender is asked, here whoever
learns says what is shown. Environment, mind, legality and luck are the same: the session that a user has in round r is
the one of day r in a run with the same seed, if the same is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from groundlings.environments.actions import Cells
from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray, ItemArray
from groundlings.environments.environment import EndedBy, Observation
from groundlings.environments.feed import FeedState, PaginatedFeed
from groundlings.environments.offers import DayOffers
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws, row_keys
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.sessions import Sessions
from groundlings.environments.side_by_side import side_by_side
from groundlings.personas.mind import Mind, PageTurn
from groundlings.recommenders.policies.observation import SessionSoFar
from groundlings.simulator.session import LoggedTurn, answered

Wait: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]
"""Runs a coroutine to its end."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one page of every session, one row each.

    Attributes:
        items: What was shown, `NO_ITEM` behind the last item, shape (n, slots).
        columns: Action -> its cells, shape (n, slots) for actions per slot and (n,) for those per page; idle where
            nothing was shown and where the page is lost.
        left: The session has ended because the user left, or was shown nothing, shape (n,).
        cut: The session has ended because there is no further page, shape (n,).
        lost: The session has ended because the mind's reply could not be read: what was done is unknown, shape (n,).
    """

    items: ItemArray
    columns: dict[str, Cells]
    left: BoolArray
    cut: BoolArray
    lost: BoolArray


class OpenSessions:
    """Rows in which one session follows the other.

    Args:
        feed: Slots, pages and actions.
        mind: Decides for the users.
        agents: Who may come, row numbers in the population, shape (n_agents,).
        users: The user behind each of them, shape (n_agents,).
        rows: How many sessions are open at a time.
        n_items: Size of the catalogue.
        wait: Runs what the mind does to its end.
        offers: Prices, stock and promotions; those of the first day on all days. None where there are none.
    """

    def __init__(
        self,
        feed: PaginatedFeed,
        mind: Mind,
        agents: IntArray,
        users: IntArray,
        *,
        rows: int,
        n_items: int,
        wait: Wait,
        offers: DayOffers | None = None,
    ) -> None:
        self._feed, self._mind = replace(feed, rank_each="page"), mind
        self._agents, self._agent_users = agents, users
        self._n_items, self._wait, self._offers = n_items, wait, offers
        self._cohort = min(mind.cohort_size, rows)
        width = feed.page_size * feed.max_pages
        self._seed = self._begun = 0
        self._who = np.zeros(rows, dtype=np.int64)
        self._round = np.zeros(rows, dtype=np.int64)
        self._luck = np.zeros(rows, dtype=np.uint64)
        self._pages = np.zeros(rows, dtype=np.int64)
        self._shown = np.full((rows, width), NO_ITEM, dtype=np.int32)
        self._clicked = np.zeros((rows, width), dtype=np.bool_)
        # Earlier pages are kept for minds that decide for one session at a time: others look at the page alone.
        self._turns: list[tuple[PageTurn, ...]] | None = [()] * rows if self._cohort == 1 else None

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def users(self) -> IntArray:
        """The user of each row, shape (n,)."""
        return self._agent_users[self._who]

    @property
    def rounds(self) -> IntArray:
        """How often the user of each row was here before, shape (n,)."""
        return self._round

    def so_far(self) -> SessionSoFar:
        """What a recommender may know of every session; the arrays change with the next page."""
        return SessionSoFar(self.users, self._pages, self._shown, self._clicked, self._feed.page_size)

    def seed(self, seed: int) -> None:
        """Begin the order of users and their luck anew."""
        self._seed, self._begun = seed, 0

    def begin(self, rows: IntArray) -> None:
        """Begin a new session in some rows, in a random order of users: nobody comes again before everybody came."""
        turn, place = np.divmod(self._begun + np.arange(len(rows)), len(self._agents))
        self._begun += len(rows)
        for each in np.unique(turn).tolist():
            keys = row_keys(self._seed, np.full(len(self._agents), each), self._agents)
            some = rows[turn == each]
            self._who[some] = np.argsort(keys, kind="stable")[place[turn == each]]
            self._luck[some] = Draws.for_sessions(self._seed, self._agent_users[self._who[some]], each).who
        self._round[rows], self._pages[rows] = turn, 0
        self._shown[rows], self._clicked[rows] = NO_ITEM, False
        if self._turns is not None:
            for row in rows.tolist():
                self._turns[row] = ()

    def show(self, items: ItemArray) -> Outcome:
        """Show every session its next page and let the users decide.

        Args:
            items: `NO_ITEM` behind the last item, shape (n, slots); a session whose page is empty ends.
        """
        blank = Page(1, 0, items)
        columns = {spec.name: spec.idle(blank) for spec in self._feed.schema.specs}
        over = np.full(len(items), EndedBy.EXIT, dtype=np.object_)
        staying = np.zeros(len(items), dtype=np.bool_)
        cohorts = self._cohorts(items[:, 0] != NO_ITEM)
        for rows, (logged, state) in zip(cohorts, self._wait(self._all(cohorts, items)), strict=True):
            for name, cells in columns.items():
                cells[rows] = logged.turn.decision[name]
            staying[rows[state.here]] = True
            over[rows] = state.ended_by
            self._keep(rows, logged, items[rows])
        ended = ~staying
        return Outcome(
            items,
            columns,
            left=ended & (over == EndedBy.EXIT),
            cut=ended & (over == EndedBy.LAST_PAGE),
            lost=ended & (over == EndedBy.UNREADABLE),
        )

    def _cohorts(self, shown: BoolArray) -> list[IntArray]:
        """Rows that are at the same page of the same round, as many at a time as the mind takes."""
        found: list[IntArray] = []
        keys = self._round * (self._feed.max_pages + 1) + self._pages
        for key in np.unique(keys[shown]).tolist():
            alike = np.flatnonzero(shown & (keys == key))
            found += [alike[first : first + self._cohort] for first in range(0, len(alike), self._cohort)]
        return found

    async def _all(self, cohorts: list[IntArray], items: ItemArray) -> list[tuple[LoggedTurn, FeedState]]:
        return await side_by_side(self._page(rows, items[rows]) for rows in cohorts)

    async def _page(self, rows: IntArray, items: ItemArray) -> tuple[LoggedTurn, FeedState]:
        """The next page of a cohort: what was done, and which sessions go on."""

        async def chosen(request: RankingRequest) -> Ranking:  # noqa: ARG001 - whoever asks gets the page
            return Ranking.deterministic(items, np.full(items.shape, np.nan))

        first = int(rows[0])
        sessions = Sessions(
            agents=self._agents[self._who[rows]],
            users=self.users[rows],
            day=int(self._round[first]),
            draws=Draws(self._seed, self._luck[rows]),
            offers=self._offers,
        )
        unseen = sp.csr_array((len(rows), self._n_items))
        state = FeedState.arrived(sessions, unseen, ranking=None, number=int(self._pages[first]) + 1)
        observation = await self._feed.observe(state, chosen)
        assert isinstance(observation, Observation), "every row has an item"
        turns = self._turns[first] if self._turns is not None else ()
        logged = await answered(sessions, observation, turns, self._mind, self._feed)
        return logged, self._feed.apply(state, observation, logged.turn.decision)

    def _keep(self, rows: IntArray, logged: LoggedTurn, items: ItemArray) -> None:
        """Note what sessions were shown and what they clicked."""
        slots = self._feed.page_size
        first = int(self._pages[rows[0]]) * slots
        self._shown[rows, first : first + slots] = items
        self._clicked[rows, first : first + slots] = logged.turn.decision["click"]
        self._pages[rows] += 1
        if self._turns is not None:
            self._turns[rows[0]] += (logged.turn,)
