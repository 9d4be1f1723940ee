"""What an experiment file may say of how word of an item spreads over ties: the key `mind.social.spread`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundlings.personas.social.log_odds import LogOdds


class _Stated(BaseModel):
    """A model of spread whose parameters are stated, and estimated on nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    weight: LogOdds
    """Added to the log-odds of opening an item for which the agent is active. There is no default."""


class IndependentCascade(_Stated):
    """Whoever became active on a day has one chance with each tie (Kempe, Kleinberg and Tardos 2003)."""

    model: Literal["independent_cascade"]
    """`independent_cascade`."""
    chance: float = Field(ge=0, le=1)
    """P(an agent who has just become active for an item makes one tie active)."""


class LinearThreshold(_Stated):
    """An agent becomes active when enough of its ties are (Granovetter 1978; Kempe, Kleinberg and Tardos 2003)."""

    model: Literal["linear_threshold"]
    """`linear_threshold`."""
    threshold: float | None = Field(default=None, gt=0, le=1)
    """Share of its ties from which on an agent is active; if absent, drawn for each agent and item, uniform between 0
    and 1."""


class Bass(_Stated):
    """Launched items win agents by themselves and by those who are won already (Bass 1969)."""

    model: Literal["bass"]
    """`bass`."""
    launched: tuple[str, ...] = Field(min_length=1)
    """Ids of the items that are launched on the first day; others do not spread."""
    innovation: float = Field(ge=0, le=1)
    """p: P(an agent who is not active becomes so within a day) while nobody is."""
    imitation: float = Field(ge=0, le=1)
    """q: what is added to it when everybody is active, in proportion to the share of those who are."""
    among: Literal["everybody", "ties"] = "everybody"
    """Of whom the share is taken: of all agents, as Bass has it, or of the agent's ties."""

    @model_validator(mode="after")
    def _is_a_probability(self) -> Bass:
        if self.innovation + self.imitation > 1:
            raise ValueError(
                f"innovation + imitation: found {self.innovation + self.imitation:g}, expected at most 1, because it "
                "is the probability of a day"
            )
        if len(set(self.launched)) < len(self.launched):
            raise ValueError("launched: found an id twice; expected each once")
        return self


SpreadOptions = Annotated[IndependentCascade | LinearThreshold | Bass, Field(discriminator="model")]
"""How word of an item spreads."""
