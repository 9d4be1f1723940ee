"""Plans that a language model writes before anything is done, and what a critic says of their outcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from groundlings.environments.errors import UnreadableReply
from groundlings.environments.replies import read_json
from groundlings.recommenders.language.wording import TITLE_CHARACTERS

_INPUT, _ADVICE = 160, 200
"""Characters."""
_NAMES = 4
"""So many items may be named in each list of a step."""
_YEAR_CHARACTERS = 7
_NEEDED, _LISTS = ("tool", "input"), ("items", "unwanted")


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One step of a plan.

    Attributes:
        tool: Name of a tool.
        request: What it is asked.
        items: Names of items that it is to go by.
        unwanted: Names of items that are not to be listed.
    """

    tool: str
    request: str
    items: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a critic says of a list.

    Attributes:
        good: Whether it may be shown.
        advice: What the next plan should do instead.
    """

    good: bool
    advice: str


def plan_schema(tools: Iterable[str], most: int) -> dict[str, Any]:
    """JSON Schema of a plan of at most so many steps."""
    name = {"type": "string", "maxLength": TITLE_CHARACTERS + _YEAR_CHARACTERS}
    names = {"type": "array", "items": name, "maxItems": _NAMES}
    step = {
        "type": "object",
        "properties": {
            "tool": {"type": "string", "enum": list(tools)},
            "input": {"type": "string", "maxLength": _INPUT},
            "items": names,
            "unwanted": names,
        },
        "required": list(_NEEDED),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"plan": {"type": "array", "items": step, "minItems": 1, "maxItems": most}},
        "required": ["plan"],
        "additionalProperties": False,
    }


def read_plan(text: str, tools: Sequence[str], most: int) -> tuple[ToolUse, ...]:
    """The steps of a plan.

    Args:
        text: The reply.
        tools: Names of those that there are.
        most: Steps at most.

    Raises:
        UnreadableReply: It is not the form asked for, or names a tool that is not there.
    """
    value = read_json(text)
    if not isinstance(value, dict) or list(value) != ["plan"] or not isinstance(value["plan"], list):
        raise UnreadableReply("expected an object with one key, plan, and a list of steps")
    if not 1 <= len(value["plan"]) <= most:
        raise UnreadableReply(f"plan: expected 1 to {most} steps")
    return tuple(_step(each, tools) for each in value["plan"])


def _step(value: object, tools: Sequence[str]) -> ToolUse:
    if not isinstance(value, dict) or not set(_NEEDED) <= set(value) <= {*_NEEDED, *_LISTS}:
        raise UnreadableReply("plan: expected steps with the keys tool and input, and perhaps items and unwanted")
    if value["tool"] not in tools or not isinstance(value["input"], str):
        raise UnreadableReply(f"plan: expected a tool ({', '.join(tools)}) and an input in words")
    lists = [value.get(key, []) for key in _LISTS]
    if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists):
        raise UnreadableReply("plan: expected lists of names as items and unwanted")
    return ToolUse(value["tool"], value["input"], tuple(lists[0]), tuple(lists[1]))


VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": ["yes", "no"]},
        "advice": {"type": "string", "maxLength": _ADVICE},
    },
    "required": ["verdict", "advice"],
    "additionalProperties": False,
}


def read_verdict(text: str) -> Verdict:
    """What a critic says; raises `UnreadableReply`."""
    value = read_json(text)
    if not isinstance(value, dict) or list(value) != ["verdict", "advice"] or not isinstance(value["advice"], str):
        raise UnreadableReply("expected an object with the keys verdict and advice")
    if value["verdict"] not in ("yes", "no"):
        raise UnreadableReply("verdict: expected yes or no")
    return Verdict(value["verdict"] == "yes", value["advice"])
