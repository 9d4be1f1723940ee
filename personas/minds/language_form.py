"""The form of a reply to a page: what the model may answer, and how an answer is read.

`PageReply` is the one definition. `reply_schema` narrows its fields to what one page offers, and that schema goes with
the question; `read_reply` reads whatever came back by the same fields. A reply of another shape is *unreadable*. A
reply of the right shape that says what the page does not offer (slot 9 of 4, seven stars) is *readable*: it becomes
actions, and the site's check refuses and logs them. Nothing is repaired either way.

Opened slots are the keys of an object and their stars the values, `{"2":4}`, so that slots and stars cannot be out of
step and no slot can be named twice. Where a site takes no stars, opened slots are a plain list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from environments.actions import Action, Click, Exit, NextPage, Rate
from environments.errors import UnreadableReply

_SLOT = re.compile(r"0|[1-9][0-9]{0,8}")
_FENCED = re.compile(r"\s*```(?:json)?\n(.*)\n```\s*", re.DOTALL)
_LONGEST_FEELING = 40


class PageReply(BaseModel):
    """What a visitor answers; the order of fields is the order of writing."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    open: dict[str, float] | list[int]
    feel: str
    satisfaction: int
    next: bool | None = None

    def actions(self) -> list[Action]:
        """The reply as actions; slots count from 1 here and from 0 there."""
        clicks = [Click(int(slot) - 1) for slot in self.open]
        rated = self.open.items() if isinstance(self.open, dict) else ()
        rates = [Rate(int(slot) - 1, stars) for slot, stars in rated]
        return [*clicks, *rates, NextPage() if self.next else Exit()]


def reply_schema(
    slots: Sequence[int], stars: Sequence[float], may_go_on: bool, feelings: Sequence[str]
) -> dict[str, Any]:
    """JSON Schema of the replies that are legal on one page.

    Args:
        slots: Numbers of the slots that hold an item, from 1.
        stars: Legal ratings, none where the site takes no ratings.
        may_go_on: Whether there is a next page.
        feelings: Words to choose from.
    """
    if stars:
        rating = {"enum": [int(each) if each == int(each) else each for each in stars]}
        opened: dict[str, Any] = {
            "type": "object",
            "properties": {str(slot): rating for slot in slots},
            "additionalProperties": False,
        }
    else:
        opened = {"type": "array", "items": {"enum": list(slots)}, "uniqueItems": True, "maxItems": len(slots)}
    legal = {
        "open": opened,
        "feel": {"enum": list(feelings)},
        "satisfaction": {"type": "integer", "minimum": 1, "maximum": 10},
        "next": {"type": "boolean"},
    }
    fields = [name for name in PageReply.model_fields if name != "next" or may_go_on]
    return {
        "type": "object",
        "properties": {name: legal[name] for name in fields},
        "required": fields,
        "additionalProperties": False,
    }


def read_reply(text: str, *, takes_stars: bool, may_go_on: bool) -> PageReply:
    """Read a reply; white space and one Markdown fence round the whole of it are no part of it.

    Raises:
        UnreadableReply: It is not the form; the message tells the model what is wrong with it.
    """
    fenced = _FENCED.fullmatch(text)
    try:
        value = json.loads(fenced[1] if fenced else text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
    except RecursionError:
        raise UnreadableReply("it is nested too deeply") from None
    except ValueError as error:
        raise UnreadableReply(f"it is not JSON ({error})") from None
    try:
        reply = PageReply.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the reply"
        raise UnreadableReply(f"{where}: {first['msg']}") from None
    _refuse_wrong_kind(reply, takes_stars, may_go_on)
    return reply


def _refuse_wrong_kind(reply: PageReply, takes_stars: bool, may_go_on: bool) -> None:
    if isinstance(reply.open, dict) and not takes_stars:
        raise UnreadableReply("open: expected a list of slot numbers")
    if isinstance(reply.open, list) and takes_stars and reply.open:
        raise UnreadableReply("open: expected an object of slot number and stars")
    for slot in reply.open:
        if not _SLOT.fullmatch(str(slot)):
            raise UnreadableReply(f"open: {slot!r:.20} is not a slot number")
    if isinstance(reply.open, list) and len(set(reply.open)) < len(reply.open):
        raise UnreadableReply("open: a slot is named twice")
    if not reply.feel.isprintable() or len(reply.feel) > _LONGEST_FEELING:
        raise UnreadableReply("feel: expected one word")
    if may_go_on and reply.next is None:
        raise UnreadableReply("next is missing")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError("a key stands there twice")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
