"""What a language model's reply is read with, whoever asked."""

from __future__ import annotations

import json
import re
from typing import Any

from groundlings.environments.chat import ChatModel, ChatReply
from groundlings.environments.errors import UnanswerablePrompt, UnreadableReply

_FENCED = re.compile(r"\s*```(?:json)?\n(.*)\n```\s*", re.DOTALL)


def read_json(text: str) -> Any:
    """The value of a text; white space and one Markdown fence round the whole of it are no part of it.

    Raises:
        UnreadableReply: It is not JSON, or holds a key twice or a number that JSON has not.
    """
    fenced = _FENCED.fullmatch(text) if "```" in text else None
    return read_plain_json(fenced[1] if fenced else text)


def read_plain_json(text: str) -> Any:
    """The value of a text that is nothing but JSON; raises `UnreadableReply` as `read_json`."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise UnreadableReply("it is nested too deeply") from None
    except ValueError as error:
        raise UnreadableReply(f"it is not JSON ({error})") from None


def refused(model: ChatModel, refusal: UnanswerablePrompt) -> ChatReply:
    """What stands in the log for a reply that a server refuses for good: its words, and no tokens.

    Servers do not say what a refusal took, so the count of tokens is marked as estimated.
    """
    return ChatReply(
        text=refusal.what,
        model=model.name,
        fingerprint="",
        prompt_tokens=0,
        cached_tokens=0,
        completion_tokens=0,
        latency_seconds=0.0,
        attempts=refusal.attempts,
        from_store=refusal.from_store,
        tokens_estimated=True,
    )


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError("a key stands there twice")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
