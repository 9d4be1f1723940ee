"""Lost replies in figures and words: what a recommender asked its language model for lists, and could not read.

No page is lost with such a reply: the recommender lists what it lists without one, or breaks a conversation off. So no
metric tells of it, and an arm that read none of its replies is not what its name says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundlings.environments.plugins import PYTHON_OBJECT
from groundlings.experiments.analysis.metrics.lost import Cause, cause_of, counted, explained, merged
from groundlings.experiments.analysis.metrics.lost_lessons import limits_of
from groundlings.simulator.lost_pages import MAX_UNREADABLE

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class LostReplies:
    """The replies to one arm's recommender, of which some are lost.

    Attributes:
        asked: Questions about lists and turns, those of its steps and helpers among them.
        unreadable: Those whose reply could not be read.
        unanswerable: Those that the server refuses for good.
        causes: Of both, the most frequent first.
        limit: The share of them that may be lost.
    """

    asked: int
    unreadable: int
    unanswerable: int
    causes: tuple[Cause, ...]
    limit: float

    @property
    def share(self) -> float:
        """Of the replies that are lost."""
        return (self.unreadable + self.unanswerable) / self.asked

    def counted(self) -> str:
        """How many are lost, in words: "3 of 12 replies unreadable"."""
        return counted(self.unreadable, self.unanswerable, self.asked, "replies")

    def sentence(self) -> str:
        """How many are lost and why, and what to do."""
        return explained(self.counted(), self.causes)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "share": self.share, "in_words": self.sentence()}


def read_lost_replies(log: LogReader, config: Mapping[str, Any]) -> dict[int, LostReplies]:
    """arm_id -> what is lost of the replies to its recommender; arms that lost none are absent.

    Args:
        log: The run's.
        config: The run's configuration as plain values; calls are looked through only where an arm may ask a model.
    """
    arms = [arm for arm in config.get("arms") or () if isinstance(arm, Mapping)]
    if not any(arm.get("model") or str(arm.get("recommender")).startswith(PYTHON_OBJECT) for arm in arms):
        return {}
    rows: dict[int, list[dict[str, Any]]] = {}
    for row in log.lost_replies():
        rows.setdefault(row["arm_id"], []).append(row)
    asked = log.replies_asked() if rows else {}
    limits, names = limits_of(config), {arm.arm_id: arm.name for arm in log.logged_arms()}
    places = {name: place for place, name in enumerate(limits)}
    found = {}
    for arm_id, lost in sorted(rows.items()):
        name = names.get(arm_id, "")
        model = f"arms.{places[name]}.model" if name in places else "the arm's model"
        refused = sum(row["kind"] == "unanswerable" for row in lost)
        causes = merged([cause_of(row, model, "questions") for row in lost])
        limit = limits.get(name, min(limits.values(), default=MAX_UNREADABLE))
        found[arm_id] = LostReplies(asked[arm_id], len(lost) - refused, refused, causes, limit)
    return found
