"""What a server's answer to a question says, read in one place.

Servers that call themselves OpenAI-compatible give the same reply in several ways: in one piece or as a stream of
events, as a string or as a list of parts, with an error where the reply should be. All that is unambiguous is read;
everything else is a `GarbledReply`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from groundlings.environments.chat import ChatReply, ChatRequest, ran_out_of_tokens
from groundlings.environments.cleaning import storable
from groundlings.simulator.language.event_stream import is_event_stream, merged_completion
from groundlings.simulator.language.faults import ErrorReply, GarbledReply
from groundlings.simulator.language.provider_words import excerpt
from groundlings.simulator.language.reply_numbers import (
    UNKNOWN_TOKEN,
    believable,
    log_probability,
    name_in,
    token_counts,
)
from groundlings.simulator.language.thinking import thoughts_beside, without_thinking

_TELLS = frozenset({"message", "detail", "msg"})
_LONGEST_EXCERPT = 160
_TEXT_PARTS = frozenset({"text", "output_text"})
_THOUGHT_PARTS = frozenset({"thinking", "reasoning", "redacted_thinking"})
_MARKS_OF_A_SPACE = ("\u2581", "\u0120")  # SentencePiece; byte-level BPE


def json_object(content: str) -> dict[str, Any]:
    """The object that some JSON holds.

    Raises:
        GarbledReply: It holds something else, or is no JSON.
    """
    try:
        body = json.loads(content.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        page = ", an HTML page" if content.lstrip()[:1] == "<" else ""
        raise GarbledReply(f"{len(content)} characters that are not JSON{page}") from None
    if not isinstance(body, dict):
        raise GarbledReply(f"a JSON {type(body).__name__}")
    return body


def read_reply(
    content: str, request: ChatRequest, latency_seconds: float, *, form: str = "", strip_thinking: bool = False
) -> ChatReply:
    """The reply in the body of a chat completion; see `reply_numbers` for what is not believed of it.

    Where the model refuses in a field of its own (`refusal`), its words are the text: it said that.

    Args:
        content: The body.
        request: What was asked.
        latency_seconds: How long it took.
        form: What the request asked the reply's form with.
        strip_thinking: Whether a thinking block at the beginning of the text is cut off.

    Raises:
        GarbledReply: No chat completion.
        ErrorReply: An error in place of one.
    """
    body = merged_completion(content) if is_event_stream(content) else json_object(content)
    try:
        choice = _choice(body)
    except RecursionError:  # what was read at such a depth cannot be written again
        raise GarbledReply("JSON that is nested too deeply") from None
    try:
        message = choice["message"]
        text, thought = _said(message)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise GarbledReply("no message in it") from None
    text = storable(text)
    answer = without_thinking(text) if strip_thinking else text
    finish_reason = name_in(choice.get("finish_reason"))
    counts = token_counts(body.get("usage"), request, len(text) + thought, cut_off=ran_out_of_tokens(finish_reason))
    return ChatReply(
        text=answer,
        model=name_in(body.get("model")),
        fingerprint=name_in(body.get("system_fingerprint")),
        prompt_tokens=counts.prompt,
        cached_tokens=counts.cached,
        completion_tokens=counts.completion,
        latency_seconds=latency_seconds,
        first_token=_first_token(choice.get("logprobs"), request.answers) if request.answers else (),
        finish_reason=finish_reason,
        form=form,
        tokens_estimated=counts.estimated,
        thought_characters=thought + len(text) - len(answer),
    )


def _choice(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one reply, unless an error stands in its place."""
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    error = body.get("error") or (choice.get("error") if isinstance(choice, dict) else None)
    message = choice.get("message") if isinstance(choice, dict) else None
    if error and not (isinstance(message, dict) and message.get("content")):
        raise ErrorReply(error)
    if choice is None and (body.get("object") == "error" or any(isinstance(body.get(key), str) for key in _TELLS)):
        raise ErrorReply(body)
    if not isinstance(choice, dict):
        raise GarbledReply(f"no message in it: {excerpt(json.dumps(body), _LONGEST_EXCERPT)}")
    return choice


def _said(message: Mapping[str, Any]) -> tuple[str, int]:
    """The text of a message, and how many characters of thinking the server keeps apart from it."""
    content, thought = message.get("content"), len(thoughts_beside(message))
    if isinstance(content, list):
        content, inside = _joined(content)
        thought += inside
    if not isinstance(content, str | None):
        raise GarbledReply(f"a message that is a {type(content).__name__}")
    if not content and isinstance(refusal := message.get("refusal"), str):
        content = refusal
    return content or "", thought


def _joined(parts: list[Any]) -> tuple[str, int]:
    """The text of a message that comes in parts, and how many characters of thinking are among them."""
    texts, thought = [], 0
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(part, str):
            texts.append(part)
        elif kind in _TEXT_PARTS and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "refusal" and isinstance(part.get("refusal"), str):
            texts.append(part["refusal"])
        elif kind in _THOUGHT_PARTS:
            thought += _length(part)
        else:
            raise GarbledReply(f"a message with a part that is no text ({str(kind)[:40]})")
    return "".join(texts), thought


def _length(thinking: Mapping[str, Any]) -> int:
    """Characters of all texts in a thinking part."""
    inner = thinking.get("thinking") or thinking.get("reasoning") or thinking.get("text")
    if isinstance(inner, list):
        inner = "".join(str(each.get("text") or "") for each in inner if isinstance(each, dict))
    return len(inner) if isinstance(inner, str) else 0


def _first_token(logprobs: Any, answers: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """The alternatives of the first token, likeliest first; none where the server gives no log probabilities.

    A log probability that cannot be one is NaN: whoever reads the odds counts such a reply as unreadable.
    """
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not tokens:
        return ()
    try:
        found = [
            (_spelled(name_in(each["token"])), log_probability(each.get("logprob")))
            for each in tokens[0]["top_logprobs"]
        ]
    except (KeyError, IndexError, TypeError, AttributeError):
        return UNKNOWN_TOKEN
    return believable(found, answers)


def _spelled(token: str) -> str:
    """The text of a token whose leading space a server left as its tokenizer marks it."""
    return f" {token[1:]}" if token.startswith(_MARKS_OF_A_SPACE) else token
