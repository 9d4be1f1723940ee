"""A user who converses by rule: what is said follows from the need and the style alone, and no title is ever known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from groundlings.environments.conversation.attributes import Attributes
from groundlings.environments.conversation.messages import GOODBYE, NO_WISH, REASON, REFUSAL, YES, Move, named
from groundlings.environments.conversation.wording import sentence
from groundlings.personas.conversation.need import Need, Wish
from groundlings.personas.conversation.styles import Style

Ending = Literal["recommended", "abstained", "left"]


class ConversingUser:
    """One user in one conversation.

    Attributes:
        ending: How the conversation ended; None while it goes on. `left`: patience ended.

    Args:
        need: What is wanted.
        style: How it is talked about.
        attributes: The catalogue. Of it, a user keeps row numbers and which items meet each wish: no title.
        moves: Moves of the system that the user has answered already.
    """

    def __init__(self, need: Need, style: Style, attributes: Attributes, moves: int = 0) -> None:
        self.ending: Ending | None = None
        self._need, self._style, self._rows = need, style, attributes.rows
        self._met = {wish.requirement: wish.requirement.met(attributes) for wish in need.wishes}
        self._moves = moves

    def open(self) -> str:
        """What is said first."""
        tags = {"volunteer", "on_ask"} if self._style.opening == "speakable" else {"volunteer"}
        told = [wish.requirement for wish in self._speakable() if wish.reveal in tags]
        return sentence(told[:1] if self._style.opening == "first" else told) or "I am looking for something."

    def reply(self, move: Move) -> str:
        """What is said to a move; empty after a final one."""
        self._moves += 1
        if move.kind in ("recommend", "abstain"):
            self.ending = "recommended" if move.kind == "recommend" else "abstained"
            return ""
        if self._moves >= self._style.patience:
            self.ending = "left"
            return GOODBYE
        return self._answer(move.fields) if move.kind == "ask" else self._judge(self._rows[move.item])

    def _answer(self, fields: Iterable[str]) -> str:
        answers = []
        for field in [*fields][: self._style.answers]:
            wanted = [wish.requirement for wish in self._speakable() if wish.requirement.field == field]
            answers.append(sentence(wanted) or named(NO_WISH, field))
        return " ".join(answers)

    def _judge(self, item: int) -> str:
        if self._need.suitable[item]:
            return YES
        unmet = [wish for wish in self._speakable() if wish.judged and not self._met[wish.requirement][item]]
        if not unmet or not self._style.reasons:
            return REFUSAL
        return f"{REFUSAL} {named(REASON, unmet[0].requirement.field)}"

    def _speakable(self) -> Iterator[Wish]:
        for wish in self._need.wishes:
            in_figures = isinstance(wish.requirement.value, float | int)
            if wish.reveal != "hidden" and (self._style.figures or not in_figures):
                yield wish
