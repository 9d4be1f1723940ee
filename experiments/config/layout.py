"""The `site.layout` part of an experiment file: one list, a grid, or named carousels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import BeforeValidator, Field, field_validator, model_validator

from groundlings.environments.environment import Environment
from groundlings.environments.errors import ConfigError
from groundlings.environments.feed import RankEach
from groundlings.environments.layout import CATEGORY, Carousel, item_category, most_liked_categories
from groundlings.environments.registry import EnvironmentContext
from groundlings.environments.shop_actions import FeedAction
from groundlings.experiments.config.section import Section
from groundlings.personas.minds.browsing_options import BrowsingOptions

if TYPE_CHECKING:
    from groundlings.experiments.config.environment import SiteConfig
    from groundlings.experiments.config.schema import ArmConfig


class ListLayoutConfig(Section):
    """One list from top to bottom."""

    kind: Literal["list"]
    """`list`."""


class GridLayoutConfig(Section):
    """A grid that is filled line by line."""

    kind: Literal["grid"]
    """`grid`."""
    columns: Annotated[int, Field(ge=1, le=100_000)] = 4
    """Items per line."""


class CategoryFilterConfig(Section):
    """Items of one category."""

    category: Annotated[str, Field(min_length=1)]
    """As the data set writes it."""


class CarouselConfig(Section):
    """A named row of slots."""

    name: Annotated[str, Field(min_length=1)]
    """As people read it and as the log has it (`impressions.row_name`); `{category}` stands for the category that a row
    with a filter shows."""
    visible: Annotated[int, Field(ge=1, le=100_000)]
    """Slots in view."""
    scrolled: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Slots that are reached by scrolling; `mind.scroll_probability` says how often people do."""
    filter: CategoryFilterConfig | Literal["most_liked"] | None = None
    """What the row holds: the best of a category (`{category: NAME}`), or of the category that the user liked most in
    the training history (`most_liked`; without likes the user has no such row). The next items of the ranking if
    absent."""

    @field_validator("name")
    @classmethod
    def _is_named(cls, name: str) -> str:
        if not name.strip():
            raise ValueError("a row needs a name that can be read")
        return name

    @model_validator(mode="after")
    def _has_a_category_to_name(self) -> CarouselConfig:
        if CATEGORY in self.name and self.filter is None:
            raise ValueError(f"name: {CATEGORY} names the category of a filter, and this row has none")
        return self

    def carousel(self) -> Carousel:
        """The row as the feed takes it."""
        if isinstance(self.filter, CategoryFilterConfig):
            return Carousel(self.name, self.visible, self.scrolled, "category", self.filter.category)
        return Carousel(self.name, self.visible, self.scrolled, self.filter or "ranking")


class RowsLayoutConfig(Section):
    """Named rows (carousels), from the top."""

    kind: Literal["rows"]
    """`rows`."""
    rows: Annotated[tuple[CarouselConfig, ...], Field(min_length=1)]
    """From the top. Rows without a filter are one ranked list, cut into parts."""

    @model_validator(mode="after")
    def _names_differ(self) -> RowsLayoutConfig:
        names = [row.name for row in self.rows]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rows: names must differ, found more than once: {', '.join(twice)}")
        return self

    @property
    def slots(self) -> int:
        """All slots of a page."""
        return sum(row.visible + row.scrolled for row in self.rows)

    @property
    def filtered(self) -> bool:
        """Whether a row has a filter, so that rows are asked for one by one."""
        return any(row.filter is not None for row in self.rows)

    @property
    def scrolls(self) -> bool:
        """Whether a row has slots that are reached by scrolling."""
        return any(row.scrolled for row in self.rows)

    def build(
        self,
        max_pages: int,
        rank_each: RankEach,
        context: EnvironmentContext,
        actions: tuple[FeedAction, ...] | None = None,
        *,
        friends: bool = False,
    ) -> Environment[Any]:
        """The feed of carousels; `ConfigError` where a category is not known."""
        from groundlings.environments.carousels import CarouselFeed

        catalog, carousels = context.catalog, tuple(row.carousel() for row in self.rows)
        for number, carousel in enumerate(carousels):
            if carousel.filter == "category":
                item_category(catalog, carousel.category, f"site.layout.rows[{number}].filter.category")
        liked = None
        if any(carousel.filter == "most_liked" for carousel in carousels):
            if context.training_history is None or not catalog.genre_names:
                raise ConfigError(
                    "site.layout: a row is to hold the category that a user liked most, and "
                    + ("no item of this data set has a category" if not catalog.genre_names else "no history is given")
                    + "; give the row another filter, or none"
                )
            rated = not np.isnan(context.training_history.ratings).all()
            like_from = context.scale.like if rated else None
            liked = most_liked_categories(context.training_history, catalog, like_from)
        return CarouselFeed(
            self.slots,
            max_pages,
            context.scale,
            "page" if self.filtered else rank_each,
            opinions=context.opinions,
            actions=actions,
            catalog=catalog,
            offers=context.offers,
            shows_friends=friends,
            carousels=carousels,
            categories=np.ascontiguousarray(catalog.genre_matrix.T, dtype=np.bool_),
            category_names=catalog.genre_names,
            most_liked=liked,
        )


def _spelled_out(layout: Any) -> Any:
    return {"kind": layout} if isinstance(layout, str) else layout


AnyLayout: TypeAlias = ListLayoutConfig | GridLayoutConfig | RowsLayoutConfig

LayoutConfig = Annotated[
    Annotated[AnyLayout, Field(discriminator="kind")],
    BeforeValidator(_spelled_out),
]


def check_plain_lists(site: SiteConfig, arms: Sequence[ArmConfig]) -> None:
    """Raise `ValueError` where a lab that measures ranked lists is given a layout, rules or random slots."""
    if site.slots is not None or (site.layout is not None and not isinstance(site.layout, ListLayoutConfig)):
        raise ValueError("site: this command measures plain ranked lists; take `layout` and `slots` out")
    for place, arm in enumerate(arms):
        if arm.rules is not None or arm.slots is not None:
            raise ValueError(f"recommenders.{place}: this command measures plain lists; take `rules` and `slots` out")


def check_attention(layout: AnyLayout | None, mind: BrowsingOptions) -> None:
    """Raise `ValueError` where a mind's keys do not say how people look at a page of this layout."""
    if isinstance(layout, GridLayoutConfig | RowsLayoutConfig) and mind.layout is not None:
        raise ValueError(f"mind.layout: site.layout says that a page has {layout.kind} already; take the key out")
    if isinstance(layout, RowsLayoutConfig) and layout.scrolls and mind.scroll_probability is None:
        raise ValueError(
            "mind.scroll_probability: rows of site.layout have slots that are reached by scrolling, and no open log "
            "says how often people scroll; state P(scroll to the next slot), such as 0.5"
        )
