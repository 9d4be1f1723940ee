"""What agents that plan before they act made of their lists, counted from their calls."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from groundlings.recommenders.language.plans import ToolUse, read_plan, read_verdict
from groundlings.recommenders.language.tools.bus import ABOUT, RANK
from groundlings.recommenders.language.tools.tool import FAILED
from groundlings.recommenders.learning import said_in

_SENT_BACK = "What the tools of an earlier plan did:\n"
_TRACK = re.compile(r"^What the tools of a plan did:\n(.*?)\n\nCandidates left: (\d+), needed: (\d+)\n\n", re.M | re.S)
_MOST_STEPS = 10
"""The most that an arm may allow."""


def is_another(question: str) -> bool:
    """Whether a question asks for the plan of a list that was sent back."""
    return f"\n{_SENT_BACK}" in question


@dataclass(slots=True)
class ToolPlans:
    """Plans and reviews of one arm, counted.

    What tools did is in the log where a critic was told it: `failed`, `unranked` and `short` are of the plans that a
    critic saw (`reviews`), not of the last plan of a list that was sent back.

    Attributes:
        plans: Plans asked for, those after a review included.
        again: Of these, plans after a review.
        unreadable, unanswerable: Plans without a readable reply.
        tools: Tools used by the readable plans.
        reviews: Lists that a critic was shown.
        unreadable_reviews: Of these, the ones without a readable verdict, refused ones
            included; the list stays as it is.
        sent_back: Of these, lists that the critic did not find good.
        reviewed_tools: Tools used for these lists.
        failed: Of these, tools that could not serve what was asked.
        unranked: Of `reviews`, lists that no tool has put in order: they keep the order of the recommender inside.
        short: Of `reviews`, lists with fewer items than the page has places.
    """

    plans: int = 0
    again: int = 0
    unreadable: int = 0
    unanswerable: int = 0
    tools: int = 0
    reviews: int = 0
    unreadable_reviews: int = 0
    sent_back: int = 0
    reviewed_tools: int = 0
    failed: int = 0
    unranked: int = 0
    short: int = 0

    def count_plan(self, status: str, question: str, reply: str) -> tuple[ToolUse, ...] | None:
        """Add a plan; its steps, None where it cannot be read."""
        self.plans += 1
        self.again += is_another(question)
        if status == "unanswerable":
            self.unanswerable += 1
            return None
        steps = said_in(reply, lambda text: read_plan(text, tuple(ABOUT), _MOST_STEPS)) if status == "ok" else None
        if steps is None:
            self.unreadable += 1
            return None
        self.tools += len(steps)
        return steps

    def count_review(self, status: str, question: str, reply: str) -> None:
        """Add a review."""
        self.reviews += 1
        verdict = said_in(reply, read_verdict) if status == "ok" else None
        if verdict is None:
            self.unreadable_reviews += 1
        else:
            self.sent_back += not verdict.good
        if told := _TRACK.search(question):
            lines = [line.partition(". ")[2] for line in told[1].splitlines()]
            self.reviewed_tools += len(lines)
            self.failed += sum(line.startswith(FAILED) for line in lines)
            self.unranked += not any(line.startswith(f"{RANK} ") for line in lines)
            self.short += int(told[2]) < int(told[3])

    def sentence(self) -> str:
        """The counts in words."""
        lost = self.unreadable + self.unanswerable
        return (
            f"{self.plans:,} plans with {self.tools:,} tools, {lost:,} of them without a readable reply; of "
            f"{self.reviews:,} lists a critic sent {self.sent_back:,} back ({self.unreadable_reviews:,} without a "
            f"readable verdict), {self.short:,} were too short, {self.unranked:,} were not put in order, and "
            f"{self.failed:,} of their {self.reviewed_tools:,} tools could not serve what was asked"
        )

    def as_dict(self) -> dict[str, int]:
        """Plain JSON values."""
        return asdict(self)
