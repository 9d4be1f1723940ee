"""Asking a language model: a checked reply with a bounded number of second tries, or the odds of one-token answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.chat import CallRecord, ChatModel, ChatReply, ChatRequest, Message, ParseStatus, Sampling
from groundlings.environments.errors import ConfigError, UnanswerablePrompt, UnreadableReply
from groundlings.environments.random_streams import Draws
from groundlings.environments.replies import refused
from groundlings.personas.minds.language.text import one_line
from groundlings.personas.prompts import Prompt

_LARGEST_SEED = 2**31
_LONGEST_QUOTE = 300
_LEAST = 1e-9
_ROUNDING = 1e-3
"""How far above 0 rounding may bring a log probability."""
_LOWEST_LOG = -700.0

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Question:
    """One question to a model.

    Attributes:
        prompt: The text it was made from.
        shared: What all agents of a run are told, which comes first so that prefix caches find it.
        told: What this agent is told: person, memories, this session, mood, page, and last what is wanted.
        schema: JSON Schema of the reply.
        draws: The session's random numbers, from which sampling seeds come; never the arm nor the order of asking.
        purpose: With `number`, which of the session's questions this is.
        number: A page, or an item.
        more_tokens: What the reply may take beyond the model's own bound.
        row: Which session of its cohort it is for, and whose of the draws.
    """

    prompt: Prompt
    shared: str
    told: str
    schema: Mapping[str, Any]
    draws: Draws
    purpose: str
    number: int
    more_tokens: int = 0
    row: int = 0

    def seed(self, attempt: int) -> int:
        """The sampling seed of an attempt, 0 for the first."""
        return int(self.draws.one(f"{self.purpose} {attempt}", self.number, self.row) * _LARGEST_SEED)


class Asker:
    """Puts questions to a model and reads what comes back.

    Args:
        model: Who is asked.
        sampling: How replies are drawn.
        reasks: How often an unreadable reply is asked for again.
    """

    def __init__(self, model: ChatModel, sampling: Sampling, reasks: int) -> None:
        self.model = model
        self.sampling = sampling
        self._reasks = reasks
        self._gives_odds = False

    async def ask(
        self, question: Question, read: Callable[[str], _Read]
    ) -> tuple[_Read | None, tuple[CallRecord, ...]]:
        """What was said, None where no attempt could be read or answered, and every call it took."""
        request = self._request(question)
        calls: list[CallRecord] = []
        for attempt in range(self._reasks + 1):
            if attempt:
                request = replace(request, seed=question.seed(attempt))
            try:
                reply = await self.model.ask(request)
            except UnanswerablePrompt as refusal:
                calls.append(_unanswered(question, request, self.model, refusal))
                return None, tuple(calls)
            try:
                said = read(reply.text)
            except UnreadableReply as error:
                status: ParseStatus = "reasked" if attempt < self._reasks else "unreadable"
                calls.append(_record(question, request, reply, status))
                request = _asked_again(question, request, reply, error)
            else:
                calls.append(_record(question, request, reply, "ok"))
                return said, tuple(calls)
        return None, tuple(calls)

    async def odds(self, question: Question, answers: Sequence[str]) -> tuple[FloatArray | None, CallRecord]:
        """How likely each answer was as the first token, adding up to 1, None where that is not known.

        Raises:
            ConfigError: The server gives no log probabilities; one that has given some before only loses this answer.
        """
        request = replace(self._request(question), answers=tuple(answers), max_tokens=1, temperature=0.0)
        try:
            reply = await self.model.ask(request)
        except UnanswerablePrompt as refusal:
            return None, _unanswered(question, request, self.model, refusal)
        if not reply.first_token and not self._gives_odds:
            raise ConfigError(
                f"log probabilities are wanted, and {self.model.name} gave none with its reply; use another server "
                "(`groundlings model check` says whether it gives them), or, in an experiment's file, a mind that does "
                "without them: kind: language with decision: verdict, or behavioural"
            )
        self._gives_odds = True
        shares = read_odds(reply.first_token, answers)
        return shares, _record(question, request, reply, "unreadable" if shares is None else "ok")

    def _request(self, question: Question) -> ChatRequest:
        """The first attempt."""
        return ChatRequest(
            messages=(Message("system", question.shared), Message("user", question.told)),
            reply_schema=question.schema,
            max_tokens=self.sampling.max_tokens + question.more_tokens,
            temperature=self.sampling.temperature,
            seed=question.seed(0),
        )


def _unanswered(question: Question, request: ChatRequest, model: ChatModel, refusal: UnanswerablePrompt) -> CallRecord:
    """The record of a question that the server refuses for good: its words in the place of a reply, and no tokens."""
    return _record(question, request, refused(model, refusal), "unanswerable")


def read_odds(first_token: Sequence[tuple[str, float]], answers: Sequence[str]) -> FloatArray | None:
    """The probability of each answer among the answers, shape (n_answers,), None where none of them is listed.

    None as well where a number in the list is no log probability (NaN, infinite, above 0): then nothing is known of
    the others either, and no draw may be held against what is left.

    Spellings of one answer ("Yes", " yes") are added up. A server lists the likeliest tokens only: an answer that is
    not among them is no likelier than the last of them, nor than all that the listed ones leave, and is counted with
    the smaller of these bounds, never with 0, which no draw could tell from certainty. What was listed is logged.

    Args:
        first_token: Tokens and natural log probabilities, likeliest first.
        answers: In lower case.
    """
    given = np.array([log_probability for _, log_probability in first_token], dtype=np.float64)
    if not (np.isfinite(given) & (given <= _ROUNDING)).all():
        return None
    found: dict[str, float] = {}
    for token, log_probability in first_token:
        word = token.strip().lower()
        found[word] = float(np.logaddexp(found.get(word, -np.inf), log_probability))
    if not any(answer in found for answer in answers):
        return None
    left = 1 - float(np.exp(given).sum())
    bound = min(float(given[-1]), float(np.log(max(left, _LEAST))))
    logs = np.array([found.get(answer, bound) for answer in answers])
    # Servers write -9999 for "next to impossible"; a share that underflows to 0 would have no logarithm.
    shares = np.exp(np.maximum(logs - logs.max(), _LOWEST_LOG))
    return shares / shares.sum()


def _asked_again(question: Question, request: ChatRequest, reply: ChatReply, error: UnreadableReply) -> ChatRequest:
    """The same question, with the reply and what is wrong with it; each time from the first question on."""
    again = question.prompt.fill("again", error=one_line(str(error), _LONGEST_QUOTE))
    said = Message("assistant", one_line(reply.text, _LONGEST_QUOTE))
    return replace(request, messages=(*request.messages[:2], said, Message("user", again)))


def _record(question: Question, request: ChatRequest, reply: ChatReply, status: ParseStatus) -> CallRecord:
    return CallRecord(request, reply, question.prompt.name, question.prompt.sha256, status, question.row)
