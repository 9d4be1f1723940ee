"""Cells of a log before they become those of a frame: NumPy would cut 1.5 to 1 and take 7 for false."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import NoneType, UnionType
from typing import Any, TypeVar

from sqlalchemy import Boolean, Column, Float, Integer

from groundlings.environments.errors import RunDirectoryError, shown
from groundlings.simulator.log.finite import refuse_cells
from groundlings.simulator.log.parts import RESTORE
from groundlings.simulator.log.row_bounds import MOST_SLOTS

_KINDS = (
    (Boolean, {int}, "0 or 1"),
    (Integer, {int}, "a whole number"),
    (Float, {float, int}, "a number"),
)
_TEXT = ({str}, "text")
"""What a column of ours is, what databases give for it, and how messages call that."""


Told = TypeVar("Told")


def told(log: object, where: str, value: Told, kind: type | UnionType = str) -> Told:
    """A value of the log that is of its kind.

    Args:
        log: As a message calls it.
        where: The column.
        value: As a database gives it.
        kind: What a run writes there.

    Raises:
        RunDirectoryError: It is of another kind.
    """
    if not isinstance(value, kind):
        called = "text" if kind is str else "a whole number"
        raise RunDirectoryError(
            f"{log}: the log is damaged: {where} holds {shown(value)}, expected {called}; {RESTORE}"
        )
    return value


def refuse_places(log: object, where: str, places: Iterable[int]) -> None:
    """Return where each is a slot of a page: tables have a row for each slot up to the last.

    Args:
        log: As a message calls it.
        where: The column.
        places: Slots, from 0.

    Raises:
        RunDirectoryError: No page has such a slot.
    """
    for place in places:
        if not 0 <= place < MOST_SLOTS:
            raise RunDirectoryError(
                f"{log}: the log is damaged: {where} holds {place}, expected a slot of a page, from 0 to "
                f"{MOST_SLOTS - 1:,}; {RESTORE}"
            )


def refuse_pages(log: object, counts: Iterable[int]) -> None:
    """Return where a session may have had each number of pages.

    Args:
        log: As a message calls it.
        counts: Of the column `sessions.pages`.

    Raises:
        RunDirectoryError: No site has so many, or it is below 0.
    """
    for pages in counts:
        if not 0 <= pages <= MOST_SLOTS:
            raise RunDirectoryError(
                f"{log}: the log is damaged: sessions.pages holds {pages}, expected 0 to {MOST_SLOTS:,}; {RESTORE}"
            )


def odd_cell(column: Column[Any], cells: Sequence[Any]) -> str | None:
    """What no run writes into a column, in words; None where each cell may be a run's.

    Args:
        column: Of the log.
        cells: Values as a database gives them.

    Raises:
        NotFinite: One is NaN or infinite.
    """
    kinds, called = next(((kinds, called) for kind, kinds, called in _KINDS if isinstance(column.type, kind)), _TEXT)
    if not column.nullable and None in cells:
        return f"a row holds nothing as {column}, or what it belongs to is not there"
    if odd := {*map(type, cells)} - kinds - {NoneType}:
        first = next(cell for cell in cells if type(cell) in odd)
        return f"a row holds {shown(first)} as {column}, expected {called}"
    if isinstance(column.type, Boolean) and (others := {*cells} - {0, 1, None}):
        return f"a row holds {others.pop()} as {column}, expected {called}"
    if isinstance(column.type, Float):
        refuse_cells(column.name, cells)
    return None
