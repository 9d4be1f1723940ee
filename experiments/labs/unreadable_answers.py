"""How many answers of a language model a lab may miss: one that knows too few of them has no result."""

from __future__ import annotations

from collections.abc import Iterable

from groundlings.environments.errors import TooMuchUnreadable
from groundlings.personas.minds.calibrated_question import PairScorer, refusals_of
from groundlings.simulator.lost_pages import lower_bound

_FEWEST_ANSWERS = 50


def refuse_unreadable(
    unreadable: int,
    asked: int,
    limit: float,
    *,
    whole: bool = True,
    key: str = "language",
    scorers: Iterable[PairScorer] = (),
) -> None:
    """Return if enough answers could be read.

    Args:
        unreadable: Answers without a probability that could be read.
        asked: All answers so far.
        limit: The share of them that may be unreadable (`max_unreadable`).
        whole: Whether nothing more is asked; before that, chance is allowed for, and 50 answers are waited for.
        key: The section of the lab's file, for the message.
        scorers: Who asked: they know what a server refused to answer.

    Raises:
        TooMuchUnreadable: More are unreadable than allowed.
    """
    if not asked or (not whole and asked < _FEWEST_ANSWERS):
        return
    share = unreadable / asked if whole else lower_bound(unreadable, asked)
    if share > limit:
        raise TooMuchUnreadable(
            f"language model: {unreadable:,} of {asked:,} answers could not be read "
            f"({100 * unreadable / asked:.0f} %){refusals_of(*scorers)}; {key}.max_unreadable allows "
            f"{100 * limit:g} %. See what the server can do with groundlings model check, or choose another model "
            f"({key}.model)"
        )
