from __future__ import annotations

import json
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.simulator.language.gbnf import grammar_for

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|\{\d+,\d+\}|[()|?]|r\d+|root)')


class Speaker:
    """Says a text a grammar accepts, chosen at random: a reader of GBNF that shares nothing with the writer."""

    def __init__(self, grammar: str, rng: random.Random) -> None:
        rules = (line.split(" ::= ", 1) for line in grammar.splitlines())
        self._rules = {name: _TOKEN.findall(body) for name, body in rules}
        for line in grammar.splitlines():
            name, body = line.split(" ::= ", 1)
            assert "".join(self._rules[name]).replace(" ", "") == body.replace(" ", ""), "a token was not understood"
        self._rng = rng

    def say(self, name: str = "root") -> str:
        text, rest = self._choice(self._rules[name])
        assert rest == []
        return text

    def _choice(self, tokens: list[str]) -> tuple[str, list[str]]:
        """Alternatives up to a closing bracket; all are read, one is said."""
        said = []
        text, tokens = self._sequence(tokens)
        said.append(text)
        while tokens and tokens[0] == "|":
            text, tokens = self._sequence(tokens[1:])
            said.append(text)
        return self._rng.choice(said), tokens

    def _sequence(self, tokens: list[str]) -> tuple[str, list[str]]:
        said = ""
        while tokens and tokens[0] not in "|)":
            head, *rest = tokens
            if head == "(":
                group = rest
                text, rest = self._choice(group)
                assert rest[0] == ")"
                rest = rest[1:]
                again = lambda group=group: self._choice(group)[0]  # noqa: E731
            elif head[0] == '"':
                text = again_text = json.loads(head)
                again = lambda again_text=again_text: again_text  # noqa: E731
            elif head[0] == "[":
                again = lambda head=head: self._character(head)  # noqa: E731
                text = again()
            else:
                again = lambda head=head: self.say(head)  # noqa: E731
                text = again()
            if rest and rest[0] == "?":
                text, rest = self._rng.choice([text, ""]), rest[1:]
            elif rest and rest[0][0] == "{":
                least, most = map(int, rest[0][1:-1].split(","))
                text, rest = "".join(again() for _ in range(self._rng.randint(least, most))), rest[1:]
            said, tokens = said + text, rest
        return said, tokens

    def _character(self, characters: str) -> str:
        if characters.startswith("[^"):
            pattern = re.compile(characters)
            return self._rng.choice([c for c in map(chr, [*range(256), 0x4E2D, 0x1F600]) if pattern.fullmatch(c)])
        low, high = characters[1], characters[3]
        return chr(self._rng.randint(ord(low), ord(high)))


def violations(value: object, schema: dict) -> list[str]:
    """What is wrong with a value, by JSON Schema's rules for the subset."""
    if "enum" in schema:
        return [] if any(value == each and type(value) is type(each) for each in schema["enum"]) else ["enum"]
    match schema["type"]:
        case "boolean":
            return [] if isinstance(value, bool) else ["boolean"]
        case "integer":
            good = isinstance(value, int) and not isinstance(value, bool)
            return [] if good and schema["minimum"] <= value <= schema["maximum"] else ["integer"]
        case "string":
            good = isinstance(value, str) and schema.get("minLength", 0) <= len(value) <= schema["maxLength"]
            return [] if good else ["string"]
        case "array":
            if not isinstance(value, list) or len(value) > schema.get("maxItems", len(value)):
                return ["array"]
            if len(value) < schema.get("minItems", 0):
                return ["array"]
            if schema.get("uniqueItems") and len({json.dumps(each) for each in value}) < len(value):
                return ["unique"]
            return [fault for each in value for fault in violations(each, schema["items"])]
        case "object":
            if not isinstance(value, dict) or not set(schema.get("required", ())) <= set(value) <= set(
                schema["properties"]
            ):
                return ["object"]
            return [fault for key, each in value.items() for fault in violations(each, schema["properties"][key])]
    raise AssertionError(schema)


scalars = st.one_of(
    st.integers(-50, 50),
    st.booleans(),
    st.text(max_size=6),
    st.sampled_from([0.5, 1.5, 'a "quoted" \\ word', "new\nline"]),
)
enums = st.lists(scalars, min_size=1, max_size=5, unique_by=json.dumps).map(lambda values: {"enum": values})
spans = st.tuples(st.integers(-1200, 12000), st.integers(0, 3000)).map(
    lambda pair: {"type": "integer", "minimum": pair[0], "maximum": pair[0] + pair[1]}
)
strings = st.tuples(st.integers(0, 3), st.integers(0, 9)).map(
    lambda pair: {"type": "string", "minLength": pair[0], "maxLength": pair[0] + pair[1]}
)
leaves = st.one_of(enums, spans, strings, st.just({"type": "boolean"}))


