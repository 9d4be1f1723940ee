"""Replies that come when nobody waits for them any more: they are paid for, so a call store keeps them all the same.

A request may be cancelled because another one failed, or because somebody pressed Ctrl-C. Where it waits for its turn,
it ends at once. Where it is on its way, it is waited for a little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from groundlings.environments.chat import ChatReply

LATE_SECONDS = 10.0
"""How long a request on its way is waited for at most."""


@dataclass(slots=True)
class _Journey:
    """A request.

    Attributes:
        begun: Whether it is on its way to a server.
    """

    begun: bool = False


_journey: ContextVar[_Journey | None] = ContextVar("journey", default=None)


@contextmanager
def on_its_way() -> Iterator[None]:
    """Around the sending of a request to a server, until its reply is there."""
    journey = _journey.get()
    if journey is None:
        yield
        return
    journey.begun = True
    try:
        yield
    finally:
        journey.begun = False


async def kept_if_late(
    send: Callable[[], Awaitable[ChatReply]], keep: Callable[[ChatReply], object], most_seconds: float | None = None
) -> ChatReply:
    """The reply to a request; where the caller is cancelled meanwhile, the reply is kept if it comes soon.

    Args:
        send: Sends the request, and waits for its reply.
        keep: Keeps a reply that the caller will not have.
        most_seconds: How long it is waited for at most; `LATE_SECONDS` if absent.
    """
    journey = _Journey()

    async def travel() -> ChatReply:
        _journey.set(journey)  # of this task alone
        return await send()

    travelling = asyncio.create_task(travel())
    try:
        return await asyncio.shield(travelling)
    except asyncio.CancelledError:
        try:
            if journey.begun:
                await asyncio.wait({travelling}, timeout=LATE_SECONDS if most_seconds is None else most_seconds)
        finally:  # also where the caller is cancelled once more, as by a second Ctrl-C: no request outlives it
            travelling.cancel()
            await asyncio.wait({travelling})
        if not travelling.cancelled() and travelling.exception() is None:
            keep(travelling.result())
        raise
