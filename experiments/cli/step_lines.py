"""The steps of a lab as plain lines, for a log: there a bar is drawn once, at the end, and tells nothing before."""

from __future__ import annotations

import time

from rich.console import Console

from groundlings.experiments.running.events import LabStep, Progress, ProgressEvent
from groundlings.experiments.terminal import escape

SECONDS = 60.0
"""Between two lines of one step, at least."""


class StepLines:
    """Passes events on, and says the steps as lines where the console is no terminal.

    Args:
        progress: Is told everything.
        console: Where lines go.
        seconds: Between two lines of one step, at least; each step begins with one.
    """

    def __init__(self, progress: Progress, console: Console, seconds: float = SECONDS) -> None:
        self._progress, self._console, self._seconds = progress, console, seconds
        self._step: int | None = None
        self._said = 0.0

    def event(self, event: ProgressEvent) -> None:
        """See `Progress.event`."""
        self._progress.event(event)
        if self._console.is_terminal or not isinstance(event, LabStep):
            return
        now = time.monotonic()
        if event.done != self._step or now - self._said >= self._seconds:
            self._step, self._said = event.done, now
            self._console.print(f"step {event.done + 1} of {event.total}: {escape(event.name)}", soft_wrap=True)
