"""Going on with a run from its live page: the same command as in a terminal, in a process of its own."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.directory import existing_config

OUTPUT_NAME = "resumed.txt"
"""What the command prints, in the run's directory."""

_SHOWN_BYTES = 4_000


@dataclass(frozen=True, slots=True)
class Resumed:
    """What became of going on with a run from its page.

    Attributes:
        going: Whether a command that a server started, this one or another, is at work.
        said: The end of what the last such command printed, whichever server started it; "" where nothing is known.
    """

    going: bool
    said: str


class Resumptions:
    """The commands that one server has started, of each directory one at a time, and none beside another server's."""

    def __init__(self) -> None:
        self._processes: dict[Path, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def begin(self, directory: Path) -> None:
        """Go on with the run in a directory, unless that is begun already.

        Raises:
            RunDirectoryError: There is no run, or its directory cannot be written.
        """
        with self._lock:
            if not self._going(directory):
                self._processes[directory] = resume_in_background(directory)

    def of(self, directory: Path) -> Resumed:
        """What is known of the run in a directory."""
        return Resumed(self._going(directory), _end_of(directory / OUTPUT_NAME))

    def _going(self, directory: Path) -> bool:
        process = self._processes.get(directory)
        return (process is not None and process.poll() is None) or _is_held(directory / OUTPUT_NAME)


def resume_in_background(directory: Path) -> subprocess.Popen[bytes]:
    """Start `groundlings run --resume`; it goes on when this server ends.

    Raises:
        RunDirectoryError: There is no run, or its directory cannot be written.
    """
    existing_config(directory)
    with _new_file(directory / OUTPUT_NAME) as output:
        _hold(output)
        process = subprocess.Popen(  # noqa: S603 - our own command on a directory that was looked up
            [sys.executable, "-m", "groundlings", "run", "--resume", str(directory.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # A process that nobody waits for stays in the system's list after its end, as if it still ran.
    threading.Thread(target=process.wait, name="resumed", daemon=True).start()
    return process


def _new_file(path: Path) -> BinaryIO:
    """A file of our own in the place of what lies there; a link of a stranger's is replaced and never followed."""
    try:
        path.unlink(missing_ok=True)
        return path.open("xb")
    except OSError as fault:
        raise RunDirectoryError(f"{path}: cannot be written ({fault.strerror})") from None


def _hold(output: BinaryIO) -> None:
    """Keep a lock on a file for as long as any process has it as its output, where the system has such locks."""
    with suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_held(path: Path) -> bool:
    """Whether a command writes a file still that was started with `_hold`."""
    with suppress(OSError), _opened(path) as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except ImportError:
            return False
        except BlockingIOError:
            return True
    return False


def _end_of(path: Path) -> str:
    """The last lines of a text that lies in a run's directory; "" where there is none, or it is no plain file."""
    try:
        with _opened(path) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                return ""
            file.seek(max(about.st_size - _SHOWN_BYTES, 0))
            return file.read(_SHOWN_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _opened(path: Path) -> BinaryIO:
    """A file in a run's directory, read; a link is not followed, and a pipe not waited for."""
    return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)), "rb")
