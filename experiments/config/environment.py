"""The `site` and `environment` parts of an experiment file: what people can see and do, and how it is built."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from groundlings.environments.environment import Environment
from groundlings.environments.feed import RankEach
from groundlings.environments.registry import EnvironmentContext
from groundlings.environments.repeats import NEVER, RepeatRule
from groundlings.environments.shop_actions import FeedAction
from groundlings.experiments.config.layout import GridLayoutConfig, LayoutConfig, RowsLayoutConfig
from groundlings.experiments.config.section import Section
from groundlings.recommenders.rule_options import RandomSlots

_MOST_SLOTS = 100_000


class AfterDays(Section):
    """Items come back some days after their latest interaction."""

    after_days: Annotated[int, Field(ge=1, le=1_000_000)]
    """How many days."""


class SiteConfig(Section):
    """The paginated feed: slots per page, pages per session."""

    page_size: Annotated[int, Field(ge=1, le=100_000)] = 10
    """Slots per page."""
    max_pages: Annotated[int, Field(ge=1, le=100_000)] = 5
    """Largest number of pages per session."""
    rank_each: RankEach | None = None
    """Whether the recommender ranks once per session (`visit`), for all of its pages, or again for each `page`, knowing
    what was shown before; `visit` if absent."""
    layout: LayoutConfig | None = None
    """What a page looks like: one `list` (if absent), a `grid`, or `rows` (carousels). A page of rows has as many slots
    as its rows together, so `page_size` is then left out."""
    slots: RandomSlots | None = None
    """Slots that are filled at random in every arm, so that the log says how people answer to items that no recommender
    chose."""
    actions: Annotated[tuple[FeedAction, ...], Field(min_length=1)] | None = None
    """What may be done with an item, for instance `[click, add_to_cart, purchase]`. `add_to_cart` and `rate` need
    `click`; `purchase` needs `add_to_cart`, or `click` where there is no cart; `quantity`, `paid` (which needs prices)
    and `cost` (which needs the cost of items) are recorded of purchases. With purchases, those are what recommenders
    learn from. If absent: `click`, and `rate` where the data set has ratings."""
    repeats: Literal["never", "allowed"] | AfterDays | None = None
    """Whether an item that a user has an interaction with, real or simulated, is shown to them again: `never`,
    `allowed`, or so many days after the latest interaction (`{after_days: 7}`). Where it is, behavioural and calibrated
    minds take it up again as often as a model of real repeats says; `never` if absent."""

    friends: bool = False
    """Whether slots say how many of an agent's ties liked the item lately ("2 friends liked this"); agents need
    `mind.social` (docs/social.md). An intervention switches it on in some arms: `{day: 1, arms: [b], site: {friends:
    true}}`."""

    @property
    def repeat_rule(self) -> RepeatRule:
        """The same, as the simulation knows it."""
        if isinstance(self.repeats, AfterDays):
            return RepeatRule(self.repeats.after_days)
        return RepeatRule(0) if self.repeats == "allowed" else NEVER

    @field_validator("repeats")
    @classmethod
    def _never_is_absent(cls, repeats: Any) -> Any:
        """A file that says `never` is the same experiment as one that says nothing."""
        return None if repeats == "never" else repeats

    @model_validator(mode="after")
    def _can_be_shown(self) -> SiteConfig:
        if isinstance(self.layout, RowsLayoutConfig):
            slots = self.layout.slots
            if "page_size" in self.model_fields_set and self.page_size != slots:
                raise ValueError(
                    f"page_size: found {self.page_size}, and the rows of the layout have {slots} slots; take it out"
                )
            self.__dict__["page_size"] = slots  # so that whoever reads it reads what is shown
            if self.layout.filtered and self.rank_each == "visit":
                raise ValueError(
                    "rank_each: rows with a filter are asked for one by one on every page; take `visit` out"
                )
        if self.page_size * self.max_pages > _MOST_SLOTS:
            raise ValueError(
                f"{self.page_size} slots per page on {self.max_pages} pages are more than {_MOST_SLOTS:,} per session"
            )
        return self

    def build(self, context: EnvironmentContext) -> Environment[Any]:
        """The paginated feed that it describes."""
        from groundlings.environments.feed import PaginatedFeed

        rank_each = self.rank_each or "visit"
        if isinstance(self.layout, RowsLayoutConfig):
            return self.layout.build(self.max_pages, rank_each, context, self.actions, friends=self.friends)
        return PaginatedFeed(
            self.page_size,
            self.max_pages,
            context.scale,
            rank_each,
            columns=self.layout.columns if isinstance(self.layout, GridLayoutConfig) else None,
            opinions=context.opinions,
            actions=self.actions,
            catalog=context.catalog,
            offers=context.offers,
            shows_friends=self.friends,
        )


class EnvironmentConfig(BaseModel):
    """An environment of your own, or of another package; all keys but `kind` are its options."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True, allow_inf_nan=False)

    kind: str
    """The name of a plug-in, or `module:Class`."""

    @property
    def options(self) -> dict[str, Any]:
        """What its constructor takes, as the file has it."""
        return dict(self.model_extra or {})

    def build(self, context: EnvironmentContext) -> Environment[Any]:
        """The environment; raises `ConfigError` where there is none, or it has no such options."""
        from groundlings.environments.registry import build_environment

        return build_environment(self.kind, self.options, context)


def built_site(section: SiteConfig | EnvironmentConfig, mind: Any, context: EnvironmentContext) -> Environment[Any]:
    """The environment that a section describes, with a social turn before it where agents take one.

    Args:
        section: `site` or `environment` of the file.
        mind: Its `mind`.
        context: What the environment may ask for.
    """
    from groundlings.environments.social_turns import SocialTurns

    built = section.build(context)
    return SocialTurns(built) if getattr(getattr(mind, "social", None), "turns", None) is not None else built


def _spelled_out(environment: Any) -> Any:
    return {"kind": environment} if isinstance(environment, str) else environment


OwnEnvironment = Annotated[EnvironmentConfig | None, BeforeValidator(_spelled_out)]
"""A name alone stands for an environment without options."""
