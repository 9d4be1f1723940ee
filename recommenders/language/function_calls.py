"""Replies that call a function: which one, and with what parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from groundlings.environments.errors import UnreadableReply
from groundlings.environments.replies import read_json
from groundlings.recommenders.language.grounding import Grounding, ground

SEARCH, RECOMMEND = "search", "recommend"

_LONGEST_QUERY = 80
_NUMBER_CHARACTERS = 4
"""Of a number before a name in a reply, which should not be there ("20. ")."""


def _with_one_key(key: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {key: value}, "required": [key], "additionalProperties": False}


CHOICE_SCHEMA = _with_one_key("function", {"type": "string", "enum": [SEARCH, RECOMMEND]})
"""JSON Schema of the choice of a function."""

QUERY_SCHEMA = _with_one_key("query", {"type": "string", "maxLength": _LONGEST_QUERY})
"""JSON Schema of the parameter of `search`."""


def names_schema(shown: Sequence[str], most: int) -> dict[str, Any]:
    """JSON Schema of the parameter of `recommend`, in free text, so that what a model makes up is counted."""
    name = {"type": "string", "maxLength": max(map(len, shown)) + _NUMBER_CHARACTERS}
    return _with_one_key("names", {"type": "array", "items": name, "minItems": 1, "maxItems": most})


def read_choice(text: str) -> str:
    """The function that a reply chooses; raises `UnreadableReply`."""
    function = _value(text, "function")
    if function not in (SEARCH, RECOMMEND):
        raise UnreadableReply(f"function: expected {SEARCH} or {RECOMMEND}")
    return str(function)


def read_query(text: str) -> str:
    """The query of a reply; raises `UnreadableReply`."""
    query = _value(text, "query")
    if not isinstance(query, str):
        raise UnreadableReply("query: expected a text")
    return query


def read_names(text: str, shown: Sequence[str]) -> Grounding:
    """The items that a reply names; `order` has places in `shown`, and `candidates` is 0: not all are to be named.

    Raises:
        UnreadableReply: It is not the form asked for.
    """
    names = _value(text, "names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UnreadableReply("names: expected a list of names")
    return replace(ground(names, shown), candidates=0)


def _value(text: str, key: str) -> Any:
    value = read_json(text)
    if not isinstance(value, dict) or list(value) != [key]:
        raise UnreadableReply(f"expected an object with one key, {key}")
    return value[key]
