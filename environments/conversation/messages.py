"""The messages of a conversation: a system's move is JSON with text for people, a user's reply is text.

Any chat recommender can take part over any wire: it gets the user's text and answers with an object such as

    {"say": "How long may it be?", "ask": ["runtime"]}
    {"say": "Would Flavia suit you?", "suggest": "tmdb_1129104"}
    {"say": "Then it is Flavia.", "recommend": "tmdb_1129104"}
    {"say": "Nothing that I have is like that.", "abstain": true}

A suggestion is a question about one item, and the conversation goes on. A recommendation and an abstention are final.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.cleaning import storable
from groundlings.environments.conversation.attributes import Attributes, Requirement
from groundlings.environments.errors import ConfigError, UnreadableReply, shown
from groundlings.environments.replies import read_plain_json

Kind = Literal["ask", "suggest", "recommend", "abstain"]
KINDS: tuple[Kind, ...] = ("ask", "suggest", "recommend", "abstain")

YES = "Yes, that suits me."
"""A user's reply to a suggestion that meets all requirements; every other reply to one is a refusal."""

GOODBYE = "I have no more time for this. Goodbye."
"""What a user says whose patience has ended."""

REFUSAL = "No, that does not suit me."
"""How a refusal begins; a sentence about the reason may follow."""

NO_WISH = "I have no wish about"
"""What a user says of a field without a requirement, or with one that is kept hidden: nobody can tell which."""

REASON = "The reason is"
"""Comes before the name of the field for which something is refused."""


def fields_in(text: str, before: str) -> tuple[str, ...]:
    """The fields, written as JSON, that a text names after some words (`NO_WISH`, `REASON`); other quotes are none."""
    found = []
    for quoted in re.findall(re.escape(before) + r' ("(?:[^"\\]|\\.)*")', text):
        with suppress(ValueError):  # in a model's own words anything may stand there
            found.append(json.loads(quoted))
    return tuple(found)


def named(before: str, field: str) -> str:
    """A sentence that `fields_in` reads."""
    return f"{before} {json.dumps(field, ensure_ascii=False)}."


@dataclass(frozen=True, slots=True)
class Move:
    """What a system does when it is its turn.

    Attributes:
        say: For people to read.
        kind: What it is.
        fields: The fields it asks about.
        item: The id of what it suggests or recommends; empty otherwise.
    """

    say: str
    kind: Kind
    fields: tuple[str, ...] = ()
    item: str = ""

    def as_json(self) -> str:
        """One line."""
        content = {"ask": list(self.fields), "abstain": True}.get(self.kind, self.item)
        return json.dumps({"say": self.say, self.kind: content}, ensure_ascii=False)


def read_move(text: str, attributes: Attributes) -> Move:
    """A move from its JSON.

    Raises:
        UnreadableReply: It is none, or names a field or an item that there is not. Nothing is repaired.
    """
    try:
        found = read_plain_json(text)
    except UnreadableReply as fault:
        raise UnreadableReply(f"{fault}; expected a JSON object with say and one of {', '.join(KINDS)}") from None
    if not isinstance(found, dict) or not isinstance(found.get("say"), str):
        raise UnreadableReply(f"found {shown(found)}; expected an object whose say is a text")
    if storable(found["say"]) != found["say"]:
        raise UnreadableReply("say: found half of a surrogate pair or a zero character; expected text")
    kinds = [kind for kind in KINDS if kind in found]
    if len(kinds) != 1 or set(found) - {"say", *kinds}:
        raise UnreadableReply(f"found the keys {shown(sorted(found))}; expected say and one of {', '.join(KINDS)}")
    kind, content = kinds[0], found[kinds[0]]
    if kind == "abstain" and content is True:
        return Move(found["say"], kind)
    if kind == "ask" and _are_known(content, attributes):
        return Move(found["say"], kind, fields=tuple(content))
    if kind in ("suggest", "recommend") and isinstance(content, str) and content in attributes.rows:
        return Move(found["say"], kind, item=content)
    raise UnreadableReply(f"{kind}: found {shown(content)}; expected {_EXPECTED[kind]}")


_EXPECTED = {"ask": "fields of the catalogue", "abstain": "true"} | dict.fromkeys(
    ("suggest", "recommend"), "the id of an item of the catalogue"
)


def _are_known(fields: Any, attributes: Attributes) -> bool:
    if not isinstance(fields, list) or not fields:
        return False
    return all(isinstance(field, str) and field in attributes.fields for field in fields)


class SiteTools(Protocol):
    """What the site offers a system beside its catalogue; every call is recorded."""

    def history(self) -> frozenset[str]:
        """Ids of what the user has had already."""

    def must_confirm(self, item: str) -> bool:
        """Whether an item is for some people only, so that the user is to be told so before it is recommended."""

    def notice(self, item: str) -> str:
        """What the user has to be told when the item is named, such as that it is sponsored; empty if nothing."""


@dataclass(frozen=True, slots=True)
class Briefing:
    """All that a system knows before the user speaks.

    Attributes:
        attributes: The catalogue.
        popularity: Of each item, shape (n_items,): how often it was chosen by others; equal where nobody counted.
        questions: The fields that may be asked about.
        suggestions: How often an item may be suggested before one is recommended; 0 if the first item named is final.
        tools: The site's own.
        chance: For whatever the system leaves to chance.
        heard: What earlier users said that they wanted, in conversations that are over.
    """

    attributes: Attributes
    popularity: FloatArray
    questions: tuple[str, ...]
    suggestions: int
    tools: SiteTools
    chance: np.random.Generator
    heard: tuple[tuple[Requirement, ...], ...] = ()


class ChatSystem(Protocol):
    """A recommender that converses. It sees its briefing and what the user says, and nothing else."""

    def begin(self, briefing: Briefing) -> None:
        """Start a conversation with a user of whom nothing is known."""

    def reply(self, said: str) -> str:
        """The next move after what the user has said, as JSON: see `read_move`."""


def reply_of(system: ChatSystem, said: str) -> str:
    """What a system replies, with what no log takes written as escapes; raises `ConfigError` where it is no text."""
    written = system.reply(said)
    if not isinstance(written, str):
        raise ConfigError(f"{type(system).__name__}.reply gave a {type(written).__name__}; expected a text")
    return storable(written)
