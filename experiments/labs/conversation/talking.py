"""One conversation between a system and a user, message by message as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from groundlings.environments.conversation.attributes import Attributes
from groundlings.environments.conversation.messages import Briefing, ChatSystem, Move, read_move, reply_of
from groundlings.environments.errors import UnreadableReply
from groundlings.personas.conversation.user import ConversingUser, Ending

Outcome = Ending | Literal["unreadable"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said and what came of it.

    Attributes:
        messages: The user's first, then in turn: JSON of the system, text of the user.
        moves: What the system did.
        outcome: How it ended; `unreadable` where the system sent no move, which ends it.
        item: Row of what was recommended; None if nothing was.
        fault: What was wrong with an unreadable message.
    """

    messages: tuple[str, ...]
    moves: tuple[Move, ...]
    outcome: Outcome
    item: int | None
    fault: str = ""

    @property
    def transcript(self) -> str:
        """All messages that are not empty, a line each, with who wrote it."""
        said = (("system" if number % 2 else "user  ", text) for number, text in enumerate(self.messages))
        return "\n".join(f"{who}  {text}" for who, text in said if text)

    @property
    def questions(self) -> int:
        """Fields that were asked about."""
        return sum(len(move.fields) for move in self.moves)

    @property
    def suggestions(self) -> int:
        """Items that were named before the last move."""
        return sum(move.kind == "suggest" for move in self.moves)


def converse(user: ConversingUser, system: ChatSystem, briefing: Briefing) -> Conversation:
    """Let both talk until one of them ends it; the user's patience bounds the messages."""
    attributes: Attributes = briefing.attributes
    system.begin(briefing)
    messages, moves = [user.open()], list[Move]()
    while user.ending is None:
        written = reply_of(system, messages[-1])
        messages.append(written)
        try:
            move = read_move(written, attributes)
        except UnreadableReply as fault:
            return Conversation(tuple(messages), tuple(moves), "unreadable", None, str(fault))
        moves.append(move)
        messages.append(user.reply(move))
    item = attributes.rows[moves[-1].item] if user.ending == "recommended" else None
    return Conversation(tuple(messages), tuple(moves), user.ending, item)
