"""What an experiment file may say of people who search: the key `mind.search`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundlings.environments.paths import NamedPath

REFORMULATION_RATE = 0.5
"""Where neither the experiment file nor a log of searches says it."""


class SearchOptions(BaseModel):
    """What people look for and how they say it. Rates are stated, but for what a file that was fitted on real searches
    says."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    fitted: NamedPath | None = None
    """A file from `groundlings search-sessions FILE --out FITTED`: how far people look down a page of results, how many
    of those that they look at they open on average, when they stop, and whether they ask again or turn the page
    (docs/search-world.md)."""
    need_words: int = Field(default=4, ge=1, le=20)
    """Attributes that a person looks for on a day, drawn from those of the items of their history."""
    query_words: int = Field(default=2, ge=1, le=20)
    """Attributes in a query, at most `need_words`. The next query drops the first of them and takes in the next one of
    the need, so that a need makes need_words - query_words + 1 queries."""
    match: float = Field(default=2.0, ge=0, le=100)
    """Log-odds of opening a result that has all attributes of the need, above one that has none."""
    search_rate: float = Field(default=0.3, ge=0, le=1)
    """P(make a query | stays, and the page is one of the feed)."""
    reformulation_rate: float | None = Field(default=None, ge=0, le=1)
    """P(make another query | stays, and the page is one of results). That of `fitted` if absent, else 0.5."""

    @model_validator(mode="after")
    def _queries_are_of_the_need(self) -> SearchOptions:
        if self.query_words > self.need_words:
            raise ValueError(
                f"query_words: found {self.query_words}; expected at most need_words, which is {self.need_words}"
            )
        return self
