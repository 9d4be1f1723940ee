"""How much may be lost: a run of which too little is known stops, instead of ending as if it had a result.

Pages, and what agents are asked after their sessions: thoughts that later sessions rest on, and interviews.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from groundlings.environments.errors import TooMuchUnreadable, TooMuchUnsaid

if TYPE_CHECKING:
    from groundlings.simulator.shards import Outcome

MAX_UNREADABLE = 0.2
"""The share of lost pages that is allowed where nobody says otherwise."""

_FEWEST_PAGES = 50
_DEVIATIONS = 3.09
"""Of a normal distribution: P(further out) is 0.001, because the bound is looked at after every cohort."""


AFTER_SESSIONS = {"reflection": "thoughts", "interview": "interviews"}
"""What agents are asked after their sessions: prompt -> its replies, in the plural."""


@dataclass(slots=True)
class AfterthoughtWatch:
    """Counts what agents of one start of a run are asked after their sessions, and tells when too much of it is lost.

    By arm and kind, since the thoughts of one arm decide on that arm's later sessions; otherwise as pages are counted.

    Attributes:
        limit: The share that may be lost; 1 = any.
        heard: (arm, prompt) -> how many were asked since the start, and how many of them are lost.
    """

    limit: float
    heard: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Of all arms and kinds."""
        return sum(lost for _, lost in self.heard.values())

    def counted(self, arm: str, more: Mapping[str, tuple[int, int]]) -> TooMuchUnsaid | None:
        """Count some more, by prompt; the reason to stop where too many are lost."""
        for prompt, (asked, lost) in more.items():
            before = self.heard.get((arm, prompt), (0, 0))
            asked, lost = before[0] + asked, before[1] + lost
            self.heard[arm, prompt] = asked, lost
            if lost and asked >= _FEWEST_PAGES and lower_bound(lost, asked) > self.limit:
                return TooMuchUnsaid(self._words(arm, prompt, asked, lost))
        return None

    def end_run(self, whole: Iterable[tuple[str, str, int, int]]) -> None:
        """Judge the whole run: arm, prompt, how many were asked and how many are lost.

        Raises:
            TooMuchUnsaid: Of some arm and prompt more is lost than allowed.
        """
        for arm, prompt, asked, lost in whole:
            if asked and lost / asked > self.limit:
                raise TooMuchUnsaid(self._words(arm, prompt, asked, lost))

    def _words(self, arm: str, prompt: str, asked: int, lost: int) -> str:
        return (
            f"{lost:,} of {asked:,} {AFTER_SESSIONS[prompt]} of agents in arm {arm} are lost "
            f"({100 * lost / asked:.0f} %); mind.max_unreadable allows {100 * self.limit:g} %"
        )


@dataclass(slots=True)
class LostPageWatch:
    """Counts the pages of one start of a run, and stops it when too many of them are lost.

    While a run goes, chance is allowed for: from 50 pages on, it stops where the share of the pages since it was
    started or resumed lies above the limit beyond chance. What was lost before the run was resumed does not count here,
    so that a run whose cause was mended can go on. At the end all pages count, and the share itself.

    Attributes:
        limit: The share that may be lost; 1 = any.
        pages: Pages that minds were asked about since the start.
        lost: Those of them without a reply that could be read.
        afterthoughts: Counts what agents are asked after their sessions.
    """

    limit: float
    pages: int = 0
    lost: int = 0
    afterthoughts: AfterthoughtWatch = field(init=False)

    def __post_init__(self) -> None:
        self.afterthoughts = AfterthoughtWatch(self.limit)

    async def over(self, outcomes: AsyncGenerator[Outcome, None], arm: str) -> AsyncIterator[Outcome]:
        """The outcomes, each counted once it was taken; where they are to stop, those that are finished come first.

        Args:
            outcomes: From `concurrency.in_order`, which hands out what is finished before it fails.
            arm: Whose they are.

        Raises:
            TooMuchUnreadable: Enough is known to say that the share is too large.
        """
        async for outcome in outcomes:
            yield outcome
            effects = outcome.effects
            unsaid = self.afterthoughts.counted(arm, effects.afterthoughts)
            fault = self.counted(effects.pages, effects.lost) or unsaid
            if fault is not None:
                break
        else:
            return
        outcome = await outcomes.athrow(fault)  # ends with the fault when nothing finished is left
        while True:
            yield outcome
            outcome = await anext(outcomes)

    def counted(self, pages: int, lost: int) -> TooMuchUnreadable | None:
        """Count some more pages; the reason to stop where too many are lost."""
        self.pages += pages
        self.lost += lost
        if self.lost and self.pages >= _FEWEST_PAGES and lower_bound(self.lost, self.pages) > self.limit:
            return TooMuchUnreadable(self._words(self.lost, self.pages))
        return None

    def end_run(self, lost: int, pages: int) -> None:
        """Judge the whole run, what was logged before it was resumed included.

        Raises:
            TooMuchUnreadable: More is lost than allowed.
        """
        if pages and lost / pages > self.limit:
            raise TooMuchUnreadable(self._words(lost, pages))

    def _words(self, lost: int, pages: int) -> str:
        return (
            f"{lost:,} of {pages:,} pages are lost ({100 * lost / pages:.0f} %); mind.max_unreadable allows "
            f"{100 * self.limit:g} %"
        )


def lower_bound(lost: int, pages: int) -> float:
    """The least share of lost pages that goes with what was seen, up to a chance of 0.001.

    The lower end of the interval of Wilson (1927), "Probable inference, the law of succession, and statistical
    inference".
    """
    share, squared = lost / pages, _DEVIATIONS**2
    spread = _DEVIATIONS * math.sqrt(share * (1 - share) / pages + squared / (4 * pages**2))
    return (share + squared / (2 * pages) - spread) / (1 + squared / pages)
