"""What a client process does: the shards that it is given, many at a time, each asking the model as it goes along.

It has an event loop and connections of its own. What it finds out and finishes goes back in batches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection

from groundlings.environments.chat import ChatModel, ChatReply
from groundlings.personas.mind import AsksModel
from groundlings.simulator.concurrency import rare_collections
from groundlings.simulator.engines.client_messages import (
    Admit,
    End,
    Enter,
    Find,
    FromClient,
    Give,
    Leave,
    Settle,
    Tell,
    ToClient,
    packed_together,
)
from groundlings.simulator.engines.forked import become_worker
from groundlings.simulator.engines.worker import Answer, portable
from groundlings.simulator.language.admission import AdmittedModel, Result, Wanted, layers
from groundlings.simulator.language.client_seat import Seat, ServesClients
from groundlings.simulator.shards import Occasion, Outcome

_GATHER_SECONDS = 0.005
"""How long a finished session waits for others to be sent with."""


def ask_for_sessions(
    connection: Connection,
    not_ours: Iterable[Connection],
    life: tuple[int, int],
    occasion: Occasion,
    number: int,
    of: int,
    places: int,
) -> None:
    """The life of a client process, until it is told to end.

    Args:
        connection: To the parent; see `client_messages`.
        not_ours: Connections of the parent, copied by the fork.
        life: As for `worker.simulate_what_is_asked`.
        occasion: What shards are of.
        number: Of this client, 0 for the first.
        of: How many clients there are.
        places: Sessions that may be open here at once.
    """
    from threadpoolctl import threadpool_limits

    become_worker(not_ours, life)
    with threadpool_limits(1), suppress(EOFError, OSError), rare_collections():
        asyncio.run(_Client(connection, occasion, places).live(number, of))


class _Client:
    def __init__(self, connection: Connection, occasion: Occasion, places: int) -> None:
        self._connection = connection
        self._occasion = occasion
        self._places = asyncio.Semaphore(places)
        self._open: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._tickets = count()
        self._waiting: dict[int, asyncio.Future[ChatReply | None]] = {}
        self._outbox: list[FromClient] = []
        self._sending: asyncio.Handle | None = None
        self._servers: ServesClients | None = None
        self._known: dict[tuple[str, ...], bool] = {}

    async def live(self, number: int, of: int) -> None:
        """Until it is told to end, or the parent is gone."""
        asyncio.get_running_loop().add_reader(self._connection.fileno(), self._hear)
        model = self._settle_in(Seat(number, of, lambda line: self._put(Tell(line))))
        await self._over.wait()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await model.close()
        self._send()

    async def enter(self, wanted: Wanted) -> tuple[int, ChatReply | None]:
        """See `Gate.enter`."""
        ticket = next(self._tickets)
        self._put(Enter(ticket, wanted), urgent=True)
        return ticket, await self._answer(ticket)

    async def leave(self, ticket: int, outcome: Result) -> ChatReply | None:
        """See `Gate.leave`; nobody waits for the word on a request that came to nothing."""
        self._put(Leave(ticket, outcome), urgent=True)
        return await self._answer(ticket) if isinstance(outcome, ChatReply) else None

    def leave_late(self, ticket: int, reply: ChatReply) -> None:
        """See `Gate.leave_late`."""
        self._put(Leave(ticket, reply), urgent=True)

    def _settle_in(self, seat: Seat) -> ChatModel:
        """Make the mind ask from here; how it does."""
        mind = self._occasion.snapshot.mind
        assert isinstance(mind, AsksModel)
        store, budget, servers = layers(mind.model)
        if isinstance(servers, ServesClients):
            self._servers = servers
            servers.begin_in_client(seat)
            self._known = servers.findings
        if store is not None or budget is not None:
            mind.ask_through(AdmittedModel(mind.model, self))
        return mind.model

    async def _answer(self, ticket: int) -> ChatReply | None:
        self._waiting[ticket] = asyncio.get_running_loop().create_future()
        try:
            return await self._waiting[ticket]
        finally:
            del self._waiting[ticket]

    def _hear(self) -> None:
        try:
            while self._connection.poll():
                self._take(self._connection.recv())
        except (EOFError, OSError):
            self._over.set()

    def _take(self, message: ToClient) -> None:
        match message:
            case Give(shards):
                for number in shards:
                    task = asyncio.get_running_loop().create_task(self._simulate(number))
                    self._open.add(task)
                    task.add_done_callback(self._open.discard)
            case Admit(ticket, kept, fault):
                self._answered(ticket, kept, fault)
            case Settle(ticket, other):
                self._answered(ticket, other, None)
            case Find(findings):
                self._known |= findings
                if self._servers is not None:
                    self._servers.learn(findings)
            case End():
                self._over.set()

    def _answered(self, ticket: int, reply: ChatReply | None, fault: Exception | None) -> None:
        future = self._waiting.get(ticket)
        if future is not None and not future.done():  # a session that was cancelled waits no more
            if fault is None:
                future.set_result(reply)
            else:
                future.set_exception(fault)

    async def _simulate(self, number: int) -> None:
        async with self._places:
            outcome: Outcome | Exception
            try:
                outcome = await self._occasion.outcome(number)
            except Exception as fault:
                outcome = portable(fault)
        self._put(Answer(number, outcome))

    def _put(self, message: FromClient, *, urgent: bool = False) -> None:
        """Have a message sent soon, or as soon as nothing else can be done."""
        self._outbox.append(message)
        loop = asyncio.get_running_loop()
        if urgent and isinstance(self._sending, asyncio.TimerHandle):
            self._sending.cancel()
            self._sending = None
        if self._sending is None:
            self._sending = loop.call_soon(self._send) if urgent else loop.call_later(_GATHER_SECONDS, self._send)

    def _send(self) -> None:
        self._sending = None
        if self._servers is not None and (found := self._servers.findings) != self._known:
            self._known = found
            self._outbox.insert(0, Find(found))
        messages, self._outbox = self._outbox, []
        if messages:
            with suppress(OSError):  # the parent is gone, and so will this process be
                self._connection.send_bytes(packed_together(messages))
