"""Rows that belong to nobody: queries join what rows belong to by LEFT JOIN, so that none is left out in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.finite import refuse_frame, refuse_row
from groundlings.simulator.log.parts import RESTORE

if TYPE_CHECKING:
    import pandas as pd

NEVER_EMPTY = frozenset({"agent_id", "arm", "arm_id", "item_id", "page", "session_id", "title", "user_id"})
"""What each row of an answer has that has such a column."""

RowDict = TypeVar("RowDict", bound=dict[str, Any])


def refuse_nobody(log: object, **cells: object) -> None:
    """Return where a row has something in columns of which each row has.

    Args:
        log: As a message calls it.
        cells: What the row holds, by column.

    Raises:
        RunDirectoryError: A cell is None.
    """
    for name, cell in cells.items():
        if cell is None:
            raise RunDirectoryError(
                f"{log}: the log is damaged: a row holds nothing as {name}, or belongs to a row of another table that "
                f"is not there; {RESTORE}"
            )


def of_somebody(log: object, frame: pd.DataFrame, *further: str) -> pd.DataFrame:
    """The same rows, each of which belongs to something; as `refuse_nobody`, of `NEVER_EMPTY` and further columns.

    Raises:
        NotFinite: One holds NaN or an infinite number.
    """
    refuse_frame(frame)
    for name in sorted({*NEVER_EMPTY, *further} & {*frame.columns}):
        refuse_nobody(log, **{name: None if frame[name].isna().any() else name})
    return frame


def each_of_somebody(log: object, rows: Sequence[RowDict]) -> Sequence[RowDict]:
    """As `of_somebody`, of rows that have the same columns."""
    for row in rows:
        refuse_row(tuple(row), tuple(row.values()))
    names = sorted(NEVER_EMPTY & rows[0].keys()) if rows else ()
    for row in rows if names else ():
        refuse_nobody(log, **{name: row[name] for name in names})
    return rows
