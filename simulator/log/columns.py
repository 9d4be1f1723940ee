"""Rows that are still columns: they become tuples a few thousand at a time, on their way into the database.

A tuple for every row of a large cohort would fill the memory with millions of objects; a chunk of them stays in the
processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, takewhile
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

Row: TypeAlias = tuple[Any, ...]
Column: TypeAlias = NDArray[Any] | Sequence[Any]

CHUNK = 2048
"""Rows that exist as Python objects at a time."""


class Coded(Sequence[Any]):
    """A column of few different values, held as which of them each row has.

    Args:
        codes: Place of each row's value, shape (n,).
        values: The different values.
    """

    def __init__(self, codes: NDArray[np.integer], values: Sequence[Any]) -> None:
        self.codes = codes
        self.values = values

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> Coded: ...

    def __getitem__(self, place: int | slice) -> Any:
        return Coded(self.codes[place], self.values) if isinstance(place, slice) else self.values[self.codes[place]]

    def __iter__(self) -> Iterator[Any]:
        return map(self.values.__getitem__, self.codes.tolist())


class Columns:
    """Rows of one table, a column for each of its own, in the order of `tables.py`.

    A column is an array or a sequence of values that a database takes. NULL is NaN in a column of floats, what a masked
    array masks, and None.
    """

    def __init__(self, *columns: Column) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns themselves."""
        return self._columns

    @property
    def filled(self) -> int:
        """How many columns there are without the last ones, of which nothing is known."""
        unknown = takewhile(holds_nothing, reversed(self._columns)) if len(self) else ()
        return len(self._columns) - sum(1 for _ in unknown)

    def rows(self, *, nan_is_null: bool, width: int | None = None) -> Iterator[Row]:
        """The rows in their order.

        Args:
            nan_is_null: Whether the database itself stores NaN as NULL, as SQLite does; otherwise it is given None.
            width: How many of the columns each has; all if absent.
        """
        columns = self._columns[:width]
        return chain.from_iterable(
            zip(*(_cells(column[start : start + CHUNK], nan_is_null) for column in columns), strict=True)
            for start in range(0, len(self), CHUNK)
        )


def holds_nothing(column: Column) -> bool:
    """Whether no value is known."""
    if isinstance(column, np.ma.MaskedArray) and np.ma.getmaskarray(column).all():
        return True
    if isinstance(column, np.ndarray) and column.dtype.kind != "O":
        return column.dtype.kind == "f" and bool(np.isnan(column).all())
    if len(column) and column[0] is not None:
        return False
    cells = column.tolist() if isinstance(column, np.ndarray) else column
    return cells.count(None) == len(cells)


def _cells(column: Column, nan_is_null: bool) -> Sequence[Any]:
    if not isinstance(column, np.ndarray):
        return column
    if column.dtype.kind == "b":
        return column.view(np.int8).tolist()  # drivers take an int at once, and look twice at a bool
    if column.dtype.kind == "f" and not nan_is_null:
        return unknown_where(np.isnan(column), column).tolist()
    return column.tolist()


def unknown_where(unknown: NDArray[np.bool_], values: NDArray[Any]) -> NDArray[Any]:
    """The values, masked where they are unknown."""
    if not unknown.any():
        return values
    return np.ma.MaskedArray(values.view(np.int8) if values.dtype.kind == "b" else values, mask=unknown)
