"""A run's progress on the terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from experiments.run import Watcher


class ProgressWatcher(Watcher):
    """Draws a bar for each arm; visits are the unit."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<16}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("visits"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressWatcher:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def note(self, line: str) -> None:
        """See `Watcher.note`."""
        self._progress.console.print(f"[dim]{escape(line)}")

    def arm(self, name: str, visits: int) -> None:
        """See `Watcher.arm`."""
        self._finish()
        self._task = self._progress.add_task(escape(name), total=visits)

    def visits(self, count: int) -> None:
        """See `Watcher.visits`."""
        if self._task is not None:
            self._progress.advance(self._task, count)

    def _finish(self) -> None:
        """People who did not come leave the bar short of its total: the arm is done all the same."""
        if self._task is not None:
            task = self._progress.tasks[self._task]
            self._progress.update(self._task, total=task.completed)
