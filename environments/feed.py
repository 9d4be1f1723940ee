"""The paginated feed: a ranked list cut into pages, on which items can be clicked and rated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments import levels
from groundlings.environments.actions import ActionSchema, ActionSpec, LegalActions
from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import LIKES, RatingScale
from groundlings.environments.decision import Decision
from groundlings.environments.environment import EndedBy, Observation, Rank, Served, SessionState
from groundlings.environments.errors import ConfigError
from groundlings.environments.feedback import Opinions
from groundlings.environments.layout import grid_places
from groundlings.environments.offers import Offers
from groundlings.environments.page import Page, Places
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.sessions import Sessions
from groundlings.environments.shop_actions import PURCHASE, FeedAction, booked, check_actions, shop_specs

RankEach = Literal["visit", "page"]

CLICK = ActionSpec("click", per="slot")
NEXT_PAGE = ActionSpec("next_page", per="page", said="next page", refusals={"offered": "there is no next page"})
SATISFACTION = ActionSpec("satisfaction", per="page", kind="number", within=(1, 10), optional=True)

_ENDINGS = np.array([EndedBy.EXIT, EndedBy.LAST_PAGE, EndedBy.UNREADABLE], dtype=np.object_)


def rate(stars: tuple[float, ...]) -> ActionSpec:
    """The action of rating a clicked item with one of these numbers of stars."""
    return ActionSpec(
        "rate",
        per="slot",
        kind="number",
        values=stars,
        needs="click",
        refusals={
            "needs": "only an opened item can be rated",
            "values": f"stars are {', '.join(levels.texts(stars))}",
        },
    )


LIKE = ActionSpec(
    "like",
    per="slot",
    kind="number",
    values=LIKES.values,
    needs="click",
    refusals={"needs": "only an opened item can be liked or disliked", "values": "1 is a like, and 0 a dislike"},
)


def feed_schema(
    stars: tuple[float, ...], named: Sequence[FeedAction] | None = None, *, opinions: Opinions = "ratings"
) -> ActionSchema:
    """The actions of a feed: click, rate (where there are stars) or like, next page, satisfaction; those of a shop.

    Args:
        stars: The ratings that may be given.
        named: Actions per item, as `site.actions` has them; with purchases, those are what recommenders learn from.
        opinions: How people say what they think of an item.
    """
    said: tuple[ActionSpec, ...] = {"ratings": (rate(stars),) if stars else (), "likes": (LIKE,), "none": ()}[opinions]
    if named is not None:
        said = tuple(spec for spec in said if spec.name in named)
    return ActionSchema(
        (CLICK, *said, *shop_specs(named or ()), NEXT_PAGE, SATISFACTION),
        interaction=PURCHASE if PURCHASE in (named or ()) else "click",
        strength=said[0].name if said else None,
    )


def feed_actions(stars: tuple[float, ...], may_go_on: BoolArray) -> LegalActions:
    """The actions that a page of a feed offers; `may_go_on`: which sessions have a next page, shape (n_sessions,)."""
    return LegalActions(feed_schema(stars), {"next_page": may_go_on})


@dataclass(frozen=True, slots=True)
class FeedState(SessionState):
    """The state of a cohort's sessions on a feed.

    Attributes:
        ranking: The list of each session, one row per session; None where every page is asked for by itself.
        number: The page to be shown next, 1 for the first.
        shown: What the sessions that are still here have been shown, shape (n_here, n_shown); None before the first
            page and where one list serves the session.
        clicked: Where they clicked it, shape as `shown`; None likewise.
    """

    ranking: Ranking | None
    number: int = 1
    shown: ItemArray | None = None
    clicked: BoolArray | None = None


@dataclass(frozen=True)
class PaginatedFeed:
    """A ranked list cut into pages of equal size, as in Agent4Rec (Zhang et al. 2024, section 3.2).

    Attributes:
        page_size: Slots per page.
        max_pages: Largest number of pages per session.
        scale: The stars that may be given.
        rank_each: Whether the recommender ranks once per `visit`, for all pages, or anew for each `page`.
        columns: Items per line of a grid; None for one list from top to bottom.
        actions: What may be done with an item, for instance click, add_to_cart and purchase; None for click and, where
            the data set has ratings, rate.
        catalog, offers: Where costs and prices come from, for the actions that need them.
        opinions: How people say what they think of an item that they clicked: ratings of the scale, likes, or not.
        shows_friends: Whether slots say how many ties of the agent liked the item; the loop puts the numbers there.
    """

    page_size: int
    max_pages: int
    scale: RatingScale
    rank_each: RankEach = "visit"
    columns: int | None = None
    opinions: Opinions = "ratings"
    actions: tuple[FeedAction, ...] | None = None
    catalog: Catalog | None = field(default=None, compare=False, repr=False)
    offers: Offers | None = field(default=None, compare=False, repr=False)
    shows_friends: bool = False

    def __post_init__(self) -> None:
        if self.page_size < 1 or self.max_pages < 1:
            raise ConfigError(f"site: page_size and max_pages must be at least 1, found {self}")
        if self.actions is not None:
            check_actions(
                self.actions,
                priced=self.offers is not None and self.offers.has_prices,
                costed=self.catalog is not None and self.catalog.costs is not None,
                opinion=feed_schema(self.scale.values, opinions=self.opinions).strength,
            )

    @cached_property
    def schema(self) -> ActionSchema:
        """See `Environment.schema`."""
        return feed_schema(self.scale.values, self.actions, opinions=self.opinions)

    @property
    def depth(self) -> int:
        """Largest number of items per session: the size of the list that the recommender is asked for."""
        return self.page_size * self.max_pages

    @property
    def lists_per_session(self) -> int:
        """See `CountsLists.lists_per_session`."""
        return self.max_pages if self.rank_each == "page" else 1

    async def open(self, sessions: Sessions, seen: sp.csr_array, rank: Rank) -> FeedState:
        """See `Environment.open`."""
        if self.rank_each == "page":
            return FeedState.arrived(sessions, seen, ranking=None)
        request = RankingRequest(
            sessions.users, self.depth, seen, sessions.draws, sim_time=sessions.sim_time, offers=sessions.offers
        )
        return FeedState.arrived(sessions, seen, ranking=await rank(request))

    async def observe(self, state: FeedState, rank: Rank) -> Observation | None:
        """See `Environment.observe`; the last page may have empty slots."""
        if not len(state.here) or state.number > self.max_pages:
            return None
        if state.ranking is not None:
            return self._part(state, state.ranking, state.here, (state.number - 1) * self.page_size)
        ranking = await rank(self._page_request(state))
        return self._part(state, ranking, np.arange(len(state.here), dtype=np.int64), 0)

    def apply(self, state: FeedState, observation: Observation, decision: Decision) -> FeedState:
        """See `Environment.apply`."""
        may_go_on = observation.legal.available["next_page"]
        endings = _ENDINGS[np.where(decision.unreadable, 2, np.where(may_go_on, 0, 1))]
        staying = decision["next_page"]
        shown = clicked = None
        if state.ranking is None:
            shown = _after(state, state.shown, observation, observation.page.items)[staying]
            clicked = _after(state, state.clicked, observation, decision["click"])[staying]
        return state.after(observation, staying, endings, number=state.number + 1, shown=shown, clicked=clicked)

    def book(self, observation: Observation, decision: Decision) -> Decision:
        """See `KeepsBooks.book`: what purchases cost."""
        return booked(decision, observation.page, None if self.catalog is None else self.catalog.costs)

    def describe(self) -> Mapping[str, Any]:
        """See `Environment.describe`."""
        described: dict[str, Any] = {
            "kind": "feed",
            "page_size": self.page_size,
            "max_pages": self.max_pages,
            "rank_each": self.rank_each,
        }
        if self.columns is not None:
            described["layout"] = {"kind": "grid", "columns": self.columns}
        if self.shows_friends:
            described["friends"] = True
        return described if self.actions is None else {**described, "actions": list(self.actions)}

    def _part(self, state: FeedState, ranking: Ranking, lists: IntArray, first: int) -> Observation | None:
        """The page that begins at rank `first` of the lists in the rows `lists`, one for each session that is here."""
        items = np.full((len(lists), self.page_size), NO_ITEM, dtype=np.int32)
        listed = ranking.items[lists, first : first + self.page_size]
        items[:, : listed.shape[1]] = listed
        # Lists have no gaps: a session sees something where its first slot holds an item.
        something = items[:, 0] != NO_ITEM
        rows = state.here
        if not something.all():
            rows, lists, items = rows[something], lists[something], items[something]
        if not len(rows):
            return None
        page = self._page(state, items, self._places(items))
        legal = self._legal(self._may_go_on(state, ranking, lists, page))
        return Observation(rows, page, legal, Served.part_of(ranking, lists, first, page))

    def _page(self, state: FeedState, items: ItemArray, places: Places | None) -> Page:
        offered = state.sessions.offers
        further = {} if offered is None else offered.on_page(items)
        return Page(state.number, (state.number - 1) * self.page_size, items, further, places)

    def _legal(self, may_go_on: BoolArray) -> LegalActions:
        return LegalActions(self.schema, {"next_page": may_go_on})

    def _places(self, items: ItemArray) -> Places | None:
        """Where each slot of a page stands, None for one list."""
        return None if self.columns is None else grid_places(len(items), items.shape[1], self.columns)

    def _may_go_on(self, state: FeedState, ranking: Ranking, lists: IntArray, page: Page) -> BoolArray:
        """Who has a next page; where each page is asked for, whoever has a full one may look for another."""
        following = state.number * self.page_size
        if state.number >= self.max_pages:
            return np.zeros(len(lists), dtype=np.bool_)
        if state.ranking is None:
            return page.items[:, -1] != NO_ITEM
        if following >= ranking.items.shape[1]:
            return np.zeros(len(lists), dtype=np.bool_)
        return ranking.items[lists, following] != NO_ITEM

    def _page_request(self, state: FeedState) -> RankingRequest:
        sessions, seen = state.sessions, state.seen
        if len(state.here) < len(sessions):
            sessions, seen = sessions.take(state.here), seen[state.here]
        return RankingRequest(
            users=sessions.users,
            size=self.page_size,
            seen=seen if state.shown is None else with_shown(seen, state.shown),
            draws=sessions.draws,
            page=state.number,
            shown=state.shown,
            clicked=state.clicked,
            sim_time=sessions.sim_time,
            offers=sessions.offers,
        )


Column = TypeVar("Column", bound=np.generic)


def _after(
    state: FeedState, earlier: NDArray[Column] | None, observation: Observation, here: NDArray[Column]
) -> NDArray[Column]:
    """What is known of each slot of earlier pages, and of this page, for the sessions of an observation."""
    if earlier is None:
        return here
    # `here` is ascending and holds every row of the observation.
    return np.concatenate([earlier[np.searchsorted(state.here, observation.rows)], here], axis=1)


def with_shown(seen: sp.csr_array, shown: ItemArray) -> sp.csr_array:
    """What a session must not be shown, with what it has been shown already, shape (n, n_shown)."""
    rows, places = np.nonzero(shown != NO_ITEM)
    marks = np.ones(len(rows), dtype=seen.dtype)
    return seen + sp.csr_array((marks, (rows, shown[rows, places])), shape=seen.shape)
