"""Several addresses of one model: who is asked next, what is tried again, and when to give up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

import aiohttp

from groundlings.environments.chat import ChatReply, ChatRequest
from groundlings.environments.cleaning import logger
from groundlings.environments.errors import ProviderError, UnanswerablePrompt
from groundlings.environments.random_streams import name_key
from groundlings.simulator.language.client_seat import Seat
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.faults import BadStatus, Fault, GarbledReply, back_off_seconds, fault_of
from groundlings.simulator.language.late_replies import on_its_way
from groundlings.simulator.language.model_list import Capabilities
from groundlings.simulator.language.request_body import control_question
from groundlings.simulator.language.setting_names import setting
from groundlings.simulator.language.waiting import Notices, Tell, no_one, told_while_waiting

Result = TypeVar("Result")

_logger = logger(__name__)

_ATTEMPT_ERRORS = (BadStatus, GarbledReply, aiohttp.ClientError, OSError, TimeoutError)
_NOBODY_IS_SERVED = frozenset({"account", "key"})
_OF_ONE_PROMPT = frozenset({"prompt", "generation", "request"})
_ATTEMPTS_AT_A_REFUSED_PROMPT = 2
_ATTEMPTS_AT_A_CONTROL_QUESTION = 3
_BYTES_A_TOKEN = 4
_POLL_SECONDS = 0.02
_STOOD_STILL_SECONDS = 1.0
"""How late an event loop may come to a deadline because it has much to do."""


class EndpointPool:
    """Gives every request to the endpoint with the least work; waiting, for whatever reason, holds no place.

    An endpoint that fails a few times in a row, or asks to be left alone, gets no new requests for a while unless
    all others do as badly; what it has begun it may finish. A transient fault is tried again, at another endpoint
    where there is one. A wrong key, an empty account, an unknown model, or silence from all endpoints opens the
    *circuit breaker*: every request of the pool, the waiting and the travelling alike, ends at once with the same
    message. So does a request that is refused in a way that a *control question* put likewise is refused, too; where
    that one is answered, the prompt alone is at fault, and only its request ends (`UnanswerablePrompt`).

    Args:
        connections: The endpoints; they serve one model, so their replies are interchangeable.
        max_attempts: Attempts at one request, the first included.
        outage_seconds: The breaker opens when nobody has answered for so long.
        first_contact_seconds: How long an endpoint may take, all attempts together, to answer for the first time.
        tell: Is told where people wait for a server.

    An instance belongs to the event loop it is first used in.
    """

    def __init__(
        self,
        connections: Sequence[Connection],
        *,
        max_attempts: int = 8,
        outage_seconds: float = 60.0,
        first_contact_seconds: float = 30.0,
        tell: Tell = no_one,
    ) -> None:
        self._connections = list(connections)
        for each in self._connections[1:]:
            each.share_forms(self._connections[0])
        self._max_attempts = max_attempts
        self._outage_seconds = outage_seconds
        self._first_contact_seconds = first_contact_seconds
        self._tell = tell
        self._notices = Notices(tell, lambda: self._connections)
        self._starting = asyncio.Lock()
        self._started = False
        self._broken = ""
        self._controlling = asyncio.Lock()
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
        """See `ChatModel.ask`.

        Raises:
            UnanswerablePrompt: This prompt is refused for good, and others are not.
        """
        if not self._started:
            await self.start()
        reserved = _tokens_at_most(request)

        async def send(connection: Connection) -> ChatReply:
            reply = await connection.complete(request)
            connection.health.succeeded(reply.latency_seconds)
            connection.pace.settle(reserved, reply.prompt_tokens + reply.completion_tokens)
            self._notices.remarks(connection)
            return reply

        self._notices.asks()
        try:
            reply, attempts = await self._persistently(send, lambda: _key(request), reserved, request=request)
        finally:
            self._notices.asked()
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

    @property
    def most_clients(self) -> int:
        """See `ServesClients.most_clients`."""
        return min(each.concurrency for each in self._connections)

    def before_clients(self) -> None:
        """See `ServesClients.before_clients`: rate limits and rests are shared."""
        for each in self._connections:
            each.before_clients()

    def begin_in_client(self, seat: Seat) -> None:
        """See `ServesClients.begin_in_client`; contact was made before."""
        self._tell = seat.tell
        self._notices = Notices(seat.tell, lambda: self._connections)
        self._starting, self._controlling = asyncio.Lock(), asyncio.Lock()
        self._deadlines = set()
        for each in self._connections:
            each.begin_in_client(seat.share(each.concurrency))

    @property
    def findings(self) -> dict[tuple[str, ...], bool]:
        """See `ServesClients.findings`."""
        return self._connections[0].forms.findings

    def learn(self, findings: dict[tuple[str, ...], bool]) -> None:
        """See `ServesClients.learn`."""
        self._connections[0].forms.learn(findings)  # all endpoints share them

    async def close(self) -> None:
        """See `ChatModel.close`."""
        self._notices.off()
        for each in self._connections:
            await each.close()

    async def _meet(self, connection: Connection) -> None:
        """First contact, within its deadline and with a line on the screen where it takes long."""

        async def probe(connection: Connection) -> Capabilities:
            return await connection.probe()

        url, seconds = connection.base_url, self._first_contact_seconds
        try:
            with told_while_waiting(self._tell, lambda: f"model server {url}"):
                async with asyncio.timeout(seconds) as deadline:
                    found, _ = await self._persistently(
                        probe, key=lambda: 0, tokens=0, only=connection, until=deadline.when()
                    )
        except TimeoutError as late:
            last = f" ({said})" if (said := str(late) or connection.health.last_fault) else ""
            when = f"within the {seconds:g} seconds that it may take" if str(late) else f"within {seconds:g} seconds"
            address, longer = (setting(connection.key, key) for key in ("base_url", "first_contact_seconds"))
            told = f"model server {url}: no answer to be had at first contact {when}{last}"
            hint = f"see whether it is up, mend {address}, or give it longer with {longer}"
            raise ProviderError(f"{told}; {hint}") from None
        connection.know(found)

    async def _persistently(
        self,
        send: Callable[[Connection], Awaitable[Result]],
        key: Callable[[], int],
        tokens: int,
        only: Connection | None = None,
        request: ChatRequest | None = None,
        until: float | None = None,
    ) -> tuple[Result, int]:
        """The result of the first attempt that succeeds, and how many it took; `key` tells its jitter from others'.

        Raises:
            TimeoutError: The next attempt would come after `until`, in the event loop's time; says what happened last.
        """
        attempt, refusals = 1, 0
        while True:
            self._refuse_if_broken()
            connection = only or self._least_reluctant()
            try:
                return await self._attempt(connection, send, attempt, tokens, request), attempt
            except _ATTEMPT_ERRORS as error:
                fault = fault_of(error)
            self._refuse_if_broken()
            if fault.status == 403 and fault.concerns == "key" and connection.health.has_answered:
                fault = replace(fault, concerns="request")  # a firewall that dislikes a prompt says so, too
            if fault.concerns not in _OF_ONE_PROMPT:
                self._note(connection, fault)
            self._weigh(connection, fault, attempt, request)
            if request is not None:
                refusals += not fault.transient
                await self._give_up_a_prompt(connection, fault, attempt, refusals, request)
            seconds = back_off_seconds(self._for_this_request(fault), attempt, key())
            if until is not None and asyncio.get_running_loop().time() + seconds >= until:
                asks = f"; it asks to wait {fault.wait_seconds:,.0f} s" if fault.wait_seconds else ""
                raise TimeoutError(f"{fault.what}{asks}")
            self._notices.rest(connection, fault, seconds)
            _logger.info(
                "%s: attempt %d failed (%s), again in %.1f s", connection.base_url, attempt, fault.brief, seconds
            )
            await self._sleep(seconds)
            attempt += 1

    async def _attempt(
        self,
        connection: Connection,
        send: Callable[[Connection], Awaitable[Result]],
        attempt: int,
        tokens: int,
        request: ChatRequest | None = None,
    ) -> Result:
        connection.health.outstanding += 1
        try:
            if wait := connection.pace.reserve(tokens):
                await self._sleep(wait)
            async with connection.turn(request) if request else nullcontext(), connection.places:
                self._refuse_if_broken()
                async with asyncio.timeout(connection.health.patience_seconds(attempt)) as deadline:
                    self._deadlines.add(deadline)
                    try:
                        with on_its_way():
                            return await send(connection)
                    finally:
                        self._deadlines.discard(deadline)
                        self._excuse(connection, deadline)
        finally:
            connection.health.outstanding -= 1

    def _excuse(self, connection: Connection, deadline: asyncio.Timeout) -> None:
        """Where a deadline comes late, this process stood still (SIGSTOP), and no server was silent meanwhile."""
        due = deadline.when()
        late = 0.0 if due is None or self._broken else asyncio.get_running_loop().time() - due
        if late >= _STOOD_STILL_SECONDS:
            connection.health.stood_still(late)

    def _least_reluctant(self) -> Connection:
        return min(self._connections, key=_reluctance) if len(self._connections) > 1 else self._connections[0]

    def _note(self, connection: Connection, fault: Fault) -> None:
        was_resting = connection.health.resting
        connection.health.failed(fault)
        if connection.health.resting and not was_resting:
            _logger.warning("%s: left alone for a while (%s)", connection.base_url, fault.brief)

    def _weigh(self, connection: Connection, fault: Fault, attempt: int, request: ChatRequest | None) -> None:
        """Raise `ProviderError` where trying again cannot help, and open the breaker where it cannot help anybody."""
        first_contact = connection.capabilities is None
        told = partial(connection.explain, fault, attempt, request)
        if fault.concerns in _NOBODY_IS_SERVED or fault.status == 404 or (fault.refused and first_contact):
            self._break(told(), fault)
        elif all(each.health.silent(self._outage_seconds) for each in self._connections):
            self._break(f"nobody has answered for {self._outage_seconds:g} seconds; {told()}", fault)
        self._refuse_if_broken()
        only_the_prompt = request is not None and (fault.concerns in _OF_ONE_PROMPT or fault.status == 500)
        if only_the_prompt or (request is not None and fault.garbled):
            return
        if not fault.transient or attempt >= self._max_attempts:
            _logger.error("%s: given up after %d attempts (%s)", connection.base_url, attempt, fault.brief)
            raise ProviderError(told()) from None

    async def _give_up_a_prompt(
        self, connection: Connection, fault: Fault, attempt: int, refusals: int, request: ChatRequest
    ) -> None:
        """Raise `UnanswerablePrompt` where one prompt has had its attempts and the endpoint answers others.

        Raises:
            ProviderError: The endpoint does not answer the control question either.
        """
        if fault.transient:
            over, unclear = attempt >= self._max_attempts, fault.concerns == "server"
        else:
            over = refusals >= min(_ATTEMPTS_AT_A_REFUSED_PROMPT, self._max_attempts)
            unclear = fault.concerns == "request" and refusals == 1
        if unclear and (over or not fault.transient) and not await self._answers_others(connection, request):
            self._refuse_if_broken()
            told = connection.explain(fault, attempt, request)
            if not fault.transient:
                self._break(told, fault)
            raise ProviderError(told) from None
        if over:
            _logger.error("%s: a prompt is given up after %d attempts (%s)", connection.base_url, attempt, fault.brief)
            message = f"model server {connection.base_url} refuses one prompt: {fault.what}"
            raise UnanswerablePrompt(message, what=fault.what, attempts=attempt) from None

    async def _answers_others(self, connection: Connection, request: ChatRequest) -> bool:
        """Whether an endpoint answers a question that nobody objects to, put in the same way as a refused one."""
        question = control_question(request)

        async def send(connection: Connection) -> ChatReply:
            return await connection.complete(question)

        async with self._controlling:
            self._refuse_if_broken()
            _logger.warning("%s: asks a control question, because a request was refused", connection.base_url)
            for attempt in range(1, _ATTEMPTS_AT_A_CONTROL_QUESTION + 1):
                try:
                    await self._attempt(connection, send, attempt, _tokens_at_most(question))
                    return True
                except _ATTEMPT_ERRORS as error:
                    fault = fault_of(error)
                if not fault.transient:
                    return False
                if fault.concerns == "generation":
                    return True
                await self._sleep(back_off_seconds(fault, attempt, _key(question)))
        return False

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
