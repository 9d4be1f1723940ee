"""What a server's answer to a question says, read in one place."""

from __future__ import annotations

import json
from typing import Any

from groundlings.environments.chat import ChatReply
from groundlings.simulator.language.faults import GarbledReply


def json_object(content: str) -> dict[str, Any]:
    """The object that some JSON holds.

    Raises:
        GarbledReply: It holds something else, or is no JSON.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise GarbledReply(f"{len(content)} characters that are not JSON") from None
    if not isinstance(body, dict):
        raise GarbledReply(f"a JSON {type(body).__name__}")
    return body


def read_reply(content: str, latency_seconds: float) -> ChatReply:
    """The reply in the body of a chat completion; counts the server does not give are 0.

    Raises:
        GarbledReply: No chat completion.
    """
    body = json_object(content)
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
