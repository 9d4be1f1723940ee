"""JSON Schema to GBNF, the grammar notation of llama.cpp that vLLM's xgrammar reads too.

A grammar without white space costs the fewest tokens and cannot run out of them on blanks, which is what happens
when a server makes its own grammar from a schema. The subset is what our reply forms need, and whatever lies
outside it is refused here, not approximated:

    object    `properties` in the order written, `required`, `additionalProperties: false`
    array     `items`, `maxItems`, perhaps `minItems`; with `uniqueItems` only of listed values, without `minItems`, in
              the order listed
    enum      numbers, strings, booleans
    integer   with `minimum` and `maximum`
    string    with `maxLength`, without escapes and control characters
    boolean

Every text the grammar accepts is valid against the schema. The reverse does not hold: key order and white space
are fixed, and a set is written in one order only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

_CLOSED = '"]"'
_STRING_CHARACTER = r'[^"\\\x00-\x1F\x7F]'


def grammar_for(schema: Mapping[str, Any]) -> str:
    """The GBNF text of a schema.

    Raises:
        ValueError: The schema uses something outside the subset.
    """
    rules = _Rules()
    root = rules.value(schema)
    return "\n".join([f"root ::= {root}", *rules.lines]) + "\n"


class _Rules:
    """Writes one rule for every part that is referred to; `value` returns what to write in its place."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def value(self, schema: Mapping[str, Any]) -> str:
        """An expression for one value."""
        if "enum" in schema:
            return _either([_literal(value) for value in schema["enum"]])
        match schema.get("type"):
            case "boolean":
                return '("true" | "false")'
            case "integer":
                return _integer(schema)
            case "string":
                return _string(schema)
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema)
        raise ValueError(f"no grammar for the schema {json.dumps(schema)}")

    def _name(self, expression: str) -> str:
        name = f"r{len(self.lines)}"
        self.lines.append(f"{name} ::= {expression}")
        return name

    def _object(self, schema: Mapping[str, Any]) -> str:
        if schema.get("additionalProperties") is not False:
            raise ValueError("an object needs additionalProperties: false; a grammar writes the keys it knows")
        required = set(schema.get("required", ()))
        # Built from the last key to the first. `start` is what may follow when nothing was written yet, `rest` what
        # may follow a written key: only the second begins with a comma.
        start = rest = '"}"'
        for key, part in reversed(schema["properties"].items()):
            pair = _quote(json.dumps(key) + ":") + " " + self.value(part)
            after = rest if rest == '"}"' else self._name(rest)
            if key in required:
                start, rest = f"{pair} {after}", f'"," {pair} {after}'
            else:
                skipped = start if start == '"}"' else self._name(start)
                start, rest = f"({pair} {after} | {skipped})", f'("," {pair})? {after}'
        return self._name(f'"{{" {start}')

    def _array(self, schema: Mapping[str, Any]) -> str:
        if schema.get("uniqueItems"):
            return self._set(schema)
        if "maxItems" not in schema:
            raise ValueError("an array needs maxItems; without a bound a reply may never end")
        item, least, most = self.value(schema["items"]), schema.get("minItems", 0), schema["maxItems"]
        if least > most:
            raise ValueError(f"no array has at least {least} items and at most {most}")
        if most == 0:
            return '"[]"'
        name = self._name(item)
        if least:
            return self._name(f'"[" {name} ("," {name}){{{least - 1},{most - 1}}} "]"')
        return self._name(f'"[" ({name} ("," {name}){{0,{most - 1}}})? "]"')

    def _set(self, schema: Mapping[str, Any]) -> str:
        if "enum" not in schema["items"]:
            raise ValueError("an array with uniqueItems needs items with an enum")
        if "minItems" in schema:
            raise ValueError("an array with uniqueItems takes no minItems here")
        values = schema["items"]["enum"]
        most = min(schema.get("maxItems", len(values)), len(values))
        if most == 0:
            return '"[]"'
        # after[k] is what may follow once the values up to the current one are written or passed over and k more
        # may come; built from the last value to the first.
        after = [_CLOSED] * most
        start = _CLOSED
        for value in reversed(values):
            literal = _literal(value)
            start = f"({literal} {after[-1]} | {start if start == _CLOSED else self._name(start)})"
            after = [after[0], *(self._name(f'"," {literal} {fewer} | {same}') for fewer, same in pairwise(after))]
        return self._name(f'"[" {start}')


def _integer(schema: Mapping[str, Any]) -> str:
    if "minimum" not in schema or "maximum" not in schema:
        raise ValueError("an integer needs minimum and maximum")
    low, high = int(schema["minimum"]), int(schema["maximum"])
    if low > high:
        raise ValueError(f"no integer lies between {low} and {high}")
    parts = []
    if low < 0:
        parts += [f'"-" {span}' for span in _spans(max(1, -high), -low)]
    if high >= 0:
        parts += _spans(max(0, low), high)
    return _either(parts)


def _spans(low: int, high: int) -> list[str]:
    """Expressions for the integers 0 <= low..high: one span a number of digits, so that no zero leads."""
    spans = []
    for width in range(len(str(low)), len(str(high)) + 1):
        least = 10 ** (width - 1) if width > 1 else 0
        spans += _digits(max(low, least), min(high, 10**width - 1), width)
    return spans


def _digits(low: int, high: int, width: int) -> list[str]:
    """Expressions for low..high written with exactly `width` digits."""
    if width == 1:
        return [f"[{low}-{high}]"]
    if low == 0 and high == 10**width - 1:
        return [" ".join(["[0-9]"] * width)]
    unit = 10 ** (width - 1)
    digits = []
    for digit in range(low // unit, high // unit + 1):
        start, end = max(low - digit * unit, 0), min(high - digit * unit, unit - 1)
        digits += [f'"{digit}" {tail}' for tail in _digits(start, end, width - 1)]
    return digits


def _string(schema: Mapping[str, Any]) -> str:
    if "maxLength" not in schema:
        raise ValueError("a string needs maxLength; without a bound a reply may never end")
    least = schema.get("minLength", 0)
    return rf'"\"" {_STRING_CHARACTER}{{{least},{schema["maxLength"]}}} "\""'


def _literal(value: Any) -> str:
    return _quote(json.dumps(value, ensure_ascii=True))


def _quote(text: str) -> str:
    """A GBNF string that stands for `text`, which JSON has already made plain ASCII."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _either(expressions: Sequence[str]) -> str:
    if not expressions:
        raise ValueError("an enum needs at least one value")
    return expressions[0] if len(expressions) == 1 else f"({' | '.join(expressions)})"
