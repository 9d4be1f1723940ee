"""From a name in the YAML to a recommender: shipped ones, plug-ins, and your own `module:Class`.

A recommender's options are the parameters of its constructor: name, type, default and meaning are written there and
nowhere else. Three kinds of parameter are treated apart:

- one annotated with `Recommender` or a subclass takes `{recommender: NAME, options: {...}}` and is handed what that
  builds;
- one named like a field of `RecommenderContext` is filled from the context and cannot be set in the YAML;
- of these, `preference` is given only to a class that declares `sees_hidden_preference = True`.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.oracle import Preference

ENTRY_POINT_GROUP = "groundlings.recommenders"
PYTHON_OBJECT = "python:"
"""Begins the name of a recommender that Python code hands over; the rest is the name of its arm."""

SHIPPED = {
    "als": "groundlings.recommenders.als:AlsRecommender",
    "anti_oracle": "groundlings.recommenders.oracle:AntiOracleRecommender",
    "bpr": "groundlings.recommenders.bpr:BprRecommender",
    "content_knn": "groundlings.recommenders.content_knn:ContentKnnRecommender",
    "degraded": "groundlings.recommenders.degraded:DegradedRecommender",
    "ease": "groundlings.recommenders.ease:EaseRecommender",
    "epsilon_slots": "groundlings.recommenders.exploration:EpsilonSlots",
    "external": "groundlings.recommenders.external:ExternalRecommender",
    "item_knn": "groundlings.recommenders.item_knn:ItemKnnRecommender",
    "oracle": "groundlings.recommenders.oracle:OracleRecommender",
    "plackett_luce": "groundlings.recommenders.exploration:PlackettLuce",
    "popular": "groundlings.recommenders.popular:PopularRecommender",
    "random_order": "groundlings.recommenders.random_order:RandomOrderRecommender",
}


@dataclass(frozen=True, slots=True)
class RecommenderContext:
    """What a constructor may ask for by the name of a parameter.

    Attributes:
        catalog: The items.
        user_ids: The data set's own ids, in the order of user numbers.
        base_directory: Where relative paths of the experiment file start.
        preference: What the audience secretly likes, None where nobody can tell (a language model decides).
    """

    catalog: Catalog
    user_ids: tuple[str, ...]
    base_directory: Path
    preference: Preference | None = None


def build_recommender(
    spec: str, options: Mapping[str, Any], context: RecommenderContext, *, where: str = "arm"
) -> Recommender:
    """A new, unfitted recommender.

    Args:
        spec: A shipped name, the name of a plug-in, or `module:Class`.
        options: Arguments of its constructor, as the YAML has them.
        context: What constructors may ask for besides.
        where: Key path of the mapping that holds `recommender` and `options`, for messages ("arms[2]").

    Raises:
        ConfigError: The name, an option or its value is not known or not allowed.
    """
    return build_from_class(find_recommender(spec, where=where), spec, options, context, where=where)


def build_from_class(
    recommender_class: type[Recommender],
    spec: str,
    options: Mapping[str, Any],
    context: RecommenderContext,
    *,
    where: str = "arm",
) -> Recommender:
    """As `build_recommender`, of a class that was found already; `spec` is what messages call it."""
    arguments = _arguments(recommender_class, spec, options, context, where)
    try:
        return recommender_class(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def available_recommenders() -> dict[str, str]:
    """Every name that can be written in the YAML, sorted, with the first line of its documentation."""
    lines = {}
    for name in sorted({*SHIPPED, *_plugins()}):
        try:
            lines[name] = (inspect.getdoc(find_recommender(name)) or "(no description)").splitlines()[0]
        except ConfigError as error:
            lines[name] = f"cannot be used: {error}"
    return lines


def find_recommender(spec: str, *, where: str = "arm") -> type[Recommender]:
    """The class behind a name or `module:Class`; raises `ConfigError` where there is none."""
    here = f"{where}.recommender"
    if spec.startswith(PYTHON_OBJECT):
        arm = spec.removeprefix(PYTHON_OBJECT)
        raise ConfigError(
            f"{here}: arm {arm!r} is a Python object, which no file can hold; resume it with "
            f"groundlings.resume(directory, arms={{{arm!r}: ...}}), or run it anew with groundlings.Experiment"
        )
    if ":" in spec:
        current = str(Path.cwd())
        if current not in sys.path:
            sys.path.append(current)  # last, so that your files can hide no installed package
        found = _imported(spec, here)
    else:
        plugins = _plugins()
        claimed = [f"{entry.value} of {entry.dist.name if entry.dist else '?'}" for entry in plugins.get(spec, [])]
        if len(claimed) > 1 or (claimed and spec in SHIPPED):
            owners = [*(["groundlings itself"] if spec in SHIPPED else []), *claimed]
            raise ConfigError(
                f"{here}: {spec!r} is claimed by {' and '.join(owners)}; write `module:Class`, or uninstall one"
            )
        if spec not in SHIPPED and spec not in plugins:
            names = sorted({*SHIPPED, *plugins})
            raise ConfigError(
                f"{here}: there is no recommender {spec!r}{_nearest(spec, names)}. "
                f"Known: {', '.join(names)}; or your own class as module:Class"
            )
        found = _imported(SHIPPED.get(spec) or plugins[spec][0].value, here)
    if not (isinstance(found, type) and issubclass(found, Recommender)):
        raise ConfigError(f"{here}: {spec} is not a subclass of groundlings.recommenders.base.Recommender")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise ConfigError(f"{here}: {spec} does not yet have the required methods: {missing}")
    return found


def _plugins() -> dict[str, list[EntryPoint]]:
    plugins: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        plugins.setdefault(entry.name, []).append(entry)
    return plugins


def _imported(path: str, here: str) -> object:
    """What `module:Class` names."""
    module_name, _, class_name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever happens on import, the YAML names a module that cannot be used
        raise ConfigError(
            f"{here}: {path} cannot be imported: {type(error).__name__}: {error}. "
            f"Looked among the installed packages and in {Path.cwd()}"
        ) from error
    if not hasattr(module, class_name):
        names = [name for name, value in vars(module).items() if isinstance(value, type)]
        raise ConfigError(f"{here}: module {module_name} has no class {class_name!r}{_nearest(class_name, names)}")
    return getattr(module, class_name)


def _arguments(
    recommender_class: type[Recommender],
    spec: str,
    options: Mapping[str, Any],
    context: RecommenderContext,
    where: str,
) -> dict[str, Any]:
    parameters = inspect.signature(recommender_class).parameters
    from_context = {field.name for field in fields(RecommenderContext)}
    settable = [
        name
        for name, parameter in parameters.items()
        if name not in from_context and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    takes_any = any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values())
    for key in options:
        if key not in settable and (key in from_context or not takes_any):
            has = f"it has: {', '.join(settable)}" if settable else "it has no options"
            raise ConfigError(f"{where}.options.{key}: {spec} has no such option{_nearest(key, settable)}; {has}")
    for name in settable:
        if name not in options and parameters[name].default is inspect.Parameter.empty:
            raise ConfigError(f"{where}.options: {spec} needs the option {name!r}; found {sorted(options) or 'none'}")

    try:
        hints = get_type_hints(recommender_class.__init__, include_extras=True)
    except NameError as error:
        raise ConfigError(
            f"{where}.recommender: a type in the constructor of {spec} is not known at run time: {error}; "
            "import it outside `if TYPE_CHECKING`"
        ) from error
    arguments = {
        name: _option(hints.get(name, Any), value, context, f"{where}.options.{name}")
        for name, value in options.items()
    }
    for name in from_context & set(parameters):
        arguments[name] = getattr(context, name)
    if "preference" in arguments:
        _guard_preference(recommender_class, spec, context, where)
    return arguments


def _option(hint: Any, value: Any, context: RecommenderContext, where: str) -> Any:
    """The value of one option, checked against the type in the constructor's signature."""
    if isinstance(hint, type) and issubclass(hint, Recommender):
        return _inner(hint, value, context, where)
    try:
        # By way of JSON, pydantic is strict (no "3" for 3, no yes for 1) and still reads a path from text.
        return TypeAdapter(hint).validate_json(json.dumps(value, default=str), strict=True)
    except PydanticSchemaGenerationError:
        return value  # a type of the plug-in's own, which only its constructor can judge
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise ConfigError(f"{where}: found {value!r}; {message[0].lower()}{message[1:]}") from error


