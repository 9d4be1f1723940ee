"""One question to the language model of an arm, and the call as the log keeps it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from groundlings.environments.chat import CallRecord, ChatModel, ChatReply, ChatRequest, Message, Sampling
from groundlings.environments.cleaning import printable
from groundlings.environments.errors import ProviderError, UnanswerablePrompt, UnreadableReply
from groundlings.environments.prompts import Prompt
from groundlings.environments.replies import refused

_Read = TypeVar("_Read")

LARGEST_SEED = 2**31

_LONGEST_QUOTE = 100
_REMEMBERED = 50_000
"""Replies that an asker remembers at most; the oldest make room."""
_REMEMBERED_CHARACTERS = 50_000_000
"""Characters of their texts together at most, some 50 MB (200 MB in some scripts): a long reply takes many places."""


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


@dataclass(slots=True)
class RememberedReplies:
    """The latest replies by the hash of their question, within a number and a length of all texts.

    Attributes:
        replies: The oldest first.
        characters: Of their texts together.
    """

    replies: dict[bytes, ChatReply] = field(default_factory=dict)
    characters: int = 0

    def add(self, key: bytes, reply: ChatReply) -> None:
        """Remember a reply; a text that is longer than all may be together is not remembered."""
        self._forget(key)
        self.replies[key] = reply
        self.characters += len(reply.text)
        while len(self.replies) > _REMEMBERED or self.characters > _REMEMBERED_CHARACTERS:
            self._forget(next(iter(self.replies)))

    def _forget(self, key: bytes) -> None:
        if key in self.replies:
            self.characters -= len(self.replies.pop(key).text)


@dataclass(frozen=True, slots=True)
class Asker:
    """Puts questions to a model, once each: no second try, so that a page costs what its recommender says.

    A question with the words and the seed of an earlier one has its reply, which is logged as read from a record: users
    of whom nothing new is known put the questions of the day before, and nobody need pay for them again.

    Attributes:
        model: Who is asked; it bounds how many calls are open at a time.
        sampling: How replies are drawn.
        answered: Replies so far by the hash of their question.
    """

    model: ChatModel
    sampling: Sampling
    answered: RememberedReplies = field(default_factory=RememberedReplies, init=False, repr=False, compare=False)

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
            reply = await self._reply(request)
        except UnanswerablePrompt as refusal:
            reply = refused(self.model, refusal)
            return None, CallRecord(request, reply, prompt.name, prompt.sha256, "unanswerable", row)
        try:
            said = read(reply.text)
        except UnreadableReply:
            return None, CallRecord(request, reply, prompt.name, prompt.sha256, "unreadable", row)
        return said, CallRecord(request, reply, prompt.name, prompt.sha256, "ok", row)

    async def _reply(self, request: ChatRequest) -> ChatReply:
        """The model's reply, or the one that it gave before; refusals are not remembered."""
        key = _key(request)
        if (remembered := self.answered.replies.get(key)) is not None:
            return replace(remembered, from_store=True)
        reply = await self.model.ask(request)
        self.answered.add(key, reply)
        return reply


def _key(request: ChatRequest) -> bytes:
    """What is equal for two questions that have one answer: the words, the form of the reply, and how it is drawn."""
    form = (request.seed, request.temperature, request.max_tokens, request.answers, request.reply_schema)
    told = "\0".join(f"{message.role}\0{message.content}" for message in request.messages)
    return hashlib.blake2b(f"{form}\0{told}".encode(), digest_size=16).digest()


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
