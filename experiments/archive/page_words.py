"""What pages and agents said, in words for a story: part of a sentence for each event that concerns a whole page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from groundlings.environments.conversation.talk_actions import BREAKS_OFF, SAY, SYSTEM_SAYS
from groundlings.environments.search_site import FEED, QUERY, SEARCH, SOURCE
from groundlings.environments.social_turns import ABOUT, ENTER, POST, SOCIAL_TURN, TO
from groundlings.environments.trace import REMARK_KINDS

_NOT_SAID = frozenset({"next_page", "exit", "unreadable", "unanswerable", "illegal", *REMARK_KINDS})
"""Kinds of events of a page that a story tells in a way of its own."""


def heading(events: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> str:
    """What a page is, as far as it says so: "results for “war”", "feed", who speaks; "" without words.

    Args:
        events: Of the page.
        before: Of the session's earlier pages, in order.
    """
    if any(event["kind"] == SOCIAL_TURN for event in events):
        return "before the site"
    source = next((event["detail"] for event in events if event["kind"] == SOURCE), None)
    asked = [event["detail"] for event in before if event["kind"] == QUERY.name]
    if source == SEARCH:
        return f"results for “{asked[-1]}”" if asked else "search box"
    words = next((event["detail"] for event in events if event["kind"] == SYSTEM_SAYS), None)
    fault = next((event["detail"] for event in events if event["kind"] == BREAKS_OFF), None)
    if fault is not None:
        return f"the recommender says what is no move, “{words}”: {fault}"
    if words is not None:
        return f"the recommender says “{words}”" if words else "the recommender names an item"
    if source == FEED:
        return "feed"
    return "the agent speaks first" if not before and any(event["kind"] == SAY for event in events) else ""


def said(events: Sequence[Mapping[str, Any]], titles: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What an agent said on a page, such as "asked for “war”"; actions that no text came with are not among it.

    Args:
        events: Of the page.
        titles: Of items that ties were told of, by id.
    """
    kinds = {event["kind"]: event["detail"] for event in events}
    if SOCIAL_TURN in kinds:
        return () if _LOST & set(kinds) else (_turn_words(kinds, titles or {}),)
    return tuple(
        _WORDS.get(event["kind"], "{kind}: “{text}”").format(kind=event["kind"].replace("_", " "), text=event["detail"])
        for event in events
        if event["impression_id"] is None
        and event["detail"] is not None
        and event["kind"] not in _NOT_SAID
        and event["kind"] not in (SOURCE, SYSTEM_SAYS, BREAKS_OFF)
    )


def told_words(to: str, about: str, words: str, titles: Mapping[str, str], *, posted: bool) -> str:
    """What somebody told of an item: "tells user 7 of Fargo: “It is slow.”".

    Args:
        to: Ids of those who are told, as the log has them.
        about: The id of the item.
        words: What was said.
        titles: Of items, by id.
        posted: Whether all ties are told.
    """
    users = json.loads(to)
    whom = f"all {len(users)} friends" if posted and len(users) > 1 else f"user {users[0]}"
    return f"tells {whom} of {titles.get(about, about)}: “{words}”"


def heard_words(row: Mapping[str, Any]) -> str:
    """What a tie told an agent: "user 7 told the agent of Fargo on day 2: “It is slow.”"."""
    return f"user {row['teller']} told the agent of {row['item']} on day {row['day'] + 1}: “{row['words']}”"


def _turn_words(kinds: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """What an agent does before the site."""
    if SAY in kinds:
        return told_words(kinds[TO], kinds[ABOUT], kinds[SAY], titles, posted=POST in kinds)
    return "goes to the site" if ENTER in kinds else "does nothing today"


_LOST = frozenset({"unreadable", "unanswerable"})

_WORDS = {QUERY.name: "asked for “{text}”", SAY: "says “{text}”"}
