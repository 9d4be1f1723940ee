"""The reference of the experiment file, made from the configuration's own docstrings."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from groundlings.environments.errors import ConfigError, shown
from groundlings.experiments.config.constructors import shipped_environments
from groundlings.experiments.config.meanings import meanings
from groundlings.experiments.config.schema import ExperimentConfig

HEADER = """# Every key of an experiment file

Printed by `groundlings schema`. A key without a default must be given; a key that is not listed is refused.
"""


def reference() -> str:
    """The whole reference as Markdown: one table per section."""
    lines = [HEADER]
    for path, section in _sections("", ExperimentConfig):
        heading = f"`{path}`" if path else "The file"
        lines += [f"\n## {heading}\n", f"{(section.__doc__ or '').strip().splitlines()[0]}\n"]
        lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
        for name, field in section.model_fields.items():
            if not field.exclude:
                lines.append(
                    f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {_meaning(section, name)} |"
                )
        if path == "environment (plug-in)":
            lines += _shipped_environments()
    return "\n".join(lines) + "\n"


def _shipped_environments() -> Iterator[str]:
    """A table for each environment that is shipped and has options of its own."""
    for kind, about, options in shipped_environments():
        yield from (f"\n## `environment ({kind})`\n", f"{about}\n")
        yield from ("| key | value | default | meaning |", "|---|---|---|---|")
        for name, annotation, default, meaning in options:
            yield f"| `{name}` | {_type(annotation)} | `{default}` | {meaning} |"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section.

    Attributes:
        name: The key.
        kind: What its value is.
        default: "required", or "default" and the value.
        meaning: What it is for.
    """

    name: str
    kind: str
    default: str
    meaning: str


def keys_of(section: str) -> dict[str, tuple[Key, ...]]:
    """The keys of a section and of those inside it, by the path that `reference` heads them with.

    Args:
        section: Its path, with or without what kind it is: `mind`, `mind (behavioural)`, `arms`.

    Raises:
        ConfigError: There is no such section.
    """
    wanted = _without_kinds(section)
    found = {
        path: tuple(
            Key(name, _plain(_type(field.annotation)), _said_default(field), _plain(_meaning(model, name)))
            for name, field in model.model_fields.items()
            if not field.exclude
        )
        for path, model in _sections("", ExperimentConfig)
        if path and (path == section or _without_kinds(path) == wanted or _without_kinds(path).startswith(f"{wanted}."))
    }
    if wanted == "environment":
        found |= {
            f"environment ({kind})": tuple(
                Key(name, _plain(_type(annotation)), f"default {default}", _plain(meaning))
                for name, annotation, default, meaning in options
            )
            for kind, _, options in shipped_environments()
        }
    if not found:
        known = dict.fromkeys(_without_kinds(path).split(".")[0] for path, _ in _sections("", ExperimentConfig) if path)
        raise ConfigError(
            f"schema {shown(section)}: no such section; expected one of {', '.join(known)}, or a part of it"
        )
    return found


def _without_kinds(path: str) -> str:
    return re.sub(r" \([^)]*\)|\[\]", "", path.strip())


def _said_default(field: FieldInfo) -> str:
    default = _plain(_default(field))
    return default if field.is_required() else f"default {default}"


def _plain(text: str) -> str:
    return text.replace("\\|", "|").replace("**", "").replace("`", "")


def _sections(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            kind = inner.model_fields.get("kind")
            tags = get_args(kind.annotation) if kind else ()
            tag = f" ({tags[0]})" if len(tags) == 1 else " (plug-in)" if kind and kind.annotation is str else ""
            listed = "[]" if _is_list(field.annotation) else ""
            yield from _sections(f"{path}.{name}{listed}".lstrip(".") + tag, inner)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(get_origin(each) is tuple for each in get_args(annotation))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if origin in (Union, types.UnionType):
        kinds = dict.fromkeys(_type(argument) for argument in get_args(annotation) if argument is not type(None))
        return " or ".join(kinds)
    if origin is tuple:
        return f"list of {_type(get_args(annotation)[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    names = {int: "whole number", float: "number", str: "text", bool: "`true` or `false`"}
    if annotation in names:
        return names[annotation]
    return "path" if getattr(annotation, "__name__", "") == "Path" else "mapping"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None:
        return "absent"
    if isinstance(default, BaseModel):
        return "its defaults"
    if default in ({}, (), ""):
        return "empty"
    written = json.dumps(default) if isinstance(default, (bool, tuple)) else str(default)
    return f"`{written}`".replace("|", "\\|")


def _meaning(section: type[BaseModel], name: str) -> str:
    return " ".join(meanings(section).get(name, "").split()).replace("|", "\\|")
