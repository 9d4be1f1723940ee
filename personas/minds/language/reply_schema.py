"""The form of a reply: what the model may answer, and how an answer is read.

Each reply has one definition (`PageReply`, `ClosingReply`, `Thought`). A schema narrows its fields to what one
question offers and goes with the question; the reader takes whatever came back by the same fields. A reply of another
shape is *unreadable*. A reply of the right shape that says what the page does not offer (slot 9 of 4, seven stars) is
*readable*: it becomes actions, and the site's check refuses and logs them. Nothing is repaired either way.

Opened slots are the keys of an object and their stars the values, `{"2":4}`, so that slots and stars cannot be out of
step and no slot can be named twice; `null` is no stars. Where a site takes no stars, opened slots are a plain list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from groundlings.environments import levels
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.replies import read_json
from groundlings.personas.minds.language.basket import Basket
from groundlings.personas.minds.language.search_box import SearchBox

REASON_CHARACTERS = 60
NO_BASKET, NO_BOX = Basket(), SearchBox()

LIKE_WORDS = {"like": 1.0, "dislike": 0.0}
"""What a reply says of an opened item where people like and dislike -> the value of the action `like`."""

_SLOT = re.compile(r"0|[1-9][0-9]{0,8}")
_LONGEST_FEELING = 40


_MOST = 10**9
"""A number beyond it says nothing that a site could refuse, and floating point may not hold it."""


def _whole(number: object) -> object:
    """A number as JSON Schema tells integers: 7.0 is one."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


WholeNumber = Annotated[int, BeforeValidator(_whole)]


