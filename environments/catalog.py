"""The things that can be shown: a frozen, columnar catalog."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, seal_arrays
from groundlings.environments.errors import DataError, shown
from groundlings.environments.words import Words

COST = "cost"
"""Name of the feature that holds the seller's cost per unit."""

BETWEEN_GENRES = "|"
"""What stands between the genres of an item in logs and exports; no genre holds it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the catalog, for people and prompts to read."""

    index: int
    item_id: str
    title: str
    year: int | None
    genres: tuple[str, ...]
    text: str | None


@dataclass(frozen=True)
class Catalog:
    """All items of one data set; everywhere else an item is its row number here.

    Attributes:
        item_ids: The data set's own ids, unique.
        titles: As people read them ("The Fugitive", the year apart).
        years: Release years, shape (n_items,), NaN where unknown.
        genres: The genres of each item, possibly none.
        texts: A longer description of each item, None where there is none.
        features: Further columns by name, shape (n_items,) each: texts with None where unknown (a brand, a department),
            or float64 with NaN where unknown. `COST` is the seller's cost per unit.
        words: What items are called, and what people do with them, in prompts and reports. Not in the fingerprint:
            the questions of a model are logged as they were asked.
    """

    item_ids: tuple[str, ...]
    titles: tuple[str, ...]
    years: FloatArray
    genres: tuple[tuple[str, ...], ...]
    texts: tuple[str | None, ...] = field(default=())
    features: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    words: Words = field(default_factory=Words)

    def __post_init__(self) -> None:
        _check_forms(self)
        n_items = len(self.item_ids)
        if not self.texts:
            object.__setattr__(self, "texts", (None,) * n_items)
        lengths = {len(self.titles), len(self.years), len(self.genres), len(self.texts)}
        if lengths != {n_items}:
            raise DataError(f"catalog: {n_items} item ids, but columns of lengths {sorted(lengths)}")
        for name, column in self.features.items():
            if column.shape != (n_items,):
                raise DataError(f"catalog: {n_items} items, but the feature {name!r} has the shape {column.shape}")
        if held := [genre for each in set(self.genres) for genre in each if BETWEEN_GENRES in genre]:
            raise DataError(
                f"catalog: the genre {min(held)!r} holds the sign {BETWEEN_GENRES}, which stands between genres in "
                "logs and exports; write another sign in its place"
            )
        if len(set(self.item_ids)) != n_items:
            twice, _ = Counter(self.item_ids).most_common(1)[0]
            raise DataError(f"catalog: item id {twice!r} appears more than once; ids must be unique")
        seal_arrays(self, "years")

    def __len__(self) -> int:
        return len(self.item_ids)

    def __getitem__(self, index: int) -> Item:
        year = self.years[index]
        return Item(
            index=int(index),
            item_id=self.item_ids[index],
            title=self.titles[index],
            year=None if np.isnan(year) else int(year),
            genres=self.genres[index],
            text=self.texts[index],
        )

    @cached_property
    def titles_with_years(self) -> tuple[str, ...]:
        """Every title, with the year in brackets where it is known."""
        named = zip(self.titles, self.years.tolist(), strict=True)
        return tuple(title if math.isnan(year) else f"{title} ({int(year)})" for title, year in named)

    @cached_property
    def genre_names(self) -> tuple[str, ...]:
        """All genres, sorted."""
        return tuple(sorted({genre for genres in self.genres for genre in genres}))

    @cached_property
    def genre_matrix(self) -> BoolArray:
        """Membership, shape (n_items, n_genres), columns as in `genre_names`."""
        column = {genre: number for number, genre in enumerate(self.genre_names)}
        matrix = np.zeros((len(self), len(column)), dtype=np.bool_)
        for row, genres in enumerate(self.genres):
            matrix[row, [column[genre] for genre in genres]] = True
        return matrix

    @property
    def costs(self) -> FloatArray | None:
        """The seller's cost per unit, shape (n_items,), NaN where unknown; None where no cost is known."""
        costs = self.features.get(COST)
        if costs is None or np.isnan(costs).all():
            return None
        return costs

    def rows(self, item_ids: Sequence[str]) -> list[int | None]:
        """The row number of each id, None where the catalog does not know it."""
        return [self._row.get(item_id) for item_id in item_ids]

    @cached_property
    def _row(self) -> dict[str, int]:
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over every cell, in hexadecimal."""
        digest = hashlib.sha256()
        for row in range(len(self)):
            digest.update(repr(self[row]).encode())
        # Catalogs without features are hashed as they always were, so that their runs can be resumed.
        for name in sorted(self.features):
            digest.update(repr((name, self.features[name].tolist())).encode())
        return digest.hexdigest()


def _check_forms(catalog: Catalog) -> None:
    """Raise `DataError` where columns are none, years no numbers, or genres no tuples of texts."""
    for name in ("item_ids", "titles", "genres", "texts"):
        if not isinstance(column := getattr(catalog, name), tuple | list):
            raise DataError(f"catalog: {name} are {shown(column)}; expected a tuple, with one for each item")
    years: Any = catalog.years
    if not isinstance(years, np.ndarray) or years.dtype.kind not in "fiu" or np.isinf(years).any():
        raise DataError(f"catalog: years are {shown(years)}; expected an array of numbers, NaN where unknown")
    if wrong := {type(each) for each in catalog.genres} - {tuple}:
        one = next(each for each in catalog.genres if type(each) in wrong)
        raise DataError(f"catalog: the genres of an item are {shown(one)}; expected a tuple of texts, () for none")
    if {type(genre) for each in set(catalog.genres) for genre in each} - {str}:
        raise DataError("catalog: a genre is no text; expected a tuple of texts for each item, () for none")
