"""Where people browse: how a ranking becomes pages, and what may be done with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from groundlings.environments.actions import Checked, Decision, Illegal, LegalActions
from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray
from groundlings.environments.dataset import RatingScale
from groundlings.environments.errors import ConfigError
from groundlings.environments.page import Page
from groundlings.environments.ranking import Ranking


class Site(Protocol):
    """A place with pages. Pure: the same ranking always becomes the same pages."""

    @property
    def depth(self) -> int:
        """How many items one visit can see at most: the size of list to ask a recommender for."""
        ...

    def paginate(self, ranking: Ranking, number: int) -> Page | None:
        """Page `number` (from 1) of every visit, None when no visit has such a page."""
        ...

    def actions(self, ranking: Ranking, page: Page) -> LegalActions:
        """What the page offers, all visits of the ranking."""
        ...

    def check(self, decision: Decision, page: Page, actions: LegalActions) -> Checked:
        """Take out of a decision what was not offered, and say what it was."""
        ...


@dataclass(frozen=True, slots=True)
class PaginatedSite:
    """A ranked list cut into pages of equal size, as in Agent4Rec (Zhang et al. 2024, section 3.2).

    Attributes:
        page_size: Slots a page.
        max_pages: Pages a visit can see at most.
        scale: The stars that may be given.
    """

    page_size: int
    max_pages: int
    scale: RatingScale

    def __post_init__(self) -> None:
        if self.page_size < 1 or self.max_pages < 1:
            raise ConfigError(f"site: page_size and max_pages must be at least 1, found {self}")

    @property
    def depth(self) -> int:
        """See `Site.depth`."""
        return self.page_size * self.max_pages

    def paginate(self, ranking: Ranking, number: int) -> Page | None:
        """See `Site.paginate`; the last page may have empty slots."""
        first = (number - 1) * self.page_size
        if not 1 <= number <= self.max_pages:
            return None
        items = np.full((ranking.items.shape[0], self.page_size), NO_ITEM, dtype=np.int32)
        listed = ranking.items[:, first : first + self.page_size]
        items[:, : listed.shape[1]] = listed
        return Page(number, first, items) if (items != NO_ITEM).any() else None

    def actions(self, ranking: Ranking, page: Page) -> LegalActions:
        """See `Site.actions`."""
        following = page.number * self.page_size
        if page.number >= self.max_pages or following >= ranking.items.shape[1]:
            return LegalActions(self.scale.values, np.zeros(page.items.shape[0], dtype=np.bool_))
        # Lists have no gaps: there is a next page where its first slot holds an item.
        return LegalActions(self.scale.values, ranking.items[:, following] != NO_ITEM)

    def check(self, decision: Decision, page: Page, actions: LegalActions) -> Checked:
        """See `Site.check`; each kind of offence has its own reason."""
        shape = page.items.shape
        if decision.clicked.shape != shape or decision.stars.shape != shape:
            raise ValueError(f"a mind answered for {decision.clicked.shape} slots, the page has {shape}")
        readable = ~decision.unreadable
        rated = ~np.isnan(decision.stars) & readable[:, None]
        clicked = decision.clicked & readable[:, None]
        on_nothing = clicked & ~page.shown
        clicked &= page.shown
        unopened = rated & ~clicked
        rated &= clicked
        on_scale = np.zeros(shape, dtype=np.bool_)
        on_scale[rated] = (decision.stars[rated][:, None] == np.array(actions.stars)).any(axis=1)
        off_scale = rated & ~on_scale
        nowhere = decision.goes_on & ~actions.may_go_on & readable
        offered = (decision.satisfaction >= 1) & (decision.satisfaction <= 10)
        beyond = ~np.isnan(decision.satisfaction) & ~offered & readable
        illegal = [
            *decision.stray,
            *_offences(on_nothing, "click", "the slot is empty"),
            *_offences(unopened, "rate", "only an opened item can be rated", decision.stars),
            *_offences(
                off_scale, "rate", f"stars are {', '.join(f'{stars:g}' for stars in actions.stars)}", decision.stars
            ),
            *(Illegal(row, None, "next page", "there is no next page") for row in nowhere.nonzero()[0].tolist()),
            *(Illegal(row, None, "satisfaction", "satisfaction is 1 to 10") for row in beyond.nonzero()[0].tolist()),
        ]
        legal = replace(
            decision,
            clicked=clicked,
            stars=np.where(on_scale, decision.stars, np.nan),
            goes_on=decision.goes_on & actions.may_go_on & readable,
            satisfaction=np.where(offered & readable, decision.satisfaction, np.nan),
        )
        return Checked(legal, tuple(sorted(illegal, key=lambda each: each.row)))


def _offences(where: BoolArray, said: str, reason: str, stars: FloatArray | None = None) -> list[Illegal]:
    rows, slots = where.nonzero()
    return [
        Illegal(row, slot, said if stars is None else f"{said} {stars[row, slot]:g}", reason)
        for row, slot in zip(rows.tolist(), slots.tolist(), strict=True)
    ]
