"""The progress of a lab on the terminal: one bar that says which step is under way."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class OneBar:
    """What the observers of all labs draw alike; each says for itself how far a step has brought it.

    Args:
        console: Where it is drawn.
        what: What is under way at first.
        steps: How many steps there are, as far as that is known.
    """

    def __init__(self, console: Console, what: str, steps: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<32}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task(what, total=steps)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._progress.update(self._task, completed=self._progress.tasks[0].total, description="done")
        self._progress.stop()

    def note(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(f"[dim]{escape(line)}")

    def download(self, what: str, done: int, total: int | None) -> None:
        """Say how many bytes of something have arrived; `total` is None where it is not known."""
        amount = f"{done / 1e6:.1f}" + (f" of {total / 1e6:.1f} MB" if total else " MB")
        self._progress.update(self._task, description=f"{escape(what)}: {amount}")
