"""One column of a table: its distinct cells, which of them each row holds, and what is wrong with rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.datasets.column_codes import encoded, whole_numbers
from groundlings.environments.errors import DataError, shown

if TYPE_CHECKING:
    from groundlings.environments.datasets.tables import Table


@dataclass(frozen=True)
class Column:
    """One column, dictionary-encoded: parsing touches each distinct cell once, however long the file is.

    No Python object is made for a row: cells become text one by one only where a message, or a parser of one cell, asks
    for them.

    Attributes:
        table: Where it stands.
        name: Its header.
        stored: Its cells as they are stored: text, or numbers or times of one kind.
    """

    table: Table
    name: str
    stored: pa.ChunkedArray

    @cached_property
    def _encoded(self) -> tuple[pa.Array, IntArray]:
        try:
            distinct, codes = encoded(self.stored)
        except pa.ArrowInvalid as error:  # times of a zone that is unknown here; other kinds `Table.column` has refused
            reason = " ".join(str(error).split())
            raise DataError(f"{self.table.path}: column {self.name!r} cannot be read as text: {reason}") from error
        return distinct, codes.to_numpy(zero_copy_only=False).astype(np.int64)

    @property
    def distinct(self) -> pa.Array:
        """The distinct cells in the order in which they first stand: whole numbers, or text as of `texts`."""
        return self._encoded[0]

    @property
    def codes(self) -> IntArray:
        """Which of the distinct cells each row holds, shape (n_rows,)."""
        return self._encoded[1]

    @cached_property
    def texts(self) -> pa.Array:
        """The distinct cells as text, spaces at their ends cut off, "" where a cell is missing."""
        return self.distinct.cast(pa.string())

    @cached_property
    def values(self) -> tuple[str, ...]:
        """`texts` as Python has them."""
        return tuple(self.texts.to_pylist())

    @cached_property
    def cells(self) -> list[str]:
        """One cell a row."""
        return [self.values[code] for code in self.codes.tolist()]

    def cell(self, row: int) -> str:
        """The cell of one row."""
        return self.texts_at(self.codes[row : row + 1])[0]

    def texts_at(self, codes: IntArray) -> list[str]:
        """Some of the distinct cells."""
        taken: list[str] = self.texts.take(pa.array(codes)).to_pylist()
        return taken

    @cached_property
    def integers(self) -> IntArray | None:
        """The whole numbers, of 18 digits at most, that all distinct cells are; None where some are none."""
        return whole_numbers(self.distinct)

    def parsed(self, parse: Callable[[str], Any], kind: type[np.generic]) -> np.ndarray[Any, Any]:
        """Each cell through `parse`, shape (n_rows,).

        Args:
            parse: Raises ValueError, with what it expected, for a cell it cannot read.
            kind: The element type of the result.
        """
        return np.array(self.each(parse), dtype=kind)[self.codes]

    def each(self, parse: Callable[[str], Any], among: IntArray | None = None) -> list[Any]:
        """`parsed` of the distinct cells alone, in the order of `values`, or of those whose codes are given."""
        results: list[Any] = []
        problems: dict[str, list[int]] = {}
        codes, cells = range(len(self.distinct)), self.values if among is None else self.texts_at(among)
        for code, cell in zip(codes if among is None else among.tolist(), cells, strict=True):
            try:
                results.append(parse(cell))
            except ValueError as error:
                results.append(0)
                problems.setdefault(str(error), []).append(code)
        found = []
        for expected, bad in problems.items():
            wrong = np.zeros(len(self.distinct), dtype=np.bool_)
            wrong[bad] = True
            rows = wrong[self.codes]
            found.append((int(np.argmax(rows)), expected, rows))
        for row, expected, rows in sorted(found, key=lambda each: each[0]):
            self.reject(rows, f"found {shown(self.cell(row))}, expected {expected}")
        return results

    def refuse_empty(self, what: str) -> None:
        """Reject rows whose cell is empty; `what` says what it should hold."""
        if pa.types.is_string(self.distinct.type):
            empty = pc.equal(self.distinct, "").to_numpy(zero_copy_only=False)[self.codes]
            self.reject(empty, f"the cell is empty, expected {what}; fill it in or remove the row")

    def reject(self, bad: BoolArray, complaint: str) -> None:
        """Say that rows cannot be used because of a cell in this column; see `Table.reject`.

        Args:
            bad: Which rows, shape (n_rows,); where none is, nothing is said.
            complaint: What is wrong with the first of them.
        """
        rows = np.flatnonzero(bad)
        if len(rows):
            self.table.reject(rows, f"column {self.name!r}: {complaint}")

    def with_point(self, cell: str) -> str:
        """A cell's number with a decimal point, where it has a decimal comma and nothing else can be meant."""
        return cell.replace(",", ".") if self.table.decimal_comma and _COMMA.fullmatch(cell) else cell

    def fail(self, row: int, complaint: str) -> NoReturn:
        """Raise DataError about the cell of a row (0 is the first row of data)."""
        self.table.fail(row, f"column {self.name!r}: {complaint}")


_COMMA = re.compile(r"[+-]?\d+,\d{1,2}")
"""A number with a decimal comma; with three digits after it the comma may group thousands."""
