"""From the names of an experiment file to metrics: shipped ones, plug-ins, and your own `module:NAME`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from groundlings.environments.actions import OPINIONS
from groundlings.environments.errors import ConfigError
from groundlings.environments.plugins import PYTHON_OBJECT, ExtensionPoint, nearest
from groundlings.experiments.analysis.metrics.conversation import CONVERSATION
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.definitions import METRICS, OF_LIKES
from groundlings.experiments.analysis.metrics.returning import LISTED, metric_of_returns
from groundlings.experiments.analysis.metrics.search import SEARCH
from groundlings.experiments.analysis.metrics.shop import SHOP
from groundlings.experiments.analysis.metrics.shown import SHOWN
from groundlings.experiments.analysis.metrics.social import TOLD

ALL_SHIPPED = "shipped"
"""Stands in `metrics:` for `METRICS` and `OF_ACTIONS`, as far as the environment offers what they need."""

OF_ACTIONS = (*SHOP, *SEARCH, *CONVERSATION)
"""Metrics of actions that only some environments offer."""

BUILT_IN = {metric.name: metric for metric in (*METRICS, *OF_ACTIONS, *SHOWN, *TOLD)}
"""Every metric that comes with Groundlings."""


NO_OPINIONS = (
    "nothing is rated here, nor liked and disliked, because the data have no such column or the environment takes none"
)
"""Why a metric of ratings or likes is not known."""

NO_SCALE = "people like and dislike here, without a scale of ratings"
"""Why a metric of ratings is not known where likes are."""

METRIC_NAMES = ExtensionPoint(
    "metric", "groundlings.metrics", dict.fromkeys((*BUILT_IN, *LISTED), ""), own="your own as module:NAME"
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
    if (of_returns := metric_of_returns(spec)) is not None:
        return of_returns
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
            found += [metric for metric in METRICS if actions is None or not metric.lacking(actions)]
            found += [metric for metric in OF_ACTIONS if actions is not None and not metric.lacking(actions)]
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
    if actions is not None and "like" in actions and "rate" not in actions:
        found = [OF_LIKES.get(metric.name, metric) if metric.shipped else metric for metric in found]
    return tuple(found)


def check_needs(metric: Metric, actions: Collection[str], *, where: str = "metrics") -> None:
    """Raise `ConfigError` where a metric needs an action that the environment does not offer."""
    lacking = metric.lacking(actions)
    if lacking:
        raise ConfigError(
            f"{where}: {metric.name} needs the action {lacking}, and this environment offers "
            f"{', '.join(sorted(actions)) or 'none'}{_why(actions)}; take the metric out, or choose another environment"
        )


def _why(actions: Collection[str]) -> str:
    """Why nothing is rated, as a clause; "" where something is."""
    reason = NO_OPINIONS if not set(OPINIONS) & set(actions) else NO_SCALE if "rate" not in actions else ""
    return f" ({reason})" if reason else ""


def absent_metrics(actions: Collection[str] | None) -> dict[str, str]:
    """The shipped metrics of a feed that cannot exist where agents may do only this, each with the reason.

    Args:
        actions: What the environment offers; None = not known, so none is absent.
    """
    if actions is None or "click" not in actions:
        return {}
    reason = NO_OPINIONS if not set(OPINIONS) & set(actions) else NO_SCALE
    return {metric.name: reason for metric in METRICS if metric.lacking(actions)}


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
    absent = absent_metrics(actions)
    found = {metric.name: metric for metric in metrics}
    names = list(found)
    objectives = plan.get("objectives") or ()
    named = [("primary", plan["primary"]), *(("guardrails", name) for name in plan.get("guardrails", ()))]
    named += [(f"objectives[{place}].metric", each["metric"]) for place, each in enumerate(objectives)]
    named += [("winsorise", name) for name in plan.get("winsorise") or ()]
    for where, name in named:
        if name in absent and name not in names:
            raise ConfigError(
                f"plan.{where}: found {name!r}, which cannot be measured here: {absent[name]}; name one of "
                f"{', '.join(names)}"
            )
        if name not in found:
            if name in BUILT_IN and actions is not None:
                check_needs(BUILT_IN[name], actions, where=f"plan.{where}")
            known = name in BUILT_IN or metric_of_returns(name) is not None
            hint = "add it to `metrics`, or " if known or ":" in name else ""
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


def in_currency(metric: Metric, config: Mapping[str, Any]) -> Metric:
    """The metric with the money of its unit named as the experiment file names it (`dataset.own.offers.currency`)."""
    told: Any = config.get("dataset") or {}
    for name in ("own", "offers", "currency"):
        told = (told.get(name) if isinstance(told, Mapping) else None) or ""
    if not metric.money or not isinstance(told, str) or not told:
        return metric
    return replace(metric, unit=metric.unit.replace("money", told, 1))


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
    metrics = tuple(in_currency(metric, config) for metric in resolve_metrics(names, given, actions))
    # Before the environment is known, a plan may name what one would be measured on.
    possible = OF_ACTIONS if actions is None and (names is None or ALL_SHIPPED in names) else ()
    check_plan(config.get("plan"), (*metrics, *possible), actions)
    return metrics
