"""The `plan` part of an experiment file: what is to be decided, declared before anything is simulated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from groundlings.experiments.config.section import Section, Share


class PlanConfig(Section):
    """The analysis plan, declared before the run and stored in its log."""

    primary: str
    """Name of the primary metric; all others only warn or suggest."""
    smallest_effect: Share = 0.05
    """The smallest effect on it that matters, as a share of the first arm's mean."""
    guardrails: dict[str, Share] = Field(default_factory=dict)
    """Metrics that must not fall, each with the largest loss that is tolerated, as a share of the first arm's mean."""
    alpha: Share = 0.05
    """Accepted probability of a false positive, over all arms and all looks together."""
    power: Share = 0.8
    """Wanted probability of detecting the smallest effect; for `groundlings power` and the MDE beside a null result."""
    take_out_luck: bool = False
    """Whether outcomes are adjusted by a control variate, clicks less expected clicks, for minds that state P(click):
    the effect stays, its variance falls."""
    stopping: Literal["fixed", "group_sequential", "confidence_sequence"] = "fixed"
    """One look at the end; looks at planned numbers of agents; or a look at any time, with wider intervals."""
    looks: tuple[Annotated[int, Field(ge=2)], ...] = ()
    """Numbers of agents at which a `group_sequential` plan looks, ascending: a run of each, all with one seed."""

    @model_validator(mode="after")
    def _fits_together(self) -> PlanConfig:
        if self.primary in self.guardrails:
            raise ValueError(f"guardrails: {self.primary} is the primary metric already; name others")
        if list(self.looks) != sorted(set(self.looks)):
            raise ValueError(f"looks must rise, found {list(self.looks)}")
        if (self.stopping == "group_sequential") != bool(self.looks):
            raise ValueError("looks: needed with stopping: group_sequential, and only with it")
        return self
