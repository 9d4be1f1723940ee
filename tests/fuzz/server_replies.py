"""Spoilt answers of a model server: bodies, statuses, headers and the bytes on the wire, asked for over loopback."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import socket
import threading
from pathlib import Path

from reply_mutation import COMPLETION, KEY, MODELS, MOST_BYTES, as_json, on_the_wire, spoilt
from world import EARLIER, Campaign, Work, World

from groundlings.environments.chat import CallRecord, ChatReply, ChatRequest, Message
from groundlings.environments.errors import ProviderError, UnreadableReply
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment
from groundlings.personas.minds.language.reply_schema import read_reply, reply_schema
from groundlings.simulator.language import faults, pool
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.log.call_rows import call_rows

PLAYED_EVERY = 50
"""Every so many-th answer is given to a whole run; the others to the pool, whose replies are read and made rows."""
SHARE_LEFT_OPEN = 0.01
"""Connections that are left open though the answer is not whole: only a deadline ends these."""

QUESTION = ChatRequest(
    (Message("system", "Answer."), Message("user", "Which do you open?")),
    reply_schema((1, 2, 3), (1, 2, 3, 4, 5), True, ("delighted", "bored")), 60, 0.5, 3,
)  # fmt: skip
ODDS = ChatRequest(QUESTION.messages, QUESTION.reply_schema, 1, 0.0, 3, ("yes", "no"))

_WHOLE = [on_the_wire(200, as_json(content), [], None) for content in (MODELS, COMPLETION)]


class Server:
    """Gives whatever it is told to, byte for byte: for the list of models, and so many times for a question.

    Then it answers as it should, which is how a refused prompt and a server that refuses are told apart.
    """

    def __init__(self) -> None:
        self.models = self.chat = b""
        self.times = 0
        self.left_open = False
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            caller, _ = self._door.accept()
            threading.Thread(target=self._answer, args=(caller,), daemon=True).start()

    def _answer(self, caller: socket.socket) -> None:
        try:
            with caller:
                asked = b""
                while b"\r\n\r\n" not in asked:
                    if not (part := caller.recv(65536)):
                        return
                    asked += part
                head, _, rest = asked.partition(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0
                )
                while len(rest) < length:
                    rest += caller.recv(65536)
                if head.startswith(b"GET"):
                    caller.sendall(self.models)
                else:
                    self.times -= 1
                    caller.sendall(self.chat if self.times >= 0 else _WHOLE[1])
                if self.left_open:
                    caller.recv(1)  # until the other end has had enough
                caller.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # who asked has hung up


def server_replies(world: World, total: int) -> Campaign:
    """Answers to the list of models, to a question, and errors; spoilt in one of them, or on the wire."""
    server = Server()

    def spoil(number: int, luck: random.Random) -> tuple[str, Work]:
        how, status, body, headers = spoilt(luck)
        answer = on_the_wire(status, body, headers, luck)
        server.models, server.chat = (answer, _WHOLE[1]) if luck.random() < 0.2 else (_WHOLE[0], answer)
        server.times = luck.choice((1, 2, 1000))
        server.left_open = luck.random() < SHARE_LEFT_OPEN
        if number % PLAYED_EVERY == 0:
            return how, lambda: _played(world, server)
        request = luck.choice((QUESTION, ODDS))
        return how, lambda: _asked(server, request)

    return Campaign("server replies", total, spoil)


def _asked(server: Server, request: ChatRequest) -> str:
    """What the pool makes of an answer, read as minds read it, and as a row of the log."""

    async def ask() -> ChatReply:
        connection = Connection(
            base_url=server.url, model="mock-1", api_key=KEY, timeout_seconds=0.5, max_reply_bytes=MOST_BYTES
        )
        asked = pool.EndpointPool([connection], max_attempts=2, outage_seconds=2.0, first_contact_seconds=2.0)
        try:
            return await asked.ask(request)
        finally:
            await asked.close()

    with _hurrying():
        try:
            reply = asyncio.run(ask())
        except ProviderError as error:
            if KEY in f"{error} {getattr(error, 'what', '')}":
                raise AssertionError("the key stands in a message") from None
            raise
    _check(reply)
    row = call_rows([(0, 1, 1, CallRecord(request, reply, "t", "h", "ok"))], 1, 1, 1)[0]
    told = json.dumps(row, ensure_ascii=False, allow_nan=False)
    assert KEY not in told.replace(json.dumps([each.content for each in request.messages]), ""), (
        "the key stands in the log"
    )
    assert len(told.encode()) < 8 * MOST_BYTES
    if request.answers:
        return "odds" if reply.first_token else "no odds"
    try:
        read_reply(reply.text, takes_stars=True, may_go_on=True)
    except UnreadableReply:
        return "unreadable"
    return "read"


def _check(reply: ChatReply) -> None:
    """A reply is what the log can hold, and a budget can count."""
    for count in (reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens, reply.thought_characters):
        assert type(count) is int, "a count that is none"
        assert 0 <= count < 2**40, "a count beyond belief"
    assert math.isfinite(reply.latency_seconds)
    for token, log in reply.first_token:
        assert isinstance(token, str), "a token that is no text"
        assert math.isnan(log) or -1e309 < log <= 1e-3, "a log probability that is none"


def _played(world: World, server: Server) -> str:
    """A whole run of two people."""
    model = {
        "provider": "endpoint", "base_url": server.url, "model": "mock-1", "api_key_env": "FUZZ_KEY",
        "max_attempts": 2, "timeout_seconds": 0.5,
        "first_contact_seconds": 2.0, "outage_seconds": 2.0, "max_reply_bytes": MOST_BYTES,
    }  # fmt: skip
    settings = EARLIER | {"name": "answered", "mind": {"kind": "language", "model": model}}
    settings |= {"population": {"size": 2}, "simulation": {"days": 1}}
    os.environ["FUZZ_KEY"] = KEY
    world.draw(False)
    try:
        with _hurrying():
            run_experiment(ExperimentConfig.model_validate({**settings, "base": world.configs}))
    finally:
        written = b"".join(path.read_bytes() for path in Path(world.root / "runs").rglob("*") if path.is_file())
        assert KEY.encode() not in written, "the key stands in a file"
        world.draw(True)
        world.tidy()
    return "valid run"


class _hurrying:  # noqa: N801 - a context manager
    """Waits between attempts take no time."""

    def __enter__(self) -> None:
        self._kept = faults._FIRST_DELAY_SECONDS, faults._LONGEST_DELAY_SECONDS
        faults._FIRST_DELAY_SECONDS, faults._LONGEST_DELAY_SECONDS = 0.001, 0.002

    def __exit__(self, *_error: object) -> None:
        faults._FIRST_DELAY_SECONDS, faults._LONGEST_DELAY_SECONDS = self._kept
