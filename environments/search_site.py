"""A site with a search box: people state queries and get pages of results, from a feed or from the box alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.actions import ActionSchema, ActionSpec, LegalActions
from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.dataset import RatingScale
from groundlings.environments.decision import Decision
from groundlings.environments.environment import EndedBy, Observation, Rank, Served, SessionState
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.feed import feed_schema, with_shown
from groundlings.environments.feedback import Opinions
from groundlings.environments.page import Page
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.sessions import Sessions

QUERY = ActionSpec(
    "query",
    per="page",
    kind="text",
    goes_on=True,
    refusals={"offered": "no further query can be made", "values": "a query has a word at least"},
)
"""Say in words what is looked for; the next page is the first one of its results."""

SOURCE = "source"
"""What a page is, `feed` or `search`: a name in `Page.further`, and the kind of an event before the page's slots."""

FEED, SEARCH = "feed", "search"

_MOST = 100_000

_ENDINGS = np.array([EndedBy.EXIT, EndedBy.LAST_PAGE, EndedBy.UNREADABLE], dtype=np.object_)


def search_schema(stars: tuple[float, ...], opinions: Opinions = "ratings") -> ActionSchema:
    """The actions of a feed, and `query`."""
    feed = feed_schema(stars, opinions=opinions)
    return replace(feed, specs=(*feed.specs, QUERY), tells=(SOURCE,))


@dataclass(frozen=True, slots=True)
class SearchState(SessionState):
    """The state of a cohort's sessions on a site with a search box.

    Attributes:
        queries: What each session asked for last, None on the feed, shape (n,).
        made: How many queries each has made, shape (n,).
        shown: What they were shown on earlier pages, shape (n, n_shown).
        clicked: Where they clicked it, shape as `shown`.
        number: The page to be shown next, 1 for the first.
    """

    queries: NDArray[np.object_]
    made: IntArray
    shown: ItemArray
    clicked: BoolArray
    number: int = 1


