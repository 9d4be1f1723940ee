"""What a run says of itself while it runs, for whoever watches it from another process, and how it is asked to stop.

    DIRECTORY/live.json     written about once a second while the command runs, removed at its end
    DIRECTORY/stop          made by whoever wants the run to stop; the run removes it and stops as by SIGTERM

Both lie in the run's directory, so that watching needs no port, and a run in a container can be stopped from outside.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.directory import write_json
from groundlings.experiments.running.events import ArmBegins, Note, Progress, ProgressEvent, RunBegins, SessionsWritten

LIVE_NAME = "live.json"
STOP_NAME = "stop"

_EVERY_SECONDS = 1.0
_RATE_SECONDS = 60.0
_MOST_BYTES = 2**20
_MOST_STAGES = 1_000
_MOST_TEXT = 2_000
_LARGEST = 2**53
"""Of any number that stands in the file; processes have numbers of 31 bits."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Arms that are simulated together.

    Attributes:
        arms: Their names, as the progress bar has them.
        sessions: So many are in the log, those of an earlier start included.
        likely_sessions: About so many will be; where sessions decide on returns, at most.
    """

    arms: str
    sessions: int
    likely_sessions: int


@dataclass(frozen=True, slots=True)
class LiveState:
    """What a run says of itself.

    Attributes:
        process: The number of its process on this machine.
        started_at: When the command began, in seconds since 1970.
        written_at: When this was written, likewise.
        stages: Those that have begun, the present one last.
        note: The last line that the run printed.
        sessions_per_second: Over the last minute; None while nothing was written in it.
        process_began: When its process began, as the system counts; None where it does not say. Numbers of processes
            are given again.
    """

    process: int
    started_at: float
    written_at: float
    stages: tuple[Stage, ...] = ()
    note: str = ""
    sessions_per_second: float | None = None
    process_began: int | None = None

    @property
    def alive(self) -> bool:
        """Whether its process is still there; on another machine, whether it wrote lately."""
        # A time to come is no recent one: whoever copied the file may have another clock.
        if abs(time.time() - self.written_at) < 5 * _EVERY_SECONDS:
            return True
        try:
            os.kill(self.process, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except OSError:  # it is another user's
            pass
        began = _began(self.process)
        return began is None or self.process_began is None or began == self.process_began

    def seconds_left(self) -> float | None:
        """How long the present stage takes at the present rate, about; None while no rate is known."""
        if not self.stages or not self.sessions_per_second:
            return None
        now = self.stages[-1]
        return max(now.likely_sessions - now.sessions, 0) / self.sessions_per_second


def read_live(directory: Path) -> LiveState | None:
    """What the run in a directory says of itself; None where none is running, or the file is not one of ours.

    It may be a stranger's: a number that no run writes makes it none of ours.
    """
    try:
        content = json.loads(bounded_text(directory / LIVE_NAME, _MOST_BYTES, regular=True))
        rate, began = content["sessions_per_second"], content.get("process_began")
        return LiveState(
            process=int(_number(content["process"], least=1, most=2**31 - 1)),
            started_at=_number(content["started_at"]),
            written_at=_number(content["written_at"]),
            stages=tuple(map(_stage, content["stages"][:_MOST_STAGES])),
            note=str(content["note"])[:_MOST_TEXT],
            sessions_per_second=None if rate is None else _number(rate, least=1e-9),
            process_began=None if began is None else int(_number(began)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _stage(told: Mapping[str, Any]) -> Stage:
    sessions, most = (int(_number(told[name])) for name in ("sessions", "likely_sessions"))
    return Stage(str(told["arms"])[:_MOST_TEXT], sessions, most)


def _began(process: int) -> int | None:
    """When a process began, in ticks since the system did; None where it does not say."""
    try:
        # The name of its program stands before, in parentheses, and may hold any of them.
        return int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _number(value: Any, least: float = 0.0, most: float = _LARGEST) -> float:
    """A number within bounds; raises where it is none, as NaN is."""
    number = float(value)
    if not least <= number <= most:
        raise ValueError(f"found {number}, expected {least} to {most}")
    return number


def ask_to_stop(directory: Path) -> None:
    """Ask the run in a directory to stop; it commits what was decided and can be resumed.

    Raises:
        RunDirectoryError: The directory cannot be written.
    """
    try:
        # A link of a stranger's by this name would have a file made where it leads.
        with suppress(FileExistsError):
            os.close(os.open(directory / STOP_NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as fault:
        raise RunDirectoryError(f"{directory / STOP_NAME}: cannot be written ({fault.strerror})") from None


def _terminate() -> None:
    # Not SIGINT: shells have processes in the background ignore it.
    signal.raise_signal(signal.SIGTERM)


class LiveFile:
    """Passes events on, and keeps `live.json` while it is open as a context manager.

    Args:
        progress: Is told everything as well.
        stop: What is done when somebody asks the run to stop; what SIGTERM does if absent.
    """

    def __init__(self, progress: Progress, stop: Callable[[], None] = _terminate) -> None:
        self._progress, self._stop = progress, stop
        self._state = LiveState(os.getpid(), time.time(), time.time(), process_began=_began(os.getpid()))
        self._written: deque[tuple[float, int]] = deque(maxlen=int(_RATE_SECONDS / _EVERY_SECONDS))
        self._directory: Path | None = None
        self._over, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="live.json", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._directory is not None:
            self._thread.join()
            _forget(self._directory)

    def event(self, event: ProgressEvent) -> None:
        """See `Progress.event`."""
        with self._lock:
            self._take_note(event)
        self._progress.event(event)

    def _take_note(self, event: ProgressEvent) -> None:
        stages = self._state.stages
        match event:
            case RunBegins(directory):
                self._watch(directory)
            case ArmBegins(name, sessions):
                self._state = replace(self._state, stages=(*stages, Stage(name, 0, sessions)))
            case SessionsWritten(count) if stages:
                now = replace(stages[-1], sessions=stages[-1].sessions + count)
                self._state = replace(self._state, stages=(*stages[:-1], now))
            case Note(line):
                self._state = replace(self._state, note=line)

    def _watch(self, directory: Path) -> None:
        """From now on the file lies here: each cell of a matrix is a run of its own."""
        before, self._directory = self._directory, directory
        self._state = replace(self._state, stages=())
        self._written.clear()
        _forget(directory)  # what an earlier start was asked is over
        if before is None:
            self._thread.start()
        elif before != directory:
            _forget(before)

    def _keep(self) -> None:
        """Write the file again and again, and look whether the run is to stop."""
        while not self._over.wait(_EVERY_SECONDS):
            with self._lock:
                if self._directory is None:
                    continue
                now = time.time()
                self._written.append((now, sum(stage.sessions for stage in self._state.stages)))
                state = replace(self._state, written_at=now, sessions_per_second=_rate(self._written))
                with suppress(RunDirectoryError):  # a full disk: the log says so, and this file is no result
                    write_json(self._directory / LIVE_NAME, asdict(state))
                asked = self._directory / STOP_NAME
                wanted = asked.exists()
                with suppress(OSError):
                    asked.unlink(missing_ok=True)
            if wanted:
                self._progress.event(Note("asked to stop by the file `stop` in the run's directory"))
                self._stop()


def _rate(written: Sequence[tuple[float, int]]) -> float | None:
    """Sessions per second between the first and the last look."""
    (began, before), (now, after) = written[0], written[-1]
    return (after - before) / (now - began) if after > before and now > began else None


def _forget(directory: Path) -> None:
    for name in (LIVE_NAME, STOP_NAME):
        with suppress(OSError):
            (directory / name).unlink(missing_ok=True)
