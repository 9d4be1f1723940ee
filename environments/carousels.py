"""A feed of carousels: pages of named rows, each a part of one ranked list or the best of a category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.environment import Observation, Rank, Served
from groundlings.environments.errors import ConfigError
from groundlings.environments.feed import FeedState, PaginatedFeed, with_shown
from groundlings.environments.layout import Carousel, packed, row_places
from groundlings.environments.notes import Notes
from groundlings.environments.page import Places
from groundlings.environments.ranking import PropensityKind, Ranking, RankingRequest

_CELLS = 2**23
"""Sessions times items that one request may have to hide."""

_KNOWN_LEAST: tuple[PropensityKind, ...] = ("deterministic", "exact", "estimated")


@dataclass(frozen=True)
class CarouselFeed(PaginatedFeed):
    """A feed whose pages are carousels, from the top down.

    Where no carousel has a filter, one ranked list is cut into them, page after page. Where one has, each carousel is
    asked for by itself on every page, from the top, and what stands above it is not listed again. `RankingRequest.seen`
    then also holds what the filter leaves out, so that any recommender can answer, and `draws` are those of the
    carousel alone, so that chance in one is independent of chance in another. A carousel that has no item is not shown.

    Attributes:
        carousels: From the top; `page_size` is the number of all their slots.
        categories: The items of each category, shape (n_categories, n_items), as rows of `category_names`.
        category_names: The categories that carousels need.
        most_liked: The category that each user liked most, a row of `categories`, -1 for none, shape (n_users,); None
            where no carousel needs it.
    """

    carousels: tuple[Carousel, ...] = ()
    categories: BoolArray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.bool_))
    category_names: tuple[str, ...] = ()
    most_liked: IntArray | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if sum(carousel.slots for carousel in self.carousels) != self.page_size:
            raise ConfigError(f"site: page_size must be the number of all slots of the carousels, found {self}")
        if self.filtered and self.rank_each != "page":
            raise ConfigError("site: carousels with a filter are asked for page by page; take rank_each: visit out")

    @property
    def filtered(self) -> bool:
        """Whether a carousel has a filter."""
        return any(carousel.filter != "ranking" for carousel in self.carousels)

    @property
    def lists_per_session(self) -> int:
        """See `CountsLists.lists_per_session`; carousels with a filter are asked for one by one."""
        return super().lists_per_session * (len(self.carousels) if self.filtered else 1)

    async def observe(self, state: FeedState, rank: Rank) -> Observation | None:
        """See `Environment.observe`."""
        if not self.filtered or not len(state.here) or state.number > self.max_pages:
            return await super().observe(state, rank)
        request = self._page_request(state)
        wanted = [self._category(carousel, request.users) for carousel in self.carousels]
        cells = _Cells.empty(len(request), self.page_size)
        first = 0
        for number, carousel in enumerate(self.carousels):
            await self._fill(cells, request, number, first, wanted[number], rank)
            first += carousel.slots
        something = cells.items != NO_ITEM
        rows = np.flatnonzero(something.any(axis=1))
        if not len(rows):
            return None
        return self._observation(state, cells, np.stack(wanted, axis=1), rows)

    def describe(self) -> Mapping[str, Any]:
        """See `Environment.describe`."""
        rows = [
            {
                "name": carousel.name,
                "visible": carousel.visible,
                "scrolled": carousel.scrolled,
                "filter": {"category": carousel.category} if carousel.category else carousel.filter,
            }
            for carousel in self.carousels
        ]
        return {**super().describe(), "layout": {"kind": "rows", "rows": rows}}

    def _places(self, items: ItemArray) -> Places | None:
        names = tuple(carousel.name for carousel in self.carousels)
        named = np.broadcast_to(np.arange(len(names)), (len(items), len(names)))
        return row_places(items, self.carousels, named, names)

    def _category(self, carousel: Carousel, users: IntArray) -> IntArray:
        """The category that a carousel shows each session, shape (n,); -1 for none."""
        if carousel.filter == "most_liked":
            assert self.most_liked is not None
            return self.most_liked[users]
        known = carousel.filter == "category"
        return np.full(len(users), self.category_names.index(carousel.category) if known else -1, dtype=np.int64)

    async def _fill(
        self, cells: _Cells, request: RankingRequest, number: int, first: int, wanted: IntArray, rank: Rank
    ) -> None:
        """Put one carousel's items into the page, in place.

        Args:
            cells: The page; its first `first` columns are filled.
            request: For the whole page.
            number: Of the carousel.
            first: Slots of the carousels above.
            wanted: The category that each session is shown here, -1 for none.
            rank: Asks the recommender.
        """
        carousel = self.carousels[number]
        limited = carousel.filter != "ranking"
        rows = np.flatnonzero(wanted >= 0) if limited else np.arange(len(request))
        height = max(1, _CELLS // max(1, request.seen.shape[1])) if limited else max(1, len(rows))
        for start in range(0, len(rows), height):
            some = rows[start : start + height]
            above = cells.items[some, :first]
            asked = request.take(some) if len(some) < len(request) else request
            before = above if asked.shown is None else np.concatenate([asked.shown, above], axis=1)
            asked = replace(
                asked,
                size=carousel.slots,
                seen=with_shown(asked.seen, above),
                draws=asked.draws.apart("carousel", request.page * len(self.carousels) + number),
                shown=before if before.shape[1] else None,
                first=first,
            )
            if limited:
                asked = asked.without(~self.categories[wanted[some]])
            cells.put(await rank(asked), some, first)

    def _observation(self, state: FeedState, cells: _Cells, wanted: IntArray, rows: IntArray) -> Observation:
        cells = cells.take(rows)
        named, names = self._named(wanted[rows])
        places = row_places(cells.items, self.carousels, named, names)
        full = np.zeros(len(rows), dtype=np.bool_)
        end = 0
        for carousel in self.carousels:
            end += carousel.slots
            full |= cells.items[:, end - 1] != NO_ITEM
        order = packed(cells.items)
        if order is not None:
            cells, places = cells.arranged(order), _arranged(places, order)
        page = self._page(state, cells.items, places)
        may_go_on = full & (state.number < self.max_pages)
        return Observation(state.here[rows], page, self._legal(may_go_on), cells.served())

    def _named(self, wanted: IntArray) -> tuple[IntArray, tuple[str, ...]]:
        """What each carousel is called for each session, as numbers of the names that come second."""
        names: list[str] = []
        columns = []
        for number, carousel in enumerate(self.carousels):
            column = np.full(len(wanted), len(names), dtype=np.int64)
            if carousel.filter == "ranking":
                names.append(carousel.name)
            else:
                column += np.maximum(wanted[:, number], 0)
                names += [carousel.titled(category) for category in self.category_names]
            columns.append(column)
        return np.stack(columns, axis=1), tuple(names)


@dataclass(slots=True)
class _Cells:
    """A page that is being filled, shape (n_sessions, n_slots) each."""

    items: ItemArray
    scores: FloatArray
    propensities: FloatArray
    explored: BoolArray
    teams: IntArray | None = None
    kind: PropensityKind = "deterministic"
    notes: Notes | None = None

    @classmethod
    def empty(cls, sessions: int, slots: int) -> _Cells:
        shape = (sessions, slots)
        items = np.full(shape, NO_ITEM, dtype=np.int32)
        return cls(items, np.full(shape, np.nan), np.ones(shape), np.zeros(shape, dtype=np.bool_))

    def put(self, ranking: Ranking, rows: IntArray, first: int) -> None:
        """Put lists into some rows, from a slot on."""
        slots = slice(first, first + ranking.items.shape[1])
        self.items[rows, slots] = ranking.items
        self.scores[rows, slots] = ranking.scores
        self.propensities[rows, slots] = ranking.propensities
        self.explored[rows, slots] = ranking.explored
        if ranking.teams is not None:
            if self.teams is None:
                self.teams = np.full(self.items.shape, -1, dtype=np.int64)
            self.teams[rows, slots] = ranking.teams
        if ranking.notes is not None:
            if self.notes is None:
                self.notes = Notes.empty(self.items.shape)
            self.notes.put(ranking.notes, rows, slots)
        self.kind = max(self.kind, ranking.propensity_kind, key=_KNOWN_LEAST.index)

    def take(self, rows: IntArray) -> _Cells:
        """The pages of some sessions."""
        teams = None if self.teams is None else self.teams[rows]
        columns = (self.items[rows], self.scores[rows], self.propensities[rows], self.explored[rows])
        notes = None if self.notes is None else self.notes.each(lambda cells, _: cells[rows])
        return _Cells(*columns, teams, self.kind, notes)

    def arranged(self, order: IntArray) -> _Cells:
        """The same with the slots of each row in another order."""
        return _Cells(
            np.take_along_axis(self.items, order, axis=1),
            np.take_along_axis(self.scores, order, axis=1),
            np.take_along_axis(self.propensities, order, axis=1),
            np.take_along_axis(self.explored, order, axis=1),
            None if self.teams is None else np.take_along_axis(self.teams, order, axis=1),
            self.kind,
            None if self.notes is None else self.notes.each(lambda cells, _: np.take_along_axis(cells, order, axis=1)),
        )

    def served(self) -> Served:
        """Scores and propensities of the page."""
        return Served(self.scores, self.propensities, self.explored, self.teams, self.kind, self.notes)


def _arranged(places: Places, order: IntArray) -> Places:
    return Places(
        np.take_along_axis(places.rows, order, axis=1),
        np.take_along_axis(places.slots, order, axis=1),
        np.take_along_axis(places.scrolls, order, axis=1),
        np.take_along_axis(places.named, order, axis=1),
        places.names,
    )
