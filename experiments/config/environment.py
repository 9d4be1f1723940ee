"""The `site` and `environment` parts of an experiment file: what people can see and do, and how it is built."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from groundlings.environments.environment import Environment
from groundlings.environments.feed import RankEach
from groundlings.environments.registry import EnvironmentContext
from groundlings.experiments.config.section import Section

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

    @model_validator(mode="after")
    def _can_be_shown(self) -> SiteConfig:
        if self.page_size * self.max_pages > _MOST_SLOTS:
            raise ValueError(
                f"{self.page_size} slots per page on {self.max_pages} pages are more than {_MOST_SLOTS:,} per session"
            )
        return self

    def build(self, context: EnvironmentContext) -> Environment[Any]:
        """The paginated feed that it describes."""
        from groundlings.environments.feed import PaginatedFeed

        return PaginatedFeed(
            self.page_size, self.max_pages, context.scale, self.rank_each or "visit", opinions=context.opinions
        )


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
