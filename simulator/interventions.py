"""Interventions: what changes in an arm at the beginning of a day, and who decided it, the file or somebody watching.

An arm is changed before its recommender is fitted and before anybody has a session on that day. Every intervention is a
row of the log before it takes effect, so a run that is resumed changes the same things on the same days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from groundlings.simulator.arm import Arm

Kind: TypeAlias = Literal["recommender", "site", "withdraw", "restore", "prompt"]
Origin: TypeAlias = Literal["file", "live"]

_MOST_NAMED = 5
"""Items in a line of words."""


@dataclass(frozen=True, slots=True)
class Intervention:
    """A change of one arm.

    Attributes:
        arm: Name of the arm in which people have sessions.
        day: From the beginning of this day on, 0 is the first.
        kind: What is changed.
        detail: To what, as plain values: `recommender` and `options`; settings of the site; `items`, the data set's own
            ids; `wording`.
        origin: Whether the experiment file says it, or somebody asked for it while the run was at work.
        place: Where: its number in the file's list from 0, or its line of `interventions.jsonl` from 1.
    """

    arm: str
    day: int
    kind: Kind
    detail: Mapping[str, Any]
    origin: Origin = "file"
    place: int = 0


class Requests(Protocol):
    """Tells what somebody has asked for while the run is at work."""

    def new(self, day: int, arms: Sequence[str]) -> Sequence[Intervention]:
        """What was asked for since the last call and can be done.

        Args:
            day: The one that begins.
            arms: Those in which it begins.
        """
        ...


class Interventions:
    """The interventions of a run, carried out day by day.

    Args:
        known: Those of the file; of a run that is resumed, those of its log.
        carry_out: Changes an arm as an intervention says.
        keep: Writes those into the log that were asked for just now.
        requests: Says what was asked for; None where nobody can ask.
    """

    def __init__(
        self,
        known: Sequence[Intervention],
        carry_out: Callable[[Arm, Intervention], None],
        keep: Callable[[Sequence[Intervention]], None],
        requests: Requests | None = None,
    ) -> None:
        self._known, self._carry_out, self._keep, self._requests = list(known), carry_out, keep, requests

    def begin_day(self, day: int, arms: Sequence[Arm]) -> list[Arm]:
        """Change what is to be changed from a day on; the arms that have another recommender now, not yet fitted.

        Nothing new is taken up on a day of which the log of an interrupted run holds sessions: they are over.
        """
        if self._requests is not None and not any(arm.past.reaches(day) for arm in arms):
            new = list(self._requests.new(day, [arm.name for arm in arms]))
            if new:
                self._keep(new)
                self._known += new
        swapped = []
        for arm in arms:
            todays = [each for each in self._known if each.arm == arm.name and each.day == day]
            for each in sorted(todays, key=lambda each: (each.origin, each.place)):
                self._carry_out(arm, each)
            if any(each.kind == "recommender" for each in todays):
                swapped.append(arm)
        return swapped

    def next_swap(self, arm: str, day: int, days: int) -> int:
        """The next day on which an arm gets another recommender; `days` where none is known."""
        known = (each.day for each in self._known if each.arm == arm and each.kind == "recommender" and each.day > day)
        return min(known, default=days)


def told(change: Intervention) -> str:
    """What an intervention changes, in words that name neither arm nor day."""
    detail = change.detail
    match change.kind:
        case "withdraw" | "restore":
            items = [str(item) for item in detail["items"]]
            more = f" and {len(items) - _MOST_NAMED} more" if len(items) > _MOST_NAMED else ""
            word = "withdrawn" if change.kind == "withdraw" else "restored"
            return f"{'items' if len(items) > 1 else 'item'} {', '.join(items[:_MOST_NAMED])}{more} {word}"
        case "recommender":
            return f"{detail['recommender']} makes the lists"
        case "site":
            return ", ".join(f"{name} is {value}" for name, value in detail.items())
        case "prompt":
            return f"prompts in the wording {detail['wording']}"


def in_words(changes: Sequence[Intervention]) -> list[str]:
    """A line per change, for all of its arms together: "from day 3 on in als, knn: item 50 withdrawn"."""
    found: dict[tuple[int, str], list[str]] = {}
    for change in sorted(changes, key=lambda change: (change.day, change.origin, change.place)):
        asked = " (asked for while it ran)" if change.origin == "live" else ""
        found.setdefault((change.day, f"{told(change)}{asked}"), []).append(change.arm)
    return [f"from day {day + 1} on in {', '.join(arms)}: {what}" for (day, what), arms in found.items()]
