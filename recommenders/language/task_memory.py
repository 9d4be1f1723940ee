"""What an agent is told of a user's past: the part that fits the task, in the words that the function needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from groundlings.environments.catalog import Catalog
from groundlings.environments.prompts import one_line
from groundlings.recommenders.language.tools.search import CatalogueSearch, words_of
from groundlings.recommenders.language.wording import ItemWords

MEMORY_HEADING = "From the user's history, the most recent one first:"
"""The line before the memory in a question; nothing that others wrote stands before it."""

_CATEGORIES = 80
"""Characters."""


class TaskMemory:
    """Recalls the items of a history that are most like what is asked for.

    The memory of Cai et al. (2025, PUMA): the entries of highest cosine to the user's instruction, of which each
    function is told only the fields that it needs. Vectors are those of `CatalogueSearch`. Who gives no instruction is
    taken to go on from the latest item, whose own words are the instruction then.

    Args:
        catalog: The items.
        search: Finds them by words.
        most: Entries at most.
    """

    def __init__(self, catalog: Catalog, search: CatalogueSearch, most: int) -> None:
        self._catalog, self._search, self._most = catalog, search, most
        self._words = ItemWords(catalog)

    def recalled(self, history: Sequence[int], wish: str | None) -> list[int]:
        """The items of a history that are told, the most recent one first; of equally alike ones the later are kept.

        Of items of one name, such as sizes of a product, the latest stands for all.

        Args:
            history: Different items, the earliest first.
            wish: What the user asks for in words, None where nothing is said.
        """
        if not history:
            return []
        by_name: dict[str, int] = {}
        for item in reversed(history):
            by_name.setdefault(self._words.name(item), item)
        latest = list(by_name.values())
        alike = self._search.scores(self._instruction(latest[0]) if wish is None else wish)[latest]
        kept = np.argsort(-alike, kind="stable")[: self._most]
        return [latest[place] for place in np.sort(kept)]

    def _instruction(self, item: int) -> str:
        catalog = self._catalog
        return " ".join(words_of(catalog.titles[item], catalog.genres[item], catalog.texts[item]))

    def names(self, items: Sequence[int]) -> str:
        """What `recommend` is told: the names, one a line."""
        return self._words.numbered(items)

    def described(self, items: Sequence[int]) -> str:
        """What `search` is told: the names with their categories, one a line."""
        categories = [one_line(", ".join(self._catalog.genres[item]), _CATEGORIES) for item in items]
        lines = zip(self.names(items).splitlines(), categories, strict=True)
        return "\n".join(f"{line}: {each}" if each else line for line, each in lines)


def memory_shown(question: str) -> list[str]:
    """The names in the memory that a question to `recommend` tells, in its order; [] where it tells none."""
    lines = question.partition(f"{MEMORY_HEADING}\n")[2].partition("\n\n")[0]
    return [line.partition(". ")[2] for line in lines.splitlines()]
