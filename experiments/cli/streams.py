"""Standard streams that no reader, disk or encoding can turn into an error of the work itself."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from groundlings.experiments.terminal import UNENCODABLE


class PatientStream:
    """A text stream that goes on silently once nobody can read what is written.

    Attributes:
        fault: Why writing failed for the first time; None while it works.
    """

    def __init__(self, stream: TextIO) -> None:
        self.fault: OSError | None = None
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or do nothing where an earlier write failed."""
        if self.fault is None:
            try:
                return self._stream.write(text)
            except OSError as fault:
                self._give_up(fault)
        return len(text)

    def flush(self) -> None:
        """Flush, or do nothing where an earlier write failed."""
        if self.fault is None:
            try:
                self._stream.flush()
            except OSError as fault:
                self._give_up(fault)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    @property
    def lost(self) -> str:
        """What kept words from a reader who wanted them; empty where nothing did, or where the reader left."""
        if self.fault is None or self.fault.errno in (errno.EPIPE, errno.EBADF):
            return ""
        return self.fault.strerror or str(self.fault)

    def _give_up(self, fault: OSError) -> None:
        self.fault = fault
        with suppress(OSError, ValueError):  # what is still in its buffers must not fail at the end
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)


@dataclass(frozen=True, slots=True)
class Streams:
    """The two streams that a command writes to."""

    out: PatientStream
    errors: PatientStream


@contextmanager
def patient_streams() -> Iterator[Streams]:
    """Standard output and error for the time of a command: closed ones lead nowhere, and no character is an error."""
    _open_closed()
    before = sys.stdout, sys.stderr
    streams = Streams(PatientStream(_lenient(sys.stdout)), PatientStream(_lenient(sys.stderr)))
    sys.stdout, sys.stderr = cast(TextIO, streams.out), cast(TextIO, streams.errors)
    try:
        yield streams
    finally:
        streams.out.flush()
        streams.errors.flush()
        sys.stdout, sys.stderr = before


def _open_closed() -> None:
    """Lead closed standard streams nowhere, before a file of ours is given their number and written to by mistake."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one
    # They live as long as the process, so nobody closes them.
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def _lenient(stream: TextIO) -> TextIO:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors=UNENCODABLE)
    return stream
