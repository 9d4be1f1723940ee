"""What benchmarks of asking share: a bare loop that only asks, and the processor time that asking takes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import openai

from groundlings.environments.chat import ChatModel, ChatReply, ChatRequest
from groundlings.simulator.language.gbnf import grammar_for


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
