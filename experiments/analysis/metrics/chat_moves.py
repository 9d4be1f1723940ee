"""What language models said in conversations with users, counted from the calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from groundlings.recommenders.language.llm_chat import ASK, SUGGEST, TEMPLATE, ChatTurn, read_turn, shown_in
from groundlings.recommenders.learning import said_in

if TYPE_CHECKING:
    from groundlings.experiments.analysis.metrics.model_lists import ModelLists
    from groundlings.simulator.log.reader import LogReader


@dataclass(slots=True)
class ChatMoves:
    """The turns of one arm's model, counted. Each is one of the last five.

    Attributes:
        turns: Moves asked for.
        asks: Replies that ask about a field.
        suggests: Replies that suggest a candidate.
        ungrounded: Replies that suggest what is no candidate.
        gives_up: Replies that say that nothing suits.
        unread: Turns without a readable reply.
    """

    turns: int = 0
    asks: int = 0
    suggests: int = 0
    ungrounded: int = 0
    gives_up: int = 0
    unread: int = 0

    def count(self, turn: ChatTurn | None) -> None:
        """Add one turn; None where there is no readable reply."""
        self.turns += 1
        if turn is None:
            self.unread += 1
        elif turn.do == ASK:
            self.asks += 1
        elif turn.do != SUGGEST:
            self.gives_up += 1
        elif turn.named is not None and turn.named.order:
            self.suggests += 1
        else:
            self.ungrounded += 1

    def sentence(self) -> str:
        """The counts in words."""
        return (
            f"of {self.turns:,} turns {self.asks:,} ask about a field, {self.suggests:,} suggest a candidate, "
            f"{self.ungrounded:,} suggest what is none, {self.gives_up:,} give up, {self.unread:,} cannot be read"
        )

    def as_dict(self) -> dict[str, int]:
        """Plain JSON values."""
        return asdict(self)


def count_moves(log: LogReader, lists_of: Callable[[int], ModelLists]) -> None:
    """Add the turns of a log's conversations to the counts of their arms.

    Args:
        log: The run's.
        lists_of: arm_id -> its counts.
    """
    for each in log.replies_to(TEMPLATE):
        lists = lists_of(each.arm_id)
        lists.moves = lists.moves or ChatMoves()
        fields, names = shown_in(each.question)
        read = partial(read_turn, fields=fields, names=names)
        turn = said_in(each.reply, read) if each.status == "ok" else None
        lists.moves.count(turn)
        lists.questions += 1
        lists.unanswerable += each.status == "unanswerable"
        lists.unreadable += each.status == "unreadable"
        if turn is not None and turn.named is not None:
            lists.nothing_named += not turn.named.order
            lists.add(replace(turn.named, candidates=len(turn.named.order)))
