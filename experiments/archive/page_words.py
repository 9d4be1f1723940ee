"""What pages and agents said, in words for a story: part of a sentence for each event that concerns a whole page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groundlings.environments.conversation.talk_actions import BREAKS_OFF, SAY, SYSTEM_SAYS
from groundlings.environments.search_site import FEED, QUERY, SEARCH, SOURCE
from groundlings.environments.trace import REMARK_KINDS

_NOT_SAID = frozenset({"next_page", "exit", "unreadable", "unanswerable", "illegal", *REMARK_KINDS})
"""Kinds of events of a page that a story tells in a way of its own."""


def heading(events: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> str:
    """What a page is, as far as it says so: "results for “war”", "feed", who speaks; "" without words.

    Args:
        events: Of the page.
        before: Of the session's earlier pages, in order.
    """
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


def said(events: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What an agent said on a page, such as "asked for “war”"; actions that no text came with are not among it."""
    return tuple(
        _WORDS.get(event["kind"], "{kind}: “{text}”").format(kind=event["kind"].replace("_", " "), text=event["detail"])
        for event in events
        if event["impression_id"] is None
        and event["detail"] is not None
        and event["kind"] not in _NOT_SAID
        and event["kind"] not in (SOURCE, SYSTEM_SAYS, BREAKS_OFF)
    )


_WORDS = {QUERY.name: "asked for “{text}”", SAY: "says “{text}”"}
