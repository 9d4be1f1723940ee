"""How a server wants to be asked: found by asking it, first as a run would, then in other ways until it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from groundlings.environments.chat import ChatReply, ChatRequest, Message, ran_out_of_tokens
from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.advice import settings_named
from groundlings.simulator.language.thinking import without_thinking

Settings = Mapping[str, Any]
Ask = Callable[[ChatRequest, Settings], Awaitable[ChatReply]]

AS_A_RUN = ChatRequest(
    (Message("system", "You answer in plain words."), Message("user", "Tell me about the sea.")), {}, 40, 0.7, 1
)
"""A question put with all that a run sends: two roles, a temperature, a seed and a bound."""

_ONE_WORD = replace(AS_A_RUN, messages=(Message("user", "Is the sea wet? Answer with one word."),))
"""A question whose answer is done before the bound, unless the model thinks first."""

TOKENS_TO_THINK = 2000
"""The bound that a model is given which used up a smaller one for thinking."""

_CHANGES = (
    ("limit_key", "max_completion_tokens"),
    ("send_temperature", False),
    ("merge_system", True),
    ("send_seed", False),
    ("temperature", 1),
)
_ONLY_WHERE_NAMED = (("stream", True),)
"""A server that wants this says so."""

_MEETS = (*_CHANGES, *_ONLY_WHERE_NAMED)
_MOST_CHANGES_UNTOLD = 2


@dataclass(frozen=True, slots=True)
class Way:
    """A way of asking in which the server has answered.

    Attributes:
        settings: Keys of `mind.model` that differ from those given.
        reply: What it answered.
    """

    settings: Settings
    reply: ChatReply


async def find_way(ask: Ask) -> Way:
    """A way in which a server answers.

    A complaint that names what it is about is met first; where it names nothing, changes are tried singly and in
    pairs. A model that spends all its tokens on thinking is given more.

    Args:
        ask: Puts a request in the way that some settings ask for.

    Raises:
        ProviderError: There is none; the message is the one of asking as a run would.
    """
    settings: dict[str, Any] = {}
    tried: set[tuple[str, Any]] = set()
    untold = list(_combinations())
    first: ProviderError | None = None
    while True:
        try:
            return await _with_room_to_think(ask, Way(settings, await ask(AS_A_RUN, settings)))
        except ProviderError as error:
            first = first or error
            named = [each for each in settings_named(str(error)) if each in _MEETS and each not in tried]
        if named:
            tried.add(named[0])
            settings = _with(settings, *named[0])
        elif untold:
            settings = untold.pop(0)
        else:
            raise first


async def _with_room_to_think(ask: Ask, way: Way) -> Way:
    """The way with what a model that thinks needs: its thinking cut off, and tokens for an answer behind it."""
    if without_thinking(way.reply.text) != way.reply.text:
        settings = {**way.settings, "thinking": "strip"}
        way = Way(settings, await ask(AS_A_RUN, settings))
    out_of_tokens = ran_out_of_tokens(way.reply.finish_reason)
    # Some servers neither show the thinking nor count its characters: there is no text, and no token left.
    if not way.reply.text and (way.reply.thought_characters or out_of_tokens):
        settings = {**way.settings, "max_tokens": TOKENS_TO_THINK}
        way = Way(settings, await ask(AS_A_RUN, settings))
    elif out_of_tokens and "thinking" not in way.settings and await _thinks_unmarked(ask, way.settings):
        settings = {**way.settings, "thinking": "strip", "max_tokens": TOKENS_TO_THINK}
        way = Way(settings, await ask(AS_A_RUN, settings))
    return way


async def _thinks_unmarked(ask: Ask, settings: Settings) -> bool:
    """Whether a model thinks although its replies do not begin with a mark: some chat templates put that into the
    prompt, and until the mark at the end has come, the thinking looks like an answer."""
    try:
        if not ran_out_of_tokens((await ask(_ONE_WORD, settings)).finish_reason):
            return False
        whole = await ask(_ONE_WORD, {**settings, "max_tokens": TOKENS_TO_THINK})
    except ProviderError:  # the way that was found stays
        return False
    return without_thinking(whole.text) != whole.text


def _with(settings: Settings, key: str, value: Any) -> dict[str, Any]:
    kept = {each: said for each, said in settings.items() if (each, key) != ("send_temperature", "temperature")}
    return {**kept, key: value}


def _combinations() -> Iterator[dict[str, Any]]:
    for many in range(1, _MOST_CHANGES_UNTOLD + 1):
        for changes in combinations(_CHANGES, many):
            yield dict(changes)
