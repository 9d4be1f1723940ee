"""What an endpoint can do, found out by asking it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from groundlings.environments.chat import ChatReply, ChatRequest, Message
from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.pool import EndpointPool
from groundlings.simulator.language.reply_forms import Structured

_SCHEMA = {
    "type": "object",
    "properties": {"mood": {"type": "string", "enum": ["calm", "stormy"]}, "count": {"type": "integer", "enum": [41]}},
    "required": ["mood", "count"],
    "additionalProperties": False,
}
# Nothing here asks for JSON: a reply in that form can only come from the form that was sent.
_FREE = ChatRequest((Message("user", "Tell me about the sea."),), _SCHEMA, 40, 0.0, None)
_SHARED_WORDS = 400


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried.

    Attributes:
        what: Its name.
        works: Whether the endpoint can do it.
        detail: What was seen.
    """

    what: str
    works: bool
    detail: str


async def examine(base_url: str, model: str | None, api_key: str | None, timeout_seconds: float) -> list[Finding]:
    """Everything that Groundlings can make use of, tried one after the other on one endpoint.

    Raises:
        ProviderError: Nobody answers, or the key is wrong.
        ConfigError: No model was named and the server does not serve exactly one.
    """

    async def with_form(
        structured: Structured, work: Callable[[EndpointPool], Awaitable[Finding]], what: str
    ) -> Finding:
        connection = Connection(
            base_url=base_url, model=model, api_key=api_key, timeout_seconds=timeout_seconds, structured=structured
        )
        pool = EndpointPool([connection], max_attempts=3)
        try:
            await pool.start()
            try:
                return await work(pool)
            except ProviderError as error:
                return Finding(what, False, str(error))
        finally:
            await pool.close()

    tried: Sequence[tuple[str, Structured, Callable[[EndpointPool], Awaitable[Finding]]]] = (
        ("chat", "none", _chat),
        ("json_schema", "json_schema", _form("json_schema")),
        ("grammar", "grammar", _form("grammar")),
        ("logprobs", "none", _logprobs),
        ("seed", "none", _seed),
        ("prefix cache", "none", _prefix_cache),
    )
    return [await with_form(structured, work, what) for what, structured, work in tried]


async def _chat(pool: EndpointPool) -> Finding:
    reply = await pool.ask(_FREE)
    (known,) = await pool.start()
    build = f", build {reply.fingerprint}" if reply.fingerprint else ""
    dialect = {"llamacpp": "llama.cpp", "vllm": "vLLM", "other": "of an unknown kind"}[known.dialect]
    return Finding("chat", bool(reply.text), f"{pool.name}, server {dialect}{build}, {reply.latency_seconds:.2f} s")


def _form(name: str) -> Callable[[EndpointPool], Awaitable[Finding]]:
    async def work(pool: EndpointPool) -> Finding:
        reply = await pool.ask(_FREE)
        try:
            said = json.loads(reply.text)
            kept = set(said) == {"mood", "count"} and said["count"] == 41 and said["mood"] in ("calm", "stormy")
        except (ValueError, TypeError, KeyError):
            kept = False
        return Finding(name, kept, "enforced" if kept else f"accepted, not enforced: {_short(reply.text)}")

    return work


async def _logprobs(pool: EndpointPool) -> Finding:
    asked = replace(
        _FREE, messages=(Message("user", "Is the sea wet? Yes or no?"),), max_tokens=1, answers=("Yes", "No")
    )
    first = (await pool.ask(asked)).first_token
    shown = ", ".join(f"{token!r} {log:.2f}" for token, log in first[:3])
    return Finding("logprobs", bool(first), f"{len(first)} alternatives: {shown}" if first else "none given")


async def _seed(pool: EndpointPool) -> Finding:
    async def said(seed: int) -> ChatReply:
        return await pool.ask(replace(_FREE, temperature=1.5, seed=seed))

    replies = [(await said(seed)).text for seed in (1, 1, 2)]
    same, differs = replies[0] == replies[1], replies[0] != replies[2]
    detail = {
        (True, True): "equal seeds, equal replies; another seed, another reply",
        (True, False): "every reply is the same: the seed cannot be told to matter",
        (False, True): "equal seeds gave different replies: repeat runs from a call store",
        (False, False): "equal seeds gave different replies: repeat runs from a call store",
    }[same, differs]
    return Finding("seed", same and differs, detail)


async def _prefix_cache(pool: EndpointPool) -> Finding:
    shared = " ".join(f"wave{number}" for number in range(_SHARED_WORDS))
    reply = None
    for question in ("Which is the first?", "Which is the last?"):
        messages = (Message("system", shared), Message("user", question))
        reply = await pool.ask(replace(_FREE, messages=messages, max_tokens=4))
    assert reply is not None
    found = f"{reply.cached_tokens} of {reply.prompt_tokens} prompt tokens found in it"
    return Finding("prefix cache", reply.cached_tokens > 0, found if reply.cached_tokens else "none reported")


def _short(text: str) -> str:
    return repr(" ".join(text.split())[:60])
