"""What an experiment file may say of social turns: the key `mind.social.turns` of a language mind."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundlings.personas.social.options import TiesOptions


class TurnOptions(BaseModel):
    """How an agent says what it does today, and what it tells whom."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    friends: int = Field(default=8, ge=1, le=50)
    """Ties that a prompt names at most: whoever told the agent something last, then others drawn for the day."""
    topics: int = Field(default=5, ge=1, le=20)
    """Items that an agent may tell of at most: what it took itself in the last `days` days, the latest first, then what
    it heard of."""
    characters: int = Field(default=160, ge=20, le=400)
    """Longest message."""


class LanguageTies(TiesOptions):
    """Who knows whom, and how a language agent hears of it: by mentions, or by what ties say in their own words."""

    turns: TurnOptions | None = None
    """Social turns: each session begins with the question what the agent does, enter the site, chat with one of its
    ties, post to all of them, or nothing; a second question asks what it says. Nothing is then mentioned by chance
    (`mention`). If absent, agents enter the site in every session."""

    @model_validator(mode="after")
    def _says_it_once(self) -> LanguageTies:
        if self.turns is None:
            return self
        if "mention" in self.model_fields_set and self.mention > 0:
            raise ValueError(
                f"mention: found {self.mention:g} beside `turns`, where agents say themselves what they tell; take one "
                "of the two out"
            )
        self.__dict__["mention"] = 0.0  # so that whoever reads it reads what is mentioned by chance
        return self
