"""A question as a server wants it put: the JSON object that is posted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from groundlings.environments.chat import ChatRequest, Message
from groundlings.simulator.language.gbnf import grammar_for

Dialect = Literal["llamacpp", "vllm", "other"]
Form = Literal["json_schema", "grammar", "answers", "none"]
LimitKey = Literal["max_tokens", "max_completion_tokens"]

MOST_ALTERNATIVES = 20
"""Alternatives of the first token that are asked for where a server gives so many: the most that OpenAI and vLLM do."""

OWN_KEYS = frozenset(
    {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "logprobs", "top_logprobs"}
    | {"response_format", "structured_outputs", "grammar", "stream", "stream_options", "n"}
)
"""Keys that are ours to write, or whose replies we could not read."""


@dataclass(frozen=True, slots=True)
class RequestStyle:
    """What differs between servers that call themselves OpenAI-compatible.

    Attributes:
        limit_key: The name of the upper bound on a reply.
        send_temperature: Whether the temperature is sent.
        send_seed: Whether the seed is sent.
        merge_system: Whether the system message is put in front of the first user message.
        stream: Whether the reply is asked for as a stream of events, with the tokens counted at its end.
        top_logprobs: Alternatives of the first token that are asked for.
        extra_body: What is sent besides.
    """

    limit_key: LimitKey = "max_tokens"
    send_temperature: bool = True
    send_seed: bool = True
    merge_system: bool = False
    stream: bool = False
    top_logprobs: int = MOST_ALTERNATIVES
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def body(self, request: ChatRequest, model: str | None, form: Form, dialect: Dialect) -> dict[str, Any]:
        """What is posted for a request.

        Args:
            request: The question.
            model: The model's name at the server.
            form: How the reply's form is asked for.
            dialect: Whose way of taking a grammar the server understands.
        """
        messages = _merged(request.messages) if self.merge_system else request.messages
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            self.limit_key: request.max_tokens,
        }
        if self.send_temperature:
            body["temperature"] = request.temperature
        if form == "answers":
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        elif form != "none":
            body |= _form(request.reply_schema, form, dialect)
        if self.send_seed and request.seed is not None:
            body["seed"] = request.seed
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        body.update(self.extra_body)
        return body


def control_question(request: ChatRequest) -> ChatRequest:
    """A question that nobody can object to, put in the same way: whoever refuses it refuses the way of asking."""
    messages = (Message("system", "Answer briefly."), Message("user", "Say yes."))
    return replace(request, messages=messages)


def _merged(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages with each system message in front of the user's next one."""
    merged: list[Message] = []
    waiting = ""
    for message in messages:
        if message.role == "system":
            waiting += f"{message.content}\n\n"
        elif message.role == "user" and waiting:
            merged.append(Message("user", waiting + message.content))
            waiting = ""
        else:
            merged.append(message)
    return (*merged, Message("user", waiting.rstrip())) if waiting else tuple(merged)


def _form(schema: Mapping[str, Any], form: Form, dialect: Dialect) -> dict[str, Any]:
    text = _as_text(schema)
    if form == "json_schema":
        described = {"name": "reply", "schema": schema, "strict": _is_strict(text)}
        return {"response_format": {"type": "json_schema", "json_schema": described}}
    grammar = _cached_grammar(text)
    return {"structured_outputs": {"grammar": grammar}} if dialect == "vllm" else {"grammar": grammar}


def _every_key_required(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI's strict mode takes the schema: it wants every key of every object to be required."""
    parts = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    required = set(schema.get("properties", {})) == set(schema.get("required", ()))
    return required and all(_every_key_required(part) for part in parts)


def _as_text(schema: Mapping[str, Any]) -> str:
    """The schema as text, found by identity: minds keep the few that serve a whole run."""
    known = _texts.get(id(schema))
    if known is None or known[0] is not schema:
        if len(_texts) >= _MOST_TEXTS:
            _texts.clear()
        known = _texts[id(schema)] = schema, _encode(schema)
    return known[1]


_encode = json.JSONEncoder().encode
_MOST_TEXTS = 1024
_texts: dict[int, tuple[Mapping[str, Any], str]] = {}
"""Identity -> the schema, which so keeps its identity, and its text."""


@lru_cache(maxsize=1024)
def _is_strict(schema: str) -> bool:
    return _every_key_required(json.loads(schema))


@lru_cache(maxsize=1024)
def _cached_grammar(schema: str) -> str:
    return grammar_for(json.loads(schema))
