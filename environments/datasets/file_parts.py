"""The files that a table was read from, so that every row can be found again where its author wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from groundlings.environments.arrays import IntArray
from groundlings.environments.datasets.csv_files import Ragged, line_starts


@dataclass(frozen=True, eq=False)
class Part:
    """One file of a table.

    Attributes:
        path: Where it is.
        n_rows: Rows that the table has of it.
        separator: What stands between two cells; None of a file that is no text, whose rows have no lines.
        headers: Its columns.
        ragged: Rows that the table lacks, because they have too few or too many cells.
    """

    path: Path
    n_rows: int
    separator: str | None
    headers: tuple[str, ...]
    ragged: tuple[Ragged, ...] = ()

    def where(self, row: int) -> str:
        """A row of the table as its author can find it in the file."""
        if self.separator is None:
            return f"row {row + 1}"
        for each in self.ragged:  # ascending
            row += each.row <= row
        return self.line(row)

    def line(self, row: int) -> str:
        """The line of a row of the file."""
        return f"line {int(self._starts[row]) if row < len(self._starts) else row + 2}"

    @cached_property
    def _starts(self) -> IntArray:
        return line_starts(self.path, self.separator or ",")
