"""From the names of an experiment file to metrics: shipped ones, plug-ins, and your own `module:NAME`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from groundlings.environments.errors import ConfigError
from groundlings.environments.plugins import PYTHON_OBJECT, ExtensionPoint, nearest
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.definitions import BY_NAME, METRICS
from groundlings.experiments.analysis.metrics.returning import LISTED, metric_of_returns

ALL_SHIPPED = "shipped"
"""Stands in `metrics:` for all shipped ones."""


METRIC_NAMES = ExtensionPoint(
    "metric", "groundlings.metrics", dict.fromkeys((*BY_NAME, *LISTED), ""), own="your own as module:NAME"
)
"""Shipped ones are values of `definitions`, so no module stands behind their names here."""


def find_metric(spec: str, *, where: str = "metrics") -> Metric:
    """The metric of a shipped name, of a plug-in's name, or of `module:NAME`.

    Raises:
        ConfigError: There is none, or it cannot be imported; the message names the nearest.
    """
    if spec in BY_NAME:
        METRIC_NAMES.check_name(spec, at=where)
        return BY_NAME[spec]
    if (of_returns := metric_of_returns(spec)) is not None:
        return of_returns
    found = METRIC_NAMES.load(spec, at=where)
    if not isinstance(found, Metric):
        raise ConfigError(f"{where}: {spec} is a {type(found).__name__}; expected a Metric (docs/own-metric.md)")
    return found


def available_metrics() -> dict[str, str]:
    """Every name that can be written in the YAML, with its definition."""
    lines = {name: metric.definition for name, metric in BY_NAME.items()}
    for name in METRIC_NAMES.names():
        if name in BY_NAME:
            continue
        try:
            lines[name] = find_metric(name).definition
        except ConfigError as error:
            lines[name] = f"cannot be used: {error}"
    return lines


def resolve_metrics(
    names: Sequence[str] | None, given: Iterable[Metric] = (), actions: Collection[str] | None = None
) -> tuple[Metric, ...]:
    """The metrics of an experiment, in the order of its file.

    Args:
        names: As in `metrics:`; None = the shipped ones and those given.
        given: Metrics that exist as values already; a name means one of them first.
        actions: What the environment lets people do, by name; None = not known, so nothing is refused. A shipped metric
            that needs another action is left out unless it is named.

    Raises:
        ConfigError: One of them does not exist, stands there twice, or needs an action that there is not.
    """
    mine = {metric.name: metric for metric in given}
    found: list[Metric] = []
    for place, name in enumerate([ALL_SHIPPED, *mine] if names is None else names):
        where = "metrics" if names is None else f"metrics[{place}]"
        if name == ALL_SHIPPED:
            found += [metric for metric in METRICS if actions is None or metric.needs <= frozenset(actions)]
            continue
        metric = mine.get(name.removeprefix(PYTHON_OBJECT)) or find_metric(name, where=where)
        if actions is not None:
            check_needs(metric, actions, where=where)
        found.append(metric)
    twice = sorted({metric.name for metric in found if [each.name for each in found].count(metric.name) > 1})
    if twice:
        raise ConfigError(f"metrics: {', '.join(twice)} stands there twice; each name may stand for one metric only")
    if not found:
        raise ConfigError("metrics: none is left; name at least one")
    return tuple(found)


def check_needs(metric: Metric, actions: Collection[str], *, where: str = "metrics") -> None:
    """Raise `ConfigError` where a metric needs an action that the environment does not offer."""
    lacking = sorted(metric.needs - frozenset(actions))
    if lacking:
        raise ConfigError(
            f"{where}: {metric.name} needs the action {' and '.join(lacking)}, and this environment offers "
            f"{', '.join(sorted(actions)) or 'none'}; take the metric out, or choose another environment"
        )


def check_plan(plan: Mapping[str, Any] | None, metrics: Sequence[Metric]) -> None:
    """Raise `ConfigError` where a plan names a metric that the experiment does not have.

    Args:
        plan: As in the experiment file, with `primary` and perhaps `guardrails`; None = there is no plan.
        metrics: Those of the experiment.
    """
    names = [metric.name for metric in metrics]
    if plan is None:
        return
    for where, name in (("primary", plan["primary"]), *(("guardrails", name) for name in plan.get("guardrails", ()))):
        if name not in names:
            known = name in BY_NAME or metric_of_returns(name) is not None
            hint = "add it to `metrics`, or " if known or ":" in name else ""
            raise ConfigError(
                f"plan.{where}: found {name!r}{nearest(name, names)}; {hint}name one of this experiment's metrics: "
                f"{', '.join(names)}"
            )


def metrics_of(
    config: Mapping[str, Any], given: Iterable[Metric] = (), actions: Collection[str] | None = None
) -> tuple[Metric, ...]:
    """The metrics of an experiment, its plan checked against them.

    Args:
        config: The experiment file as plain values, as `runs.config` holds it.
        given, actions: As of `resolve_metrics`.

    Raises:
        ConfigError: As `resolve_metrics` and `check_plan`.
    """
    metrics = resolve_metrics(config.get("metrics"), given, actions)
    check_plan(config.get("plan"), metrics)
    return metrics
