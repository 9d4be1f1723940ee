"""What happened to an agent, in lines of bounded length: earlier pages of a session, and whole sessions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import RatingScale
from groundlings.personas.mind import PageTurn
from groundlings.personas.minds.language.basket import basket_words
from groundlings.personas.minds.language.search_box import query_words
from groundlings.personas.minds.language.text import one_line

MEMORY_CHARACTERS = 160
"""Longest line that a session leaves behind."""

_NAMED_ON_PAGE, _NAMED_IN_SESSION = 4, 2
_TITLE_CHARACTERS = 36


def page_lines(turns: Sequence[PageTurn], row: int, most: int, catalog: Catalog) -> list[str]:
    """Earlier pages of a session, the last few in a line each and those before in one line; empty for `most` = 0.

    Args:
        turns: The pages, oldest first.
        row: The session's row in each of them.
        most: How many pages have a line of their own.
        catalog: For titles.
    """
    if not most or not turns:
        return []
    before, last = turns[:-most], turns[-most:]
    lines = [page_line(turn, row, catalog) for turn in last]
    if before:
        opened = sum(int(turn.decision["click"][row].sum()) for turn in before)
        shown = sum(int(turn.page.shown[row].sum()) for turn in before)
        first, final = before[0].page.number, before[-1].page.number
        pages = f"Page {first}" if first == final else f"Pages {first} to {final}"
        lines.insert(0, f"{pages}: opened {opened} of {shown}.")
    return lines


def page_line(turn: PageTurn, row: int, catalog: Catalog) -> str:
    """One page as its visitor remembers it ("Page 1: opened Heat (4 stars); felt curious; satisfaction 7 of 10.")."""
    decision = turn.decision
    parts = [f"opened {_named(_opened(turn, row), catalog, _NAMED_ON_PAGE)}"]
    parts += basket_words(turn, row, catalog)
    parts += query_words(turn, row)
    feelings, satisfaction = decision.trace.feelings, float(decision["satisfaction"][row])
    if feelings is not None and feelings[row] is not None:
        parts.append(f"felt {one_line(feelings[row] or '', _TITLE_CHARACTERS)}")
    if not math.isnan(satisfaction):
        parts.append(f"satisfaction {satisfaction:g} of 10")
    return f"Page {turn.page.number}: {'; '.join(parts)}."


def session_line(turns: Sequence[PageTurn], row: int, catalog: Catalog) -> str:
    """A whole session in one line of at most `MEMORY_CHARACTERS`: pages, what was opened, of what kind, how it felt.

    Args:
        turns: Every readable page of the session, oldest first; at least one.
        row: The session's row in each of them.
        catalog: For titles and genres.
    """
    opened = [each for turn in turns for each in _opened(turn, row)]
    best_first = sorted(opened, key=lambda each: 0.0 if math.isnan(each.value) else -each.value)
    text = f"{len(turns)} page{'s' * (len(turns) != 1)}; opened {_named(best_first, catalog, _NAMED_IN_SESSION)}"
    topics = Counter(topic for each in opened for topic in catalog.genres[each.item])
    if topics:
        text += f", mostly {one_line(min(topics, key=lambda topic: (-topics[topic], topic)), _TITLE_CHARACTERS)}"
    feelings = turns[-1].decision.trace.feelings
    if feelings is not None and feelings[row]:
        text += f"; {one_line(feelings[row] or '', _TITLE_CHARACTERS)} at the end"
    return one_line(f"{text}.", MEMORY_CHARACTERS)


def session_importance(turns: Sequence[PageTurn], row: int, scale: RatingScale) -> float:
    """How much a session mattered, 1 to 10: half for how far its satisfaction was from the middle, half for its stars.

    1 + 4.5 * (|mean satisfaction - 5.5| / 4.5 + max |stars - middle of the scale| / half its width); what was not
    said counts 0.
    """
    said = [float(turn.decision["satisfaction"][row]) for turn in turns]
    said = [each for each in said if not math.isnan(each)]
    felt = abs(sum(said) / len(said) - 5.5) / 4.5 if said else 0.0
    middle, half = (scale.low + scale.high) / 2, (scale.high - scale.low) / 2
    stars = [each.value for turn in turns for each in _opened(turn, row) if not math.isnan(each.value)]
    rated = max((abs(each - middle) / half for each in stars), default=0.0) if half > 0 else 0.0
    return round(1 + 4.5 * (felt + rated), 3)


def opinion_words(value: float, action: str | None) -> str:
    """What somebody said of an item: "1 star" or "4.5 stars" of `rate`, "liked" or "disliked" of `like`."""
    if action == "like":
        return "liked" if value else "disliked"
    return f"{value:g} star{'s' * (value != 1)}"


class _Opened(NamedTuple):
    """An opened item and what was said of it: the rating or like (NaN for none), and the action that says it."""

    item: int
    value: float
    action: str | None


def _opened(turn: PageTurn, row: int) -> list[_Opened]:
    """Every opened slot of a page."""
    # Lists of Python take a third of the time of arrays of a few slots.
    clicked, items = turn.decision["click"][row].tolist(), turn.page.items[row].tolist()
    given, action = turn.decision.opinion, turn.decision.actions.schema.opinion
    values = [math.nan] * len(items) if given is None else given[row].tolist()
    return [_Opened(items[slot], values[slot], action) for slot, opened in enumerate(clicked) if opened]


def _named(opened: Sequence[_Opened], catalog: Catalog, most: int) -> str:
    if not opened:
        return "nothing"
    named = []
    for each in opened[:most]:
        title = one_line(catalog.titles[each.item], _TITLE_CHARACTERS)
        said = "" if math.isnan(each.value) else f" ({opinion_words(each.value, each.action)})"
        named.append(f"{title}{said}")
    more = f" and {len(opened) - most} more" if len(opened) > most else ""
    return ", ".join(named) + more
