"""Which way of a metric is better: as it was declared, or as an objective of the plan says.

A plan says it of metrics of which neither direction is good in itself. New experiments may not contradict a metric; a
log of an earlier version may hold a plan that does, and is then read by that plan, in the answer and on the page alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.metrics.declaration import Metric


def check_directions(plan: Mapping[str, Any] | None, metrics: Sequence[Metric]) -> None:
    """Raise `ConfigError` where an objective calls better what its metric calls worse.

    Args:
        plan: As in the experiment file; None = there is no plan.
        metrics: Those of the experiment, as declared.
    """
    for name in contradicted(plan, metrics):
        objectives = (plan or {})["objectives"]
        place = [each["metric"] for each in objectives].index(name)
        said = objectives[place]["direction"]
        way, own = ("more", "up") if said == "down" else ("less", "down")
        raise ConfigError(
            f"plan.objectives[{place}].direction: found {said}, but {way} of {name} is better, as the metric itself "
            f"says; take `direction` out (or write {own}), or declare a metric of your own whose `higher_is_better` is "
            "as you mean it (docs/own-metric.md)"
        )


def as_planned(metrics: Sequence[Metric], plan: Mapping[str, Any] | None) -> tuple[Metric, ...]:
    """The metrics with the direction that a plan gives them; of the others their own."""
    told = _told(plan)
    return tuple(replace(metric, higher_is_better=told.get(metric.name, metric.higher_is_better)) for metric in metrics)


def contradicted(plan: Mapping[str, Any] | None, metrics: Sequence[Metric]) -> tuple[str, ...]:
    """The metrics of which a plan calls better what they call worse, by name."""
    told = _told(plan)
    directed = [metric for metric in metrics if metric.name in told and metric.higher_is_better is not None]
    return tuple(metric.name for metric in directed if metric.higher_is_better is not told[metric.name])


def _told(plan: Mapping[str, Any] | None) -> dict[str, bool]:
    """Metric -> whether more of it is better, of those whose objective says so."""
    objectives = (plan or {}).get("objectives") or ()
    return {each["metric"]: each["direction"] == "up" for each in objectives if each.get("direction")}
