"""Progress on the terminal: a bar for each download and each arm, one for what is measured and drawn, and one for all
steps of a lab; each with its rate and the time that is left."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from groundlings.environments.cleaning import printable
from groundlings.experiments.cli.live_figure import LiveFigure
from groundlings.experiments.running.events import (
    ArmBegins,
    Downloading,
    LabStep,
    Measuring,
    Note,
    PairsAsked,
    ProgressEvent,
    RunBegins,
    SessionsWritten,
)
from groundlings.experiments.terminal import escape, plain


class TerminalProgress:
    """Draws bars while it is open as a context manager, and prints notes in any case.

    Args:
        console: Where it is drawn.
        pairs: What the bar for pairs that a model is asked about is called.

    Attributes:
        directory: Where the run can be resumed, None while nothing is written.
    """

    def __init__(self, console: Console, pairs: str = "calibration") -> None:
        self.directory: Path | None = None
        self._bars = Bars(
            TextColumn("{task.description}", markup=False, table_column=Column(ratio=2, no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=3)),
            _Amount(console),
            _Figure(console),
            _Rate(console),
            _Left(table_column=Column(justify="right", no_wrap=True)),
            console=console,
            expand=True,
        )
        self._pairs = pairs
        self._tasks: dict[str, TaskID] = {}
        self._arm: TaskID | None = None
        self._figure = LiveFigure()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._end_arm()
        if kind is None and _LAB in self._tasks:
            total = int(self._bars.tasks[self._tasks[_LAB]].total or 0)
            self._draw(_LAB, total, total, f"{total} of {total}", "done")
        self._bars.stop()

    @property
    def an_arm_began(self) -> bool:
        """Whether anything was simulated; a run that is refused when it is resumed cannot be continued as it is."""
        return self._arm is not None

    def event(self, event: ProgressEvent) -> None:
        """See `Progress.event`."""
        match event:
            case Note(line):
                self._bars.console.print(f"[dim]{escape(line)}")
            case Downloading(what, done, total):
                self._draw(f"download {what}", done, total, _megabytes(done, total), what)
            case PairsAsked(done, total):
                self._draw("pairs", done, total, f"{done}/{total} pairs", self._pairs)
            case RunBegins(directory):
                self.directory = directory
            case ArmBegins(name, sessions):
                self._end_arm()
                self._figure = LiveFigure()
                self._arm = self._bars.add_task(
                    printable(name), total=sessions, amount=_sessions(0, sessions), figure=self._figure
                )
            case SessionsWritten(count):
                self._figure.take_note(event)
                self._count(count)
            case Measuring(done, total, what):
                self._end_arm()
                self._arm = None
                if done == 0:
                    self._tasks.pop(_MEASURING, None)  # each cell of a matrix has a bar of its own
                self._draw(_MEASURING, done, total, f"{done} of {total}", what)
            case LabStep(done, total, name):
                self._draw(_LAB, done, total, f"{done} of {total}", name)

    def _draw(self, key: str, done: int, total: int | None, amount: str, description: str) -> None:
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(printable(description), total=total, amount="")
        self._bars.update(
            self._tasks[key], completed=done, total=total, amount=amount, description=printable(description)
        )

    def _end_arm(self) -> None:
        """The bar of an arm ends with the sessions that there were: how many would be was an expectation."""
        if self._arm is not None:
            done = int(self._bars.tasks[self._arm].completed)
            self._bars.update(self._arm, total=max(done, 1), completed=max(done, 1), amount=_sessions(done, done))

    def _count(self, sessions: int) -> None:
        if self._arm is not None:
            task = self._bars.tasks[self._arm]
            done = int(task.completed) + sessions
            total = max(done, int(task.total or 0))
            self._bars.update(self._arm, completed=done, total=total, amount=_sessions(done, total))


class _Fitted(ProgressColumn):
    """A column at the right whose words depend on the width of the terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__(table_column=Column(justify="right", no_wrap=True))
        self._console = console

    @property
    def wide(self) -> bool:
        """Whether there is room for whole words."""
        return self._console.width >= _WIDE


class _Amount(_Fitted):
    """How much is done; where there is little room, sessions go without their name."""

    def render(self, task: Task) -> Text:
        """See `ProgressColumn.render`."""
        amount = str(task.fields["amount"])
        return plain(amount if self.wide else amount.removesuffix(_SESSIONS))


class _Figure(_Fitted):
    """What was clicked so far, of arms."""

    def render(self, task: Task) -> Text:
        """See `ProgressColumn.render`."""
        figure = task.fields.get("figure")
        return plain(figure.words(self._console.width, over=task.finished) if isinstance(figure, LiveFigure) else "")


class _Rate(_Fitted):
    """How much is done in a second, of sessions; of anything else there is no rate worth telling."""

    def render(self, task: Task) -> Text:
        """See `ProgressColumn.render`."""
        seconds = (task.finished_time if task.finished else task.elapsed) or 0.0
        if "figure" not in task.fields or not task.completed or seconds < _SECONDS_OF_A_RATE:
            return plain("")
        # Sessions are written in batches: between two of them it is millions. Those of before a resume took no time.
        mean = task.completed / seconds
        speed = min(mean, task.finished_speed or task.speed or mean)
        second, minute = (" a second", " a minute") if self.wide else ("/s", "/min")
        return plain(f"{speed:,.0f}{second}" if speed >= 10 else f"{60 * speed:,.0f}{minute}", style="dim")


class _Left(ProgressColumn):
    """The time that is left, or that it took."""

    def render(self, task: Task) -> Text:
        """See `ProgressColumn.render`."""
        if task.finished:
            return plain(f"took {_clock(task.finished_time or 0.0)}", style="dim")
        left = task.time_remaining
        return plain("" if left is None else f"{_clock(left)} left")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


_SECONDS_OF_A_RATE = 1.0
_WIDE = 110
"""Columns from which on there is room for whole words."""
_SESSIONS = " sessions"
_LAB = "lab"
_MEASURING = "measuring"


def _sessions(done: int, total: int) -> str:
    return f"{done:,}/{total:,}{_SESSIONS}"


def _megabytes(done: int, total: int | None) -> str:
    return f"{done / 1e6:.1f}" + (f" of {total / 1e6:.1f} MB" if total else " MB")
