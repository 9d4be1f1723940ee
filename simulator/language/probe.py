"""What an endpoint can do, and how it wants to be asked, found out by asking it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from groundlings.environments.chat import ChatReply, ChatRequest, Message, ran_out_of_tokens
from groundlings.environments.errors import ProviderError, UnreadableReply
from groundlings.environments.replies import read_plain_json
from groundlings.environments.side_by_side import side_by_side
from groundlings.simulator.language.advice import settings_named
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.pool import EndpointPool
from groundlings.simulator.language.reply_forms import Structured
from groundlings.simulator.language.request_body import Dialect
from groundlings.simulator.language.settings_search import AS_A_RUN, Settings, Way, find_way
from groundlings.simulator.language.thinking import begins_thinking
from groundlings.simulator.language.waiting import Tell, no_one, told_while_waiting
from groundlings.simulator.language.withheld import WITHHELD_TEXT

_SCHEMA = {
    "type": "object",
    "properties": {"mood": {"type": "string", "enum": ["calm", "stormy"]}, "count": {"type": "integer", "enum": [41]}},
    "required": ["mood", "count"],
    "additionalProperties": False,
}
# Nothing here asks for JSON: a reply in that form can only come from the form that was sent.
_FREE = replace(AS_A_RUN, messages=(Message("user", "Tell me about the sea."),), reply_schema=_SCHEMA, seed=None)
_SHARED_WORDS = 400
_ROUNDS = 4
_FEWER_ALTERNATIVES = (10, 5, 3, 1)
_NONE_GIVEN = "none given"
_NO_TEMPERATURE = ("send_temperature", False)
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried.

    Attributes:
        what: Its name.
        works: Whether the endpoint can do it.
        detail: What was seen.
        settings: Keys of `mind.model` that this asks for.
    """

    what: str
    works: bool
    detail: str
    settings: Mapping[str, Any] = field(default_factory=dict)


async def examine(
    base_url: str,
    model: str | None,
    api_key: str | None,
    timeout_seconds: float,
    *,
    headers: Mapping[str, str] | None = None,
    given: Settings | None = None,
    tell: Tell = no_one,
    at_once: int = 0,
) -> list[Finding]:
    """Everything that Groundlings can make use of, tried one after the other on one endpoint.

    Args:
        base_url, model, api_key, timeout_seconds, headers: As `Connection` takes them.
        given: Keys of `mind.model` that are known to be wanted; others are looked for.
        tell: Is told where the endpoint is waited for.
        at_once: How many questions are asked at a time to measure its rate; 0 = it is not measured.

    Raises:
        ProviderError: Nobody answers, from the beginning or any more, or the key is wrong.
        ConfigError: No model was named and the server does not serve exactly one.
    """
    address = {"base_url": base_url, "model": model, "api_key": api_key, "timeout_seconds": timeout_seconds}
    endpoint = _Endpoint({**address, "headers": headers}, given or {}, tell)
    name, dialect = await endpoint.met()
    with told_while_waiting(tell, lambda: f"what model server {base_url} can do"):
        try:
            findings = await _tried_out(endpoint, name, dialect)
        except _NoAnswerInTime as silent:
            raise silent.error from None
        if at_once and findings[0].works:
            settings = {key: value for each in findings for key, value in each.settings.items()}
            structured = settings.pop("structured", "none")
            findings.append(await endpoint.tried(structured, _rate(at_once), "rate", settings, places=at_once))
        return findings


async def _tried_out(endpoint: _Endpoint, name: str, dialect: Dialect) -> list[Finding]:
    """One thing after the other."""
    settings: Settings = {}
    try:
        way = await find_way(endpoint.asked)
    except ProviderError as error:
        findings = [Finding("chat", False, str(error))]
    else:
        settings, findings = way.settings, _answered(way, name, dialect)
    forms = [await endpoint.tried(form, _form(form), form, settings) for form in _FORMS]
    if findings[0].works and not all(form.works for form in forms):
        await endpoint.asked(AS_A_RUN, settings)  # a server that is gone by now has said nothing about forms
    odds = await _odds(endpoint, settings, look_on=findings[0].works)
    settings = {**settings, **odds.settings}
    seed = await endpoint.tried("none", _seed, "seed", settings)
    cache = await endpoint.tried("none", _prefix_cache, "prefix cache", settings)
    return [*findings, *_chosen(forms, dialect), odds, seed, cache]


