"""A model that says what it was told to say: the first provider, for tests, demonstrations and load."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from groundlings.environments.chat import ChatReply, ChatRequest
from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.client_seat import Seat

Rule = Callable[[ChatRequest], str]

CHARACTERS_PER_TOKEN = 4


def count_tokens(text: str) -> int:
    """Tokens of a text by a stated rule, because no tokenizer is at work: four characters each, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


class ScriptedModel:
    """Answers from a rule, or from a list in the order of asking.

    Args:
        replies: A function of the request, or the replies one after the other. A list depends on who asks first,
            so it suits a single visitor; a function suits many.
        name: The model's name.
    """

    def __init__(self, replies: Rule | Iterable[str], name: str = "scripted") -> None:
        self._is_a_rule = callable(replies)
        self._rule = replies if callable(replies) else _in_turn(iter(replies))
        self._name = name
        self.requests: list[ChatRequest] = []

    @property
    def name(self) -> str:
        """See `ChatModel.name`."""
        return self._name

    async def ask(self, request: ChatRequest) -> ChatReply:
        """See `ChatModel.ask`; takes no time and counts tokens by `count_tokens`."""
        self.requests.append(request)
        text = self._rule(request)
        return ChatReply(
            text=text,
            model=self._name,
            fingerprint="",
            prompt_tokens=sum(count_tokens(message.content) for message in request.messages),
            cached_tokens=0,
            completion_tokens=count_tokens(text),
            latency_seconds=0.0,
            first_token=_likelihoods(request),
        )

    async def close(self) -> None:
        """See `ChatModel.close`; there is nothing to free."""

    @property
    def most_clients(self) -> int:
        """See `ServesClients.most_clients`; a list of replies is of one process."""
        return sys.maxsize if self._is_a_rule else 1

    def before_clients(self) -> None:
        """See `ServesClients.before_clients`; nothing is shared."""

    def begin_in_client(self, seat: Seat) -> None:
        """See `ServesClients.begin_in_client`; nothing belongs to a process."""

    @property
    def findings(self) -> dict[tuple[str, ...], bool]:
        """See `ServesClients.findings`; there are none."""
        return {}

    def learn(self, findings: dict[tuple[str, ...], bool]) -> None:
        """See `ServesClients.learn`."""


def legal_reply(request: ChatRequest) -> str:
    """A rule for `ScriptedModel`: any reply the schema allows, drawn by the request's own seed."""
    if request.answers:
        return _likelihoods(request)[0][0]
    rng = np.random.default_rng(request.seed or 0)
    return json.dumps(_drawn(request.reply_schema, rng), separators=(",", ":"))


def _likelihoods(request: ChatRequest) -> tuple[tuple[str, float], ...]:
    """Log probabilities of the answers asked for, likeliest first, drawn by the request's own seed."""
    if not request.answers:
        return ()
    shares = np.random.default_rng(request.seed or 0).dirichlet(np.ones(len(request.answers)))
    found = zip(request.answers, np.log(shares).tolist(), strict=True)
    return tuple(sorted(found, key=lambda each: -each[1]))


def _in_turn(replies: Iterator[str]) -> Rule:
    def say(_request: ChatRequest) -> str:
        try:
            return next(replies)
        except StopIteration:
            raise ProviderError("the scripted model has no reply left; give it a longer list or a rule") from None

    return say


def _drawn(schema: Mapping[str, Any], rng: np.random.Generator) -> Any:
    """One value of a schema of the subset in `groundlings.simulator.language.gbnf`."""
    if "enum" in schema:
        return schema["enum"][rng.integers(len(schema["enum"]))]
    match schema["type"]:
        case "boolean":
            return bool(rng.random() < 0.5)
        case "integer":
            return int(rng.integers(schema["minimum"], schema["maximum"] + 1))
        case "string":
            return "fine"[: schema["maxLength"]]
        case "object":
            required = set(schema.get("required", ()))
            kept = [key for key in schema["properties"] if key in required or rng.random() < 0.5]
            return {key: _drawn(schema["properties"][key], rng) for key in kept}
        case "array" if schema.get("uniqueItems"):
            values = schema["items"]["enum"]
            chosen = rng.permutation(len(values))[: rng.integers(schema["maxItems"] + 1)]
            return [values[place] for place in sorted(chosen)]
        case "array":
            least = schema.get("minItems", 0)
            return [_drawn(schema["items"], rng) for _ in range(rng.integers(least, schema["maxItems"] + 1))]
    raise ValueError(f"no reply for the schema {json.dumps(dict(schema))}")
