"""What an experiment tells while it runs: one protocol, one method, a few kinds of event.

    class Printing:
        def event(self, event: ProgressEvent) -> None:
            match event:
                case Note(line):
                    print(line)
                case ArmBegins(name, sessions):
                    print(name, "with at most", sessions, "sessions")

    run_experiment(config, progress=Printing())

The rooms below know nothing of this: they take plain callables, which `on_note`, `on_download`, `on_pairs`,
`on_measuring` and `on_sessions` make of a `Progress`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from groundlings.environments.earlier_names import EarlierAttribute, earlier_attributes
from groundlings.experiments.terminal import say

if TYPE_CHECKING:
    from groundlings.environments.datasets import ProgressHook
    from groundlings.simulator.sessions_written import WrittenSessions


BETWEEN_ARMS = ", "
"""What stands between the names of arms that begin together."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something must be known, or takes time."""

    line: str


@dataclass(frozen=True, slots=True)
class Downloading:
    """`done_bytes` of `total_bytes` of `what` have arrived; the total is None where it is not known."""

    what: str
    done_bytes: int
    total_bytes: int | None


@dataclass(frozen=True, slots=True)
class PairsAsked:
    """A model has been asked about `done` of `total` pairs of a person and an item, before anything is simulated."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class RunBegins:
    """From here on the run can be resumed from this directory."""

    directory: Path


@dataclass(frozen=True, slots=True)
class ArmBegins:
    """An arm begins, with about this many sessions; where sessions decide on returns, with so many at most."""

    name: str
    sessions: int
    visits = EarlierAttribute[int]("sessions")


@dataclass(frozen=True, slots=True)
class SessionsWritten:
    """So many more sessions of the current arm are in the log.

    Attributes:
        count: How many.
        arm: Whose they are, where arms are simulated together.
        impressions, clicks: What was shown and clicked in them, as far as their pages could be read; None where nobody
            counted, as of sessions that an interrupted run had logged before.
    """

    count: int
    arm: str = ""
    impressions: int | None = None
    clicks: int | None = None


@dataclass(frozen=True, slots=True)
class Measuring:
    """`done` of `total` parts of measuring and drawing a run are over, and the one called `what` begins."""

    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class LabStep:
    """`done` of `total` steps of a lab (fidelity, warm-up) are over, and the one called `name` begins."""

    done: int
    total: int
    name: str


ProgressEvent = Note | Downloading | PairsAsked | RunBegins | ArmBegins | SessionsWritten | Measuring | LabStep


class Progress(Protocol):
    """Is told how far an experiment is, in the order in which things happen, perhaps from another thread."""

    def event(self, event: ProgressEvent) -> None:
        """Take note of one event."""
        ...


class Silent:
    """Takes note of nothing."""

    def event(self, event: ProgressEvent) -> None:
        """See `Progress.event`."""


SILENT = Silent()


class Printing:
    """Prints what must be known, and where a run can be found."""

    def event(self, event: ProgressEvent) -> None:
        """See `Progress.event`."""
        match event:
            case Note(line):
                say(line)
            case RunBegins(directory):
                say(f"writing {directory}", newlines=False)
            case Measuring(0):
                say("measuring and drawing")


@dataclass(frozen=True, slots=True)
class Changed:
    """Passes events on as a function makes them; those that become None are not passed on.

    Attributes:
        progress: Is told.
        change: Event -> event, or None.
    """

    progress: Progress
    change: Callable[[ProgressEvent], ProgressEvent | None]

    def event(self, event: ProgressEvent) -> None:
        """See `Progress.event`."""
        changed = self.change(event)
        if changed is not None:
            self.progress.event(changed)


def on_note(progress: Progress) -> Callable[[str], None]:
    """A callable for rooms that tell lines of text."""
    return lambda line: progress.event(Note(line))


def on_download(progress: Progress) -> ProgressHook:
    """A callable for rooms that download."""

    def told(what: str, done: int, total: int | None) -> None:
        progress.event(Downloading(what, done, total))

    return told


def on_pairs(progress: Progress) -> Callable[[int, int], None]:
    """A callable for rooms that ask about pairs."""
    return lambda done, total: progress.event(PairsAsked(done, total))


def on_measuring(progress: Progress) -> Callable[[int, int, str], None]:
    """A callable for what measures a run."""
    return lambda done, total, what: progress.event(Measuring(done, total, what))


def on_sessions(progress: Progress) -> Callable[[WrittenSessions], None]:
    """A callable for the simulation, which tells what it has just written."""
    return lambda each: progress.event(SessionsWritten(each.sessions, each.arm, each.impressions, each.clicks))


if not TYPE_CHECKING:  # type checkers know today's names only
    __getattr__ = earlier_attributes(__name__, VisitsWritten="SessionsWritten")
