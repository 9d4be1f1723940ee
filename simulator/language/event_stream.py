"""A chat completion that came as server-sent events although one piece was asked for, put together again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from groundlings.simulator.language.faults import GarbledReply

_FIELDS = ("data:", "event:", "id:", "retry:", ":")
_LAST = "[DONE]"
_ADDED_UP = ("content", "reasoning", "reasoning_content", "refusal")


class _Pieces(list[str]):
    """Texts that are joined at the end: each addition to a text would copy what there is of it."""


def is_event_stream(content: str) -> bool:
    """Whether a body is a stream of events (HTML Standard, "Server-sent events"); JSON never begins like one."""
    return content.lstrip("\ufeff \r\n").startswith(_FIELDS)


def merged_completion(content: str) -> dict[str, Any]:
    """The chat completion that the chunks of a stream make together.

    Raises:
        GarbledReply: A chunk is no JSON object, or the stream ends before the reply does.
    """
    body: dict[str, Any] = {}
    message: dict[str, Any] = {}
    choice: dict[str, Any] = {"message": message}
    over = False
    for event in _events(content):
        if event == _LAST:
            over = True
            break
        chunk = _chunk(event)
        body.update({key: value for key, value in chunk.items() if value is not None and key != "choices"})
        found = chunk.get("choices")
        for part in found if isinstance(found, list) else ():
            if isinstance(part, dict) and not part.get("index"):
                _add(choice, message, part)
    message.update({key: "".join(said) for key, said in message.items() if isinstance(said, _Pieces)})
    if error := body.get("error") or choice.get("error"):
        return {"error": error}  # what came before it is no whole reply
    if not (over or choice.get("finish_reason")):
        raise GarbledReply("a stream of events that breaks off")
    return {**body, "choices": [choice]} if message or choice.get("finish_reason") else body


def _events(content: str) -> Iterator[str]:
    """The data of each event."""
    data: list[str] = []
    for line in [*content.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data).strip()
            data = []


def _chunk(event: str) -> dict[str, Any]:
    try:
        chunk = json.loads(event)
    except (ValueError, RecursionError):
        raise GarbledReply(f"a stream with an event of {len(event)} characters that are not JSON") from None
    if not isinstance(chunk, dict):
        raise GarbledReply(f"a stream with an event that is a JSON {type(chunk).__name__}")
    return chunk


def _add(choice: dict[str, Any], message: dict[str, Any], part: dict[str, Any]) -> None:
    """Put what one chunk says behind what the earlier ones said."""
    for key in ("finish_reason", "error"):
        if part.get(key):
            choice[key] = part[key]
    tokens = part.get("logprobs")
    if isinstance(tokens, dict) and isinstance(tokens.get("content"), list):
        choice.setdefault("logprobs", {"content": []})["content"] += tokens["content"]
    delta = part.get("delta") or part.get("message") or {}
    if not isinstance(delta, dict):
        raise GarbledReply(f"a stream with a message that is a {type(delta).__name__}")
    for key in ("role", *_ADDED_UP):
        before = message.get(key)
        if (said := delta.get(key)) is None:
            message.setdefault(key, None)
        elif key == "role" or before is None:
            message[key] = _Pieces([said]) if isinstance(said, str) and key != "role" else said
        elif isinstance(said, str) and isinstance(before, _Pieces):
            before.append(said)
        elif isinstance(said, list) and isinstance(before, list) and not isinstance(before, _Pieces):
            before += said
        else:
            first = "str" if isinstance(before, _Pieces) else type(before).__name__
            raise GarbledReply(f"a stream whose {key} is first a {first}, then something else")
