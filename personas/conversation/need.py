"""What somebody is looking for: requirements, each told in its own way, and how well items would please."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.environments.conversation.attributes import Attributes, Requirement, all_met
from groundlings.environments.errors import DataError, shown

Reveal = Literal["volunteer", "on_ask", "hidden"]
REVEALS: tuple[Reveal, ...] = get_args(Reveal)


@dataclass(frozen=True, slots=True)
class Wish:
    """One requirement and how it comes to light.

    Attributes:
        requirement: What is required.
        reveal: `volunteer` is said at the start, `on_ask` when its field is asked about, `hidden` never: it acts
            through refusals alone. (After the reveal tags of tau-Rec, Narasimhan and Narasimhan 2026,
            arXiv:2606.10156.)
        judged: Whether the user refuses what does not meet it. One who says which services they have, and trusts the
            site to look, has a wish that is told and not judged.
    """

    requirement: Requirement
    reveal: Reveal
    judged: bool = True

    def __post_init__(self) -> None:
        if self.reveal not in REVEALS:
            raise DataError(f"wish: found reveal {shown(self.reveal)}; expected one of {', '.join(REVEALS)}")


@dataclass(frozen=True)
class Need:
    """What one user looks for in one conversation.

    Attributes:
        wishes: In the order in which they are told.
        suitable: Items that meet every judged wish, shape (n_items,).
        utility: How much the user would like each item, shape (n_items,); equal where nothing is known of tastes.
    """

    wishes: tuple[Wish, ...]
    suitable: BoolArray
    utility: FloatArray = field(repr=False)

    @classmethod
    def of(cls, wishes: Sequence[Wish], attributes: Attributes, utility: FloatArray | None = None) -> Need:
        """A need in a catalogue."""
        judged = [wish.requirement for wish in wishes if wish.judged]
        liked = np.ones(len(attributes)) if utility is None else utility
        return cls(tuple(wishes), all_met(judged, attributes), liked)

    def regret(self, item: int | None) -> float:
        """The best suitable item's utility less the accepted one's; one that is unsuitable, or none, is worth 0.

        It is 0 for a need that nothing meets if nothing was recommended.
        """
        best = float(self.utility[self.suitable].max(initial=0.0))
        return best - (float(self.utility[item]) if item is not None and self.suitable[item] else 0.0)
