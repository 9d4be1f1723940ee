"""Lost lessons in figures and words: what recommenders asked a language model in order to learn, and did not learn.

A lesson is lost where no reply came that could be read, or where the model's server refuses the question for good: the
recommender has learnt nothing from it, and its lists are those of one that knows less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from groundlings.experiments.analysis.metrics.asked_by_recommenders import Questions, of_each_arm

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class Lessons(Questions):
    """The lessons of one arm's recommender."""

    NOUN: ClassVar[str] = "lessons"


def read_lessons(log: LogReader, config: Mapping[str, Any]) -> dict[int, Lessons]:
    """arm_id -> the lessons of its recommender; arms whose recommender asked nothing in order to learn are absent.

    Args:
        log: The run's.
        config: The run's configuration as plain values.
    """
    asked = {arm_id: number for arm_id, (_, number) in log.lessons_by_arm().items()}
    return of_each_arm(Lessons, asked, log.lost_lessons(), log, config, "lessons") if asked else {}
