"""Requirements and messages: what is written is read as it was meant, and nothing else is taken for a move."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.catalog import Catalog
from groundlings.environments.conversation.attributes import OPERATORS, SEVERAL, Attributes, Requirement, all_met
from groundlings.environments.conversation.messages import Move, fields_in, named, read_move
from groundlings.environments.conversation.wording import requirements_in, sentence
from groundlings.environments.errors import DataError, UnreadableReply

GROCER = Attributes(
    ("a", "b", "c"),
    ("Milk", "Bread", "Jam"),
    {"price": [1.0, 3.0, None], "brand": ["X", None, "Y"], "labels": [("vegan",), ("vegan", "organic"), None]},
)
BRAND = Requirement("brand", "==", "X")
words = st.text(min_size=1, max_size=12)


@st.composite
def requirements(draw):
    op = draw(st.sampled_from(OPERATORS))
    number = st.floats(allow_nan=False, allow_infinity=False)
    value = number if op in ("<=", ">=") else st.lists(words, min_size=1).map(tuple) if op in SEVERAL else words
    return Requirement(draw(words), op, draw(value))


@given(st.lists(requirements(), max_size=4))
def test_requirements_are_read_as_they_were_written(wanted):
    assert requirements_in(sentence(wanted)) == tuple(wanted)


@pytest.mark.parametrize(
    "text", ['"price" is at most', '"price" is at most "two"', '"labels" includes one of 3', "price"]
)
def test_what_states_no_requirement_is_left_alone(text):
    assert requirements_in(f"{text} and {sentence([BRAND])}") == (BRAND,)


@given(words)
def test_fields_are_read_as_they_were_written(field):
    assert fields_in(f"Well. {named('The reason is', field)} And so on.", "The reason is") == (field,)


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        (Requirement("price", "<=", 2), [True, False, False]),
        (Requirement("price", ">=", 1), [True, True, False]),
        (Requirement("brand", "==", "X"), [True, False, False]),
        (Requirement("brand", "!=", "X"), [False, False, True]),
        (Requirement("brand", "in", ("X", "Y")), [True, False, True]),
        (Requirement("labels", "contains", "organic"), [False, True, False]),
        (Requirement("labels", "not_contains", "organic"), [True, False, False]),
        (Requirement("labels", "contains_any", ("organic", "fair")), [False, True, False]),
    ],
    ids=lambda value: getattr(value, "op", ""),
)
def test_what_is_unknown_meets_no_requirement(requirement, met):
    assert requirement.met(GROCER).tolist() == met


def test_no_requirement_is_met_by_everything():
    assert all_met([], GROCER).all()


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Requirement("price", "<", 2.0), "operator '<'; expected one of <="),
        (lambda: Requirement("price", "<=", "two"), "expected a number"),
        (lambda: Requirement("brand", "in", "X"), "expected several words"),
        (lambda: Requirement("size", "<=", 2.0).met(GROCER), "field 'size'; expected one of price, brand, labels"),
        (lambda: Requirement("brand", "<=", 2.0).met(GROCER), "found <= for field brand; expected == or != or in"),
        (lambda: Attributes(("a",), ("A", "B"), {}), "columns of lengths"),
        (lambda: Attributes(("a", "b"), ("A", "B"), {"price": [1.0, "2"]}), "mixes float, str"),
    ],
    ids=["operator", "number", "several", "field", "kind", "lengths", "mixed"],
)
def test_what_cannot_be_meant_is_refused_with_what_was_expected(build, says):
    with pytest.raises(DataError, match=says):
        build()


def test_a_catalog_of_the_platform_has_its_years_genres_and_features():
    catalog = Catalog(
        item_ids=("a", "b"),
        titles=("A", "B"),
        years=np.array([1999.0, np.nan]),
        genres=(("Drama",), ()),
        features={"brand": np.array(["X", None], dtype=object), "cost": np.array([1.5, np.nan])},
    )
    found = Attributes.of_catalog(catalog)
    assert dict(found.fields) == {
        "brand": ["X", None], "genres": [("Drama",), None], "year": [1999.0, None],
    }, "what an item costs the seller is nothing that a customer knows"  # fmt: skip


@pytest.mark.parametrize(
    "move",
    [
        Move("Which?", "ask", fields=("price", "brand")),
        Move("Milk?", "suggest", item="a"),
        Move("Milk.", "recommend", item="a"),
        Move("Nothing.", "abstain"),
    ],
    ids=lambda move: move.kind,
)
def test_a_move_is_read_as_it_was_written(move):
    assert read_move(move.as_json(), GROCER) == move


@pytest.mark.parametrize(
    "text",
    [
        "Take the milk.",
        "[]",
        '{"ask": ["price"]}',
        '{"say": "?", "ask": []}',
        '{"say": "?", "ask": ["size"]}',
        '{"say": "!", "suggest": "milk"}',
        '{"say": "!", "recommend": null}',
        '{"say": "!", "abstain": false}',
        '{"say": "!", "suggest": "a", "recommend": "a"}',
        '{"say": "!", "recommend": "a", "why": "because"}',
        '{"say": "!", "recommend": "b", "recommend": "a"}',
        '{"say": "!", "abstain": Infinity}',
        '{"say": "!\\ud800", "abstain": true}',
        '{"say": "!\\u0000", "abstain": true}',
        '{"say": "?", "ask": ' + "[" * 100_000,
    ],
    ids=lambda text: text[:40],
)
def test_nothing_else_is_taken_for_a_move(text):
    with pytest.raises(UnreadableReply):
        read_move(text, GROCER)
