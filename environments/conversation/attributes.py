"""What items are like, field by field, and requirements on it: the common ground of both sides of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from groundlings.environments.arrays import BoolArray
from groundlings.environments.catalog import COST, Catalog
from groundlings.environments.errors import DataError, shown

Cell = float | str | tuple[str, ...] | None
"""A number, a word, or several words; None where it is unknown."""

Value = float | str | tuple[str, ...]
"""What a requirement compares with."""

_OF_NUMBERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": lambda cell, value: cell <= value,
    ">=": lambda cell, value: cell >= value,
}
_OF_WORDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda cell, value: cell == value,
    "!=": lambda cell, value: cell != value,
    "in": lambda cell, value: cell in value,
}
_OF_LISTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "contains": lambda cell, value: value in cell,
    "not_contains": lambda cell, value: value not in cell,
    "contains_any": lambda cell, value: any(each in cell for each in value),
}
_COMPARES = {**_OF_NUMBERS, **_OF_WORDS, **_OF_LISTS}

OPERATORS = tuple(_COMPARES)
"""Every comparison that a requirement can make."""

SEVERAL = frozenset({"in", "contains_any"})
"""Comparisons with several values."""


@dataclass(frozen=True, eq=False)
class Attributes:
    """Columns of items; a field is of one kind throughout: numbers, words, or lists of words.

    Attributes:
        item_ids: Unique ids; everywhere else an item is its row number.
        titles: As people read them.
        fields: Name -> a cell per item.
    """

    item_ids: tuple[str, ...]
    titles: tuple[str, ...]
    fields: Mapping[str, Sequence[Cell]]

    def __post_init__(self) -> None:
        lengths = {len(self.titles), *(len(column) for column in self.fields.values())}
        if lengths - {len(self.item_ids)}:
            raise DataError(f"attributes: found {len(self.item_ids)} item ids and columns of lengths {sorted(lengths)}")
        for name in self.fields:
            if len(kinds := {type(cell) for cell in self.fields[name] if cell is not None}) > 1:
                found = ", ".join(sorted(kind.__name__ for kind in kinds))
                raise DataError(f"attributes: field {shown(name)} mixes {found}; expected one kind in a field")

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Attributes:
        """Years, genres and features of a platform's catalog; what is unknown there is unknown here.

        What an item costs the seller is none of its attributes: no customer knows it, nor is told."""

        def known(cell: Any) -> Cell:
            return None if cell is None or cell != cell else cell if isinstance(cell, str) else float(cell)

        fields: dict[str, Sequence[Cell]] = {
            name: [*map(known, cells)] for name, cells in catalog.features.items() if name != COST
        }
        if any(catalog.genres):
            fields["genres"] = [genres or None for genres in catalog.genres]
        if not np.isnan(catalog.years).all():
            fields["year"] = [*map(known, catalog.years)]
        return cls(catalog.item_ids, catalog.titles, fields)

    def __len__(self) -> int:
        return len(self.item_ids)

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Row number by item id."""
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    def operators(self, field: str) -> tuple[str, ...]:
        """The comparisons that make sense in a field; none where every cell is unknown."""
        sample = next((cell for cell in self.fields[field] if cell is not None), None)
        if sample is None:
            return ()
        if isinstance(sample, str):
            return tuple(_OF_WORDS)
        return tuple(_OF_LISTS if isinstance(sample, tuple) else _OF_NUMBERS)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A predicate on one field. An unknown cell meets no requirement: unknown is not the same as unlike.

    Attributes:
        field: A field of `Attributes`.
        op: One of `OPERATORS`.
        value: A number for "<=" and ">=", several words for `SEVERAL`, one word for the others.
    """

    field: str
    op: str
    value: Value

    def __post_init__(self) -> None:
        if self.op not in _COMPARES:
            raise DataError(f"requirement: found operator {shown(self.op)}; expected one of {', '.join(OPERATORS)}")
        number = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        expected = "a number" if self.op in _OF_NUMBERS else "several words" if self.op in SEVERAL else "a word"
        fits = {
            "a number": number,
            "several words": isinstance(self.value, tuple),
            "a word": isinstance(self.value, str),
        }
        if not fits[expected]:
            raise DataError(f"requirement: found {self.field} {self.op} {shown(self.value)}; expected {expected}")

    def fits(self, attributes: Attributes) -> bool:
        """Whether there is such a field, of a kind that can be compared so."""
        return self.field in attributes.fields and self.op in attributes.operators(self.field)

    def met(self, attributes: Attributes) -> BoolArray:
        """Which items meet it, shape (n_items,).

        Raises:
            DataError: There is no such field, or it is of a kind that cannot be compared so.
        """
        if self.field not in attributes.fields:
            known = ", ".join(attributes.fields)
            raise DataError(f"requirement: found field {shown(self.field)}; expected one of {known}")
        if self.op not in (possible := attributes.operators(self.field)):
            raise DataError(
                f"requirement: found {self.op} for field {self.field}; expected {' or '.join(possible) or 'none'}"
            )
        compare = _COMPARES[self.op]
        cells = attributes.fields[self.field]
        return np.array([cell is not None and compare(cell, self.value) for cell in cells], dtype=np.bool_)


def all_met(requirements: Sequence[Requirement], attributes: Attributes) -> BoolArray:
    """Which items meet every requirement, shape (n_items,)."""
    met = [requirement.met(attributes) for requirement in requirements]
    return np.logical_and.reduce(met) if met else np.ones(len(attributes), dtype=np.bool_)
