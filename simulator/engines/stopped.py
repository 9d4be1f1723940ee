"""Worker processes that somebody has stopped and not ended: a run waits for them, and says so."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class StoppedWorkers:
    """Which of the workers have been stopped for a while; each is named once for as long as it is."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._named: set[int] = set()

    def look(self, processes: Iterable[int | None]) -> list[str]:
        """What is to be said of those that were stopped at the look before and are still: a terminal's Ctrl-Z stops
        them with this process, and they go on a moment after it.

        Args:
            processes: Their numbers.
        """
        stopped = {number for number in processes if number is not None and _is_stopped(number)}
        new = sorted((stopped & self._seen) - self._named)
        self._seen = stopped
        self._named = (self._named & stopped) | {*new}
        return [
            f"worker process {number} is stopped, and the run waits for it; let it go on with `kill -CONT {number}`, "
            f"or end it with `kill -KILL {number}`: what it had begun is then simulated again"
            for number in new
        ]


def _is_stopped(number: int) -> bool:
    """Whether a signal or a debugger has stopped a process, as far as the system says."""
    try:
        # The name of its program stands before, in parentheses, and may hold any of them.
        state = Path(f"/proc/{number}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in (b"T", b"t")
