"""From the names of an experiment file to metrics: shipped ones, plug-ins, and your own `module:NAME`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from groundlings.environments.errors import ConfigError
from groundlings.environments.plugins import PYTHON_OBJECT, ExtensionPoint, nearest
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.definitions import METRICS
from groundlings.experiments.analysis.metrics.shop import SHOP
from groundlings.experiments.analysis.metrics.shown import SHOWN

ALL_SHIPPED = "shipped"
"""Stands in `metrics:` for `METRICS` and `SHOP`, as far as the environment offers what they need."""

BUILT_IN = {metric.name: metric for metric in (*METRICS, *SHOP, *SHOWN)}
"""Every metric that comes with Groundlings."""


METRIC_NAMES = ExtensionPoint(
    "metric", "groundlings.metrics", dict.fromkeys(BUILT_IN, ""), own="your own as module:NAME"
)
"""Shipped ones are values of `definitions`, so no module stands behind their names here."""


def find_metric(spec: str, *, where: str = "metrics") -> Metric:
    """The metric of a shipped name, of a plug-in's name, or of `module:NAME`.

    Raises:
        ConfigError: There is none, or it cannot be imported; the message names the nearest.
    """
    if spec in BUILT_IN:
        METRIC_NAMES.check_name(spec, at=where)
        return BUILT_IN[spec]
    found = METRIC_NAMES.load(spec, at=where)
    if not isinstance(found, Metric):
        raise ConfigError(f"{where}: {spec} is a {type(found).__name__}; expected a Metric (docs/own-metric.md)")
    return found


def available_metrics() -> dict[str, str]:
    """Every name that can be written in the YAML, with its definition."""
    lines = {name: metric.definition for name, metric in BUILT_IN.items()}
    for name in METRIC_NAMES.names():
        if name in BUILT_IN:
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
        names: As in `metrics:`; None = `shipped` and those given.
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
            found += [metric for metric in SHOP if actions is not None and metric.needs <= frozenset(actions)]
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


def check_plan(
    plan: Mapping[str, Any] | None, metrics: Sequence[Metric], actions: Collection[str] | None = None
) -> None:
    """Raise `ConfigError` where a plan names a metric that the experiment does not have, or one whose good direction
    nobody knows as an objective.

    Args:
        plan: As in the experiment file, with `primary` and perhaps `guardrails`, `objectives` and `winsorise`; None =
            there is no plan.
        metrics: Those of the experiment.
        actions: As of `resolve_metrics`.
    """
    if plan is None:
        return
    found = {metric.name: metric for metric in metrics}
    names = list(found)
    objectives = plan.get("objectives") or ()
    named = [("primary", plan["primary"]), *(("guardrails", name) for name in plan.get("guardrails", ()))]
    named += [(f"objectives[{place}].metric", each["metric"]) for place, each in enumerate(objectives)]
    named += [("winsorise", name) for name in plan.get("winsorise") or ()]
    for where, name in named:
        if name not in found:
            if name in BUILT_IN and actions is not None:
                check_needs(BUILT_IN[name], actions, where=f"plan.{where}")
            hint = "add it to `metrics`, or " if name in BUILT_IN or ":" in name else ""
            raise ConfigError(
                f"plan.{where}: found {name!r}{nearest(name, names)}; {hint}name one of this experiment's metrics: "
                f"{', '.join(names)}"
            )
    told = {each["metric"] for each in objectives if each.get("direction")}
    for name in dict.fromkeys((plan["primary"], *(each["metric"] for each in objectives)) if objectives else ()):
        if found[name].higher_is_better is None and name not in told:
            raise ConfigError(
                f"plan.objectives: neither direction of {name} is good in itself; give it `direction: up` or "
                "`direction: down` there"
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
    names = config.get("metrics")
    metrics = resolve_metrics(names, given, actions)
    # Before the environment is known, a plan may name what one would be measured on.
    possible = SHOP if actions is None and (names is None or ALL_SHIPPED in names) else ()
    check_plan(config.get("plan"), (*metrics, *possible), actions)
    return metrics
