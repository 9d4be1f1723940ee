"""What a run tells of the sessions that it has just written: how many, and what was shown and clicked in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import holds_any

if TYPE_CHECKING:
    from groundlings.simulator.session import CohortRecord


@dataclass(frozen=True, slots=True)
class WrittenSessions:
    """Sessions that are in the log.

    Attributes:
        arm: Name of their arm.
        sessions: How many.
        impressions: Slots shown in them whose page could be read; None of sessions that the log of an interrupted run
            held before, which are not counted again.
        clicks: How many of these slots were clicked; None likewise, and where the environment knows no click.
    """

    arm: str
    sessions: int
    impressions: int | None = None
    clicks: int | None = None


def written(record: CohortRecord, arm: str) -> WrittenSessions:
    """A cohort's sessions, counted in the columns that go to the log."""
    impressions = clicks = 0
    for logged in record.turns:
        decision, shown = logged.turn.decision, logged.turn.page.shown
        clicked = decision.get("click")
        if clicked is None:
            return WrittenSessions(arm, len(record.sessions))
        if holds_any(decision.unreadable):  # what was done on a lost page is not known, and no click is none
            shown, clicked = shown[~decision.unreadable], clicked[~decision.unreadable]
        impressions += int(np.count_nonzero(shown))
        clicks += int(np.count_nonzero(clicked))
    return WrittenSessions(arm, len(record.sessions), impressions, clicks)
