"""Lost replies in figures and words: what a recommender asked its language model for lists, and could not read.

No page is lost with such a reply: the recommender lists what it lists without one, or breaks a conversation off. So no
metric tells of it, and an arm that read none of its replies is not what its name says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from groundlings.experiments.analysis.metrics.asked_by_recommenders import Questions, may_ask, of_each_arm

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class LostReplies(Questions):
    """The replies to one arm's recommender about lists and turns, steps and helpers among them; some are lost."""

    NOUN: ClassVar[str] = "replies"


def read_lost_replies(log: LogReader, config: Mapping[str, Any]) -> dict[int, LostReplies]:
    """arm_id -> what is lost of the replies to its recommender; arms that lost none are absent.

    Args:
        log: The run's.
        config: The run's configuration as plain values; calls are looked through only where an arm may ask a model.
    """
    lost = log.lost_replies() if may_ask(config) else []
    arms = sorted({row["arm_id"] for row in lost})
    asked = log.replies_asked() if arms else {}
    return of_each_arm(LostReplies, {arm: asked[arm] for arm in arms}, lost, log, config, "questions")
