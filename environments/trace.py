"""How a decision came about: probabilities, draws, moods, words and model calls. It is logged and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.chat import CallRecord

RemarkKind = Literal["reason", "star_odds", "language_score", "grounded"]
REMARK_KINDS: tuple[RemarkKind, ...] = ("reason", "star_odds", "language_score", "grounded")
"""In the order in which they stand in the log, slot by slot."""

_Array = TypeVar("_Array", BoolArray, FloatArray, IntArray)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about one slot that explains a decision.

    Attributes:
        row: Which session of the cohort.
        position: The slot.
        kind: `reason` in the agent's words; `star_odds` for what stars were drawn from, as JSON; `language_score`
            for the log-odds that a language model gave; `grounded` where what the person really did later decided.
        text: What it says.
    """

    row: int
    position: int
    kind: RemarkKind
    text: str


@dataclass(frozen=True, slots=True)
class Mood:
    """How an agent feels while it decides about a page.

    `groundlings.personas.minds.language.mood` says what moves it.

    Attributes:
        satisfaction: With the session so far, 1 to 10.
        tiredness: 0 rested to 1 exhausted.
        boredom: Topic (a genre) -> 0 fresh to 1 had enough; topics that do not bore at all are absent.
    """

    satisfaction: float
    tiredness: float
    boredom: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Chance:
    """What an action was drawn from: it is taken where `draw < probability`.

    Attributes:
        probability: P(action), in the shape of the action's column, NaN where there is none.
        draw: The uniform number held against it, same shape.
    """

    probability: FloatArray
    draw: FloatArray

    def take(self, rows: NDArray[np.integer]) -> Chance:
        """The chances of some sessions."""
        return Chance(self.probability[rows], self.draw[rows])


@dataclass(frozen=True, slots=True)
class Trace:
    """How the sessions of a cohort came to their actions.

    Attributes:
        chances: Action -> what it was drawn from; an action whose mind states no probability is absent.
        examined: Slots that were looked at, shape (n_sessions, n_slots), None = not known.
        display: The position at which the mind saw each slot, shape (n_sessions, n_slots), None = each at its own.
        feelings: In the agent's words, one per session, None where it was not asked.
        moods: The state each session was in, None where a mind has none.
        remarks: What explains single slots.
        calls: The calls to a language model behind the decision.
        purchase_chance: P(purchase) of each slot before anything on the page is drawn, shape (n_sessions, n_slots);
            None where nothing is sold, or the mind states none.
    """

    chances: Mapping[str, Chance] = field(default_factory=dict)
    examined: BoolArray | None = None
    display: IntArray | None = None
    feelings: tuple[str | None, ...] | None = None
    moods: tuple[Mood, ...] | None = None
    remarks: tuple[Remark, ...] = ()
    calls: tuple[CallRecord, ...] = ()
    purchase_chance: FloatArray | None = None

    def probability(self, action: str) -> FloatArray | None:
        """P(action) of every cell, None where the mind states none."""
        return self.chances[action].probability if action in self.chances else None

    def draw(self, action: str) -> FloatArray | None:
        """The uniform numbers held against `probability`, None likewise."""
        return self.chances[action].draw if action in self.chances else None

    def take(self, rows: NDArray[np.integer]) -> Trace:
        """The traces of some sessions, without the calls and remarks behind them."""

        def some(array: _Array | None) -> _Array | None:
            return None if array is None else array[rows]

        return Trace(
            chances={name: chance.take(rows) for name, chance in self.chances.items()},
            examined=some(self.examined),
            display=some(self.display),
            feelings=None if self.feelings is None else tuple(self.feelings[row] for row in rows),
            moods=None if self.moods is None else tuple(self.moods[row] for row in rows),
            purchase_chance=some(self.purchase_chance),
        )

    @classmethod
    def joined(cls, parts: Sequence[Trace], sizes: Sequence[int]) -> Trace:
        """The traces of cohorts that saw the same page number, as the trace of one cohort.

        Chances and feelings that only some of them tell are not known of the others: NaN, None. What else is not known
        of all is left out.

        Args:
            parts: The traces.
            sizes: How many sessions each is of.
        """
        firsts = np.cumsum([0, *sizes[:-1]]).tolist()
        names = dict.fromkeys(name for part in parts for name in part.chances)
        chances = {name: [part.chances.get(name) for part in parts] for name in names}
        return cls(
            chances={
                name: Chance(
                    _stacked([None if each is None else each.probability for each in found], sizes),
                    _stacked([None if each is None else each.draw for each in found], sizes),
                )
                for name, found in chances.items()
            },
            examined=_all_or_none([part.examined for part in parts]),
            display=_all_or_none([part.display for part in parts]),
            feelings=_listed([part.feelings for part in parts], sizes),
            moods=None
            if any(part.moods is None for part in parts)
            else tuple(mood for part in parts for mood in part.moods or ()),
            remarks=tuple(
                replace(remark, row=remark.row + first)
                for part, first in zip(parts, firsts, strict=True)
                for remark in part.remarks
            ),
            calls=tuple(
                replace(call, row=call.row + first)
                for part, first in zip(parts, firsts, strict=True)
                for call in part.calls
            ),
            purchase_chance=_all_or_none([part.purchase_chance for part in parts]),
        )


def _stacked(parts: Sequence[FloatArray | None], sizes: Sequence[int]) -> FloatArray:
    """Arrays below each other, NaN for what there is not; one of them is there."""
    known = next(part for part in parts if part is not None)
    return np.concatenate(
        [
            np.full((size, *known.shape[1:]), np.nan) if part is None else part
            for part, size in zip(parts, sizes, strict=True)
        ]
    )


def _all_or_none(parts: Sequence[_Array | None]) -> _Array | None:
    """Arrays below each other; None where one of them is not there."""
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def _listed(parts: Sequence[tuple[str | None, ...] | None], sizes: Sequence[int]) -> tuple[str | None, ...] | None:
    """Texts one after the other, None for what there is not; None where there is nothing."""
    if all(part is None for part in parts):
        return None
    return tuple(text for part, size in zip(parts, sizes, strict=True) for text in part or (None,) * size)


NO_TRACE = Trace()
"""Of a decision that tells nothing about itself."""