async def _odds(endpoint: _Endpoint, settings: Settings, *, look_on: bool) -> Finding:
    """Whether log probabilities come, with fewer alternatives or no temperature where the server wants it so."""
    first = found = await endpoint.tried("none", _logprobs, "logprobs", settings)
    changes: dict[str, Any] = {}
    fewer = list(_FEWER_ALTERNATIVES)
    while look_on and not found.works and found.detail != _NONE_GIVEN:
        if _NO_TEMPERATURE in settings_named(found.detail) and _NO_TEMPERATURE not in {**settings, **changes}.items():
            changes |= [_NO_TEMPERATURE]
        elif fewer:
            changes["top_logprobs"] = fewer.pop(0)
        else:
            return first
        found = await endpoint.tried("none", _logprobs, "logprobs", {**settings, **changes})
        found = replace(found, settings=changes) if found.works else found
    return found if found.works else first


class _NoAnswerInTime(Exception):
    """A request took all the time that one may take; other ways to ask would be waited for as long, one by one."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__()
        self.error = error


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """Asks one endpoint in the way that some settings want, on a new connection each time."""

    address: Mapping[str, Any]
    given: Settings
    tell: Tell

    async def met(self) -> tuple[str, Dialect]:
        """The model's name, and whose server it is."""
        async with self._opened("none", {}) as pool:
            (known,) = await pool.start()
            return pool.name, known.dialect

    async def asked(self, request: ChatRequest, settings: Settings) -> ChatReply:
        """The reply to a request without a form.

        Raises:
            ProviderError: It was refused.
            _NoAnswerInTime: There was none.
        """
        began = time.monotonic()
        async with self._opened("none", settings) as pool:
            try:
                return await pool.ask(self._as(request, settings))
            except ProviderError as error:
                if time.monotonic() - began >= self.address["timeout_seconds"]:
                    raise _NoAnswerInTime(error) from None
                raise

    async def tried(
        self, structured: Structured, work: _Work, what: str, settings: Settings, places: int = 1
    ) -> Finding:
        """What some work found with so many requests on their way at most, or that it was refused."""
        async with self._opened(structured, settings, places) as pool:
            try:
                return await work(lambda request: pool.ask(self._as(request, settings)))
            except ProviderError as error:
                return Finding(what, False, str(error))

    def _as(self, request: ChatRequest, settings: Settings) -> ChatRequest:
        """The request with what settings say of temperature and length; an answer of one token stays one."""
        wanted = {**self.given, **settings}
        longer = wanted.get("max_tokens", 0) if request.max_tokens > 1 else 1
        # As in a run, where no setting changes the temperature of a question about one token.
        temperature = request.temperature if request.answers else wanted.get("temperature", request.temperature)
        return replace(request, temperature=temperature, max_tokens=max(longer, request.max_tokens))

    @asynccontextmanager
    async def _opened(self, structured: Structured, settings: Settings, places: int = 1) -> AsyncIterator[EndpointPool]:
        url = self.address["base_url"]
        chosen = ModelConfig.model_validate({"provider": "endpoint", "base_url": url, **self.given, **settings})
        connection = Connection(
            **self.address,
            concurrency=places,
            structured=structured,
            send_seed=chosen.send_seed,
            style=chosen.style,
            strip_thinking=chosen.thinking == "strip",
            max_reply_bytes=chosen.max_reply_bytes,
        )
        pool = EndpointPool(
            [connection],
            max_attempts=_ATTEMPTS,
            first_contact_seconds=chosen.first_contact_seconds,
            tell=self.tell,
        )
        try:
            yield pool
        finally:
            await pool.close()


_Ask = Callable[[ChatRequest], Awaitable[ChatReply]]
_Work = Callable[[_Ask], Awaitable[Finding]]
_FORMS: tuple[Structured, ...] = ("json_schema", "grammar")
_KINDS = {"llamacpp": "llama.cpp", "vllm": "vLLM", "other": "of an unknown kind"}


def _answered(way: Way, name: str, dialect: str) -> list[Finding]:
    """That there is an answer, how it was got, and whether it was thought about."""
    reply = way.reply
    build = f", build {reply.fingerprint}" if reply.fingerprint else ""
    so_asked = "".join(f", {key}: {json.dumps(value)}" for key, value in way.settings.items())
    detail = f"{name}, server {_KINDS[dialect]}{build}, {reply.latency_seconds:.2f} s{so_asked}"
    thought = reply.thought_characters
    if not reply.text and thought:
        detail = f"{detail}; thinking ({thought:,} characters) took all of its tokens: switch it off by extra_body"
    elif not reply.text and ran_out_of_tokens(reply.finish_reason):
        detail = f"{detail}; no text came before its tokens were used up: it may think unseen, so see extra_body"
    if reply.text.startswith(WITHHELD_TEXT):
        detail = f"{detail}; {reply.text}"
    answers = bool(reply.text) and not reply.text.startswith(WITHHELD_TEXT)
    found = [Finding("chat", answers, detail, way.settings)]
    if thought:
        found.append(Finding("thinking", True, f"{thought:,} characters before the answer, kept apart from it"))
    return found


