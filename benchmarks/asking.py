"""What benchmarks of asking share: a model server of ours on loopback, and a bare loop that only asks."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import openai
from aiohttp import web

from groundlings.environments.chat import ChatModel, ChatReply, ChatRequest, Message
from groundlings.simulator.language.gbnf import grammar_for
from groundlings.simulator.language.scripted import legal_reply

LATENCY_SECONDS = 0.05

_NUMBERED_LINE = re.compile(r"^\d+\. (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pass:
    """One side, once.

    Attributes:
        rate: Questions per second.
        busy: Milliseconds of processor time per question, of this process and its client processes.
    """

    rate: float
    busy: float


class Eavesdropper:
    """Passes questions on and remembers them."""

    def __init__(self, model: ChatModel, requests: list[ChatRequest]) -> None:
        self._model = model
        self._requests = requests

    @property
    def name(self) -> str:
        """See `ChatModel.name`."""
        return self._model.name

    async def ask(self, request: ChatRequest) -> ChatReply:
        """See `ChatModel.ask`."""
        self._requests.append(request)
        return await self._model.ask(request)

    async def close(self) -> None:
        """See `ChatModel.close`."""
        await self._model.close()


def processor_seconds() -> float:
    """Of this process, and of its client processes that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def bare_loop(requests: Sequence[ChatRequest], *, concurrency: int, url: str, grammar: bool = False) -> Pass:
    """A loop that does nothing but ask, so many questions on their way at a time.

    Args:
        requests: What is asked, in this order.
        concurrency: How many are on their way at a time.
        url: Of the server.
        grammar: Whether replies are asked for by a grammar, as the embedded server has it, and not by a schema.
    """
    bodies = [_body(each, grammar) for each in requests]

    async def loop() -> Pass:
        client = openai.AsyncOpenAI(base_url=url, api_key="none", http_client=openai.DefaultAioHttpClient())
        left = iter(bodies)

        async def asker() -> None:
            for body in left:
                reply = await client.chat.completions.create(**body)
                assert reply.choices[0].message.content

        began, busy = time.perf_counter(), time.process_time()
        await asyncio.gather(*(asker() for _ in range(concurrency)))
        seconds, busy = time.perf_counter() - began, time.process_time() - busy
        await client.close()
        return Pass(len(bodies) / seconds, 1000 * busy / len(bodies))

    return asyncio.run(loop())


def _body(request: ChatRequest, grammar: bool) -> dict[str, Any]:
    described = {"name": "reply", "schema": request.reply_schema, "strict": False}
    form = {"response_format": {"type": "json_schema", "json_schema": described}}
    return {
        "model": "mock",
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": request.seed,
        "extra_body": {"grammar": grammar_for(request.reply_schema)} if grammar else form,
    }


@contextmanager
def mock_server() -> Iterator[str]:
    """The address of a server in a process of its own, which answers every question after `LATENCY_SECONDS`."""
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
    application = web.Application()
    application.router.add_get("/v1/models", _models)
    application.router.add_post("/v1/chat/completions", _complete)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    pipe.send(runner.addresses[0][1])
    await asyncio.Event().wait()


async def _models(_request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": "mock", "object": "model", "owned_by": "bench"}]})


async def _complete(request: web.Request) -> web.Response:
    """A legal reply, `LATENCY_SECONDS` after the question came."""
    due = asyncio.get_running_loop().time() + LATENCY_SECONDS
    body = await request.json()
    schema = body["response_format"]["json_schema"]["schema"]
    text = _reply(schema, body["seed"], body["messages"][-1]["content"])
    await asyncio.sleep(due - asyncio.get_running_loop().time())
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 300, "completion_tokens": 30, "total_tokens": 330}
    return web.json_response(
        {"id": "1", "object": "chat.completion", "created": 0, "model": "mock", "choices": [choice], "usage": usage}
    )


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
