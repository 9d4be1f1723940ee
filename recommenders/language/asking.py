"""One question to the language model of an arm, and the call as the log keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from groundlings.environments.chat import CallRecord, ChatModel, ChatRequest, Message, Sampling
from groundlings.environments.cleaning import printable
from groundlings.environments.errors import ProviderError, UnanswerablePrompt, UnreadableReply
from groundlings.environments.prompts import Prompt
from groundlings.environments.replies import refused

_Read = TypeVar("_Read")
_Done = TypeVar("_Done")

LARGEST_SEED = 2**31

_BEGUN_AT_ONCE = 16
_LONGEST_QUOTE = 100


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        prompt: The text it was made from.
        shared: What is the same in every question of the arm; it comes first, so that prefix caches find it.
        told: What belongs to this question.
        schema: JSON Schema of the reply.
        more_tokens: What the reply may take beyond the model's own `max_tokens`.
        seed: Of the sampling.
        row: The session of the request that it is for.
    """

    prompt: Prompt
    shared: str
    told: str
    schema: Mapping[str, Any]
    more_tokens: int
    seed: int
    row: int


@dataclass(frozen=True, slots=True)
class Asker:
    """Puts questions to a model, once each: no second try, so that a page costs what its recommender says.

    Attributes:
        model: Who is asked; it bounds how many calls are open at a time.
        sampling: How replies are drawn.
    """

    model: ChatModel
    sampling: Sampling

    def request(self, question: Question) -> ChatRequest:
        """What a question is to the model."""
        return ChatRequest(
            messages=(Message("system", question.shared), Message("user", question.told)),
            reply_schema=question.schema,
            max_tokens=self.sampling.max_tokens + question.more_tokens,
            temperature=self.sampling.temperature,
            seed=question.seed,
        )

    async def ask(self, question: Question, read: Callable[[str], _Read]) -> tuple[_Read | None, CallRecord]:
        """What was said, None where it could not be read or the server refuses to answer, and the call.

        Args:
            question: What is asked.
            read: Reads a reply; raises `UnreadableReply`.
        """
        request = self.request(question)
        prompt, row = question.prompt, question.row
        try:
            reply = await self.model.ask(request)
        except UnanswerablePrompt as refusal:
            reply = refused(self.model, refusal)
            return None, CallRecord(request, reply, prompt.name, prompt.sha256, "unanswerable", row)
        try:
            said = read(reply.text)
        except UnreadableReply:
            return None, CallRecord(request, reply, prompt.name, prompt.sha256, "unreadable", row)
        return said, CallRecord(request, reply, prompt.name, prompt.sha256, "ok", row)


def nothing_to_list(recommender: str, what: str, call: CallRecord, fallback: str = "candidates") -> ProviderError:
    """What stops a run where a reply is of no use for a list and no `fallback` says what is listed then.

    Args:
        recommender: Its name.
        what: What is missing.
        call: The last one.
        fallback: What the option `fallback` may be.
    """
    said = printable(call.reply.text, limit=_LONGEST_QUOTE) or "empty"
    return ProviderError(
        f"{recommender}: {what}; the last reply ({call.status}): {said}. Say what is listed then "
        f"(`fallback: {fallback}` in the recommender's options), or choose another model"
    )


async def side_by_side(work: Iterable[Coroutine[Any, Any, _Done]]) -> list[_Done]:
    """What comes of some work that asks, in its order; all of it is open together, as with `asyncio.gather`.

    A few are begun at a time. Begun at once, a cohort of thousands would write all of its questions before the first is
    on its way, and the model would wait meanwhile.
    """
    begun: list[asyncio.Task[_Done]] = []
    try:
        for each in work:
            begun.append(asyncio.create_task(each))
            if len(begun) % _BEGUN_AT_ONCE == 0:
                await asyncio.sleep(0)
    except asyncio.CancelledError:
        for task in begun:
            task.cancel()
        raise
    return await asyncio.gather(*begun)
