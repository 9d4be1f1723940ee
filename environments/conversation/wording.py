"""Requirements as sentences, and sentences as requirements.

Sentences carry values as JSON, so that a title or a brand with any sign in it is read as it was meant. What is written
here is read here without loss; any other text is left to systems that understand language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from groundlings.environments.conversation.attributes import SEVERAL, Requirement
from groundlings.environments.errors import DataError

_PHRASES = {
    "<=": "is at most",
    ">=": "is at least",
    "==": "is exactly",
    "!=": "is anything but",
    "in": "is one of",
    "contains": "includes",
    "not_contains": "does not include",
    "contains_any": "includes one of",
}
_OPERATORS = {phrase: op for op, phrase in _PHRASES.items()}
_LONGEST_FIRST = "|".join(re.escape(phrase) for phrase in sorted(_OPERATORS, key=len, reverse=True))
_CLAUSE = re.compile(rf"(?P<field>\"(?:[^\"\\]|\\.)*\") (?P<phrase>{_LONGEST_FIRST}) ")


def in_words(requirement: Requirement) -> str:
    """For instance `"runtime" is at most 120`."""
    value = list(requirement.value) if isinstance(requirement.value, tuple) else requirement.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a year is no 1967.0
    written = (json.dumps(each, ensure_ascii=False) for each in (requirement.field, value))
    return f" {_PHRASES[requirement.op]} ".join(written)


def sentence(requirements: Iterable[Requirement]) -> str:
    """All of them in one sentence; empty without any."""
    clauses = [in_words(each) for each in requirements]
    return f"I want something where {' and '.join(clauses)}." if clauses else ""


def requirements_in(text: str) -> tuple[Requirement, ...]:
    """The requirements that a text states in these words, in their order."""
    found, place = [], 0
    while clause := _CLAUSE.search(text, place):
        try:
            value, place = json.JSONDecoder().raw_decode(text, clause.end())
            op = _OPERATORS[clause["phrase"]]
            fitting = tuple(value) if op in SEVERAL and isinstance(value, list) else value
            found.append(Requirement(json.loads(clause["field"]), op, fitting))
        except (ValueError, DataError):  # the phrase stands in some other sentence
            place = max(place, clause.end())
    return tuple(found)
