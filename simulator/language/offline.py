"""vLLM in this process: questions that are asked side by side are answered as one batch.

There is no server, no port and no serialisation between the agents and the engine, which is what throughput on one
machine wants. How questions fall into batches depends on who asks first, and batches round differently: a run with
this engine is repeated exactly from a call store, not by running it again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from groundlings.environments.chat import ChatReply, ChatRequest
from groundlings.environments.cleaning import storable
from groundlings.environments.errors import ConfigError, ProviderError
from groundlings.simulator.language.gbnf import grammar_for
from groundlings.simulator.language.reply_numbers import of_thinking
from groundlings.simulator.language.request_body import MOST_ALTERNATIVES
from groundlings.simulator.language.thinking import without_thinking


@dataclass(frozen=True, slots=True)
class _Question:
    request: ChatRequest
    answer: asyncio.Future[ChatReply]


class OfflineModel:
    """Collects what is asked and lets the engine answer it batch by batch. Use `open`.

    Args:
        engine: A `vllm.LLM`.
        name: The model's name.
        batch: Questions answered together at most.
        gather_seconds: How long to wait for further questions once one is there.
        structured: Whether the reply's form is enforced by a grammar.
        send_seed: Whether the request's seed is used.
        top_logprobs: Alternatives of a one-token answer.
        strip_thinking: Whether a thinking block is cut from the beginning of a reply.

    An instance belongs to the event loop it is first used in.
    """

    def __init__(
        self,
        engine: Any,
        name: str,
        *,
        batch: int,
        gather_seconds: float,
        structured: bool,
        send_seed: bool,
        top_logprobs: int = MOST_ALTERNATIVES,
        strip_thinking: bool = False,
    ) -> None:
        self._engine = engine
        self._name = name
        self._batch = batch
        self._gather_seconds = gather_seconds
        self._structured = structured
        self._send_seed = send_seed
        self._top_logprobs = top_logprobs
        self._strip_thinking = strip_thinking
        self._waiting: list[_Question] = []
        self._someone_asks = asyncio.Event()
        self._full = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, model: str, engine: Mapping[str, Any], **options: Any) -> OfflineModel:
        """Load a model; takes as long as vLLM takes.

        Args:
            model: Its name or directory.
            engine: Further arguments of `vllm.LLM`.
            options: The other arguments of the class.

        Raises:
            ConfigError: vLLM is not installed.
            ProviderError: vLLM cannot load the model.
        """
        try:
            from vllm import LLM
        except ImportError:
            raise ConfigError(
                'provider: vllm needs an extra that is not installed: pip install "groundlings[vllm]"'
            ) from None
        try:
            loaded = await asyncio.to_thread(LLM, model=model, **engine)
        except (OSError, RuntimeError, ValueError, TypeError) as error:
            raise ProviderError(f"vLLM cannot load {model}: {error}") from None
        return cls(loaded, model, **options)

    @property
    def name(self) -> str:
        """See `ChatModel.name`."""
        return self._name

    async def ask(self, request: ChatRequest) -> ChatReply:
        """See `ChatModel.ask`."""
        if self._worker is None:
            self._worker = asyncio.create_task(self._serve())
        question = _Question(request, asyncio.get_running_loop().create_future())
        self._waiting.append(question)
        self._someone_asks.set()
        if len(self._waiting) >= self._batch:
            self._full.set()
        return await question.answer

    async def close(self) -> None:
        """See `ChatModel.close`; closing twice is harmless."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None
        engine, self._engine = self._engine, None
        if engine is not None:
            # The engine has processes of its own. Left to the end of Python, they and it wait for each other.
            await asyncio.to_thread(engine.llm_engine.engine_core.shutdown)

    async def _serve(self) -> None:
        while True:
            await self._someone_asks.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), self._gather_seconds)
            batch = [each for each in self._waiting[: self._batch] if not each.answer.done()]
            self._waiting = self._waiting[self._batch :]
            if not self._waiting:
                self._someone_asks.clear()
            if len(self._waiting) < self._batch:
                self._full.clear()
            if batch:
                await self._answer(batch)

    async def _answer(self, batch: Sequence[_Question]) -> None:
        began = time.perf_counter()
        try:
            outputs = await asyncio.to_thread(self._generate, [each.request for each in batch])
            seconds = time.perf_counter() - began
            replies = [_reply(output, self._name, seconds, self._strip_thinking) for output in outputs]
        except Exception as error:
            # vLLM raises many kinds, and says which request it was about, if any, in words only.
            told = f"vLLM could not answer a batch of {len(batch)}: {type(error).__name__}: {error}"
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(ProviderError(told))
            return
        for each, reply in zip(batch, replies, strict=True):
            if not each.answer.done():
                each.answer.set_result(reply)

    def _generate(self, requests: Sequence[ChatRequest]) -> list[Any]:
        conversations = [
            [{"role": message.role, "content": message.content} for message in request.messages] for request in requests
        ]
        return self._engine.chat(conversations, [self._sampling(each) for each in requests], use_tqdm=False)

    def _sampling(self, request: ChatRequest) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        options: dict[str, Any] = {"temperature": request.temperature, "max_tokens": request.max_tokens}
        if self._send_seed and request.seed is not None:
            options["seed"] = request.seed
        if request.answers:
            options["logprobs"] = self._top_logprobs
        elif self._structured:
            options["structured_outputs"] = StructuredOutputsParams(grammar=grammar_for(request.reply_schema))
        return SamplingParams(**options)


def _reply(output: Any, name: str, seconds: float, strip_thinking: bool) -> ChatReply:
    """Read a `vllm.RequestOutput`; every reply of a batch took as long as the batch."""
    said = output.outputs[0]
    text = storable(said.text)
    first = dict(said.logprobs[0]) if said.logprobs else {}
    found = [(str(each.decoded_token), float(each.logprob)) for each in first.values()]
    if of_thinking(found):
        found = [(token, math.nan) for token, _ in found]
    answer = without_thinking(text) if strip_thinking else text
    return ChatReply(
        text=answer,
        model=name,
        fingerprint="",
        prompt_tokens=len(output.prompt_token_ids or ()),
        cached_tokens=int(output.num_cached_tokens or 0),
        completion_tokens=len(said.token_ids),
        latency_seconds=seconds,
        first_token=tuple(sorted(found, key=lambda each: -each[1])),
        finish_reason=str(getattr(said, "finish_reason", None) or ""),
        thought_characters=len(text) - len(answer),
    )
