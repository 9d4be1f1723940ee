"""The objectives of a plan: several metrics, what each is for, and what a change of it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from groundlings.experiments.config.section import Section, Share

Role = Literal["primary", "guardrail", "objective"]
UtilityUnit = Literal["units", "relative"]
Quantile = Annotated[float, Field(gt=0.5, lt=1)]


class ObjectiveConfig(Section):
    """One objective of a plan."""

    metric: str
    """Name of one of the experiment's metrics."""
    role: Role = "objective"
    """`primary` decides, as `plan.primary`; `guardrail` must not get worse, as `plan.guardrails`; `objective` is
    weighed and shown."""
    weight: Annotated[float, Field(ge=1e-9, le=1e12)] | None = None
    """What an improvement is worth in the plan's `utility`, from 1e-9 to 1e12; without a weight it does not enter the
    utility."""
    direction: Literal["up", "down"] | None = None
    """Which way is better: that of the metric if absent. A metric without one of its own needs it; one that contradicts
    the metric's own is refused."""
    loss: Share | None = None
    """Of a guardrail: the largest loss tolerated, as a share of the first arm's mean."""

    @model_validator(mode="after")
    def _guardrails_say_how_much(self) -> ObjectiveConfig:
        if (self.role == "guardrail") != (self.loss is not None):
            raise ValueError("loss: a guardrail needs the largest loss that is tolerated, and no other role has one")
        return self


def spelled_out(plan: Any) -> Any:
    """A plan's keys with `primary` and `guardrails` as its objectives name them; other values as they are."""
    objectives = plan.get("objectives") if isinstance(plan, Mapping) else None
    if not isinstance(objectives, Sequence) or isinstance(objectives, str):
        return plan
    plain = [each.model_dump() if isinstance(each, ObjectiveConfig) else each for each in objectives]
    named = [each for each in plain if isinstance(each, Mapping) and isinstance(each.get("metric"), str)]
    filled = dict(plan)
    first = next((each["metric"] for each in named if each.get("role") == "primary"), None)
    if first is not None:
        filled.setdefault("primary", first)
    guarded = {each["metric"]: each["loss"] for each in named if each.get("role") == "guardrail" and each.get("loss")}
    if guarded and isinstance(filled.get("guardrails", {}), Mapping):
        filled["guardrails"] = {**guarded, **filled.get("guardrails", {})}
    return filled


def check_objectives(
    objectives: Sequence[ObjectiveConfig], primary: str, guardrails: Mapping[str, float], utility: UtilityUnit | None
) -> None:
    """Raise `ValueError` where the objectives of a plan do not fit together, or not to its other keys."""
    names = [each.metric for each in objectives]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"objectives: {', '.join(twice)} stands there twice")
    decides = [each.metric for each in objectives if each.role == "primary"]
    if decides and decides != [primary]:
        raise ValueError(f"objectives: {' and '.join(decides)} as primary, and `primary` is {primary}; keep one")
    for each in objectives:
        if each.loss is not None and guardrails.get(each.metric) != each.loss:
            raise ValueError(
                f"objectives: {each.metric} tolerates a loss of {each.loss:g}, `guardrails` says otherwise"
            )
    if any(each.weight for each in objectives) != (utility is not None):
        raise ValueError(
            "utility: weights need a unit, and a unit needs weights; `units` where a weight is the price of one unit of"
            " its metric, `relative` where it is the worth of a change by the whole mean of the first arm"
        )
