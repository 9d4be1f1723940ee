"""Titles that a language model wrote without seeing candidates -> the items of the whole catalogue.

As in `grounding` a title is looked for exactly and normalised first. What is left is compared with every item by the
cosine of three-letter sequences, weighted by rarity: the most alike item is meant where it is at least `NEAREST` alike,
and else the title is hallucinated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.replies import read_json
from groundlings.recommenders.language.grounding import Grounding, forms, grounded, places_of, without_number

NEAREST = 0.6
"""Of a cosine. A title of some words with one word wrong is about that much alike."""

_LETTERS = 3
_MOST_HEARD = 10_000


@dataclass(frozen=True, slots=True)
class Titles:
    """The items of a catalogue by their names, made to be searched often."""

    names: dict[str, list[int]]
    with_year: dict[str, list[int]]
    without_year: dict[str, list[int]]
    column: dict[str, int]
    rarity: FloatArray
    rows: sp.csr_array
    _heard: dict[str, tuple[str, list[int]]] = field(default_factory=dict, repr=False, compare=False)
    """What titles that were looked for mean: models name some of them again and again."""

    @classmethod
    def of(cls, names: Sequence[str]) -> Titles:
        """Those of some items, as prompts show them (`wording.ItemWords.name`)."""
        known = [forms(name) for name in names]
        parts = [_sequences(short) for _, short in known]
        spread = Counter(part for each in parts for part in each)
        column = {part: number for number, part in enumerate(sorted(spread))}
        rarity = np.log1p(len(names) / np.array([spread[part] for part in column], dtype=np.float64))
        rows = np.repeat(np.arange(len(names)), [len(each) for each in parts])
        columns = np.array([column[part] for each in parts for part in each], dtype=np.int64)
        values = rarity[columns]
        lengths = np.sqrt(np.bincount(rows, values**2, minlength=len(names)))
        cells = sp.csr_array((values / lengths[rows], (rows, columns)), shape=(len(names), len(column)))
        return cls(
            places_of(names), places_of([long for long, _ in known]), places_of([short for _, short in known]),
            column, rarity, cells,
        )  # fmt: skip

    def ground(self, titles: Sequence[str]) -> Grounding:
        """The items that some titles mean, in the order written; `order` has places in the catalogue.

        `candidates` is 0: no list was shown, so nothing of it can be missing.
        """
        return grounded(titles, 0, self._found)

    def _found(self, title: str) -> tuple[str, list[int]]:
        """The step that decides, and the places of all items that fit alike."""
        if title not in self._heard:
            if len(self._heard) >= _MOST_HEARD:
                self._heard.clear()
            self._heard[title] = self._looked_for(title)
        return self._heard[title]

    def _looked_for(self, title: str) -> tuple[str, list[int]]:
        if title in self.names:
            return "exact", self.names[title]
        said = dict.fromkeys(forms(each) for each in (title, without_number(title)))
        for long, short in said:
            for form, known in ((long, self.with_year), (long, self.without_year), (short, self.without_year)):
                if form and form in known:
                    return "normalised", known[form]
        alike = np.max([self._likeness(short) for _, short in said], axis=0, initial=0.0)
        best = float(alike.max(initial=0.0))
        return "near", np.flatnonzero(alike == best).tolist() if best >= NEAREST else []

    def _likeness(self, text: str) -> FloatArray:
        """The cosine with each item, shape (n_items,); sequences that no item has count in the length, as rare ones."""
        parts = _sequences(text)
        vector = np.zeros(len(self.column))
        known = np.array([self.column[part] for part in parts if part in self.column], dtype=np.int64)
        vector[known] = self.rarity[known]
        foreign = len(parts) - len(known)
        length = np.sqrt((vector**2).sum() + foreign * np.log1p(self.rows.shape[0]) ** 2)
        return np.asarray(self.rows @ vector) / (length or 1.0)


def _sequences(text: str) -> list[str]:
    """The different sequences of letters of a normalised text, in order; [] of nothing."""
    padded = f" {text} "
    return sorted({padded[first : first + _LETTERS] for first in range(len(text))}) if text else []


def read_titles(text: str, titles: Titles) -> Grounding:
    """The items that a reply means; raises `UnreadableReply` where it is not the form asked for."""
    value = read_json(text)
    if not isinstance(value, dict) or list(value) != ["titles"] or not isinstance(value["titles"], list):
        raise UnreadableReply("expected an object with one key, titles, and a list of titles")
    if not all(isinstance(title, str) for title in value["titles"]):
        raise UnreadableReply("titles: expected titles")
    return titles.ground(value["titles"])
