"""Numbers and names in a server's answer, held against what they can be: what nobody can believe is not known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groundlings.environments.chat import ChatRequest
from groundlings.environments.cleaning import storable
from groundlings.simulator.language.thinking import begins_thinking

MOST_TOKENS = 1_000_000_000
"""More than any model reads or writes at once; sums of a run's counts stay within 64 bits."""

UNKNOWN_TOKEN = (("", math.nan),)
"""Log probabilities that cannot be read: something was to be listed, and nothing of it is known."""

_BYTES_A_TOKEN = 4
_CHARACTERS_A_TOKEN = 4
_ROUNDING = 1e-3
"""How far above 0 a log probability may come out of a server's arithmetic."""
_MOST_TOGETHER = 1.1
"""How much the alternatives of a token may add up to: servers round log probabilities, some to one decimal."""
_LEAST_OF_THE_LIKELIEST = math.log(1e-7)
"""The likeliest of all tokens is likelier: no vocabulary has ten million."""
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of one call.

    Attributes:
        prompt, cached, completion: How many; those found in a cache are among those of the prompt.
        estimated: Whether one of them is our estimate, because the server gave none that can be believed.
    """

    prompt: int
    cached: int
    completion: int
    estimated: bool


def token_counts(usage: object, request: ChatRequest, written: int, *, cut_off: bool) -> TokenCounts:
    """What a call took.

    A server's counts are believed where they are whole numbers of at most `MOST_TOKENS`, at least 1 for a prompt and
    for a reply that is not empty, and those of a cache no more than those of the prompt, or not given. Otherwise none
    of them is: the prompt is estimated as a token per four bytes, and the reply as a token per four characters, at
    least one, and all that it was allowed where it was cut off for its length.

    Some servers leave what a model thought out of the tokens of its reply and tell of it in their total or in a count
    of its own; it was written and is paid for, so it is counted with the reply.

    Args:
        usage: The field of that name, whatever it is.
        request: What was asked.
        written: Characters that the model wrote, thinking included.
        cut_off: Whether the reply ended where it was as long as it may be.
    """
    given = usage if isinstance(usage, dict) else {}
    prompt = _count(given.get("prompt_tokens"), least=1)
    completion = _count(given.get("completion_tokens"), least=1 if written else 0)
    details = given.get("prompt_tokens_details")
    told = details.get("cached_tokens") if isinstance(details, dict) else None
    cached = 0 if told is None else _count(told, least=0)
    if prompt is None or completion is None or cached is None or cached > prompt:
        return TokenCounts(_tokens_sent(request), 0, _tokens_written(written, request.max_tokens * cut_off), True)
    return TokenCounts(prompt, cached, completion + _thought_elsewhere(given, prompt, completion), False)


def estimated_counts(request: ChatRequest, written_bytes: int) -> TokenCounts:
    """The same where there is nothing but the length of what came."""
    return TokenCounts(_tokens_sent(request), 0, max(1, math.ceil(written_bytes / _BYTES_A_TOKEN)), True)


def log_probability(given: object) -> float:
    """A natural log probability, NaN where that is not what was given: no number, infinite, or above 0."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return math.nan
    try:
        found = float(given)
    except OverflowError:
        return math.nan
    return found if math.isfinite(found) and found <= _ROUNDING else math.nan


def believable(alternatives: Sequence[tuple[str, float]], answers: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Alternatives of one token, likeliest first, those without a probability last.

    Where they cannot all be true, none of their probabilities is known (NaN): together they are more than certain,
    none of them is as likely as the likeliest of all tokens must be, or a word that was asked about is listed twice in
    one spelling. Nor is any where the likeliest begins the model's thinking: what is left for yes and no tells nothing
    of the answer behind it.
    """
    listed = [token for token, _ in alternatives]
    wanted = {answer.strip().lower() for answer in answers}
    twice = len(set(listed)) < len(listed) and any(
        number > 1 and token.strip().lower() in wanted for token, number in Counter(listed).items()
    )
    known = [log for _, log in alternatives if not math.isnan(log)]
    unlikely = max(known, default=0.0) < _LEAST_OF_THE_LIKELIEST
    if twice or unlikely or of_thinking(alternatives) or math.fsum(map(math.exp, known)) > _MOST_TOGETHER:
        return tuple((token, math.nan) for token in listed)
    return tuple(sorted(alternatives, key=lambda each: math.inf if math.isnan(each[1]) else -each[1]))


def of_thinking(alternatives: Sequence[tuple[str, float]]) -> bool:
    """Whether the likeliest of the alternatives of a first token begins the model's thinking."""
    known = [each for each in alternatives if not math.isnan(each[1])]
    return bool(known) and begins_thinking(max(known, key=lambda each: each[1])[0])


def name_in(value: object) -> str:
    """A short text that a server gives, such as a model's name; "" where it is no text."""
    if not isinstance(value, str):
        return ""
    told = value if len(value) <= _LONGEST_NAME else f"{value[:_LONGEST_NAME]}... ({len(value):,} characters)"
    return storable(told)


def _count(given: object, least: int) -> int | None:
    """A count of tokens, None where it cannot be one."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    if not least <= given <= MOST_TOKENS or given != int(given):
        return None
    return int(given)


def _thought_elsewhere(usage: Mapping[str, Any], prompt: int, completion: int) -> int:
    """Tokens that a model wrote and that are not among those of its reply."""
    total = _count(usage.get("total_tokens"), least=prompt + completion)
    if total is not None:
        return total - prompt - completion
    details = usage.get("completion_tokens_details")
    thought = _count(details.get("reasoning_tokens"), least=completion + 1) if isinstance(details, dict) else None
    return thought or 0


def _tokens_sent(request: ChatRequest) -> int:
    return max(1, math.ceil(sum(len(message.content.encode()) for message in request.messages) / _BYTES_A_TOKEN))


def _tokens_written(written: int, allowed: int) -> int:
    return max(1, allowed, math.ceil(written / _CHARACTERS_A_TOKEN))
