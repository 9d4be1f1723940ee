"""What a look at the columns of a table tells of them, before anybody has said what they mean."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.genres import genres_of
from groundlings.environments.datasets.header_words import fits_by_name, says_id
from groundlings.environments.datasets.ids import as_whole_numbers
from groundlings.environments.datasets.tables import Table
from groundlings.environments.datasets.times import Times, read_times
from groundlings.environments.errors import DataError

MOST_ROWS = 200_000
"""Of a table that are looked at: the first ones."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")
_FIRST_YEAR = 1971
_LEAST_MOMENT = 10**7
_SECONDS_A_YEAR = 31_556_952
_MOST_GENRES = 2_000
_SEPARATORS = ("|", ";", ",", "/")


@dataclass(frozen=True)
class Look:
    """What is in a column.

    Attributes:
        column: The cells.
        distinct: Different cells that are not empty.
        empty: Rows whose cell is.
    """

    column: Column
    distinct: frozenset[str]
    empty: int

    @property
    def name(self) -> str:
        """Its header."""
        return self.column.name

    @property
    def rows(self) -> int:
        """Rows that were looked at."""
        return len(self.column.codes)

    @property
    def is_unique(self) -> bool:
        """Whether every row has a cell of its own, as the ids of a table of items have."""
        return not self.empty and len(self.distinct) == self.rows

    @cached_property
    def numbers(self) -> FloatArray | None:
        """The values of the distinct cells, ascending; None where some are no numbers, or have hundreds of digits."""
        if not self.distinct or not all(_NUMBER.fullmatch(self.column.with_point(cell)) for cell in self.distinct):
            return None
        found = np.unique([float(self.column.with_point(cell)) for cell in self.distinct]) + 0.0  # -0 is 0
        return found if np.isfinite(found).all() else None

    @cached_property
    def times(self) -> Times | None:
        """The moments of the cells; None where they are none, or give no date of real data."""
        if self.empty or not self.distinct or self._is_of_small_numbers or self._is_called_an_id:
            return None
        try:
            found = read_times(self.column, None)
        except DataError:
            return None
        seconds = found.ticks // found.per_second
        numeric = self.numbers is not None
        return None if numeric and np.median(seconds) < (_FIRST_YEAR - 1970) * _SECONDS_A_YEAR else found

    @property
    def _is_called_an_id(self) -> bool:
        """Whether the header says id, and nothing of time: numbers of articles may have as many digits as moments."""
        return says_id(self.name) and not fits_by_name(self.name, "timestamp")

    @property
    def _is_of_small_numbers(self) -> bool:
        """Whether its numbers are too small for moments in any unit: `YYYYMMDD` has eight digits, as seconds have."""
        return self.numbers is not None and self.numbers[-1] < _LEAST_MOMENT

    @cached_property
    def time_trouble(self) -> str:
        """Why cells that look like times cannot be read as such, "" where they can or do not look so."""
        try:
            read_times(self.column, None)
        except DataError as error:
            return str(error) if any(word in str(error) for word in ("looks like", " as ")) else ""
        return ""

    @cached_property
    def mean_length(self) -> float:
        """Characters per distinct cell."""
        return float(np.mean([len(cell) for cell in self.distinct])) if self.distinct else 0.0

    @cached_property
    def listed(self) -> tuple[str, int] | None:
        """What stands between the words of a cell ("" where cells are lists), and how many words there are."""
        if not self.distinct or self.numbers is not None:
            return None
        found = []
        for separator in _SEPARATORS:
            counts: Counter[str] = Counter()
            several = 0
            for cell in self.distinct:
                try:
                    words = genres_of(cell, separator)
                except ValueError:
                    return None
                several += len(words) > 1
                counts.update(words)
            shared = sum(count for count in counts.values() if count > 1)
            if several and len(counts) <= _MOST_GENRES and shared > sum(counts.values()) / 2:
                found.append((-several, "" if _are_lists(self.distinct) else separator, len(counts)))
        return None if not found else min(found)[1:]

    @property
    def examples(self) -> str:
        """The first cells, as text."""
        return ", ".join(list(dict.fromkeys(cell for cell in self.column.values if cell))[:3])

    def covered_by(self, other: Look) -> float:
        """Share of the distinct cells that another column has too, ids as numbers with or without ".0"."""
        own, theirs = as_whole_numbers(self.distinct), as_whole_numbers(other.distinct)
        return len(own & theirs) / len(own) if own else 0.0


def looks_at(table: Table) -> list[Look]:
    """A look at each column of a table that can be read as text, in their order."""
    head = Table(table.path, table.data.slice(0, MOST_ROWS), table.is_csv, table.parts)
    found = []
    for name in dict.fromkeys(head.data.column_names):
        try:
            column = head.column(name, "data check", lists=True, infinite=True)
        except DataError:
            continue
        distinct = frozenset(cell for cell in column.values if cell)
        empty = int(np.isin(column.codes, [code for code, cell in enumerate(column.values) if not cell]).sum())
        found.append(Look(column, distinct, empty))
    return found


def _are_lists(cells: frozenset[str]) -> bool:
    return sum(cell[:1] in "[{(" for cell in cells) > len(cells) / 2