class Reply(BaseModel):
    """A line of JSON, read strictly."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class PageReply(Reply):
    """What a visitor answers to a page; the order of fields is the order of writing."""

    open: dict[str, float | Literal["like", "dislike"] | None] | list[WholeNumber]
    cart: list[WholeNumber] | None = None
    buy: dict[str, WholeNumber] | list[WholeNumber] | None = None
    why: dict[str, str] | None = None
    query: str | None = None
    feel: str
    satisfaction: WholeNumber = Field(ge=-_MOST, le=_MOST)
    next: bool | None = None


class ClosingReply(Reply):
    """What a visitor says of a page whose slots were asked for one by one."""

    feel: str
    satisfaction: WholeNumber = Field(ge=1, le=10)


class Thought(Reply):
    """What a visitor makes of its last sessions."""

    thought: str = Field(min_length=1)
    importance: WholeNumber = Field(ge=1, le=10)


_Form = TypeVar("_Form", bound=Reply)
_ONE_TO_TEN = {"type": "integer", "minimum": 1, "maximum": 10}


def reply_schema(
    slots: Sequence[int],
    stars: Sequence[float | str],
    may_go_on: bool,
    feelings: Sequence[str],
    *,
    stars_optional: bool = False,
    reasons: bool = False,
    basket: Basket = NO_BASKET,
    searches: bool = False,
) -> dict[str, Any]:
    """JSON Schema of the replies that are legal on one page.

    Args:
        slots: Numbers of the slots that hold an item, from 1.
        stars: Legal ratings, or the words of `LIKE_WORDS`; none where the site takes neither.
        may_go_on: Whether there is a next page.
        feelings: Words to choose from.
        stars_optional: Whether an opened slot may be left without stars.
        reasons: Whether slots may be explained.
        basket: What the site asks of cart and purchase.
        searches: Whether a query can be made.
    """
    if stars:
        ratings = tuple(each for each in stars if not isinstance(each, str))
        listed = levels.numbers(ratings) if ratings else stars
        rating = {"enum": [*listed, None] if stars_optional else list(listed)}
        opened = object_schema({str(slot): rating for slot in slots}, required=())
    elif slots:
        opened = {"type": "array", "items": {"enum": list(slots)}, "uniqueItems": True, "maxItems": len(slots)}
    else:
        opened = {"type": "array", "maxItems": 0}
    legal = {
        "open": opened,
        "why": object_schema({str(slot): text_schema(REASON_CHARACTERS) for slot in slots}, required=()),
        "feel": {"enum": list(feelings)},
        "satisfaction": _ONE_TO_TEN,
        "next": {"type": "boolean"},
    }
    legal |= basket.fields(slots) | SearchBox().fields()
    asked = {"cart": basket.cart, "buy": basket.buys, "why": reasons, "query": searches, "next": may_go_on}
    properties = {name: legal[name] for name in PageReply.model_fields if asked.get(name, True)}
    return object_schema(properties, required=[name for name in properties if name != "query"])


def closing_schema(feelings: Sequence[str]) -> dict[str, Any]:
    """JSON Schema of a `ClosingReply`."""
    return object_schema({"feel": {"enum": list(feelings)}, "satisfaction": _ONE_TO_TEN})


def thought_schema(characters: int) -> dict[str, Any]:
    """JSON Schema of a `Thought`."""
    return object_schema({"thought": text_schema(characters), "importance": _ONE_TO_TEN})


def interview_schema(questions: int, characters: int) -> dict[str, Any]:
    """JSON Schema of the answers to so many questions."""
    return object_schema({str(number): text_schema(characters) for number in range(1, questions + 1)})


def read_reply(
    text: str,
    *,
    takes_stars: bool,
    may_go_on: bool,
    stars_optional: bool = False,
    reasons: bool = False,
    likes: bool = False,
    basket: Basket = NO_BASKET,
    box: SearchBox = NO_BOX,
) -> PageReply:
    """Read the reply to a page.

    Args:
        text: The reply.
        takes_stars: Whether the site takes stars, or a like or dislike, with an opened slot.
        may_go_on: Whether there is a next page.
        stars_optional: Whether an opened slot may be left without.
        reasons: Whether slots may be explained.
        likes: Whether it takes likes and dislikes rather than stars.

    Raises:
        UnreadableReply: It is not the form; the message tells the model what is wrong with it.
    """
    reply = read_form(text, PageReply)
    said = "like or dislike" if likes else "stars"
    if isinstance(reply.open, dict) and not takes_stars:
        raise UnreadableReply("open: expected a list of slot numbers")
    if isinstance(reply.open, list) and takes_stars and reply.open:
        raise UnreadableReply(f"open: expected an object of slot number and {said}")
    if isinstance(reply.open, list) and len(set(reply.open)) < len(reply.open):
        raise UnreadableReply("open: a slot is named twice")
    if isinstance(reply.open, dict) and not stars_optional and None in reply.open.values():
        raise UnreadableReply(f"open: an opened slot needs {said}")
    if isinstance(reply.open, dict) and any(
        isinstance(each, str) != likes for each in reply.open.values() if each is not None
    ):
        raise UnreadableReply(f"open: expected {said} with each slot")
    if (reply.why is not None) != reasons:
        raise UnreadableReply("why is missing" if reasons else "why: was not asked for")
    basket.check(reply.cart, reply.buy)
    box.check(reply.query)
    for slot in (*reply.open, *(reply.cart or ()), *(reply.buy or ()), *(reply.why or ())):
        if not _SLOT.fullmatch(str(slot)):
            raise UnreadableReply(f"{slot!r:.20} is not a slot number")
    for reason in (reply.why or {}).values():
        _refuse_long(reason, "why", REASON_CHARACTERS)
    _refuse_long(reply.feel, "feel", _LONGEST_FEELING)
    if may_go_on and reply.next is None:
        raise UnreadableReply("next is missing")
    return reply


def read_closing(text: str) -> ClosingReply:
    """Read what a visitor says of a page; `UnreadableReply` as for `read_reply`."""
    reply = read_form(text, ClosingReply)
    _refuse_long(reply.feel, "feel", _LONGEST_FEELING)
    return reply


def read_thought(text: str, characters: int) -> Thought:
    """Read a thought; `UnreadableReply` as for `read_reply`."""
    reply = read_form(text, Thought)
    _refuse_long(reply.thought, "thought", characters)
    return reply


def read_interview(text: str, questions: int, characters: int) -> tuple[str, ...]:
    """Read the answers, in the order of the questions; `UnreadableReply` as for `read_reply`."""
    value = read_json(text)
    wanted = [str(number) for number in range(1, questions + 1)]
    if not isinstance(value, dict) or sorted(value) != sorted(wanted):
        raise UnreadableReply(f"expected an object with the keys {', '.join(wanted)}")
    for number in wanted:
        if not isinstance(value[number], str):
            raise UnreadableReply(f"{number}: expected a text")
        _refuse_long(value[number], number, characters)
    return tuple(value[number] for number in wanted)


def read_form(text: str, form: type[_Form]) -> _Form:
    """One line of JSON as `form`; raises `UnreadableReply`."""
    try:
        return form.model_validate(read_json(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the reply"
        raise UnreadableReply(f"{where}: {first['msg']}") from None


def object_schema(properties: Mapping[str, Any], required: Sequence[str] | None = None) -> dict[str, Any]:
    """A closed object; all its keys are required unless said otherwise."""
    needed = list(properties if required is None else required)
    named = {"required": needed} if needed else {}
    return {"type": "object", "properties": dict(properties), **named, "additionalProperties": False}


def text_schema(characters: int) -> dict[str, Any]:
    """JSON Schema of a text of at most so many characters."""
    return {"type": "string", "maxLength": characters}


def _refuse_long(text: str, where: str, characters: int) -> None:
    if not text.isprintable() or len(text) > characters:
        raise UnreadableReply(f"{where}: expected at most {characters} characters on one line")
