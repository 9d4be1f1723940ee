"""How many answers of the model could be read: where too few could, its figures are of too few of the scenes."""

from __future__ import annotations

from collections.abc import Mapping

from groundlings.environments.errors import TooMuchUnreadable


def check_read(asked: Mapping[str, Mapping[str, int]], limit: float) -> None:
    """Return if enough answers could be read; figures and model are kept either way.

    Args:
        asked: Of each table, how many `questions` there were, and how many answers were `unreadable`.
        limit: The share of them that may be.

    Raises:
        TooMuchUnreadable: More are.
    """
    for name, counts in asked.items():
        unreadable, questions = counts["unreadable"], counts["questions"]
        if unreadable > limit * questions:
            raise TooMuchUnreadable(
                f"language model, {name}: {unreadable:,} of {questions:,} answers could not be read "
                f"({100 * unreadable / questions:.0f} %), and its figures leave their scenes out, which the other "
                f"scorers' do not; --max-unreadable allows {100 * limit:g} %. Train on more scenes (examples.scenes), "
                "choose another model (base_model), or allow these"
            )
