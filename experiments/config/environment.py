"""The `site` and `environment` parts of an experiment file: what people can see and do, and how it is built."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from groundlings.environments.environment import Environment
from groundlings.environments.feed import RankEach
from groundlings.environments.registry import EnvironmentContext
from groundlings.experiments.config.layout import GridLayoutConfig, LayoutConfig, RowsLayoutConfig
from groundlings.experiments.config.section import Section
from groundlings.recommenders.rule_options import RandomSlots

_MOST_SLOTS = 100_000


class SiteConfig(Section):
    """The paginated feed: slots per page, pages per session."""

    page_size: Annotated[int, Field(ge=1)] = 10
    """Slots per page."""
    max_pages: Annotated[int, Field(ge=1)] = 5
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
            return self.layout.build(self.max_pages, rank_each, context)
        columns = self.layout.columns if isinstance(self.layout, GridLayoutConfig) else None
        return PaginatedFeed(self.page_size, self.max_pages, context.scale, rank_each, columns)


class EnvironmentConfig(BaseModel):
    """An environment of your own, or of another package; all keys but `kind` are its options."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True, hide_input_in_errors=True)

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


def _spelled_out(environment: Any) -> Any:
    return {"kind": environment} if isinstance(environment, str) else environment


OwnEnvironment = Annotated[EnvironmentConfig | None, BeforeValidator(_spelled_out)]
"""A name alone stands for an environment without options."""
