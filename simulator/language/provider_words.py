"""What a server says of its own failure, and what kind of failure its words tell of.

Servers agree on no error format: the same refusal comes with another status, another key and other words from each of
them. The words below are those of public bug reports; where they say nothing, a control question decides
(`groundlings.simulator.language.pool`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_LONGEST_EXCERPT = 300
_LONGEST_ERROR = 64_000
_TEXTS = ("message", "detail", "error_description", "msg", "error")
_CODES = ("code", "type", "status")

_GENERATION = re.compile(
    r"json_validate_failed|failed_generation|failed to (?:generate|validate) json|tool_use_failed"
    r"|generated (?:json|output|text|response)|(?:output|generation|model) (?:does|did) not match|"
    r"invalid_generation|generation[ _]failed|could not generate (?:a )?(?:valid )?json|model produced invalid"
)
_MODERATION = re.compile(
    r"content[ _-]?filter|content[ _]management|content[ _-]?polic|responsible ?ai|moderation|flagged|prohibited"
    r"|inappropriate|sensitive|unsafe|harmful|safety|usage polic|guardrail|invalid_prompt|data_?inspection"
    r"|content exists risk|jailbreak|\u654f\u611f|\u4e0d\u5b89\u5168|\u5ba1\u6838|\u8fdd\u89c4"
)
_KEY = re.compile(
    r"api[ _-]?key|\bkey\b|credential|authenticat|authoriz|unauthoris|permission|\btoken is\b|access denied|account"
    r"|billing|country|region|organi[sz]ation|subscription"
)
_INVALID_KEY = re.compile(
    r"(?:api|access)[ _-]?key[\w ]{0,20}(?:not[ _]valid|invalid|incorrect)|(?:invalid|incorrect)[ _]api[ _-]?key"
)
_EMPTY_ACCOUNT = re.compile(
    r'insufficient_quota"|"?insufficient[ _](?:credit|balance|fund)|payment required'
    r"|credit balance is too low|out of credits"
)
_FORM = re.compile(
    r"response_format|response format|json_schema|json schema|json_object|structured|grammar|guided|schema"
    r"|requested parameters"
)
_LENGTH = re.compile(
    r"context[ _-]?(?:length|window|size)|exceed\w*[ _]context|(?:prompt|input) is too long|too many tokens"
    r"|(?:input|prompt) token count|request too large|reduce (?:the length|your (?:prompt|input|message))"
    r"|must have less than \d+ tokens|string_above_max_length"
)
_PARAMETER = re.compile(r"[\w.\[\]-]{1,60}")
_BUSY = re.compile(r"rate[ _-]?limit|too many requests|resource_exhausted|overloaded")


def in_words(said: str) -> str:
    """The provider's own words in the body of an error: its message and code, or the body itself where it has none."""
    try:
        found = _message(json.loads(said))
    except (ValueError, RecursionError):
        found = ""
    return excerpt(" ".join((found or said).split()), _LONGEST_EXCERPT)


def excerpt(text: str, limit: int) -> str:
    """The beginning of a text, with a mark where that is not all of it."""
    return text if len(text) <= limit else f"{text[:limit]}..."


def tells_of_generation(said: str) -> bool:
    """Whether the model began a reply that did not come out in the form asked for: the next one may."""
    return bool(_GENERATION.search(said.lower()))


def tells_of_moderation(said: str) -> bool:
    """Whether somebody objects to what the prompt says."""
    return bool(_MODERATION.search(said.lower()))


def tells_of_key(said: str) -> bool:
    """Whether somebody objects to who asks."""
    return bool(_KEY.search(said.lower()))


def tells_of_invalid_key(said: str) -> bool:
    """Whether the key is no key of this server's: some say so with status 400."""
    return bool(_INVALID_KEY.search(said.lower()))


def tells_of_empty_account(said: str) -> bool:
    """Whether nothing more is answered until somebody pays."""
    return bool(_EMPTY_ACCOUNT.search(said.lower()))


def tells_of_length(said: str) -> bool:
    """Whether the question is longer than the model or the server takes."""
    return bool(_LENGTH.search(said.lower()))


def tells_of_form(said: str) -> bool:
    """Whether the form of the reply, or what asks for it, is named."""
    return bool(_FORM.search(said.lower()))


def as_text(error: Any) -> str:
    """An error that stands in a reply as JSON; of a very long one no more than its words.

    A reply may be millions of characters long, and all of them would be searched again and again.

    Raises:
        RecursionError: It is nested too deeply.
    """
    whole = json.dumps({"error": error})
    return whole if len(whole) <= _LONGEST_ERROR else json.dumps({"error": in_words(whole)})


def status_of(error: Any) -> int:
    """The HTTP status that an error in place of a reply means, 500 where it does not say."""
    for key in ("code", "status", "status_code"):
        code = error.get(key) if isinstance(error, Mapping) else None
        if isinstance(code, int | str) and re.fullmatch(r"[45]\d\d", str(code)):
            return int(code)
    said = as_text(error).lower()
    if tells_of_empty_account(said):
        return 402
    if _BUSY.search(said):
        return 429
    return 400 if tells_of_moderation(said) or tells_of_generation(said) else 500


def _message(body: Any) -> str:
    """The first message in an error's body, with its code and the key of the request that it is about."""
    if isinstance(body, list):
        return next(filter(None, map(_message, body)), "")
    if isinstance(body, str):
        return body
    if not isinstance(body, Mapping):
        return ""
    if isinstance(inner := body.get("error"), Mapping | list):
        return _message(inner)
    told = next((str(body[key]) for key in _TEXTS if body.get(key)), "")
    code = next((body[key] for key in _CODES if body.get(key)), "")
    told_code = isinstance(code, str) and code and not code.isdigit() and code not in told
    param = body.get("param")
    told_param = isinstance(param, str) and _PARAMETER.fullmatch(param) and param not in told
    about = ", ".join([*([str(code)] if told_code else ()), *([f"about {param}"] if told_param else ())])
    named = f" ({about})" if told and about else ""
    source = body.get("metadata")
    raw = source.get("raw") if isinstance(source, Mapping) else None
    return f"{told}{named}" + (f": {raw}" if told and isinstance(raw, str) and raw else "")
