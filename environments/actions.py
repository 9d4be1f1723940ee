"""What a person can do with a page, and a cohort's decisions as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.chat import CallRecord
from groundlings.environments.page import Page


@dataclass(frozen=True, slots=True)
class Click:
    """Open the item in a slot (0 is the first slot of the page)."""

    position: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Give stars to an item that was opened."""

    position: int
    stars: float


@dataclass(frozen=True, slots=True)
class NextPage:
    """Turn to the next page."""


@dataclass(frozen=True, slots=True)
class Exit:
    """Leave the site."""


_Array = TypeVar("_Array", BoolArray, FloatArray, IntArray)
Action = Click | Rate | NextPage | Exit


@dataclass(frozen=True, slots=True)
class LegalActions:
    """What a page offers; it travels with every question so that the mind and the check agree.

    Attributes:
        stars: Every legal rating, ascending; empty where the site takes no ratings.
        may_go_on: Whether there is a next page, shape (n_visits,).
    """

    stars: tuple[float, ...]
    may_go_on: BoolArray

    def take(self, rows: NDArray[np.integer]) -> LegalActions:
        """What is offered to some visits."""
        return LegalActions(self.stars, self.may_go_on[rows])


@dataclass(frozen=True, slots=True)
class Illegal:
    """Something a mind said that its page did not offer: logged, counted, never carried out.

    Attributes:
        row: Which visit of the cohort.
        position: The slot it spoke of, None where no slot of the page was meant.
        said: The action in words.
        reason: Why it is not legal.
    """

    row: int
    position: int | None
    said: str
    reason: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about one slot that explains a decision: it is logged and changes nothing.

    Attributes:
        row: Which visit of the cohort.
        position: The slot.
        kind: `reason` in the agent's words; `star_odds` for what stars were drawn from, as JSON; `language_score`
            for the log-odds that a language model gave; `grounded` where what the person really did later decided.
        text: What it says.
    """

    row: int
    position: int
    kind: Literal["reason", "star_odds", "language_score", "grounded"]
    text: str


@dataclass(frozen=True, slots=True)
class Mood:
    """How an agent feels while it decides about a page; `groundlings.personas.minds.language.mood` moves it.

    Attributes:
        satisfaction: With the visit so far, 1 to 10.
        tiredness: 0 rested to 1 exhausted.
        boredom: Topic (a genre) -> 0 fresh to 1 had enough; topics that do not bore at all are absent.
    """

    satisfaction: float
    tiredness: float
    boredom: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Decision:
    """What every visit of a cohort does with its page.

    Attributes:
        clicked: Opened items, shape (n_visits, n_slots).
        stars: Ratings given, shape (n_visits, n_slots), NaN = none.
        goes_on: Turns to the next page, else leaves, shape (n_visits,).
        satisfaction: With this page, 1 to 10, shape (n_visits,), NaN = not asked.
        unreadable: Visits whose reply could not be read: nothing else about their page is known, shape (n_visits,).
        examined: Slots that were looked at, shape (n_visits, n_slots), None = not known.
        click_probability: P(click), shape (n_visits, n_slots), None where the mind knows none.
        click_draw: The uniform number it was held against, same shape, None likewise.
        feelings: In the agent's words, one a visit, None where it was not asked.
        moods: The state each visit was in, None where a mind has none.
        next_probability: P(next page), shape (n_visits,), None where the mind knows none, NaN where there is none.
        next_draw: The uniform number it was held against, same shape, None likewise.
        display: The position at which the mind saw each slot, shape (n_visits, n_slots), None = each at its own.
        remarks: What explains single slots.
        stray: Actions that name something outside these arrays.
        calls: The calls to a language model behind this decision.
    """

    clicked: BoolArray
    stars: FloatArray
    goes_on: BoolArray
    satisfaction: FloatArray
    unreadable: BoolArray
    examined: BoolArray | None = None
    click_probability: FloatArray | None = None
    click_draw: FloatArray | None = None
    feelings: tuple[str | None, ...] | None = None
    moods: tuple[Mood, ...] | None = None
    next_probability: FloatArray | None = None
    next_draw: FloatArray | None = None
    display: IntArray | None = None
    remarks: tuple[Remark, ...] = ()
    stray: tuple[Illegal, ...] = ()
    calls: tuple[CallRecord, ...] = ()

    @classmethod
    def idle(cls, page: Page) -> Decision:
        """Nobody does anything, and everybody leaves."""
        visits = page.items.shape[0]
        stars, satisfaction = np.empty(page.items.shape), np.empty(visits)
        stars.fill(np.nan)
        satisfaction.fill(np.nan)
        return cls(
            clicked=np.zeros(page.items.shape, dtype=np.bool_),
            stars=stars,
            goes_on=np.zeros(visits, dtype=np.bool_),
            satisfaction=satisfaction,
            unreadable=np.zeros(visits, dtype=np.bool_),
        )

    def take(self, rows: NDArray[np.integer]) -> Decision:
        """The decisions of some visits, without the calls, remarks and strays behind them."""

        def some(array: _Array | None) -> _Array | None:
            return None if array is None else array[rows]

        return Decision(
            clicked=self.clicked[rows],
            stars=self.stars[rows],
            goes_on=self.goes_on[rows],
            satisfaction=self.satisfaction[rows],
            unreadable=self.unreadable[rows],
            examined=some(self.examined),
            click_probability=some(self.click_probability),
            click_draw=some(self.click_draw),
            feelings=None if self.feelings is None else tuple(self.feelings[row] for row in rows),
            moods=None if self.moods is None else tuple(self.moods[row] for row in rows),
            next_probability=some(self.next_probability),
            next_draw=some(self.next_draw),
            display=some(self.display),
        )

    @classmethod
    def lost(cls, page: Page, calls: Sequence[CallRecord]) -> Decision:
        """Every reply of the cohort was unreadable."""
        everyone = np.ones(page.items.shape[0], dtype=np.bool_)
        return replace(cls.idle(page), unreadable=everyone, calls=tuple(calls))

    @classmethod
    def from_actions(cls, page: Page, actions: Sequence[Sequence[Action]]) -> Decision:
        """Lay the actions of each visit into arrays; what names no slot of the page becomes stray."""
        decision = cls.idle(page)
        width = page.items.shape[1]
        stray: list[Illegal] = []
        for row, said in enumerate(actions):
            for action in said:
                match action:
                    case Click(position) | Rate(position) if not 0 <= position < width:
                        stray.append(Illegal(row, None, str(action), f"the page has slots 0 to {width - 1}"))
                    case Click(position):
                        decision.clicked[row, position] = True
                    case Rate(position, stars):
                        decision.stars[row, position] = stars
                    case NextPage():
                        decision.goes_on[row] = True
                    case Exit():
                        decision.goes_on[row] = False
        return replace(decision, stray=tuple(stray)) if stray else decision


@dataclass(frozen=True, slots=True)
class Checked:
    """A decision after the site's check: only legal actions are left, the others are listed."""

    decision: Decision
    illegal: tuple[Illegal, ...] = field(default=())
