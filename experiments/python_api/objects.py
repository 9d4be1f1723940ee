"""Minds, environments and metrics that Python code hands over, and what stands of them in a configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel

from groundlings.environments.environment import Environment
from groundlings.environments.environment_answers import sound_environment
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.plugins import PYTHON_OBJECT
from groundlings.environments.registry import missing_in_environment
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.personas.mind import Mind
from groundlings.personas.registry import MindContext, sound_mind

MindMaker: TypeAlias = Callable[[MindContext], Mind]


def mind_of(given: object) -> tuple[Any, MindMaker | None]:
    """The section of a mind, and what makes it where no file can hold it.

    Args:
        given: A name, a section, or a function (or class) that is given a `MindContext` and makes a mind.

    Raises:
        ConfigError: It is none of these.
    """
    if given is None or isinstance(given, (str, Mapping, BaseModel)):
        return given, None
    if not callable(given):
        raise ConfigError(
            f"mind: found {shown(given)}, expected a name, a section, or a function that is given a MindContext and "
            "makes a new mind, because each arm has one of its own"
        )
    try:
        inspect.signature(given).bind(None)
    except (TypeError, ValueError):
        raise ConfigError(
            f"mind: {_called(given)} cannot be called with a MindContext alone; write lambda context: "
            f"{_called(given)}(...)"
        ) from None

    def maker(context: MindContext) -> Mind:
        return sound_mind(given(context), _called(given))

    return {"kind": PYTHON_OBJECT + _called(given)}, maker


def environment_of(given: object) -> tuple[Any, Environment[Any] | None]:
    """The section of an environment, and the object where it was handed over.

    Args:
        given: A name, a section, or an `Environment`; None = the paginated feed.

    Raises:
        ConfigError: It is none of these.
    """
    if given is None or isinstance(given, (str, Mapping, BaseModel)):
        return given, None
    if isinstance(given, type) or (missing := missing_in_environment(given)):
        lacking = "it is a class; make one" if isinstance(given, type) else f"it lacks {', '.join(missing)}"
        raise ConfigError(f"environment: found {shown(given)}, expected a name, a section or an Environment; {lacking}")
    sound_environment(given, type(given).__qualname__, "environment")
    place: Any = given
    return {"kind": PYTHON_OBJECT + type(given).__qualname__}, place


def named_metrics(given: object) -> tuple[list[str] | None, tuple[Metric, ...]]:
    """The names of metrics as an experiment file has them, and those that are values.

    Args:
        given: Names and `Metric`s, "shipped" for all shipped ones; None = all shipped ones alone.

    Raises:
        ConfigError: Something is neither.
    """
    if given is None:
        return None, ()
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ConfigError(f"metrics: found {shown(given)}, expected a list of names and Metrics")
    for place, each in enumerate(given):
        if not isinstance(each, (str, Metric)):
            raise ConfigError(f"metrics[{place}]: found {shown(each)}, expected a name or a groundlings.Metric")
    names = [each if isinstance(each, str) else PYTHON_OBJECT + each.name for each in given]
    return names, tuple(each for each in given if isinstance(each, Metric))


def check_given_again(
    config: ExperimentConfig, mind: object = None, environment: object = None, metrics: Sequence[Metric] = ()
) -> None:
    """Raise `ConfigError` where what is handed over to a run that is resumed is not what it began with."""
    begun = config.environment.kind if config.environment else "feed"
    for where, section, kind in (
        ("mind", mind_of(mind)[0], config.mind.kind),
        ("environment", environment_of(environment)[0], begun),
    ):
        found = section if section is None or isinstance(section, str) else section["kind"]
        if (found or kind) != kind:
            raise ConfigError(f"{where}: this run began with {kind!r}, found {found!r}; hand over what it began with")
        if kind.startswith(PYTHON_OBJECT) and found is None:
            raise ConfigError(
                f"{where}: {kind.removeprefix(PYTHON_OBJECT)!r} is a Python object, which no file can hold; resume it "
                f"with groundlings.resume(directory, {where}=...)"
            )
    check_metrics_given(config.metrics, metrics)


def check_metrics_given(names: Sequence[str] | None, given: Sequence[Metric]) -> None:
    """Raise `ConfigError` where a run's metrics are not those that are handed over."""
    own = [name.removeprefix(PYTHON_OBJECT) for name in names or () if name.startswith(PYTHON_OBJECT)]
    found = [metric.name for metric in given]
    if set(own) != set(found):
        raise ConfigError(
            f"metrics: the Python objects among this run's metrics are {own or 'none'}, found {found or 'none'}; hand "
            "over the same Metrics: groundlings.open_run(directory, metrics=[...]), or resume likewise"
        )


def _called(given: object) -> str:
    return str(getattr(given, "__qualname__", None) or type(given).__qualname__)
