"""What is wrong with a configuration, in the words of its file: where, what was found, and what may have been meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from datetime import date
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from groundlings.environments.errors import ConfigError, expectation, shown
from groundlings.environments.key_words import without_keys_as_names, without_secrets
from groundlings.environments.words import plural

Key = str | int

Config = TypeVar("Config", bound=BaseModel)

_SAYS_WHICH = ("kind", "generator", "model")
"""Keys by which a section says which member of a union it is."""

_MINDS = frozenset({"behavioural", "scripted", "language", "hybrid", "calibrated", "plugin"})
_PLAIN: dict[Any, str] = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
"""What a value of a plain type is, in words."""
_MOST_COMPLAINTS = 20
"""About one file at a time; whoever mends these sees the next."""

_SHAPES = ("dict_type", "list_type", "tuple_type", "mapping_type", "model_type", "model_attributes_type")
"""Errors of a value that has the shape of another member of a union."""

_LABEL = re.compile(
    r"(literal|dict|list|tuple|set|union|function-\w+|lax-or-strict)\[.*\]|constrained-\w+(\[.*\])?|str|int|float",
    re.DOTALL,
)
"""What a location holds of a member of a union that has no name of its own."""


def key_path(parts: Iterable[Key]) -> str:
    """Where a value stands, as messages say it and `--set` takes it: `arms[0].name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")


def checked(kind: type[Config], content: Mapping[str, Any], worded: Callable[[list[Key], str], str]) -> Config:
    """A checked configuration.

    Args:
        kind: Of configuration.
        content: Its keys, as a file or Python code has them.
        worded: A place in the configuration and what is wrong there -> the same as whoever wrote it should read it.

    Raises:
        ConfigError: Something does not fit.
    """
    try:
        config = kind.model_validate(content)
    except ValidationError as fault:
        raise together(_told_of(worded, *each) for each in _complaints(kind, fault.errors())) from None
    if mistaken := [_told_of(worded, *each) for each in _truths_and_numbers(content, config, [])]:
        raise together(mistaken)
    return config


def _told_of(worded: Callable[[list[Key], str], str], where: list[Key], what: str) -> str:
    """A complaint in the words of whoever wrote the configuration; a name may be a key that somebody put there."""
    told = worded(where, without_keys_as_names(what))
    for name in filter(lambda each: isinstance(each, str), where):
        told = told.replace(str(name), without_keys_as_names(str(name)))
    return told


def _truths_and_numbers(given: Any, read: Any, above: list[Key]) -> Iterator[tuple[list[Key], str]]:
    """Where `true` or `false` was read as 1 or 0, or a number or a word as `true` or `false`, as pydantic does.

    Args:
        given: What was written.
        read: What was made of it.
        above: Where it stands.
    """
    if isinstance(given, bool) and isinstance(read, int | float) and not isinstance(read, bool):
        yield above, f"expected a number, found {str(given).lower()}"
    elif isinstance(read, bool) and isinstance(given, int | float | str) and not isinstance(given, bool):
        yield above, f"expected true or false, found {_told(given)}"
    elif isinstance(given, Mapping):
        for key, value in given.items():
            inner = read.get(key) if isinstance(read, Mapping) else getattr(read, str(key), None)
            yield from _truths_and_numbers(value, inner, [*above, key])
    elif isinstance(given, list | tuple) and isinstance(read, list | tuple):
        for place, (value, inner) in enumerate(zip(given, read, strict=False)):
            yield from _truths_and_numbers(value, inner, [*above, place])


def _complaints(kind: type[BaseModel], errors: Sequence[ErrorDetails]) -> Iterator[tuple[list[Key], str]]:
    """Where in a configuration each fault lies, and what it is; without what another fault says better.

    Args:
        kind: Of configuration.
        errors: As pydantic tells them.
    """
    located = [(error, _location(kind, error["loc"])) for error in errors]
    for error, location in located:
        if not _says_less(error, location, located):
            yield location, _message(kind, error, location)


def together(told: Iterable[str]) -> ConfigError:
    """One error for all that is wrong, each thing named once."""
    distinct = list(dict.fromkeys(told))
    if len(distinct) > _MOST_COMPLAINTS:
        distinct[_MOST_COMPLAINTS:] = [f"and {len(distinct) - _MOST_COMPLAINTS} more complaints"]
    return ConfigError("\n".join(distinct))


def _says_less(error: ErrorDetails, location: list[Key], others: Sequence[tuple[ErrorDetails, list[Key]]]) -> bool:
    """Whether a value is complained about as a whole where something inside of it, or of its kind, is wrong."""
    if any(len(other) > len(location) and other[: len(location)] == location for _, other in others):
        return error["type"] in (*_SHAPES, "literal_error", "too_short")
    beside = [each for each, other in others if other == location and each["type"] not in _SHAPES]
    return error["type"] in _SHAPES and bool(beside)


def _message(kind: type[BaseModel], error: ErrorDetails, location: list[Key]) -> str:
    found = error["input"]
    if error["type"] == "extra_forbidden":
        allowed = _fields_at(kind, error["loc"][:-1])
        return f"this key does not exist{_did_you_mean(str(location[-1]), allowed)}"
    if error["type"] == "missing":
        return f"this key is missing{_wanted(kind, error['loc'])}"
    if (shape := _shape_wanted(error["type"])) is not None:
        return f"expected {shape}, found {_shape_of(found)}"
    if error["type"] in ("too_short", "too_long") and isinstance(found, Sized):
        bound, most = error["ctx"], error["type"] == "too_long"
        entries = plural(bound["max_length" if most else "min_length"], "entry", "entries")
        return f"expected at {'most' if most else 'least'} {entries}, found {len(found) or 'none'}"
    value = "" if isinstance(found, (dict, list)) or error["type"] == "value_error" else f", found {_told(found)}"
    if error["type"] == "string_type" and isinstance(found, bool | float | date):
        value += "; put text that YAML takes for something else into quotation marks"
    if error["type"] == "literal_error" and isinstance(found, str):
        value += _meant(found, re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", ""))))
    return f"{expectation(error['msg'])}{value}"


def _wanted(kind: type[BaseModel], told: Sequence[Key]) -> str:
    """What a key that is missing is to hold, as a clause; "" where that takes more words than a message has."""
    sections: list[type[BaseModel]] = [kind]
    for part in told[:-1]:
        if not isinstance(part, int):
            sections = _below(sections, part) or [each for each in sections if _is_tagged(each, part)] or sections
    key = str(told[-1])
    wanted = next((section.model_fields[key].annotation for section in sections if key in section.model_fields), None)
    for plain, words in _PLAIN.items():
        if wanted is plain:
            return f"; add it: {words}"
    inner = _sections_in(wanted)
    needed = [name for name, field in inner[0].model_fields.items() if field.is_required()] if len(inner) == 1 else []
    within = f" with {', '.join(needed)}" if needed else ""
    if get_origin(wanted) in (tuple, list):
        return f"; add it: a list{', each entry' if within else ''}{within}"
    return f"; add it: a mapping of keys{within}" if inner else ""


def _shape_wanted(fault: str) -> str | None:
    """What a value of another shape should have been; None where the fault is another one."""
    if fault not in _SHAPES:
        return None
    return "a list" if fault in ("list_type", "tuple_type") else "a mapping of keys"


def _shape_of(found: Any) -> str:
    if isinstance(found, Mapping):
        return "a mapping of keys"
    return "a list" if isinstance(found, list | tuple) else "nothing" if found is None else _told(found)


def _told(found: Any) -> str:
    """A value that does not fit; what stands in the wrong place may be a key, and messages are kept in logs."""
    return without_secrets(shown(found), found)


def _meant(found: str, expected: Sequence[str]) -> str:
    close = difflib.get_close_matches(found.lower(), expected, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _did_you_mean(name: str, allowed: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"{hint} Allowed here: {', '.join(allowed)}" if allowed else hint.rstrip(".")


def _location(kind: type[BaseModel], told: Sequence[Key]) -> list[Key]:
    """A location as the file has it: pydantic's also says which member of a union was tried."""
    tags = {*_MINDS, "parallel", "split", "interleaving"}
    sections: list[type[BaseModel]] = [kind]
    found: list[Key] = []
    for number, part in enumerate(told):
        if isinstance(part, int):
            found.append(part)
            continue
        named = [section for section in sections if section.__name__ == part]
        if len(sections) > 1 and not named:
            named = [section for section in sections if _is_tagged(section, part)]
        if named:
            sections = named
        elif _is_key(part, sections) or (not (number and part in tags) and _LABEL.fullmatch(part) is None):
            found.append(part)
            sections = _below(sections, part) or sections
    return found


def _is_key(part: str, sections: Sequence[type[BaseModel]]) -> bool:
    """Whether the one section that is meant has a key of this name, such as `language` of a hybrid mind."""
    return len(sections) == 1 and part in sections[0].model_fields


def _fields_at(model: type[BaseModel], location: Sequence[Key]) -> list[str]:
    """The keys that the section at a location allows."""
    sections: list[type[BaseModel]] = [model]
    for part in location:
        if isinstance(part, int):
            continue
        # The tag of a union has nothing below it: keep the member that carries it.
        sections = _below(sections, part) or [each for each in sections if _is_tagged(each, part)] or sections
    return [name for section in sections for name in section.model_fields if name != "base"]


def _below(sections: Sequence[type[BaseModel]], name: str) -> list[type[BaseModel]]:
    """The sections that a key of some sections may hold."""
    inner = [section.model_fields[name].annotation for section in sections if name in section.model_fields]
    return [section for annotation in inner for section in _sections_in(annotation)]


def _sections_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for argument in get_args(annotation) for section in _sections_in(argument)]


def _is_tagged(section: type[BaseModel], tag: str) -> bool:
    named = (section.model_fields.get(name) for name in _SAYS_WHICH)
    return any(field is not None and tag in get_args(field.annotation) for field in named)
