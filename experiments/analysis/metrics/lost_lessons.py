"""Lost lessons in figures and words: what recommenders asked a language model in order to learn, and did not learn.

A lesson is lost where no reply came that could be read, or where the model's server refuses the question for good: the
recommender has learnt nothing from it, and its lists are those of one that knows less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundlings.experiments.analysis.metrics.lost import Cause, cause_of, counted, explained, merged
from groundlings.simulator.lost_pages import MAX_UNREADABLE

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class Lessons:
    """The lessons of one arm's recommender.

    Attributes:
        asked: How many there are.
        unreadable: Those whose reply could not be read.
        unanswerable: Those whose question the server refuses for good.
        causes: Of both, the most frequent first.
        limit: The share of them that may be lost.
    """

    asked: int
    unreadable: int
    unanswerable: int
    causes: tuple[Cause, ...]
    limit: float

    @property
    def lost(self) -> int:
        """Of both kinds."""
        return self.unreadable + self.unanswerable

    @property
    def share(self) -> float:
        """Of the lessons that are lost."""
        return self.lost / self.asked

    def counted(self) -> str:
        """How many are lost, in words: "3 of 12 lessons unreadable"."""
        return counted(self.unreadable, self.unanswerable, self.asked, "lessons")

    def sentence(self) -> str:
        """How many there are, how many are lost and why, and what to do."""
        return explained(self.counted(), self.causes)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "share": self.share, "in_words": self.sentence()}


def read_lessons(log: LogReader, config: Mapping[str, Any]) -> dict[int, Lessons]:
    """arm_id -> the lessons of its recommender; arms whose recommender asked nothing in order to learn are absent.

    Args:
        log: The run's.
        config: The run's configuration as plain values.
    """
    asked = log.lessons_by_arm()
    if not asked:
        return {}
    limits, names = limits_of(config), {arm.arm_id: arm.name for arm in log.logged_arms()}
    places = {name: place for place, name in enumerate(limits)}
    rows: dict[int, list[dict[str, Any]]] = {}
    for row in log.lost_lessons():
        rows.setdefault(row["arm_id"], []).append(row)
    found = {}
    for arm_id, (_, number) in asked.items():
        lost, name = rows.get(arm_id, []), names.get(arm_id, "")
        model = f"arms.{places[name]}.model" if name in places else "the arm's model"
        refused = sum(row["kind"] == "unanswerable" for row in lost)
        causes = merged([cause_of(row, model, "lessons") for row in lost])
        limit = limits.get(name, min(limits.values(), default=MAX_UNREADABLE))
        found[arm_id] = Lessons(number, len(lost) - refused, refused, causes, limit)
    return found


def limits_of(config: Mapping[str, Any]) -> dict[str, float]:
    """Arm -> the share of lost lessons that a run allows, in the order of its file.

    Args:
        config: The run's configuration as plain values.
    """
    arms: Iterable[Mapping[str, Any]] = config.get("arms") or ()
    return {str(arm["name"]): _limit(arm.get("max_unreadable")) for arm in arms}


def _limit(given: object) -> float:
    return MAX_UNREADABLE if given is None else float(str(given))
