"""The recommenders that Python code hands over: what stands of them in a configuration, and what makes them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.plugins import PYTHON_OBJECT
from groundlings.experiments.config.schema import ArmConfig, ExperimentConfig
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.registry import SHIPPED, RecommenderContext, build_from_class
from groundlings.recommenders.supplied import (
    AsyncFunctionRecommender,
    FunctionRecommender,
    RecommendsIds,
    TrainedRecommender,
)

Maker: TypeAlias = Callable[[RecommenderContext], AsyncRecommender]
Fit = Literal["never", "scheduled"]

_EXPECTED = (
    "a name, a mapping as in an experiment file, a Recommender or its class, a factory that takes nothing, or a "
    "function (user_ids, k) -> item ids, perhaps async"
)


@dataclass(frozen=True, slots=True)
class Refitted:
    """A recommender that the run fits itself; see `refitted`."""

    recommender: AsyncRecommender


def refitted(recommender: AsyncRecommender) -> Refitted:
    """Have a run fit an object of yours: on the first morning, and again as often as `simulation.refit_every` says.

        Experiment(dataset=data, arms={"popular": "popular", "mine": refitted(model)}, seed=7)

    Without this, an object is used as it is and learns nothing during the run. The run changes the object.

    Args:
        recommender: What it has learnt before is forgotten.
    """
    return Refitted(recommender)


def arms_of(given: Mapping[str, object]) -> tuple[list[dict[str, Any]], dict[str, Maker]]:
    """The arms as an experiment file lists them, and what makes those that no file can hold.

    Args:
        given: Arm's name -> its recommender.

    Raises:
        ConfigError: Something is no recommender.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(f"arms: found {type(given).__name__}, expected a mapping of names to recommenders")
    sections, makers = [], {}
    for name, each in given.items():
        section, maker = _arm(str(name), each)
        sections.append(section)
        if maker is not None:
            makers[str(name)] = maker
    return sections, makers


def makers_for(config: ExperimentConfig, given: Mapping[str, object]) -> dict[str, Maker]:
    """What makes the recommenders of a run that is resumed.

    Args:
        config: The run's.
        given: Arm's name -> the object that it began with; only those that the file cannot hold are needed.

    Raises:
        ConfigError: An object is missing, of another kind than before, or of an arm that there is not.
    """
    sections, makers = arms_of(given)
    known = {arm.name: arm for arm in config.arms}
    for section in sections:
        arm = known.get(section["name"])
        if arm is None:
            raise ConfigError(
                f"arms: found {shown(section['name'])}; this run has the arms {', '.join(map(repr, known))}"
            )
        before, now = _fit(arm.options), _fit(section.get("options", {}))
        if arm.recommender.startswith(PYTHON_OBJECT) and section["name"] in makers and before != now:
            raise ConfigError(
                f"arms[{arm.name!r}]: the run began with a recommender that it fits {before}, and this one is fitted "
                f"{now}; give the same kind (an object is used as it is, refitted(object) and a class are not)"
            )
    for arm in config.arms:
        if arm.recommender.startswith(PYTHON_OBJECT) and arm.name not in makers:
            raise ConfigError(
                f"arms: arm {arm.name!r} is a Python object; resume it with "
                f"groundlings.resume(directory, arms={{{arm.name!r}: ...}})"
            )
    return makers


def is_fixed(arm: ArmConfig) -> bool:
    """Whether an arm's recommender knows before the run what it will know in it."""
    return arm.recommender.startswith(PYTHON_OBJECT) and _fit(arm.options) == "never"


def _fit(options: Mapping[str, Any]) -> str:
    return str(options.get("fit", "scheduled"))


