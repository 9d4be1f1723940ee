"""The `plan` part of an experiment file: what is to be decided, declared before anything is simulated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from groundlings.experiments.config.section import Section, Share


class PlanConfig(Section):
    """What the experiment is to decide, declared before it runs and stored in its log."""

    primary: str
    """The one metric that decides, by its name; all others only warn or suggest."""
    smallest_effect: Share = 0.05
    """The smallest effect on it that matters, as a share of the first arm's mean."""
    guardrails: dict[str, Share] = Field(default_factory=dict)
    """Metrics that must not fall, each with the largest loss that is tolerated, as a share of the first arm's mean."""
    alpha: Share = 0.05
    """Chance of a false alarm that is accepted, of all arms and all looks together."""
    power: Share = 0.8
    """Wanted chance of finding the smallest effect; for `groundlings power` and the effect a null could have missed."""
    take_out_luck: bool = False
    """Whether outcomes are compared less the luck of opening (opened minus expected), for minds that state P(open):
    the same effect, more precisely."""
    stopping: Literal["fixed", "group_sequential", "confidence_sequence"] = "fixed"
    """One look at the end; looks at planned numbers of people; or a look whenever one likes, at wider intervals."""
    looks: tuple[Annotated[int, Field(ge=2)], ...] = ()
    """Numbers of people at which a `group_sequential` plan looks, ascending: a run of each, all with one seed."""

    @model_validator(mode="after")
    def _fits_together(self) -> PlanConfig:
        if self.primary in self.guardrails:
            raise ValueError(f"guardrails: {self.primary} is the primary metric already; name others")
        if list(self.looks) != sorted(set(self.looks)):
            raise ValueError(f"looks must rise, found {list(self.looks)}")
        if (self.stopping == "group_sequential") != bool(self.looks):
            raise ValueError("looks: needed with stopping: group_sequential, and only with it")
        return self
