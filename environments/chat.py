"""What a language model is asked and what comes back, whoever serves it.

The protocol is in `environments` because two packages that never import each other need it: minds that decide by
language, and recommenders that rank by it. Implementations are in `simulator/language`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

ParseStatus = Literal["ok", "reasked", "unreadable", "unanswerable"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How replies are drawn, chosen with the model and not with the question.

    Attributes:
        temperature: Sampling temperature, 0 = always the likeliest token.
        max_tokens: Upper bound on one reply.
    """

    temperature: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question.

    Attributes:
        messages: The conversation so far; what is shared by many requests comes first (prefix caches).
        reply_schema: JSON Schema of the reply; it makes the server's constraint and our check alike.
        max_tokens: Upper bound on the reply.
        temperature: Sampling temperature.
        seed: Sampling seed; None where the server must not be sent one.
        answers: Where there are any, the reply is a single token in free form, and how likely each of these words
            was as that token is what is wanted (`ChatReply.first_token`); the schema is then for the record only.
    """

    messages: tuple[Message, ...]
    reply_schema: Mapping[str, Any]
    max_tokens: int
    temperature: float
    seed: int | None
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatReply:
    """One answer.

    Attributes:
        text: What the model said, unparsed.
        model: The model's name as the server reports it.
        fingerprint: What the server says of its build, "" where it says nothing.
        prompt_tokens, cached_tokens, completion_tokens: As counted by the server.
        latency_seconds: From sending to the last byte, retries not included.
        attempts: Requests it took, 1 = no retry.
        from_store: True when it was read from a record and not asked.
        first_token: What could have been the first token, likeliest first, each with its natural log probability;
            empty unless the request had `answers` and the server gives log probabilities.
        finish_reason: Why the model stopped, in the server's word ("stop", "length"), "" where it says nothing.
        form: What the request asked the reply's form with: "json_schema", "grammar", "answers" or "none"; "" where the
            model is not behind a server.
        tokens_estimated: True where the server gave no believable counts: those above are then estimates.
        thought_characters: Length of the thinking that is not in the text: a block that was cut off it, and what the
            server gave in a field of its own; 0 where there was none.
    """

    text: str
    model: str
    fingerprint: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    latency_seconds: float
    attempts: int = 1
    from_store: bool = False
    first_token: tuple[tuple[str, float], ...] = ()
    finish_reason: str = ""
    form: str = ""
    tokens_estimated: bool = False
    thought_characters: int = 0


_OUT_OF_TOKENS = frozenset({"length", "max_tokens", "max_output_tokens", "max_length", "model_length"})


def ran_out_of_tokens(finish_reason: str) -> bool:
    """Whether a model stopped because its reply was as long as it may be, in the words of whatever server."""
    return finish_reason.lower() in _OUT_OF_TOKENS


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call as the log keeps it.

    Attributes:
        request: What was asked.
        reply: What came back.
        template: Names and versions of the prompt files ("verdict-1+agent-1").
        prompt_hash: SHA-256 over the prompt templates that made the request.
        status: "ok", "reasked" (unreadable, and asked again), "unreadable" (given up) or "unanswerable" (the server
            refuses this prompt for good; the reply's text is what it said).
        row: Which session of the cohort it was for.
        team: Of a recommender that drafts a list together with others: its place among them; -1 of any other caller.
    """

    request: ChatRequest
    reply: ChatReply
    template: str
    prompt_hash: str
    status: ParseStatus
    row: int = 0
    team: int = -1


class ChatModel(Protocol):
    """Anything that answers a `ChatRequest`; safe to ask from many tasks at once.

    Raises `ProviderError` when asking again cannot help (wrong key, nothing listens), after its own retries.
    """

    @property
    def name(self) -> str:
        """The model's name, for the manifest."""
        ...

    async def ask(self, request: ChatRequest) -> ChatReply:
        """Answer one question."""
        ...

    async def close(self) -> None:
        """Free connections and processes."""
        ...


@runtime_checkable
class Fingerprinted(Protocol):
    """A model that knows exactly what answers, and not only what it is called."""

    @property
    def fingerprint(self) -> str:
        """Equal for two models only if they are the same ("sha256:..." over the weights)."""
        ...


def fingerprint_of(model: ChatModel) -> str:
    """What tells a model from another of its name; the name alone where nobody knows more (a server elsewhere)."""
    return model.fingerprint if isinstance(model, Fingerprinted) else model.name