def _chosen(forms: Sequence[Finding], dialect: str) -> list[Finding]:
    """The findings about forms; the first one that is kept to, in the order of preference, names the setting."""
    preferred = sorted(forms, key=lambda each: (not each.works, (each.what == "grammar") == (dialect == "other")))
    best = preferred[0]
    settings = {"structured": best.what if best.works else "none"}
    return [replace(each, settings=settings if each is best else {}) for each in forms]


def _form(name: str) -> _Work:
    async def work(ask: _Ask) -> Finding:
        reply = await ask(_FREE)
        try:
            kept = read_plain_json(reply.text) in ({"mood": "calm", "count": 41}, {"mood": "stormy", "count": 41})
        except UnreadableReply:
            kept = False
        return Finding(name, kept, "enforced" if kept else f"accepted, not enforced: {_short(reply.text)}")

    return work


async def _logprobs(ask: _Ask) -> Finding:
    asked = replace(
        _FREE,
        messages=(Message("user", "Is the sea wet? Yes or no?"),),
        max_tokens=1,
        answers=("Yes", "No"),
        temperature=0.0,
    )
    first = (await ask(asked)).first_token
    if any(math.isnan(log) for _, log in first):
        if any(begins_thinking(token) for token, _ in first):
            return Finding("logprobs", False, "of thinking, not of an answer: switch it off by extra_body")
        return Finding("logprobs", False, "given, but cannot be: not finite, above 0, over 1 in all, or listed twice")
    shown = ", ".join(f"{token!r} {log:.2f}" for token, log in first[:3])
    return Finding("logprobs", bool(first), f"{len(first)} alternatives: {shown}" if first else _NONE_GIVEN)


async def _seed(ask: _Ask) -> Finding:
    async def said(seed: int) -> ChatReply:
        return await ask(replace(_FREE, temperature=1.0, seed=seed))

    replies = [(await said(seed)).text for seed in (1, 1, 2)]
    same, differs = replies[0] == replies[1], replies[0] != replies[2]
    detail = {
        (True, True): "equal seeds, equal replies; another seed, another reply",
        (True, False): "every reply is the same: the seed cannot be told to matter",
        (False, True): "equal seeds gave different replies: repeat runs from a call store",
        (False, False): "equal seeds gave different replies: repeat runs from a call store",
    }[same, differs]
    return Finding("seed", same and differs, detail)


async def _prefix_cache(ask: _Ask) -> Finding:
    shared = " ".join(f"wave{number}" for number in range(_SHARED_WORDS))
    reply = None
    for question in ("Which is the first?", "Which is the last?"):
        messages = (Message("system", shared), Message("user", question))
        reply = await ask(replace(_FREE, messages=messages, max_tokens=4))
    assert reply is not None
    found = f"{reply.cached_tokens} of {reply.prompt_tokens} prompt tokens found in it"
    return Finding("prefix cache", reply.cached_tokens > 0, found if reply.cached_tokens else "none reported")


def _rate(at_once: int) -> _Work:
    async def work(ask: _Ask) -> Finding:
        shared = " ".join(f"wave{number}" for number in range(_SHARED_WORDS))
        replies: list[ChatReply] = []

        async def asks(first: int) -> None:
            for number in range(first, _ROUNDS * at_once, at_once):
                messages = (Message("system", shared), Message("user", f"Tell me about wave {number}."))
                replies.append(await ask(replace(_FREE, messages=messages, seed=number)))

        began = time.perf_counter()
        await side_by_side(map(asks, range(at_once)))
        rate = len(replies) / (time.perf_counter() - began)
        each = [sum(counts) / len(replies) for counts in zip(*map(_tokens, replies), strict=True)]
        return Finding(
            "rate",
            True,
            f"{rate:,.1f} answers per second, {at_once} at a time: {each[0]:,.0f} tokens in, {each[1]:,.0f} of them "
            f"cached, {each[2]:,.0f} out each",
        )

    return work


def _tokens(reply: ChatReply) -> tuple[int, int, int]:
    return reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens


def _short(text: str) -> str:
    return repr(" ".join(text.split())[:60])
