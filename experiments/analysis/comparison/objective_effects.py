"""What several objectives say of the arms, as plain values; `objectives` works them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.config.objectives import Role, UtilityUnit

Front = Literal["on the front", "dominated", "cannot be told"]


@dataclass(frozen=True, slots=True)
class ObjectiveEffect:
    """One objective of one arm.

    Attributes:
        metric: Its name.
        mean: Of the arm, over agents, before control variates are taken out.
        effect: Difference to the first arm, 95 % (or as the plan's alpha says), uncorrected; None for the first arm.
        lift: The same relative to the first arm's mean; None for the first arm.
    """

    metric: str
    mean: Estimate
    effect: Difference | None
    lift: Estimate | None


@dataclass(frozen=True, slots=True)
class ArmObjectives:
    """All objectives of one arm.

    Attributes:
        name: The arm.
        effects: In the order of the plan.
        utility: Difference of the weighted utility to the first arm, with a p value and an interval that are corrected
            for the number of arms; None for the first arm, and where nothing has a weight.
        front: Whether it is on the Pareto front of the primary metric and the objectives; guardrails take no part.
        dominated_by: The arms that are better on all of them, as their intervals say.
        best_means: Whether no other arm has better means on all of them, chance left aside.
    """

    name: str
    effects: tuple[ObjectiveEffect, ...]
    utility: Difference | None
    front: Front
    dominated_by: tuple[str, ...]
    best_means: bool


@dataclass(frozen=True, slots=True)
class Objectives:
    """Several objectives of a run.

    Attributes:
        arms: The first arm and its competitors, in the order of the YAML.
        roles, weights, signs: Of each metric, by name: what it is for, its weight (None without), 1 where more is
            better and -1 where less is.
        unit: What the weights are; None where nothing has one.
        confidence: Of each interval that the front rests on.
        weighed: The metrics that the front is about.
    """

    arms: tuple[ArmObjectives, ...]
    roles: Mapping[str, Role]
    weights: Mapping[str, float | None]
    signs: Mapping[str, int]
    unit: UtilityUnit | None
    confidence: float
    weighed: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
