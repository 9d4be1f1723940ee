"""How many lessons may be lost: a run whose recommender could not learn stops, instead of ending as if it had."""

from __future__ import annotations

from collections.abc import Mapping

from groundlings.environments.errors import TooMuchUnlearnt
from groundlings.simulator.lost_pages import lower_bound

_FEWEST_LESSONS = 50


class LessonWatch:
    """Counts the lessons of one start of a run, and stops it when too many of an arm's are lost.

    As with pages (`LostPageWatch`): while a run goes, chance is allowed for and 50 lessons are waited for; at the end
    the share of all that the log holds is judged.

    Args:
        limits: Arm -> the share of its lessons that may be lost; 1 = any. An arm that is not among them, as one that
            drafts the lists of others, keeps the least of them.
    """

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = dict(limits)
        self._heard: dict[str, tuple[int, int]] = {}

    def heard(self, arm: str, lost: int, asked: int) -> None:
        """Take in how many lessons of an arm are lost, of how many, both since it was started or resumed.

        Raises:
            TooMuchUnlearnt: Enough is known to say that the share is too large.
        """
        self._heard[arm] = (lost, asked)
        if asked >= _FEWEST_LESSONS and lower_bound(lost, asked) > self._limit(arm):
            self._stop(arm, lost, asked)

    @property
    def lost(self) -> int:
        """Lessons of all arms that were lost since the start."""
        return sum(lost for lost, _ in self._heard.values())

    def end_run(self, lessons: Mapping[str, tuple[int, int]]) -> None:
        """Judge the whole run: arm -> lessons lost and lessons asked, those before it was resumed included.

        Raises:
            TooMuchUnlearnt: An arm has lost more than it may.
        """
        for arm, (lost, asked) in lessons.items():
            if asked and lost / asked > self._limit(arm):
                self._stop(arm, lost, asked)

    def _limit(self, arm: str) -> float:
        return self._limits.get(arm, min(self._limits.values(), default=1.0))

    def _stop(self, arm: str, lost: int, asked: int) -> None:
        raise TooMuchUnlearnt(
            f"{lost:,} of {asked:,} lessons of arm {arm} are lost ({100 * lost / asked:.0f} %), so its recommender has "
            f"not learnt what it asked; max_unreadable of that arm allows {100 * self._limit(arm):g} %"
        )
