"""Several addresses of one model: who is asked next, what is tried again, and when to give up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import aiohttp

from groundlings.environments.chat import ChatReply, ChatRequest
from groundlings.environments.cleaning import logger
from groundlings.environments.errors import ProviderError
from groundlings.environments.random_streams import name_key
from groundlings.simulator.language.connection import Capabilities, Connection
from groundlings.simulator.language.faults import BadStatus, Fault, GarbledReply, back_off_seconds, fault_of

Result = TypeVar("Result")

_logger = logger(__name__)

_ATTEMPT_ERRORS = (BadStatus, GarbledReply, aiohttp.ClientError, OSError, TimeoutError)
_NOBODY_IS_SERVED = frozenset({401, 402, 403, 404})
_BYTES_A_TOKEN = 4
_POLL_SECONDS = 0.02


class EndpointPool:
    """Gives every request to the endpoint with the least work; waiting, for whatever reason, holds no place.

    An endpoint that fails a few times in a row, or asks to be left alone, gets no new requests for a while unless
    all others do as badly; what it has begun it may finish. A transient fault is tried again, at another endpoint
    where there is one. A wrong key, an unknown model, or silence from all endpoints opens the *circuit breaker*:
    every request of the pool, the waiting and the travelling alike, ends at once with the same message.

    Args:
        connections: The endpoints; they serve one model, so their replies are interchangeable.
        max_attempts: Attempts at one request, the first included.
        outage_seconds: The breaker opens when nobody has answered for so long.

    An instance belongs to the event loop it is first used in.
    """

    def __init__(
        self, connections: Sequence[Connection], *, max_attempts: int = 8, outage_seconds: float = 60.0
    ) -> None:
        self._connections = list(connections)
        self._max_attempts = max_attempts
        self._outage_seconds = outage_seconds
        self._starting = asyncio.Lock()
        self._started = False
        self._broken = ""
        self._deadlines: set[asyncio.Timeout] = set()
        """Of whatever is waited for; those who open the breaker end them all."""

    @property
    def name(self) -> str:
        """See `ChatModel.name`."""
        first = self._connections[0]
        return first.model or first.base_url

    async def start(self) -> tuple[Capabilities, ...]:
        """Make first contact with every endpoint, once: is anybody there, is the key right, what is served.

        Raises:
            ProviderError: Nobody listens or a key is wrong; found before the first agent is asked.
            ConfigError: No model was named and a server does not serve exactly one.
        """
        async with self._starting:
            if not self._started:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(_kept(self._meet(each))) for each in self._connections]
                for error in (task.result() for task in tasks):
                    if error is not None:
                        raise error
                self._started = True
        return tuple(each.capabilities for each in self._connections if each.capabilities)

    async def ask(self, request: ChatRequest) -> ChatReply:
        """See `ChatModel.ask`."""
        if not self._started:
            await self.start()
        reserved = _tokens_at_most(request)

        async def send(connection: Connection) -> ChatReply:
            reply = await connection.complete(request)
            connection.health.succeeded(reply.latency_seconds)
            connection.pace.settle(reserved, reply.prompt_tokens + reply.completion_tokens)
            return reply

        reply, attempts = await self._persistently(send, lambda: _key(request), reserved)
        return reply if attempts == 1 else replace(reply, attempts=attempts)

    async def drain(self, base_url: str) -> None:
        """Take an endpoint out of the pool for good; returns when it has finished what it had begun.

        Raises:
            ValueError: There is no such endpoint, or it is the last one.
        """
        leaving = [each for each in self._connections if each.base_url == base_url]
        if not leaving or len(leaving) == len(self._connections):
            raise ValueError(f"{base_url}: expected one of several endpoints of this pool")
        self._connections = [each for each in self._connections if each not in leaving]
        for each in leaving:
            while each.health.outstanding:
                await asyncio.sleep(_POLL_SECONDS)
            await each.close()

    async def close(self) -> None:
        """See `ChatModel.close`."""
        for each in self._connections:
            await each.close()

    async def _meet(self, connection: Connection) -> None:
        async def probe(connection: Connection) -> Capabilities:
            return await connection.probe()

        found, _ = await self._persistently(probe, key=lambda: 0, tokens=0, only=connection)
        connection.know(found)

    async def _persistently(
        self,
        send: Callable[[Connection], Awaitable[Result]],
        key: Callable[[], int],
        tokens: int,
        only: Connection | None = None,
    ) -> tuple[Result, int]:
        """The result of the first attempt that succeeds, and how many it took; `key` tells its jitter from others'."""
        attempt = 1
        while True:
            self._refuse_if_broken()
            connection = only or self._least_reluctant()
            try:
                return await self._attempt(connection, send, attempt, tokens), attempt
            except _ATTEMPT_ERRORS as error:
                fault = fault_of(error)
            self._refuse_if_broken()
            was_resting = connection.health.resting
            connection.health.failed(fault)
            if connection.health.resting and not was_resting:
                _logger.warning("%s: left alone for a while (%s)", connection.base_url, fault.brief)
            self._weigh(connection, fault, attempt)
            seconds = back_off_seconds(self._for_this_request(fault), attempt, key())
            _logger.info(
                "%s: attempt %d failed (%s), again in %.1f s", connection.base_url, attempt, fault.brief, seconds
            )
            await self._sleep(seconds)
            attempt += 1

    async def _attempt(
        self, connection: Connection, send: Callable[[Connection], Awaitable[Result]], attempt: int, tokens: int
    ) -> Result:
        connection.health.outstanding += 1
        try:
            if wait := connection.pace.reserve(tokens):
                await self._sleep(wait)
            async with connection.places:
                self._refuse_if_broken()
                async with asyncio.timeout(connection.health.patience_seconds(attempt)) as deadline:
                    self._deadlines.add(deadline)
                    try:
                        return await send(connection)
                    finally:
                        self._deadlines.discard(deadline)
        finally:
            connection.health.outstanding -= 1

    def _least_reluctant(self) -> Connection:
        return min(self._connections, key=_reluctance) if len(self._connections) > 1 else self._connections[0]

    def _weigh(self, connection: Connection, fault: Fault, attempt: int) -> None:
        """Raise `ProviderError` where trying again cannot help, and open the breaker where it cannot help anybody."""
        first_contact = connection.capabilities is None
        if fault.status in _NOBODY_IS_SERVED or fault.spent or (fault.refused and first_contact):
            self._break(connection.explain(fault, attempt), fault)
        elif all(each.health.silent(self._outage_seconds) for each in self._connections):
            told = connection.explain(fault, attempt)
            self._break(f"nobody has answered for {self._outage_seconds:g} seconds; {told}", fault)
        self._refuse_if_broken()
        if not fault.transient or attempt >= self._max_attempts:
            _logger.error("%s: given up after %d attempts (%s)", connection.base_url, attempt, fault.brief)
            raise ProviderError(connection.explain(fault, attempt)) from None

    def _break(self, message: str, fault: Fault) -> None:
        if not self._broken:
            _logger.error("the circuit breaker opens, and every request ends (%s)", fault.brief)
        self._broken = message
        for deadline in self._deadlines:
            if not deadline.expired():
                deadline.reschedule(0.0)

    def _refuse_if_broken(self) -> None:
        if self._broken:
            raise ProviderError(self._broken) from None

    def _for_this_request(self, fault: Fault) -> Fault:
        """What the request must wait for: not for an endpoint that wants a rest, where another can be asked."""
        if all(each.health.resting for each in self._connections) or len(self._connections) == 1:
            return fault
        return replace(fault, wait_seconds=None)

    async def _sleep(self, seconds: float) -> None:
        """Wait, or less where the breaker opens meanwhile."""
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(None) as deadline:
                    self._deadlines.add(deadline)
                    try:
                        await asyncio.sleep(seconds)
                    finally:
                        self._deadlines.discard(deadline)


async def _kept(work: Awaitable[None]) -> Exception | None:
    """The error of some work, so that one endpoint's fault does not cut off the others' first contact."""
    try:
        await work
    except Exception as error:
        return error
    return None


def _reluctance(connection: Connection) -> tuple[bool, float]:
    return connection.health.resting, connection.load


def _key(request: ChatRequest) -> int:
    return name_key(request.seed, *(message.content for message in request.messages))


def _tokens_at_most(request: ChatRequest) -> int:
    """Tokens that a request is expected to take at most, by the rule of thumb of four bytes each."""
    sent = sum(len(message.content.encode()) for message in request.messages)
    return sent // _BYTES_A_TOKEN + request.max_tokens
