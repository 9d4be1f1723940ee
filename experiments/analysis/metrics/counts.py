"""How much of everything an arm held: the figures that say whether its means can be trusted, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.environment import EndedBy
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd

PERCENTILES = (50, 90, 99)

_MARKS = ("illegal", "unreadable", "unanswerable", "grounded")


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """Counts of one arm.

    Attributes:
        agents: Agents with a session at least.
        sessions, impressions, clicks, ratings, likes: As logged.
        pages: Pages that were shown.
        unknown_impressions: Impressions whose outcome is unknown, because the page is lost.
        unknown_sessions: Sessions with a lost page.
        illegal: Actions that were refused.
        unreadable: Pages that are lost because the reply could not be read.
        unanswerable: Pages that are lost because the model's server refuses the question for good.
        grounded: Impressions that grounded replay decided: what the person really did later.
        ended_by: `EndedBy` value -> sessions, every value present.
        calls, from_store, retries, reasked: Calls to a language model; those read from a record; repeated
            requests; replies that had to be asked for again.
        prompt_tokens, cached_tokens, completion_tokens: As counted by the server.
        latency_seconds: "p50", "p90", "p99" of the calls that were not read from a record; empty without any.
    """

    agents: int
    sessions: int
    impressions: int
    pages: int
    unknown_impressions: int
    unknown_sessions: int
    clicks: int
    ratings: int
    likes: int
    illegal: int
    unreadable: int
    unanswerable: int
    grounded: int
    ended_by: Mapping[str, int]
    calls: int
    from_store: int
    retries: int
    reasked: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    latency_seconds: Mapping[str, float]

    @property
    def censored(self) -> int:
        """Sessions that the agent did not end: nobody knows when that person would have left."""
        return sum(sessions for reason, sessions in self.ended_by.items() if reason != EndedBy.EXIT)


def count_arms(log: LogReader, sessions: pd.DataFrame, arm_ids: list[int]) -> dict[int, ArmCounts]:
    """The counts of each arm.

    Args:
        log: The run's.
        sessions: What `LogReader.session_totals` read from it.
        arm_ids: The arms wanted; one without a session has zeros.
    """
    ended, marked = log.sessions_by_end(), log.events_by_kind(_MARKS)
    calls = log.call_totals().set_index("arm_id").reindex(arm_ids, fill_value=0)
    latency = log.call_latencies()
    counts = {}
    for arm_id in arm_ids:
        rows = sessions[sessions.arm_id == arm_id]
        asked = {str(name): int(number) for name, number in calls.loc[arm_id].to_dict().items()}
        counts[arm_id] = ArmCounts(
            agents=int(rows.agent_id.nunique()),
            sessions=len(rows),
            impressions=int(rows.shown.sum()),
            pages=int(rows.pages.sum()),
            unknown_impressions=int(rows.shown.sum() - rows.known.sum()),
            unknown_sessions=int(len(rows) - rows.whole_sessions.sum()),
            clicks=int(rows.clicks.sum()),
            ratings=int(rows.ratings.sum()),
            likes=int(rows.likes.sum()),
            illegal=marked.get((arm_id, "illegal"), 0),
            unreadable=marked.get((arm_id, "unreadable"), 0),
            unanswerable=marked.get((arm_id, "unanswerable"), 0),
            grounded=marked.get((arm_id, "grounded"), 0),
            ended_by={reason.value: ended.get((arm_id, reason.value), 0) for reason in EndedBy},
            latency_seconds=_percentiles(latency.latency_seconds[latency.arm_id == arm_id].to_numpy(np.float64)),
            **asked,
        )
    return counts


def _percentiles(seconds: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, float]:
    if not len(seconds):
        return {}
    return {f"p{share}": float(np.percentile(seconds, share)) for share in PERCENTILES}
