"""The client processes of one occasion: who has been given what, what waits for admission, and what came back."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from threading import Thread

from groundlings.environments.chat import ChatReply
from groundlings.environments.errors import WorkerLost
from groundlings.personas.mind import AsksModel
from groundlings.simulator.engines.client import ask_for_sessions
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
    unpacked_together,
)
from groundlings.simulator.engines.forked import ending, fork
from groundlings.simulator.engines.stopped import StoppedWorkers
from groundlings.simulator.engines.worker import ATTEMPTS, Answer, portable
from groundlings.simulator.language.admission import ClientLost, NoAnswer, Result, Wanted, admitted, layers
from groundlings.simulator.language.client_seat import Seat, ServesClients
from groundlings.simulator.log.shard_rows import Counts
from groundlings.simulator.shards import Occasion, Outcome

_WINDOW = 8
"""Sessions that may wait for an earlier one, for each that may be open."""

_ENDING_SECONDS = 5.0

_LOOKS_SECONDS = 5.0
"""See `pool`."""


@dataclass(eq=False)
class _Client:
    """A client process, as its parent knows it.

    Attributes:
        seat: Its number.
        places: Sessions that may be open there at once.
        given: Shards that it has been given and has not answered, in order.
        admitted: Ticket -> what will come of a request that may be on its way.
        admitting: Tasks that wait for admission, or for what comes of it.
        gone: Whether it has ended.
    """

    seat: int
    places: int
    process: ForkProcess
    connection: Connection
    given: list[int] = field(default_factory=list)
    admitted: dict[int, asyncio.Future[ChatReply]] = field(default_factory=dict)
    admitting: set[asyncio.Task[None]] = field(default_factory=set)
    gone: bool = False

    @property
    def begun(self) -> list[int]:
        """Shards that it may have begun."""
        return self.given[: self.places]

    def send(self, message: ToClient) -> None:
        """Tell it something; where it was killed, whoever reads from it finds out."""
        with suppress(OSError):
            self.connection.send(message)


class Clientele:
    """The clients of one occasion; raises `OSError` where the system lets none begin.

    Args:
        occasion: What is simulated.
        clients: How many there are.
        concurrency: Shards that may be open at once in all of them.
        tell: Is told what clients have to say.

    Attributes:
        answers: Shard -> what came of it, or the error that ended it; those that have not been taken.
    """

    def __init__(self, occasion: Occasion, clients: int, concurrency: int, tell: Callable[[str], None]) -> None:
        assert isinstance(occasion.snapshot.mind, AsksModel)
        self.answers: dict[int, Outcome | Exception] = {}
        self._occasion, self._clients, self._concurrency, self._tell = occasion, clients, concurrency, tell
        self._model = occasion.snapshot.mind.model
        _, _, servers = layers(self._model)
        self._servers: ServesClients | None = None
        if isinstance(servers, ServesClients):
            self._servers = servers
            servers.before_clients()
        self._todo = deque(range(len(occasion)))
        self._failed: list[int] = []
        self._strikes = Counter[int]()
        self._inbox: asyncio.Queue[tuple[_Client, bytes | None]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._readers: list[Thread] = []
        self._hired: list[_Client] = []
        self._silent, self._stopped = False, StoppedWorkers()
        self._life = os.pipe()
        try:
            for seat in range(clients):
                self._hire(seat)
        except OSError:
            if not self._hired:  # one is enough
                self.dismiss()
                raise

    @property
    def open(self) -> list[int]:
        """Shards that were begun and of which nothing came yet, as far as is known here."""
        return [*self._failed, *(shard for client in self._hired for shard in client.begun)]

    def take(self, number: int) -> Outcome:
        """What came of a shard; raises the error that ended it."""
        answer = self.answers.pop(number)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def work(self, until: int) -> list[str]:
        """Hand out shards and take in what comes back; what was lost meanwhile, in words.

        Args:
            until: The shard whose outcome is wanted first; others are begun so far ahead of it.

        Raises:
            WorkerLost: See `ClientProcesses.outcomes`.
        """
        self._hand_out(until)
        heard = []
        self._silent = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOKS_SECONDS):
                heard.append(await self._inbox.get())
                self._silent = False
        while not self._inbox.empty():
            heard.append(self._inbox.get_nowait())
        for client, content in heard:
            if content is not None:
                self._take_in(client, content)
        return [self._replaced(client) for client, content in heard if content is None]

    def stopped(self) -> list[str]:
        """What is to be said of clients that somebody has stopped, where nothing came for a while."""
        return self._stopped.look(client.process.pid for client in self._hired) if self._silent else []

    async def wind_up(self) -> None:
        """End all clients; what they have finished by then is among the answers, and what they spent is counted."""
        left = set(self._hired)
        for client in left:
            client.send(End())
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_SECONDS):
                while left:
                    client, content = await self._inbox.get()
                    if content is not None:
                        self._take_in(client, content)
                    else:
                        left.discard(client)
        for client in self._hired:
            self._forget_requests(client)
        await asyncio.gather(*(task for client in self._hired for task in client.admitting))

    def dismiss(self) -> None:
        """End all clients at once; they hold nothing that is needed."""
        for client in self._hired:
            client.process.kill()
            for task in client.admitting:
                task.cancel()
        for client in self._hired:
            client.process.join()
            client.process.close()
        for reader in self._readers:
            reader.join()
        for client in self._hired:
            client.connection.close()
        for end in self._life:
            os.close(end)

    def _hand_out(self, until: int) -> None:
        """Give each client as many shards as it has places, and a few to go on with."""
        most = until + _WINDOW * self._concurrency
        for client in sorted(self._hired, key=lambda each: len(each.given) / each.places):
            shards = []
            while self._todo and self._todo[0] < most and len(client.given) < client.places + 1 + client.places // 4:
                shards.append(self._todo.popleft())
                client.given.append(shards[-1])
            if shards:
                client.send(Give(tuple(shards)))

    def _take_in(self, client: _Client, content: bytes) -> None:
        for message in unpacked_together(content, self._occasion.sessions):
            self._heed(client, message)

    def _heed(self, client: _Client, message: FromClient) -> None:
        match message:
            case Answer(shard, outcome):
                client.given.remove(shard)
                assert not isinstance(outcome, Counts), "nobody asked for rows"
                self.answers[shard] = outcome
                if isinstance(outcome, Exception):
                    self._failed.append(shard)
            case Enter(ticket, wanted):
                task = self._loop.create_task(self._admit(client, ticket, wanted))
                client.admitting.add(task)
                task.add_done_callback(client.admitting.discard)
            case Leave(ticket, outcome):
                _resolve(client.admitted.pop(ticket, None), outcome)
            case Find(findings):
                self._spread(client, findings)
            case Tell(line):
                self._tell(line)

    async def _admit(self, client: _Client, ticket: int, wanted: Wanted) -> None:
        """Admit a request as soon as it may be sent, and account for what comes of it."""
        sent: ChatReply | None = None

        async def send() -> ChatReply:
            nonlocal sent
            if client.gone:
                raise NoAnswer
            client.admitted[ticket] = outcome = self._loop.create_future()
            client.send(Admit(ticket))
            sent = await outcome
            return sent

        try:
            reply = await admitted(self._model, wanted, send)
        except (NoAnswer, ClientLost):
            return
        except Exception as fault:
            client.send(Admit(ticket, fault=portable(fault)))  # a client that waits no more passes it by
            return
        client.send(Admit(ticket, kept=reply) if sent is None else Settle(ticket, None if reply is sent else reply))

    def _spread(self, source: _Client, findings: dict[tuple[str, ...], bool]) -> None:
        assert self._servers is not None
        self._servers.learn(findings)
        for client in self._hired:
            if client is not source:
                client.send(Find(findings))

    def _hire(self, seat: int) -> None:
        """Fork a client for a seat."""
        places = Seat(seat, self._clients, self._tell).share(self._concurrency)
        process, connection = fork(
            ask_for_sessions,
            self._life,
            self._occasion,
            seat,
            self._clients,
            places,
            beside=[client.connection for client in self._hired],
        )
        client = _Client(seat, places, process, connection)
        self._hired.append(client)
        reader = Thread(target=self._read, args=(client,), daemon=True, name=f"groundlings-client-{seat}")
        self._readers.append(reader)
        reader.start()

    def _read(self, client: _Client) -> None:
        """Pass on what a client sends, in a thread: this process may be busy writing, and no client waits for that."""
        content: bytes | None = b""
        while content is not None:
            try:
                content = client.connection.recv_bytes()
            except (EOFError, OSError):
                content = None
            with suppress(RuntimeError):  # the loop is closed, and nobody listens any more
                self._loop.call_soon_threadsafe(self._inbox.put_nowait, (client, content))

    def _replaced(self, client: _Client) -> str:
        """Take on another client for one that has ended, and have its sessions begun again; what is to be said.

        Raises:
            WorkerLost: A session that it had begun lost others before, or nobody is left.
        """
        client.process.join(_ENDING_SECONDS)
        client.process.kill()  # where it has closed its end and goes on
        client.process.join()
        how = ending(client.process.exitcode)
        client.process.close()
        client.connection.close()
        self._hired.remove(client)
        self._forget_requests(client)
        self._strikes.update(client.begun)
        self._todo = deque(sorted([*client.given, *self._todo]))
        where = f"{self._occasion.words}: a client process {how}"
        if worst := [shard for shard in client.begun if self._strikes[shard] >= ATTEMPTS]:
            self._failed += client.begun
            raise WorkerLost(
                f"{where}, as {ATTEMPTS - 1} others did that had begun a session of agent "
                f"{int(self._occasion.sessions(worst[0]).agents[0])}; give the machine more memory, or use fewer "
                "execution.workers, and resume the run"
            )
        try:
            if self._todo:
                self._hire(client.seat)
        except OSError as fault:
            if not self._hired:
                raise WorkerLost(
                    f"{where}, the last one, and no other could be started ({fault.strerror}); use execution.engine: "
                    "process, and resume the run"
                ) from None
        return f"a client process {how}; the sessions that it had begun are begun again"

    def _forget_requests(self, client: _Client) -> None:
        """Account for requests of a client that is gone: those on their way may have been answered."""
        client.gone = True
        for outcome in client.admitted.values():
            if not outcome.done():
                outcome.set_exception(ClientLost())
        client.admitted.clear()


def _resolve(waiting: asyncio.Future[ChatReply] | None, outcome: Result) -> None:
    if waiting is None or waiting.done():
        return
    if isinstance(outcome, ChatReply):
        waiting.set_result(outcome)
    else:
        waiting.set_exception(NoAnswer() if outcome is None else outcome)
