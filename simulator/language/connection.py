"""One OpenAI-compatible address: what it can do, and one attempt at asking it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal

from groundlings.environments.chat import ChatReply, ChatRequest
from groundlings.environments.cleaning import logger
from groundlings.environments.errors import ConfigError
from groundlings.simulator.language.faults import BadStatus, Fault, GarbledReply
from groundlings.simulator.language.gbnf import grammar_for
from groundlings.simulator.language.health import Health
from groundlings.simulator.language.http_client import Wire
from groundlings.simulator.language.rate_limit import Pace
from groundlings.simulator.language.remote_guard import refuse_remote

Structured = Literal["auto", "json_schema", "grammar", "none"]
Dialect = Literal["llamacpp", "vllm", "other"]

_ALTERNATIVES = 20
"""Alternatives of the first token that are asked for: the most that OpenAI and vLLM give."""

_KEEPS_NO_LIST = frozenset({403, 404, 405})
_REFUSED_AS_WRITTEN = frozenset({400, 422})

_logger = logger(__name__)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server said of itself at first contact.

    Attributes:
        models: The names it serves, none where it keeps no list.
        dialect: Whose way of taking a grammar it understands.
    """

    models: tuple[str, ...]
    dialect: Dialect


class Connection:
    """One endpoint of a pool: sends a request once and says what came of it.

    Args:
        base_url: Ends where "/chat/completions" begins, usually in "/v1".
        model: The model's name there; None takes the only one it serves.
        api_key: None sends a placeholder, which servers without keys ignore.
        timeout_seconds: Deadline of one attempt.
        concurrency: Requests on their way at a time.
        structured: How the reply's form is enforced; see `groundlings.simulator.language.config.ModelConfig`.
        send_seed: Whether the request's seed is sent along.
        pace: Its rate limits.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str | None,
        api_key: str | None = None,
        timeout_seconds: float = 60.0,
        concurrency: int = 8,
        structured: Structured = "auto",
        send_seed: bool = True,
        pace: Pace | None = None,
    ) -> None:
        refuse_remote(base_url)
        self.base_url = base_url
        self.model = model
        self.concurrency = concurrency
        self.places = asyncio.Semaphore(concurrency)
        self.health = Health(timeout_seconds)
        self.pace = pace or Pace()
        self.capabilities: Capabilities | None = None
        self._structured = structured
        self._send_seed = send_seed
        self._wire = Wire(base_url, api_key)

    @property
    def load(self) -> float:
        """Requests given to it and not yet over, as a share of its places."""
        return self.health.outstanding / self.concurrency

    def know(self, found: Capabilities) -> None:
        """Note what first contact has shown.

        Raises:
            ConfigError: No model was named and the server does not serve exactly one.
        """
        self.model = self.model or _only_model(found, self.base_url)
        self.capabilities = found

    async def close(self) -> None:
        """Drop its connections."""
        await self._wire.close()

    async def probe(self) -> Capabilities:
        """Ask who it is, once; a fault is raised as the client tells it, see `faults.fault_of`."""
        try:
            content = await self._wire.get("models")
        except BadStatus as error:
            if error.status not in _KEEPS_NO_LIST:
                raise
            _logger.info("%s keeps no list of models (HTTP %d)", self.base_url, error.status)
            return Capabilities((), "other")
        served = _json_object(content).get("data")
        if not isinstance(served, list) or not all(isinstance(each, dict) for each in served):
            raise GarbledReply("a list of models without data")
        owners = {str(each.get("owned_by")) for each in served}
        dialect: Dialect = "llamacpp" if "llamacpp" in owners else "vllm" if "vllm" in owners else "other"
        return Capabilities(tuple(str(each.get("id")) for each in served), dialect)

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Ask once; a fault is raised as the client tells it, see `faults.fault_of`."""
        structured = self._structured_now()
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            **({} if request.answers else self._form(request.reply_schema, structured)),
        }
        if request.answers:
            body |= {"logprobs": True, "top_logprobs": _ALTERNATIVES}
        if self._send_seed and request.seed is not None:
            body["seed"] = request.seed
        sent = time.perf_counter()
        try:
            content = await self._wire.post("chat/completions", body)
        except BadStatus as error:
            formless = structured == "none" or bool(request.answers)
            if self._structured != "auto" or formless or not _is_about_form(error):
                raise
            _logger.warning("%s refuses a reply form (%s): from now on none is sent", self.base_url, structured)
            self._structured = "none"
            return await self.complete(request)
        reply = _reply(content, time.perf_counter() - sent)
        said = self._wire.without_key(reply.text)
        return reply if said == reply.text else replace(reply, text=said)

    def _structured_now(self) -> Structured:
        if self._structured != "auto":
            return self._structured
        known = self.capabilities is not None and self.capabilities.dialect != "other"
        return "grammar" if known else "json_schema"

    def _form(self, schema: Mapping[str, Any], structured: Structured) -> dict[str, Any]:
        if structured == "none":
            return {}
        text = _as_text(schema)
        if structured == "json_schema":
            described = {"name": "reply", "schema": schema, "strict": _is_strict(text)}
            return {"response_format": {"type": "json_schema", "json_schema": described}}
        grammar = _cached_grammar(text)
        if self.capabilities is not None and self.capabilities.dialect == "vllm":
            return {"structured_outputs": {"grammar": grammar}}
        return {"grammar": grammar}

    def explain(self, fault: Fault, attempts: int) -> str:
        """What to tell the person who started the run, without secrets."""
        where = f"model server {self.base_url}"
        if fault.refused:
            text = f"{where}: {fault.what}; start the server or mend base_url"
        elif fault.status in (401, 403):
            text = f"{where} refuses the key ({fault.what}); set the environment variable named by api_key_env"
        elif fault.status == 404:
            served = self.capabilities.models if self.capabilities else ()
            near = get_close_matches(self.model or "", served, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            text = (
                f"{where} does not know the model {self.model!r} or the address ({fault.what}).{hint} "
                f"Models it lists: {', '.join(served) or 'none'}. Mend model or base_url"
            )
        elif fault.transient:
            text = f"{where}: gave up after {attempts} attempts, the last one failed with: {fault.what}"
        else:
            text = f"{where} refuses the request: {fault.what}"
        return text


def _only_model(found: Capabilities, base_url: str) -> str:
    if len(found.models) != 1:
        listed = ", ".join(found.models) or "none"
        raise ConfigError(f"model: none was named, and {base_url} serves {listed}; name one of them")
    return found.models[0]


def _json_object(content: str) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise GarbledReply(f"{len(content)} characters that are not JSON") from None
    if not isinstance(body, dict):
        raise GarbledReply(f"a JSON {type(body).__name__}")
    return body


def _reply(content: str, latency_seconds: float) -> ChatReply:
    """Read a chat completion; counts the server does not give are 0."""
    body = _json_object(content)
    try:
        choice = body["choices"][0]
        text = choice["message"]["content"]
        usage = body.get("usage") or {}
        prompt, completion = (int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens"))
        cached = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise GarbledReply("no message in it, or no numbers for its tokens") from None
    if not isinstance(text, str | None):
        raise GarbledReply(f"a message that is a {type(text).__name__}")
    return ChatReply(
        # JSON can carry halves of surrogate pairs, which no file takes; they stay readable as they were escaped.
        text=(text or "").encode("utf-8", "backslashreplace").decode(),
        model=str(body.get("model") or ""),
        fingerprint=str(body.get("system_fingerprint") or ""),
        prompt_tokens=prompt,
        cached_tokens=cached,
        completion_tokens=completion,
        latency_seconds=latency_seconds,
        first_token=_first_token(choice.get("logprobs")),
    )


def _first_token(logprobs: Any) -> tuple[tuple[str, float], ...]:
    """The alternatives of the first token, likeliest first; none where the server gives no log probabilities."""
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not tokens:
        return ()
    try:
        found = [(str(each["token"]), float(each["logprob"])) for each in tokens[0]["top_logprobs"]]
    except (KeyError, TypeError, ValueError):
        raise GarbledReply("log probabilities of another shape") from None
    return tuple(sorted(found, key=lambda each: -each[1]))


def _is_about_form(error: BadStatus) -> bool:
    words = ("response_format", "json_schema", "structured", "grammar", "schema")
    return error.status in _REFUSED_AS_WRITTEN and any(word in error.said for word in words)


def _every_key_required(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI's strict mode takes the schema: it wants every key of every object to be required."""
    parts = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    required = set(schema.get("properties", {})) == set(schema.get("required", ()))
    return required and all(_every_key_required(part) for part in parts)


_as_text = json.JSONEncoder().encode


@lru_cache(maxsize=1024)
def _is_strict(schema: str) -> bool:
    return _every_key_required(json.loads(schema))


@lru_cache(maxsize=1024)
def _cached_grammar(schema: str) -> str:
    return grammar_for(json.loads(schema))
