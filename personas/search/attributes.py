"""The attributes of items: the words by which people say what they look for, without naming an item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.content import telling_words, words_in

_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class Attributes:
    """Categories and telling words of texts, as an index of the items that have them.

    Attributes:
        names: In lower case, sorted.
        of_items: Which item has which, a 1.0 each, shape (n_items, n_attributes).
        rarity: log(items / items that have it), above 0, shape (n_attributes,).
    """

    names: tuple[str, ...]
    of_items: sp.csr_array
    rarity: FloatArray

    @classmethod
    def of(cls, catalog: Catalog, titles: Titles) -> Attributes:
        """Those of a catalog: categories as they are written, and words of texts that a few items share.

        What all items have tells none of them, and what is the title of an item would name it: both are left out.
        """
        told, _ = telling_words([text or "" for text in catalog.texts])
        own = [
            {genre.lower() for genre in genres} | {word for word in words if len(word) >= _SHORTEST and word.isalpha()}
            for genres, words in zip(catalog.genres, told, strict=True)
        ]
        everywhere = set.intersection(*own) if own else set()
        names = sorted(name for name in set().union(*own) - everywhere if not titles.names_one(name))
        place = {name: number for number, name in enumerate(names)}
        cells = [(item, place[name]) for item, each in enumerate(own) for name in each if name in place]
        rows, columns = np.array(cells, dtype=np.int64).reshape(-1, 2).T
        matrix = sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(own), len(names)))
        matrix.sort_indices()
        spread = np.bincount(columns, minlength=len(names))
        return cls(tuple(names), matrix, np.log(len(own) / np.maximum(spread, 1)))

    def held(self, items: ItemArray, wanted: IntArray) -> BoolArray:
        """Which item of a session has which attribute of that session, shape (n, n_slots, n_wanted).

        Args:
            items: Shape (n, n_slots); what stands for an empty slot has no attribute.
            wanted: Attributes of each session, -1 for none, shape (n, n_wanted).
        """
        width = max(1, len(self.names))
        known = np.repeat(np.arange(self.of_items.shape[0]), np.diff(self.of_items.indptr)) * width
        known = known + self.of_items.indices
        asked = items[:, :, None].astype(np.int64) * width + wanted[:, None, :]
        found = np.minimum(np.searchsorted(known, asked), max(0, len(known) - 1))
        hit = known[found] == asked if len(known) else np.zeros(asked.shape, dtype=np.bool_)
        return np.asarray(hit & (items[:, :, None] >= 0) & (wanted[:, None, :] >= 0))


class Titles:
    """The titles of a catalog, to tell whether a text names an item.

    Args:
        titles: As people read them.
    """

    def __init__(self, titles: Iterable[str]) -> None:
        self._known = {tuple(words_in(title)) for title in titles} - {()}
        self._lengths = sorted({len(title) for title in self._known})

    def names_one(self, text: str) -> bool:
        """Whether all words of a title stand in a text, one behind the other."""
        words = words_in(text)
        return any(
            tuple(words[first : first + length]) in self._known
            for length in self._lengths
            if length <= len(words)
            for first in range(len(words) - length + 1)
        )
