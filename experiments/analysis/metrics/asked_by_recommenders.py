"""What recommenders ask a language model and cannot read: counted by arm, with causes and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from groundlings.environments.plugins import PYTHON_OBJECT
from groundlings.experiments.analysis.metrics.lost import Cause, cause_of, counted, explained, merged
from groundlings.simulator.lost_pages import MAX_UNREADABLE

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class Questions:
    """What one arm's recommender asked for some purpose, and what of it is lost.

    Attributes:
        NOUN: What messages call them.
        asked: How many there are.
        unreadable: Those whose reply could not be read.
        unanswerable: Those that the server refuses for good.
        causes: Of both, the most frequent first.
        limit: The share of them that may be lost.
    """

    NOUN: ClassVar[str]

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
        """Of those that are lost."""
        return self.lost / self.asked

    def counted(self) -> str:
        """How many are lost, in words: "3 of 12 lessons unreadable"."""
        return counted(self.unreadable, self.unanswerable, self.asked, self.NOUN)

    def sentence(self) -> str:
        """How many there are, how many are lost and why, and what to do."""
        return explained(self.counted(), self.causes)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "share": self.share, "in_words": self.sentence()}


Kind = TypeVar("Kind", bound=Questions)


def of_each_arm(
    kind: type[Kind],
    asked: Mapping[int, int],
    lost: Iterable[Mapping[str, Any]],
    log: LogReader,
    config: Mapping[str, Any],
    what: str,
) -> dict[int, Kind]:
    """arm_id -> what is lost of its questions.

    Args:
        kind: Of questions.
        asked: arm_id -> how many there are.
        lost: One row per lost one, as `LogReader` has them.
        log: The run's.
        config: The run's configuration as plain values.
        what: What hints call the questions.
    """
    rows: dict[int, list[dict[str, Any]]] = {}
    for row in lost:
        rows.setdefault(row["arm_id"], []).append(dict(row))
    limits, names = limits_of(config), {arm.arm_id: arm.name for arm in log.logged_arms()}
    places = {name: place for place, name in enumerate(limits)}
    found = {}
    for arm_id, number in asked.items():
        own, name = rows.get(arm_id, []), names.get(arm_id, "")
        model = f"arms.{places[name]}.model" if name in places else "the arm's model"
        refused = sum(row["kind"] == "unanswerable" for row in own)
        causes = merged([cause_of(row, model, what) for row in own])
        limit = limits.get(name, min(limits.values(), default=MAX_UNREADABLE))
        found[arm_id] = kind(number, len(own) - refused, refused, causes, limit)
    return found


def may_ask(config: Mapping[str, Any]) -> bool:
    """Whether a recommender of a run may ask a model, by its configuration as plain values; own code always may."""
    arms = [arm for arm in config.get("arms") or () if isinstance(arm, Mapping)]
    return any(arm.get("model") or str(arm.get("recommender")).startswith(PYTHON_OBJECT) for arm in arms)


def limits_of(config: Mapping[str, Any]) -> dict[str, float]:
    """Arm -> the share of lost lessons that a run allows, in the order of its file.

    Args:
        config: The run's configuration as plain values.
    """
    arms: Iterable[Mapping[str, Any]] = config.get("arms") or ()
    return {str(arm["name"]): _limit(arm.get("max_unreadable")) for arm in arms}


def _limit(given: object) -> float:
    return MAX_UNREADABLE if given is None else float(str(given))
