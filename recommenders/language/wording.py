"""Histories and candidates as words of a prompt, in the words of the data set."""

from __future__ import annotations

from collections.abc import Sequence

from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Kind
from groundlings.environments.prompts import Prompt, one_line

TITLE_CHARACTERS = 80
"""So many of a title are shown; a cut is marked."""

CANDIDATES_HEADING = "Candidates:"
"""The line before the candidates; every item stands behind its number, so no title can be this line."""


def shown_name(title: str, year: int | None) -> str:
    """A title on one line, with the year in brackets where it is known."""
    line = one_line(title, TITLE_CHARACTERS)
    return line if year is None else f"{line} ({year})"


class ItemWords:
    """Items of a catalogue as one line each.

    Args:
        catalog: The items and their words.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.one, self.many = catalog.words.one, catalog.words.many
        self._names: dict[int, str] = {}

    def title(self, item: int) -> str:
        """A title on one line."""
        return one_line(self._catalog.titles[item], TITLE_CHARACTERS)

    def name(self, item: int) -> str:
        """A title on one line, with the year in brackets where it is known."""
        known = self._names.get(item)  # every list asks for some fifty, and mostly the same
        if known is None:
            year = self._catalog.years[item]
            known = self._names[item] = shown_name(self._catalog.titles[item], None if year != year else int(year))
        return known

    def numbered(self, items: Sequence[int]) -> str:
        """The names of some items, one a line, numbered from 1."""
        return "\n".join(f"{number}. {self.name(item)}" for number, item in enumerate(items, start=1))

    def did(self, kinds: Sequence[Kind]) -> str:
        """What a user did with the items of a history: "bought", "looked at or bought"."""
        return " or ".join(dict.fromkeys(self._catalog.words.did(kind) for kind in kinds))


def told_history(prompt: Prompt, words: ItemWords, items: Sequence[int], kinds: Sequence[Kind]) -> str:
    """A user's history, by the sections `history` and `nothing` of a prompt."""
    if not items:
        return prompt.fill("nothing", many=words.many)
    return prompt.fill("history", many=words.many, verb=words.did(kinds), items=words.numbered(items))


def candidates_shown(question: str) -> list[str]:
    """The names of the candidates in the text of a question, in the order shown; [] where it shows none."""
    before, heading, lines = question.rpartition(f"\n{CANDIDATES_HEADING}\n")
    return [line.partition(". ")[2] for line in lines.splitlines()] if before and heading else []