def _inner(kind: type[Recommender], value: Any, context: RecommenderContext, where: str) -> Recommender:
    """The recommender inside another one."""
    if not isinstance(value, Mapping) or not isinstance(value.get("recommender"), str):
        raise ConfigError(f"{where}: found {value!r}; expected a recommender, {{recommender: NAME, options: {{...}}}}")
    for key in value:
        if key not in ("recommender", "options"):
            raise ConfigError(
                f"{where}.{key}: unknown key{_nearest(str(key), ('recommender', 'options'))}; "
                "expected recommender and options"
            )
    options = value.get("options") or {}
    if not isinstance(options, Mapping):
        raise ConfigError(f"{where}.options: found {options!r}; expected a mapping of option names to values")
    inner = build_recommender(value["recommender"], options, context, where=where)
    if not isinstance(inner, kind):
        raise ConfigError(f"{where}: {value['recommender']} is no {kind.__name__}; choose one that is, such as popular")
    return inner


def _guard_preference(recommender_class: type[Recommender], spec: str, context: RecommenderContext, where: str) -> None:
    if not recommender_class.sees_hidden_preference:
        raise ConfigError(
            f"{where}.recommender: {spec} asks for the hidden preference of the audience without saying so; "
            "a class that does must declare sees_hidden_preference = True, so that reports can mark it"
        )
    if context.preference is None:
        raise ConfigError(
            f"{where}.recommender: {spec} ranks by the hidden preference of the audience, and this experiment's mind "
            "has none that could be read; use a behavioural mind, or another recommender"
        )


def _nearest(word: str, words: Iterable[str]) -> str:
    close = get_close_matches(word, list(words), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
