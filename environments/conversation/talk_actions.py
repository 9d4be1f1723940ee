"""What can be done in a conversation: the user's acts, and what is recorded of the system's.

Users say something, accept or refuse the item that is named, and go on or leave. What the system did is added by the
environment (`system_record`), as what a purchase costs is added in a shop: no mind can say it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.actions import ActionSchema, ActionSpec, Cells
from groundlings.environments.conversation.messages import Move

SAY, ACCEPT, REFUSE, GO_ON = "say", "accept", "refuse", "next_page"
WORTH, BEST, SUITABLE = "worth", "best_worth", "suitable_items"
SYSTEM_SAYS, ASKS, RECOMMENDS, ABSTAINS, BREAKS_OFF = "system_says", "asks", "recommends", "abstains", "breaks_off"
UNSHOWN = "titles_not_shown"

RECORDED = (ASKS, RECOMMENDS, ABSTAINS, UNSHOWN)
"""Actions that the environment adds."""

TALK = ActionSchema(
    (
        ActionSpec(ACCEPT, per="slot"),
        ActionSpec(REFUSE, per="slot"),
        ActionSpec(WORTH, per="slot", kind="number", within=(0, 1), needs=ACCEPT, optional=True),
        ActionSpec(ASKS, per="page", kind="number", within=(1, np.inf), optional=True),
        ActionSpec(RECOMMENDS, per="page", optional=True),
        ActionSpec(ABSTAINS, per="page", optional=True),
        ActionSpec(SUITABLE, per="page", kind="number", within=(0, np.inf), optional=True),
        ActionSpec(BEST, per="page", kind="number", within=(0, 1), optional=True),
        ActionSpec(SAY, per="page", kind="text"),
        ActionSpec(UNSHOWN, per="page", kind="number", within=(0, np.inf), optional=True),
        ActionSpec(GO_ON, per="page", goes_on=True, said="go on", refusals={"offered": "the conversation is over"}),
    ),
    interaction=ACCEPT,
    tells=(SYSTEM_SAYS, BREAKS_OFF),
)
"""`worth` is how much the user likes the accepted item, `best_worth` the same of the best item that meets the need, 0
to 1, and `suitable_items` how many meet it; minds that know no such thing leave them out."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a user hears in one turn.

    Attributes:
        written: What the system wrote, as it did.
        move: What it means; None where it is no move, which ends the conversation.
        fault: Why it is none.
    """

    written: str
    move: Move | None
    fault: str = ""

    @property
    def final(self) -> bool:
        """Whether the conversation ends with it."""
        return self.move is None or self.move.kind in ("recommend", "abstain")


def told(heard: Sequence[Heard | None]) -> Mapping[str, NDArray[np.object_]]:
    """What pages tell of themselves (`ActionSchema.tells`): the system's words, and why a text is no move."""
    return {
        SYSTEM_SAYS: _texts([_words(each) if each is not None else None for each in heard]),
        BREAKS_OFF: _texts([each.fault if each is not None and each.move is None else None for each in heard]),
    }


def system_record(heard: Sequence[Heard | None]) -> Mapping[str, Cells]:
    """Columns of what the system did, one row per session; None for a session in which it has said nothing yet."""
    moves = [each.move if each is not None else None for each in heard]
    asked = [len(move.fields) or np.nan if move is not None else np.nan for move in moves]
    return {
        ASKS: np.array(asked, dtype=np.float64),
        RECOMMENDS: np.array([move is not None and move.kind == "recommend" for move in moves], dtype=np.bool_),
        ABSTAINS: np.array([move is not None and move.kind == "abstain" for move in moves], dtype=np.bool_),
    }


def _words(heard: Heard) -> str:
    """What a person reads of a move; the message itself where it is none."""
    return heard.written if heard.move is None else heard.move.say


def _texts(cells: Sequence[str | None]) -> NDArray[np.object_]:
    column = np.empty(len(cells), dtype=np.object_)
    column[:] = cells
    return column