class SearchSite:
    """Pages of a feed and of search results; every page is asked for by itself.

    A results page is the recommender's answer to a request with the query (`RankingRequest.queries`), a page of the
    feed its answer to one without. The next page of results holds the next best, and what a session was shown is not
    shown in it again. A query without results leads to a page without items, on which another may be made. Who makes a
    query and turns the page at once gets the results of the query.

    Args:
        page_size: Slots per page.
        max_pages: Pages of a session at most, the empty search box included.
        max_queries: Queries of a session at most.
        opens_on: What the first page is: `feed`, or `search`, the empty box, on which nothing but a query can be made.
        scale: The stars that may be given.
        opinions: How people say what they think of an item that they clicked.
    """

    def __init__(
        self,
        page_size: int = 10,
        max_pages: int = 6,
        max_queries: int = 3,
        opens_on: Literal["feed", "search"] = "search",
        *,
        scale: RatingScale,
        opinions: Opinions = "ratings",
    ) -> None:
        for name, value in (("page_size", page_size), ("max_pages", max_pages), ("max_queries", max_queries)):
            if not 1 <= value <= _MOST:
                raise ConfigError(f"{name}: found {shown(value)}; expected 1 to {_MOST:,}")
        if max_pages < 2:
            raise ConfigError("max_pages: found 1; a query leads to a second page, so expected 2 or more")
        self.page_size, self.max_pages, self.max_queries, self.opens_on = page_size, max_pages, max_queries, opens_on
        self.schema = search_schema(scale.values, opinions)

    @property
    def lists_without_query(self) -> bool:
        """See `SendsQueries.lists_without_query`."""
        return self.opens_on == FEED

    async def open(self, sessions: Sessions, seen: sp.csr_array, rank: Rank) -> SearchState:  # noqa: ARG002 - asked later
        """See `Environment.open`."""
        nothing = np.empty((len(sessions), 0), dtype=np.int32)
        return SearchState.arrived(
            sessions,
            seen,
            queries=np.full(len(sessions), None, dtype=np.object_),
            made=np.zeros(len(sessions), dtype=np.int64),
            shown=nothing,
            clicked=nothing.astype(np.bool_),
        )

    async def observe(self, state: SearchState, rank: Rank) -> Observation | None:
        """See `Environment.observe`."""
        rows = state.here
        if not len(rows) or state.number > self.max_pages:
            return None
        if state.number == 1 and self.opens_on == SEARCH:
            return self._box(state)
        ranking = await rank(self._request(state))
        searching = _said(state.queries[rows])
        items = np.full((len(rows), self.page_size), NO_ITEM, dtype=np.int32)
        items[:, : ranking.items.shape[1]] = ranking.items
        # Lists have no gaps: a session sees something where its first slot holds an item. Who searches sees that there
        # are no results; a feed that has come to its end shows no page.
        visible = np.flatnonzero(searching | (items[:, 0] != NO_ITEM))
        return self._observation(state, visible, items, ranking) if len(visible) else None

    def apply(self, state: SearchState, observation: Observation, decision: Decision) -> SearchState:
        """See `Environment.apply`."""
        rows, asked = observation.rows, _said(decision["query"])
        staying = decision["next_page"] | asked
        could_stay = observation.legal.available["next_page"] | observation.legal.available["query"]
        endings = _ENDINGS[np.where(decision.unreadable, 2, np.where(could_stay & ~staying, 0, 1))]
        queries, made = state.queries.copy(), state.made.copy()
        queries[rows[asked]] = decision["query"][asked]
        made[rows[asked]] += 1
        here = np.full((len(made), self.page_size), NO_ITEM, dtype=np.int32)
        here[rows] = observation.page.items
        clicked = np.zeros(here.shape, dtype=np.bool_)
        clicked[rows] = decision["click"]
        return state.after(
            observation,
            staying,
            endings,
            queries=queries,
            made=made,
            shown=np.concatenate([state.shown, here], axis=1),
            clicked=np.concatenate([state.clicked, clicked], axis=1),
            number=state.number + 1,
        )

    def describe(self) -> Mapping[str, Any]:
        """See `Environment.describe`."""
        return {
            "kind": "search",
            "page_size": self.page_size,
            "max_pages": self.max_pages,
            "max_queries": self.max_queries,
            "opens_on": self.opens_on,
        }

    def _request(self, state: SearchState) -> RankingRequest:
        rows, everybody = state.here, len(state.here) == len(state.sessions)
        sessions, seen = (state.sessions, state.seen) if everybody else (state.sessions.take(rows), state.seen[rows])
        queries = state.queries[rows]
        shown = state.shown[rows] if state.shown.shape[1] else None
        return RankingRequest(
            users=sessions.users,
            size=self.page_size,
            seen=seen if shown is None else with_shown(seen, shown),
            draws=sessions.draws,
            page=state.number,
            shown=shown,
            clicked=None if shown is None else state.clicked[rows],
            queries=tuple(queries) if _said(queries).any() else None,
            sim_time=sessions.sim_time,
            offers=sessions.offers,
        )

    def _box(self, state: SearchState) -> Observation:
        """The first page where it is the search box alone."""
        items = np.full((len(state.here), self.page_size), NO_ITEM, dtype=np.int32)
        unscored: FloatArray = np.full(items.shape, np.nan)
        nothing = Ranking.deterministic(items, unscored)
        return self._observation(state, np.arange(len(items)), items, nothing)

    def _observation(self, state: SearchState, some: IntArray, items: ItemArray, ranking: Ranking) -> Observation:
        """The pages of some of the sessions that are here, by their row among them."""
        rows, items = state.here[some], items[some]
        searching = _said(state.queries[rows]) | (state.number == 1 and self.opens_on == SEARCH)
        offered = state.sessions.offers
        source = np.where(searching, SEARCH, FEED).astype(np.object_)
        further = {**({} if offered is None else offered.on_page(items)), SOURCE: source}
        page = Page(state.number, (state.number - 1) * self.page_size, items, further)
        more = np.full(len(rows), state.number < self.max_pages)
        legal = LegalActions(
            self.schema,
            {"next_page": more & (items[:, -1] != NO_ITEM), "query": more & (state.made[rows] < self.max_queries)},
        )
        return Observation(rows, page, legal, Served.part_of(ranking, some, 0, page))


def _said(texts: NDArray[np.object_]) -> BoolArray:
    """Where there is a text, shape (n,)."""
    return np.array([text is not None for text in texts.tolist()], dtype=np.bool_)
