"""Which titles a text names: the check that users speak of no item that they have not been shown.

A title of two words or more is named where its words stand side by side in a text. Titles of one word are not looked
for: most of them ("Drama", "Milk") are words of the catalogue's own fields, or of everyday speech.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence

_WORD = re.compile(r"\w+")
_FEWEST = 2


class TitlesNamed:
    """Finds titles in texts.

    Args:
        titles: Of each item.
    """

    def __init__(self, titles: Sequence[str]) -> None:
        self._by_words: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for item, title in enumerate(titles):
            if len(words := _words(title)) >= _FEWEST:
                self._by_words[words].append(item)
        self._lengths = sorted({len(words) for words in self._by_words})

    def named(self, text: str, but: Collection[int] = ()) -> int:
        """How many different titles a text names, those of some items apart."""
        return sum(not set(self._by_words[span]) & set(but) for span in self._spans(text))

    def items(self, text: str) -> frozenset[int]:
        """The items whose titles a text names; all of those that share one."""
        return frozenset(item for span in self._spans(text) for item in self._by_words[span])

    def _spans(self, text: str) -> set[tuple[str, ...]]:
        """Titles in a text, as words."""
        words = _words(text)
        spans = {words[at : at + size] for size in self._lengths for at in range(len(words) - size + 1)}
        return spans & self._by_words.keys()


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.casefold() for word in _WORD.findall(text))