def _objects(parts: st.SearchStrategy) -> st.SearchStrategy:
    def finish(draw: tuple) -> dict:
        properties, needed = draw
        required = [key for place, key in enumerate(properties) if needed[place % len(needed)]]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    properties = st.dictionaries(st.sampled_from(["a", "b", "c", "1", 'say "x"']), parts, max_size=4)
    return st.tuples(properties, st.lists(st.booleans(), min_size=1, max_size=4)).map(finish)


def _arrays(parts: st.SearchStrategy) -> st.SearchStrategy:
    lists = st.tuples(parts, st.integers(0, 3), st.integers(0, 3)).map(
        lambda p: {"type": "array", "items": p[0], "minItems": min(p[1:]), "maxItems": max(p[1:])}
    )
    sets = st.tuples(enums, st.integers(0, 6)).map(
        lambda p: {"type": "array", "items": p[0], "maxItems": p[1], "uniqueItems": True}
    )
    return st.one_of(lists, sets)


schemas = st.recursive(leaves, lambda parts: st.one_of(_objects(parts), _arrays(parts)), max_leaves=6)


@given(schemas, st.integers(0, 2**32))
def test_every_text_the_grammar_accepts_is_valid(schema, seed):
    speaker = Speaker(grammar_for(schema), random.Random(seed))
    for _ in range(5):
        text = speaker.say()
        assert violations(json.loads(text), schema) == []
        assert not re.search(r"\s", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)), "white space outside strings"


def test_both_readers_of_a_schema_agree():
    """Our own check above against the reference implementation, where that is installed."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 3}, "s": {"type": "string", "maxLength": 2}},
        "required": ["n"],
        "additionalProperties": False,
    }
    for value in ({"n": 1}, {"n": 4}, {"n": True}, {"n": 2, "s": "abc"}, {"n": 2, "x": 1}, [], {"n": "1"}):
        assert bool(violations(value, schema)) == (not jsonschema.Draft202012Validator(schema).is_valid(value))


def test_every_choice_of_optional_keys_can_be_said():
    schema = {
        "type": "object",
        "properties": {key: {"enum": [1]} for key in "abcd"},
        "required": ["c"],
        "additionalProperties": False,
    }
    speaker = Speaker(grammar_for(schema), random.Random(0))
    said = {"".join(json.loads(speaker.say())) for _ in range(400)}
    assert said == {"c", "ac", "bc", "cd", "abc", "acd", "bcd", "abcd"}


@pytest.mark.parametrize(("low", "high"), [(0, 0), (1, 10), (7, 7), (0, 100), (98, 1203), (-12, 5), (-120, -9)])
def test_an_integer_span_is_reached_and_never_left(low, high):
    grammar = grammar_for({"type": "integer", "minimum": low, "maximum": high})
    pattern = re.compile(grammar.removeprefix("root ::= ").strip().replace('"', "").replace(" ", ""))
    accepted = {n for n in range(low - 1500, high + 1500) if pattern.fullmatch(str(n))}
    assert accepted == set(range(low, high + 1))
    assert not pattern.fullmatch("0" + str(abs(high)))


@given(st.lists(st.integers(1, 99), min_size=1, max_size=6, unique=True), st.integers(1, 6))
def test_a_set_reaches_every_subset_of_its_size(values, most):
    schema = {"type": "array", "items": {"enum": values}, "uniqueItems": True, "maxItems": most}
    speaker = Speaker(grammar_for(schema), random.Random(0))
    said = [json.loads(speaker.say()) for _ in range(200)]
    assert all(chosen == [value for value in values if value in chosen] for chosen in said)
    assert {value for chosen in said for value in chosen} == set(values)
    assert max(map(len, said)) <= most


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number"},
        {"type": "integer", "minimum": 1},
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "string"},
        {"type": "array", "items": {"type": "boolean"}},
        {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True},
        {"type": "object", "properties": {}},
        {"enum": []},
        {},
    ],
)
def test_what_lies_outside_the_subset_is_refused(schema):
    with pytest.raises(ValueError, match=r"needs|no grammar|no integer"):
        grammar_for(schema)
