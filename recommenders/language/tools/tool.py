"""What a tool is, and what it knows of the user in hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

LONGEST = 300
"""Characters of an answer; a cut is marked."""

FAILED = "failed: "
"""What a note begins with, behind its number, where a tool could not serve the request."""


class ToolFault(Exception):
    """A request that a tool cannot serve, in words for whoever made it."""


@dataclass(frozen=True, slots=True)
class Seat:
    """For whom a tool is used.

    Attributes:
        user: The user's number.
        history: The user's latest different items, the earliest first.
    """

    user: int
    history: Sequence[int]


class Tool(Protocol):
    """Something that a model may ask.

    Attributes:
        name: As the model names it, one word.
        about: What it takes and answers, in half a line of a prompt.
    """

    name: str
    about: str

    def use(self, request: str, seat: Seat) -> str:
        """The answer to a request, as text; the same request has the same answer. Raises `ToolFault`."""
        ...
