"""Sessions in a history of interactions: who was there on which days, and how long people stayed away.

A history names no sessions. Interactions of one person belong to one session until more than a stated time passes
between two of them; 30 minutes is the custom of web analytics, and Halfaker et al. 2015 ("User session identification
based on strong regularities in inter-activity time", WWW) found gaps of an hour to part sessions on most sites. A
session lies on the day (UTC) of its first interaction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.interactions import Interactions

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class ReturnHistory:
    """Days with a session, one row each, by user and then by day.

    Attributes:
        users: Whose, shape (n_days,).
        days: Since 1970, shape (n_days,).
        sessions: Sessions on the day, shape (n_days,).
        found: Interactions in the day's last session, shape (n_days,).
        last_day: The last day of which anything is known, for everybody; None where each person's history ends at a
            moment of its own (a split per user), so that nobody can say how long the last gap stayed open.
    """

    users: IntArray
    days: IntArray
    sessions: IntArray
    found: IntArray
    last_day: int | None

    def __len__(self) -> int:
        return len(self.users)

    @property
    def returned(self) -> BoolArray:
        """Whether the person came back after each day, as far as the history says, shape (n_days,)."""
        return np.r_[self.users[1:] == self.users[:-1], False] if len(self) else np.zeros(0, dtype=np.bool_)

    @property
    def gaps(self) -> IntArray:
        """Days to the person's next day with a session, shape (n_days,); where there is none, days without one up to
        the end of the history, and 0 where that end is not known."""
        later = np.r_[self.days[1:] - self.days[:-1], 0]
        still_open = 0 if self.last_day is None else self.last_day - self.days
        return np.where(self.returned, later, still_open).astype(np.int64)

    def of(self, wanted: BoolArray) -> ReturnHistory:
        """The days of some users.

        Args:
            wanted: By user, shape (n_users,).
        """
        kept = wanted[self.users]
        return ReturnHistory(self.users[kept], self.days[kept], self.sessions[kept], self.found[kept], self.last_day)


def read_sessions(history: Interactions, session_gap_seconds: float, *, ends_together: bool) -> ReturnHistory:
    """Days with a session of everybody in a history.

    Args:
        history: With known times.
        session_gap_seconds: A longer time between two interactions of a person begins a new session.
        ends_together: Whether the history of everybody ends at its last moment (a split at one moment), so that who was
            not there until then had no session.
    """
    order = np.lexsort((history.timestamps, history.users))
    users, seconds = history.users[order], np.asarray(history.seconds, dtype=np.float64)[order]
    if not len(users):
        nothing = np.zeros(0, dtype=np.int64)
        return ReturnHistory(nothing, nothing, nothing, nothing, None)
    begins = np.r_[True, (users[1:] != users[:-1]) | (np.diff(seconds) > session_gap_seconds)]
    starts = np.flatnonzero(begins)
    sizes = np.diff(np.r_[starts, len(users)])
    whose, day = users[starts], (seconds[starts] // SECONDS_PER_DAY).astype(np.int64)
    first = np.flatnonzero(np.r_[True, (whose[1:] != whose[:-1]) | (day[1:] != day[:-1])])
    last = np.r_[first[1:], len(whose)] - 1
    end = int(seconds.max() // SECONDS_PER_DAY) if ends_together else None
    return ReturnHistory(whose[first], day[first], last - first + 1, sizes[last].astype(np.int64), end)


def share_of_same_day(history: ReturnHistory) -> tuple[FloatArray, FloatArray]:
    """Each user's sessions that another one of the same day followed, and all of the user's sessions."""
    n = int(history.users.max(initial=-1)) + 1
    followed = np.bincount(history.users, history.sessions - 1, minlength=n).astype(np.float64)
    every = np.bincount(history.users, history.sessions, minlength=n).astype(np.float64)
    return followed[every > 0], every[every > 0]
