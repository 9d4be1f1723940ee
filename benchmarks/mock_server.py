"""A model server of ours on loopback: it answers every question after `LATENCY_SECONDS`, and costs next to nothing.

It shares the cores with whoever is measured. So its requests are read by httptools, and each answer is worked out once:
benchmarks ask the same questions in every round, and do not measure the first one.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import httptools

from groundlings.environments.chat import ChatRequest, Message
from groundlings.simulator.language.scripted import legal_reply

LATENCY_SECONDS = 0.05

_NUMBERED_LINE = re.compile(r"^\d+\. (.+)$", re.MULTILINE)
_WAITING_CONNECTIONS = 1024


@contextmanager
def mock_server() -> Iterator[str]:
    """The address of a server in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Any) -> None:
    asyncio.run(_serve_forever(pipe))


async def _serve_forever(pipe: Any) -> None:
    server = await asyncio.get_running_loop().create_server(_Exchange, "127.0.0.1", 0, backlog=_WAITING_CONNECTIONS)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Exchange(asyncio.Protocol):
    """One connection, on which one request follows the other; the parser calls the methods `on_...`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self._body.append(part)

    def on_message_complete(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + LATENCY_SECONDS
        body, self._body = b"".join(self._body), []
        loop.call_at(due, self._transport.write, _completion(body) if body else _models())


@cache
def _models() -> bytes:
    return _answer({"object": "list", "data": [{"id": "mock", "object": "model", "owned_by": "bench"}]})


@cache
def _completion(body: bytes) -> bytes:
    """The answer to a question, with a legal reply."""
    question = json.loads(body)
    schema = question["response_format"]["json_schema"]["schema"]
    text = _reply(schema, question["seed"], question["messages"][-1]["content"])
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 300, "completion_tokens": 30, "total_tokens": 330}
    return _answer(
        {"id": "1", "object": "chat.completion", "created": 0, "model": "mock", "choices": [choice], "usage": usage}
    )


def _answer(body: Mapping[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def _reply(schema: Mapping[str, Any], seed: int, question: str) -> str:
    """Any reply that the schema allows; a list of free texts names what stands last in numbered lines."""
    text = legal_reply(ChatRequest((Message("user", ""),), schema, 1, 0.0, seed))
    keys = [key for key, form in schema.get("properties", {}).items() if _is_of_texts(form)]
    names = _NUMBERED_LINE.findall(question) if keys else []
    if not names:
        return text
    said = json.loads(text)
    for key in set(keys) & set(said):
        said[key] = names[-len(said[key]) :] if said[key] else []
    return json.dumps(said)


def _is_of_texts(form: Mapping[str, Any]) -> bool:
    return form.get("type") == "array" and form.get("items", {}).get("type") == "string" and "enum" not in form["items"]
