"""A run's progress on the terminal."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from groundlings.experiments.running.run import Watcher


class ProgressWatcher(Watcher):
    """Draws a bar for each download and each arm.

    Attributes:
        directory: Where the run can be resumed, None while nothing is written.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            TextColumn("{task.fields[amount]:>18}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._arm: TaskID | None = None
        self._fit: TaskID | None = None
        self.directory: Path | None = None
        self._downloads: dict[str, TaskID] = {}

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

    def download(self, what: str, done: int, total: int | None) -> None:
        """See `Watcher.download`."""
        if what not in self._downloads:
            self._downloads[what] = self._progress.add_task(escape(what), total=total, amount="")
        amount = f"{done / 1e6:.1f}" + (f" of {total / 1e6:.1f} MB" if total else " MB")
        self._progress.update(self._downloads[what], completed=done, total=total, amount=amount)

    def calibration(self, done: int, total: int) -> None:
        """See `Watcher.calibration`."""
        if self._fit is None:
            self._fit = self._progress.add_task("calibration", total=total, amount="")
        self._progress.update(self._fit, completed=done, amount=f"{done}/{total} pairs")

    def begins(self, directory: Path) -> None:
        """See `Watcher.begins`."""
        self.directory = directory

    def arm(self, name: str, visits: int) -> None:
        """See `Watcher.arm`."""
        self._arm = self._progress.add_task(escape(name), total=visits, amount=f"0/{visits} visits")

    def visits(self, count: int) -> None:
        """See `Watcher.visits`."""
        if self._arm is not None:
            task = self._progress.tasks[self._arm]
            done = int(task.completed) + count
            self._progress.update(self._arm, completed=done, amount=f"{done}/{int(task.total or 0)} visits")
