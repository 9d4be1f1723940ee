"""Cohorts that are decided within moments share a transaction, because a commit takes as long as a hundred sessions.

In an event loop a cohort waits `WINDOW_SECONDS` at most, in a log in parts `WINDOW_SECONDS_OF_PARTS`; without one it is
committed at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from groundlings.simulator.log.row_layout import Cohort

WINDOW_SECONDS = 0.2
"""How long a decided session may wait for others to be committed with; a power failure costs no more than this."""

MOST_PAGES = 2_000
"""So many pages are enough for a transaction of their own."""

WINDOW_SECONDS_OF_PARTS, MOST_PAGES_OF_PARTS = 2.0, 30_000
"""The same for a log in parts: a commit is three files, which are worth little where each holds a few sessions."""


class CommitWindow:
    """Collects cohorts and hands them over together.

    An error of a commit that the timer started reaches nobody, so it is kept and raised for whoever comes next.

    Args:
        commit: Writes cohorts in one transaction: all of them or none.
        seconds: How long a cohort waits at most.
        pages: How many pages wait at most.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Cohort]], None],
        seconds: float = WINDOW_SECONDS,
        pages: int = MOST_PAGES,
    ) -> None:
        self._commit = commit
        self._seconds = seconds
        self._most_pages = pages
        self._waiting: list[Cohort] = []
        self._waiting_pages = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._late_fault: Exception | None = None

    def take(self, cohort: Cohort) -> None:
        """Have a cohort committed, now or within the window.

        Raises:
            RunDirectoryError: It, or a cohort before it, cannot be written.
        """
        self._raise_late_fault()
        self._waiting.append(cohort)
        self._waiting_pages += int(cohort.record.pages.sum())
        now = time.monotonic()
        self._due = self._due or now + self._seconds
        if self._waiting_pages >= self._most_pages or now >= self._due or not self._set_timer():
            self.flush()

    def flush(self) -> None:
        """Commit every cohort that was taken."""
        self._raise_late_fault()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._commit(self._waiting)
        self._empty()

    def forget_fault(self) -> None:
        """Try again what a late commit could not do: the connection is a new one."""
        self._late_fault = None

    def leave(self) -> None:
        """Commit what waits because another error ends the run; where that fails too, the other error says why."""
        if self._late_fault is None:
            try:
                self.flush()
            except Exception as fault:
                self._late_fault = fault
        self._empty()
        self._late_fault = None

    def _empty(self) -> None:
        self._waiting.clear()
        self._waiting_pages, self._due = 0, 0.0

    def _set_timer(self) -> bool:
        """Have the event loop commit in time; False where there is none."""
        if self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(self._seconds, self._flush_in_time)
            except RuntimeError:
                return False
        return True

    def _flush_in_time(self) -> None:
        self._timer = None
        try:
            self.flush()
        except Exception as fault:
            self._late_fault = fault

    def _raise_late_fault(self) -> None:
        if self._late_fault is not None:
            raise self._late_fault
