"""Lost afterthoughts in figures and words: what agents were asked after their sessions, and nobody could read.

A thought that is lost leaves an agent without it on all later days, and an answer of an interview is not known. No page
is lost with either, so that no metric tells of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundlings.experiments.analysis.metrics.lost import Cause, cause_of, counted, explained, merged
from groundlings.simulator.lost_pages import AFTER_SESSIONS

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class LostKind:
    """Afterthoughts of one kind of which some are lost.

    Attributes:
        kind: `thoughts` or `interviews`.
        asked: How many were asked for.
        unreadable: Those whose reply could not be read.
        unanswerable: Those whose question the server refuses for good.
        causes: Of both, the most frequent first.
    """

    kind: str
    asked: int
    unreadable: int
    unanswerable: int
    causes: tuple[Cause, ...]

    @property
    def share(self) -> float:
        """Of what was asked for that is lost."""
        return (self.unreadable + self.unanswerable) / self.asked

    def counted(self) -> str:
        """How many are lost, in words: "3 of 12 thoughts unreadable"."""
        return counted(self.unreadable, self.unanswerable, self.asked, self.kind)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "share": self.share}


@dataclass(frozen=True, slots=True)
class LostAfterthoughts:
    """The lost afterthoughts of one arm's agents.

    Attributes:
        kinds: Those of which some are lost, at least one.
    """

    kinds: tuple[LostKind, ...]

    @property
    def thoughts(self) -> LostKind | None:
        """The thoughts, if any are lost; later sessions rest on them, as they do on no interview."""
        return next((kind for kind in self.kinds if kind.kind == "thoughts"), None)

    def sentence(self) -> str:
        """How many are lost and why, and what to do."""
        return "; ".join(explained(kind.counted(), kind.causes) for kind in self.kinds)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"kinds": [kind.as_dict() for kind in self.kinds], "in_words": self.sentence()}


def read_lost_afterthoughts(log: LogReader, model: str = "mind.model") -> dict[int, LostAfterthoughts]:
    """arm_id -> what is lost of its agents' afterthoughts; arms that lost none are absent.

    Args:
        log: The run's.
        model: Key path of the model that was asked.
    """
    asked = log.afterthoughts()
    if not any(lost for _, lost in asked.values()):
        return {}
    rows: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    for row in log.lost_afterthoughts():
        rows.setdefault((row["arm_id"], row["asked_in"]), []).append(row)
    found: dict[int, tuple[LostKind, ...]] = {}
    for (arm_id, prompt), (number, _) in sorted(asked.items()):
        lost = rows.get((arm_id, prompt), [])
        if not lost:
            continue
        refused = sum(row["kind"] == "unanswerable" for row in lost)
        causes = merged([cause_of(row, model, "questions") for row in lost])
        kind = LostKind(AFTER_SESSIONS[prompt], number, len(lost) - refused, refused, causes)
        found[arm_id] = (*found.get(arm_id, ()), kind)
    return {arm_id: LostAfterthoughts(kinds) for arm_id, kinds in found.items()}
