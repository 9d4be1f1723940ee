"""A model server of our own on loopback that fails in whatever way it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from groundlings.environments.chat import ChatRequest, Message
from groundlings.simulator.language.endpoint import EndpointModel

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

REPLY = '{"ok":true}'


def completion(text: str | None = REPLY) -> dict:
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "mock-1",
        "system_fingerprint": "build-7",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {
            "prompt_tokens": 30,
            "completion_tokens": 5,
            "total_tokens": 35,
            "prompt_tokens_details": {"cached_tokens": 20},
        },
    }


async def answer(_request: web.Request) -> web.StreamResponse:
    return web.json_response(completion())


def status(code: int, body: str = '{"error":{"message":"no"}}', **headers: str) -> Answer:
    async def fail(_request: web.Request) -> web.StreamResponse:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return web.Response(status=code, text=body, content_type="application/json", headers=named)

    return fail


def text_reply(body: str, content_type: str) -> Answer:
    async def garble(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type=content_type)

    return garble


def refusing(when, status: int, said, text: str | None = None) -> Answer:
    """A server that refuses the bodies for which `when` holds, in some words, and answers all others."""

    async def handler(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if when(body):
            error = {"error": said if isinstance(said, dict) else {"message": said}}
            return web.json_response(error, status=status)
        return web.json_response(completion(REPLY if text is None else text))

    return handler


async def hang(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    raise AssertionError("nobody waits that long")


async def trickle(request: web.Request) -> web.StreamResponse:
    """A byte now and then: no single read ever times out."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(600):
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def half(request: web.Request) -> web.StreamResponse:
    body = json.dumps(completion()).encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


class MockServer:
    """Answers the next request by the next entry of `script`, and by `every` once the script is over."""

    def __init__(
        self, *script: Answer, models: Answer | None = None, owner: str = "somebody", every: Answer = answer
    ) -> None:
        self.every = every
        self.script = list(script)
        self.bodies: list[dict] = []
        self.headers: list[dict] = []
        self.open_now = 0
        self.most_open = 0
        self._models = models
        self._owner = owner

    async def __aenter__(self) -> MockServer:
        application = web.Application()
        application.router.add_get("/v1/models", self._list)
        application.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if self._models is not None:
            return await self._models(request)
        return web.json_response({"object": "list", "data": [{"id": "mock-1", "owned_by": self._owner}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            return await (self.script.pop(0) if self.script else self.every)(request)
        finally:
            self.open_now -= 1


async def ask(server: MockServer, *requests: ChatRequest, **options):
    """Everything that comes of some requests at a time: replies, or errors."""
    model = EndpointModel(base_url=server.url, **{"model": "mock-1", "timeout_seconds": 5.0, **options})
    try:
        return await asyncio.gather(*map(model.ask, requests), return_exceptions=True)
    finally:
        await model.close()


def outcome(handler: Answer, *requests: ChatRequest, models: Answer | None = None, **options):
    """What comes of some requests to a server that answers in one way, and the server."""

    async def scenario():
        async with MockServer(every=handler, models=models) as server:
            return await ask(server, *requests, **options), server

    return asyncio.run(scenario())


class Mock:
    """Everything a test needs to set up a server, under one fixture."""

    Server = MockServer
    answer = staticmethod(answer)
    status = staticmethod(status)
    text_reply = staticmethod(text_reply)
    hang = staticmethod(hang)
    trickle = staticmethod(trickle)
    reset = staticmethod(reset)
    half = staticmethod(half)
    completion = staticmethod(completion)
    refusing = staticmethod(refusing)
    ask = staticmethod(ask)
    outcome = staticmethod(outcome)


@pytest.fixture
def mock() -> type[Mock]:
    return Mock


@pytest.fixture
def request_() -> ChatRequest:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    return ChatRequest((Message("system", "Answer."), Message("user", "Well?")), schema, 16, 0.5, 11)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off as ever, a hundred times faster."""
    monkeypatch.setattr("groundlings.simulator.language.faults._FIRST_DELAY_SECONDS", 0.005)
