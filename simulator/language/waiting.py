"""Saying that a server is waited for: a program that is silent for minutes looks like one that hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, count

Tell = Callable[[str], None]
"""Is told a line that whoever sits before the screen should see."""

_SECONDS = (3, 10, 20, 30)
_FURTHER_SECONDS = 30
_QUIET_SECONDS = 30.0
_REST_WORTH_TELLING_SECONDS = 3.0


def no_one(_line: str) -> None:
    """Tells nobody."""


@contextmanager
def told_while_waiting(tell: Tell, what: Callable[[], str]) -> Iterator[None]:
    """Tell what is waited for, and for how long by now, as long as the body takes: first after three seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    moments = chain(_SECONDS, count(_SECONDS[-1] + _FURTHER_SECONDS, _FURTHER_SECONDS))

    def again() -> None:
        nonlocal timer
        tell(f"waiting for {what()} ({loop.time() - began:.0f} s)")
        timer = loop.call_at(began + next(moments), again)

    timer = loop.call_at(began + next(moments), again)
    try:
        yield
    finally:
        timer.cancel()


class SilenceWatch:
    """Tells when servers have not answered for a while, although there are requests on their way.

    Costs a request nothing but a look at whether the watch is on.

    Args:
        tell: Is told.
        silence: Who is waited for, and for how many seconds by now, "" and 0.0 where nobody is.
    """

    def __init__(self, tell: Tell, silence: Callable[[], tuple[str, float]]) -> None:
        self._tell = tell
        self._silence = silence
        self._timer: asyncio.TimerHandle | None = None

    def on(self) -> None:
        """Watch from now on, until nobody is waited for any more."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_QUIET_SECONDS, self._look)

    def off(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        whom, seconds = self._silence()
        if not whom:
            return
        if seconds >= _QUIET_SECONDS:
            self._tell(f"waiting for {whom} ({seconds:.0f} s without an answer)")
        self.on()


def worth_telling(seconds: float) -> bool:
    """Whether a server that asks to be left alone for so long should be heard by people."""
    return seconds >= _REST_WORTH_TELLING_SECONDS