def _arm(name: str, given: object) -> tuple[dict[str, Any], Maker | None]:
    """The section of one arm, and what makes its recommender, None where the section says it all."""
    where = f"arms[{name!r}]"
    if isinstance(given, Mapping):
        if "name" in given:
            raise ConfigError(f"{where}.name: the key of the mapping is the name already; take it out")
        inner, rest = given.get("recommender"), {key: value for key, value in given.items() if key != "recommender"}
        if inner is None or isinstance(inner, str):
            return {"name": name, **given}, None
        if rest.get("options") and not _is_class(inner):
            raise ConfigError(f"{where}.options: a {type(inner).__name__} has its options already; take them out")
        section, maker = _arm_of(name, inner, dict(rest.get("options") or {}), where)
        return {**section, **{key: value for key, value in rest.items() if key != "options"}}, maker
    if isinstance(given, str):
        return {"name": name, "recommender": given}, None
    return _arm_of(name, given, {}, where)


def _arm_of(name: str, given: object, options: dict[str, Any], where: str) -> tuple[dict[str, Any], Maker | None]:
    if _is_class(given):
        assert isinstance(given, type)
        path = _import_path(given)
        if path is not None:
            return {"name": name, "recommender": path, "options": options}, None
        spec = given.__qualname__

        def of_class(context: RecommenderContext) -> AsyncRecommender:
            return build_from_class(given, spec, options, context, where=where)

        return {"name": name, "recommender": PYTHON_OBJECT + name, "options": options}, of_class
    fit, maker = _maker(given, where)
    told = {"object": _called(given), "fit": fit}
    return {"name": name, "recommender": PYTHON_OBJECT + name, "options": told}, maker


def _maker(given: object, where: str) -> tuple[Fit, Maker]:
    """Whether a run fits the recommender of an object, and what makes it."""
    if isinstance(given, Refitted):
        if not isinstance(given.recommender, AsyncRecommender):
            raise ConfigError(f"{where}: refitted takes a Recommender, found {type(given.recommender).__name__}")
        return "scheduled", lambda _: given.recommender
    if isinstance(given, AsyncRecommender):
        return "never", lambda _: TrainedRecommender(given, name=where)
    if isinstance(given, RecommendsIds) and not isinstance(given, type):
        return "never", _of_function(given.recommend, where)
    if not callable(given):
        raise ConfigError(f"{where}: found {shown(given)}, expected {_EXPECTED}")
    if _takes(given, 2) and not isinstance(given, type):
        return "never", _of_function(given, where)
    if _takes(given, 0):
        return "scheduled", lambda _: _made(given, where)
    raise ConfigError(f"{where}: {_called(given)} takes neither (user_ids, k) nor nothing; expected {_EXPECTED}")


def _of_function(function: Callable[..., Any], where: str) -> Maker:
    """What makes the recommender of a function, which may be async."""
    waits = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
    kind = AsyncFunctionRecommender if waits else FunctionRecommender
    return lambda context: kind(function, name=where, catalog=context.catalog, user_ids=context.user_ids)


def _made(factory: Callable[[], object], where: str) -> AsyncRecommender:
    made = factory()
    if not isinstance(made, AsyncRecommender):
        raise ConfigError(f"{where}: the factory made {type(made).__name__}, expected a Recommender")
    return made


def _takes(function: Callable[..., object], count: int) -> bool:
    """Whether a callable can be called with so many arguments by position."""
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


def _is_class(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, AsyncRecommender)


def _import_path(found: type) -> str | None:
    """The shipped name of a class, or its `module:Class`; None where no other process could import it."""
    path = f"{found.__module__}:{found.__qualname__}"
    if found.__module__ == "__main__" or "." in found.__qualname__:
        return None
    try:
        module = importlib.import_module(found.__module__)
    except ImportError:
        return None
    if getattr(module, found.__qualname__, None) is not found:
        return None
    return next((name for name, home in SHIPPED.items() if home == path), path)


def _called(given: object) -> str:
    """What a log calls an object."""
    if isinstance(given, Refitted):
        return _called(given.recommender)
    return str(getattr(given, "__qualname__", None) or type(given).__qualname__)
