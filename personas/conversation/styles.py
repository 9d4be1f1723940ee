"""Ways of talking. What is wanted does not depend on them: only what is said of it, when, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Style:
    """How a user takes part in a conversation. Hidden wishes stay hidden in every style.

    Attributes:
        patience: Moves of the system before the user leaves.
        opening: What is said first: the first volunteered wish, all volunteered ones, or also those told on request.
        answers: Fields of one message of questions that get an answer.
        reasons: Whether a refusal names the field of a wish that may be told and is not met.
        figures: Whether the user can say numbers; one who cannot has no words for "at most 120" and judges by them.
    """

    patience: int
    opening: Literal["first", "volunteered", "speakable"]
    answers: int
    reasons: bool
    figures: bool = True


_ALL = 1_000

STYLES: Mapping[str, Style] = {
    "patient": Style(patience=20, opening="volunteered", answers=_ALL, reasons=True),
    "terse": Style(patience=10, opening="first", answers=1, reasons=False),
    "expert": Style(patience=12, opening="speakable", answers=_ALL, reasons=True),
    "vague": Style(patience=12, opening="volunteered", answers=_ALL, reasons=False, figures=False),
}
"""Name -> style. `patient` talks as tau-Rec's user is told to and stays as long as its loop does (20 turns), but hints
at no hidden wish. The others are ours: nobody measured them on people."""
