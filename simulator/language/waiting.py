"""Saying that a server is waited for: a program that is silent for minutes looks like one that hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count
from typing import TYPE_CHECKING

from groundlings.simulator.language.faults import Fault

if TYPE_CHECKING:
    from groundlings.simulator.language.connection import Connection

Tell = Callable[[str], None]
"""Is told a line that whoever sits before the screen should see."""

_SECONDS = (3, 10, 20, 30)
_FURTHER_SECONDS = 30
_QUIET_SECONDS = 30.0
_SHOWN_SERVERS = 3
_REST_WORTH_TELLING_SECONDS = 3.0


def no_one(_line: str) -> None:
    """Tells nobody."""


@contextmanager
def told_while_waiting(tell: Tell, what: Callable[[], str]) -> Iterator[None]:
    """Tell what is waited for, and for how long by now, as long as the body takes: first after three seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    moments = chain(_SECONDS, count(_SECONDS[-1] + _FURTHER_SECONDS, _FURTHER_SECONDS))

    timers: list[asyncio.TimerHandle] = []

    def wait() -> None:
        timers[:] = [loop.call_at(began + next(moments), say)]

    def say() -> None:
        tell(f"waiting for {what()} ({loop.time() - began:.0f} s)")
        wait()

    wait()
    try:
        yield
    finally:
        timers.pop().cancel()


class Notices:
    """What people are told of the servers of a pool while it asks them.

    Costs a request nothing but a look at whether the watch is on.

    Args:
        tell: Is told.
        connections: The servers of the moment.
    """

    def __init__(self, tell: Tell, connections: Callable[[], Sequence[Connection]]) -> None:
        self._tell = tell
        self._connections = connections
        self._timer: asyncio.TimerHandle | None = None
        self._asking = 0
        self._asking_since = 0.0

    def asks(self) -> None:
        """A request begins; where no server answers any for a while, that is told."""
        if not self._asking:
            self._asking_since = time.monotonic()
        self._asking += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_QUIET_SECONDS, self._look)

    def asked(self) -> None:
        """A request is over."""
        self._asking -= 1

    def off(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def remarks(self, connection: Connection) -> None:
        """Tell what a server's replies give cause to say."""
        while connection.replies.remarks:
            self._tell(connection.replies.remarks.pop(0))

    def rest(self, connection: Connection, fault: Fault, seconds: float) -> None:
        """Tell that a server asks to be left alone and is, for so many seconds, unless that was told just now."""
        asked, now = fault.wait_seconds, time.monotonic()
        if asked is None or asked < _REST_WORTH_TELLING_SECONDS or now < connection.health.rest_told_until:
            return
        connection.health.rest_told_until = now + seconds
        cut = "" if asked <= seconds else f"; it is asked again in {seconds:.0f} s"
        self._tell(f"model server {connection.base_url} asks to wait {asked:,.0f} s ({fault.brief}){cut}")

    def _look(self) -> None:
        self._timer = None
        if not self._asking:
            return
        connections = self._connections()
        silent = time.monotonic() - max(self._asking_since, *(each.health.last_good for each in connections))
        if silent >= _QUIET_SECONDS:
            more = len(connections) - _SHOWN_SERVERS
            whom = ", ".join(each.base_url for each in connections[:_SHOWN_SERVERS]) + (
                f" and {more} more" * (more > 0)
            )
            faults = [each.health.last_fault for each in connections if each.health.last_fault]
            last = f"; last: {faults[0]}" if faults else ""
            self._tell(f"waiting for model server {whom}: {silent:.0f} s without an answer, {self._asking} asked{last}")
        self._timer = asyncio.get_running_loop().call_later(_QUIET_SECONDS, self._look)
