"""Being told to stop: SIGTERM and SIGHUP end a command as Ctrl-C does, so that a run is marked as interrupted."""

from __future__ import annotations

import signal
from threading import current_thread, main_thread
from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP")
"""What a batch system, `kill` or a terminal that closes sends; some systems lack one."""

_USUAL_EXIT = 128
"""A command that a signal ended exits with this plus the signal's number."""


class Stopped:
    """Which signal has told the command to stop, if any has."""

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None

    def listen(self) -> None:
        """Stop at the next chance when a signal comes; a second one ends the process at once.

        A signal that is ignored stays ignored: `nohup` keeps a run alive when its terminal closes.
        """
        if current_thread() is not main_thread():
            return  # only the main thread may listen
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, self._stop)

    @property
    def came(self) -> bool:
        """Whether a signal has come."""
        return self._signal is not None

    @property
    def name(self) -> str:
        """What ended the command, in words."""
        return "Ctrl-C" if self._signal is None else self._signal.name

    def exit_code(self, otherwise: int) -> int:
        """With what the command exits: 143 after SIGTERM, 129 after SIGHUP."""
        return otherwise if self._signal is None else _USUAL_EXIT + self._signal

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._signal = signal.Signals(number)
        for name in _NAMES:
            other = getattr(signal, name, None)
            if other is not None and signal.getsignal(other) == self._stop:
                signal.signal(other, signal.SIG_DFL)
        ctrl_c = signal.getsignal(signal.SIGINT)
        if callable(ctrl_c):
            ctrl_c(signal.SIGINT, frame)  # an event loop has its own, which lets what is open be closed
        else:
            raise KeyboardInterrupt  # Ctrl-C is ignored in the background, and this was not Ctrl-C
