"""What a catalogue says of each item, as short facts: categories, year, columns of text, telling words of its text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.content import telling_words, words_in
from groundlings.environments.prompts import one_line

LONGEST_FACT = 60
"""Characters. What is longer is a description, and no fact."""

_TEXT = 200
"""Characters of an item's text among what the catalogue says of it."""

_SHORTEST_WORD = 3


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that the catalogue says of an item.

    Attributes:
        number: Of what the item shares with others: a category, a decade, a value of a column, or a word.
        line: The catalogue's own words for it: "Comedy", "1994", "manufacturer 69".
    """

    number: int
    line: str


class ItemFacts:
    """The facts of all items.

    A year is shared as its decade and said as it is. A value of a column that has no letter is said behind the name of
    its column. Words are those that two items and at most a tenth of all have in their texts, and not in the title,
    which is shown anyway. Numbers among the features, such as the seller's cost, are no facts.

    Args:
        catalog: The items.

    Attributes:
        of: The facts of each item, in the order of the catalogue, none said twice.
        names: What is shared, by number, as it is said of many items: "Comedy", "1990s".
        rarity: log(items / items that share it), by number, shape (n_facts,).
        originals: What the catalogue says of each item beside its title: categories, year, columns, and its text.
    """

    def __init__(self, catalog: Catalog) -> None:
        numbers: dict[tuple[str, str], int] = {}
        words, _ = telling_words([text or "" for text in catalog.texts])
        titles = [set(words_in(title)) for title in catalog.titles]
        said = [
            _said(catalog, item, [word for word in words[item] if word not in titles[item]])
            for item in range(len(catalog))
        ]
        self.of: list[tuple[Fact, ...]] = []
        for each in said:
            facts: dict[str, Fact] = {}
            for shared, line in each:
                if shared[1] and _normal(line) not in facts and len(line) <= LONGEST_FACT:
                    facts[_normal(line)] = Fact(numbers.setdefault(shared, len(numbers)), line)
            self.of.append(tuple(facts.values()))
        self.names = tuple(name for _, name in numbers)
        counts = np.bincount(
            np.fromiter((fact.number for each in self.of for fact in each), np.int64), minlength=len(numbers)
        )
        self.rarity: FloatArray = np.log(len(catalog) / np.maximum(counts, 1))
        self._matrix = _membership(self.of, len(numbers))
        self.originals = [_original(catalog, item) for item in range(len(catalog))]

    def shared(self, item: int) -> list[str]:
        """The names of an item's facts, as said of many items."""
        return [self.names[fact.number] for fact in self.of[item]]

    def keywords(self, items: ItemArray, most: int) -> dict[int, float]:
        """What a history is about: number of a fact -> its weight, the weightiest first.

        The weight is tf-idf: the share of the history's items that have the fact, times `rarity`. What all items share
        has none.

        Args:
            items: The history, without repetitions, shape (n,).
            most: How many are kept; of equal weights the earlier facts.
        """
        if not len(items):
            return {}
        shares = np.bincount(self._matrix[items].indices, minlength=len(self.names)) / len(items)
        weights = shares * self.rarity
        order = np.argsort(-weights, kind="stable")[:most]
        return {int(number): float(weights[number]) for number in order if weights[number] > 0}


def _said(catalog: Catalog, item: int, words: list[str]) -> Iterator[tuple[tuple[str, str], str]]:
    """What may be said of an item: (kind and name of what it shares, the line)."""
    for genre in catalog.genres[item]:
        line = _line(genre)
        yield ("category", line), line
    year = catalog.years[item]
    if not math.isnan(year):
        yield ("decade", f"{int(year) // 10 * 10}s"), str(int(year))
    for name in sorted(catalog.features):
        column = catalog.features[name]
        value = None if column.dtype.kind == "f" else column[item]
        if value is not None:
            line = _line(str(value))
            line = line if any(map(str.isalpha, line)) else _line(f"{name} {line}")
            yield (f"column {name}", line), line
    for word in words:
        if len(word) >= _SHORTEST_WORD and any(map(str.isalpha, word)):
            yield ("word", word), word


def _original(catalog: Catalog, item: int) -> str:
    """All that the catalogue says of an item beside its title, on one line."""
    facts = ", ".join(line for _, line in _said(catalog, item, []))
    return ": ".join(filter(None, (facts, one_line(catalog.texts[item] or "", _TEXT))))


def _line(text: str) -> str:
    """A text on one line; one character more than a fact may have says that it is too long."""
    return one_line(text, LONGEST_FACT + 1)


def _normal(line: str) -> str:
    return line.casefold()


def _membership(facts: list[tuple[Fact, ...]], width: int) -> sp.csr_array:
    """Which facts each item has, shape (n_items, n_facts)."""
    rows = np.repeat(np.arange(len(facts)), [len(each) for each in facts])
    columns = np.fromiter((fact.number for each in facts for fact in each), np.int64, len(rows))
    return sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(facts), width))
