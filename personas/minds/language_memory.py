"""What a language agent remembers: its earlier visits in a bounded number of lines."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

import numpy as np

from environments.catalog import Catalog
from personas.mind import PageTurn
from personas.minds.language_text import one_line


class VisitMemory:
    """The last visits of every agent, one line each, oldest first.

    Args:
        visits: How many visits are kept for each agent; older ones are forgotten.
    """

    def __init__(self, visits: int) -> None:
        self._lines: dict[int, deque[str]] = defaultdict(lambda: deque(maxlen=visits))

    def add(self, agent: int, line: str) -> None:
        """Keep the line of one visit."""
        self._lines[agent].append(line)

    def recall(self, agent: int) -> tuple[str, ...]:
        """The agent's lines; asking changes nothing."""
        return tuple(self._lines[agent]) if agent in self._lines else ()


def page_line(turn: PageTurn, row: int, catalog: Catalog, title_characters: int) -> str:
    """One page of a visit as its visitor remembers it ("Page 1: opened Heat (4 stars); felt curious, 7 of 10.").

    Args:
        turn: The page and what was done.
        row: The visit's row in the turn.
        catalog: For titles.
        title_characters: Longest title.
    """
    decision = turn.decision
    opened = [
        _opened(catalog.titles[turn.page.items[row, slot]], decision.stars[row, slot], title_characters)
        for slot in np.flatnonzero(decision.clicked[row])
    ]
    parts = [f"opened {', '.join(opened)}" if opened else "opened nothing"]
    if decision.feelings is not None and decision.feelings[row] is not None:
        parts.append(f"felt {one_line(decision.feelings[row] or '', title_characters)}")
    if not np.isnan(decision.satisfaction[row]):
        parts.append(f"satisfaction {decision.satisfaction[row]:g} of 10")
    return f"Page {turn.page.number}: {'; '.join(parts)}."


def visit_line(day: int, turns: Sequence[tuple[PageTurn, int]], catalog: Catalog, title_characters: int) -> str:
    """A whole visit in one line: pages seen, what was opened, and how it felt at the end.

    Args:
        day: 0 for the first day.
        turns: Every readable page of the visit with the visit's row in it, oldest first.
        catalog: For titles.
        title_characters: Longest title.
    """
    opened = [
        _opened(catalog.titles[turn.page.items[row, slot]], turn.decision.stars[row, slot], title_characters)
        for turn, row in turns
        for slot in np.flatnonzero(turn.decision.clicked[row])
    ]
    named = ", ".join(opened[:_NAMED]) if opened else "nothing"
    more = f" and {len(opened) - _NAMED} more" if len(opened) > _NAMED else ""
    last, row = turns[-1]
    felt = last.decision.feelings[row] if last.decision.feelings is not None else None
    ending = f"; felt {one_line(felt, title_characters)} at the end" if felt else ""
    return f"Day {day + 1}: {len(turns)} page{'s' * (len(turns) != 1)}; opened {named}{more}{ending}."


_NAMED = 4


def _opened(title: str, stars: float, title_characters: int) -> str:
    shown = one_line(title, title_characters)
    return shown if np.isnan(stars) else f"{shown} ({stars:g} stars)"
