"""What a model wrote while it thought, told from what it answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TAGS = "think|thinking|thought|reasoning|seed:think"
_FORMS = (
    (rf"<(?:{_TAGS})>", rf"</(?:{_TAGS})>"),
    (r"\[THINK\]", r"\[/THINK\]"),
    ("◁think▷", "◁/think▷"),
    (r"(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>", r"<\|channel\|>final<\|message\|>"),
)
_BLOCKS = tuple(re.compile(rf"\s*{begin}.*?(?:{end}|\Z)\s*", re.DOTALL | re.IGNORECASE) for begin, end in _FORMS)
# Some chat templates put the opening tag into the prompt: the reply then begins within the block.
_ENDS = tuple(
    re.compile(rf"(?:(?!{begin}).)*?{end}\s*", re.DOTALL | re.IGNORECASE)
    for begin, end in _FORMS[:-1]  # the last form always names its own beginning
)
_FIRST_TOKENS = re.compile(rf"\s*(?:<(?:{_TAGS})>?|\[THINK\]?|◁think▷?|<\|(?:start|channel)\|>)\s*\Z", re.IGNORECASE)
_FIELDS = ("reasoning_content", "reasoning", "thinking")


def without_thinking(text: str) -> str:
    """The text behind the thinking that it begins with; "" where the thinking has no end.

    Known are `<think>` and its kin, `[THINK]`, `◁think▷` and the channels of gpt-oss. What stands between other marks,
    or behind the answer, stays.
    """
    start = 0  # the text itself is cut once: it may hold hundred thousands of marks
    for form in (*_BLOCKS, *_ENDS):
        while found := form.match(text, start):
            start = found.end()
    return text[start:]


def begins_thinking(token: str) -> bool:
    """Whether a first token is no answer, but the mark that thinking begins with, or the first part of one."""
    return _FIRST_TOKENS.match(token) is not None


def thoughts_beside(message: Mapping[str, Any]) -> str:
    """The thinking that a server gives in a field of its own, "" where it gives none."""
    for field in _FIELDS:
        if (thoughts := message.get(field)) and isinstance(thoughts, str):
            return thoughts
    return ""
