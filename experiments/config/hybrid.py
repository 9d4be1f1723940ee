"""Who of a hybrid audience lives by the language mind, too: the options that a hybrid mind adds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _people_or_share(sample: float) -> float:
    if sample < 0 or (sample >= 1 and sample != int(sample)):
        raise ValueError(f"expected a number of people, or a share of them below 1; found {sample:g}")
    return sample


class SampleOptions(BaseModel):
    """How many people live by the language mind, too, and how they are drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sample: Annotated[float, AfterValidator(_people_or_share)] = 0
    """How many people also live through their days with the language mind: a number, or a share below 1 of the agents.
    With 0 nobody does, no model is opened, and the run has the digest of a behavioural one."""
    pilot: int = Field(default=0, ge=0, le=1_000_000_000)
    """How many of them come first, so that the others are shared out to the strata in which they tell most (Neyman
    allocation on the primary metric); with 0 they are shared out in proportion to the people of the strata."""
    strata: tuple[str, ...] = Field(default=(), max_length=3)
    """What divides the agents into strata, from which the sample is drawn apart: measured traits (`activity`,
    `conformity`, `diversity`), or what the data tell of people; one stratum if empty. Several are combined."""

    @model_validator(mode="after")
    def _sample_holds_the_pilot(self) -> SampleOptions:
        if self.pilot and 1 <= self.sample <= self.pilot:
            raise ValueError(
                f"pilot: found {self.pilot} in a sample of {self.sample:g}; expected fewer people than the sample has, "
                "because the pilot is the first part of it"
            )
        if len(set(self.strata)) < len(self.strata):
            raise ValueError("strata: the same name stands there twice")
        return self

    def people(self, agents: int) -> int:
        """How many people of so many agents are to be in the sample."""
        return min(round(self.sample if self.sample >= 1 else self.sample * agents), agents)
