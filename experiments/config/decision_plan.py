"""The `plan` part of an experiment file: what is to be decided, declared before anything is simulated."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from groundlings.experiments.config.objectives import (
    ObjectiveConfig,
    Quantile,
    UtilityUnit,
    check_objectives,
    spelled_out,
)
from groundlings.experiments.config.section import Section, Share


class PlanConfig(Section):
    """The analysis plan, declared before the run and stored in its log."""

    primary: str
    """Name of the primary metric; all others only warn or suggest."""
    smallest_effect: Share = 0.05
    """The smallest effect on it that matters, as a share of the first arm's mean."""
    guardrails: dict[str, Share] = Field(default_factory=dict)
    """Metrics that must not get worse, each with the largest loss tolerated, as a share of the first arm's mean."""
    alpha: Annotated[float, Field(ge=1e-9, lt=1)] = 0.05
    """Accepted probability of a false positive, over all arms and all looks together, from 1e-9 on."""
    power: Share = 0.8
    """Wanted probability of detecting the smallest effect; for `groundlings power` and the MDE beside a null result."""
    take_out_luck: bool = False
    """Whether outcomes are adjusted by a control variate, clicks less expected clicks, for minds that state P(click):
    the effect stays, its variance falls."""
    stopping: Literal["fixed", "group_sequential", "confidence_sequence"] = "fixed"
    """One look at the end; looks at planned numbers of agents; or a look at any time, with wider intervals."""
    looks: tuple[Annotated[int, Field(ge=2, le=1_000_000_000)], ...] = ()
    """Numbers of agents at which a `group_sequential` plan looks, ascending: a run of each, all with one seed."""

    objectives: tuple[ObjectiveConfig, ...] | None = None
    """Several metrics that are weighed against each other; arms on their Pareto front are named. `primary` may stand
    here as a role."""
    utility: UtilityUnit | None = None
    """What the weights of objectives are: `units`, the price of one unit of the metric (0.05 for a click), or
    `relative`, the worth of a change by the whole mean of the first arm."""
    winsorise: dict[str, Quantile] | None = None
    """Metric -> quantile: agents' values above this quantile of all arms' values are set to it. Nothing is winsorised
    if absent."""

    @model_validator(mode="before")
    @classmethod
    def _objectives_have_roles(cls, plan: Any) -> Any:
        return spelled_out(plan)

    @model_validator(mode="after")
    def _fits_together(self) -> PlanConfig:
        if self.primary in self.guardrails:
            raise ValueError(f"guardrails: {self.primary} is the primary metric already; name others")
        check_objectives(self.objectives or (), self.primary, self.guardrails, self.utility)
        if list(self.looks) != sorted(set(self.looks)):
            raise ValueError(f"looks must rise, found {list(self.looks)}")
        if (self.stopping == "group_sequential") != bool(self.looks):
            raise ValueError("looks: needed with stopping: group_sequential, and only with it")
        return self
