"""Impressions of a log in parts, with what their session, user and item say, column by column: no query and no sort.

Ids of a part follow each other, so that a session's row is found by its number; users and items are looked up among
their sorted ids.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.simulator.log.columnar import ColumnarConnection
from groundlings.simulator.log.parts import Part

if TYPE_CHECKING:
    import pyarrow as pa

_NAMED = {
    "agents.source_user_id": ("sessions.agent_id", "SELECT agent_id, source_user_id FROM agents ORDER BY agent_id"),
    "items.source_item_id": ("impressions.item_id", "SELECT item_id, source_item_id FROM items ORDER BY item_id"),
}
_TEAM = ("impressions.team_arm_id", "SELECT arm_id, name FROM arms ORDER BY arm_id")
"""Columns that hold the name of something, the column with its number, and the names."""


def impressions_in_parts(log: ColumnarConnection, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The arm's number and some columns of all impressions, part after part in the order of the log.

    Args:
        log: To read.
        columns: Where each column stands, as the values of `streams.IMPRESSION_COLUMNS`.

    Raises:
        RunDirectoryError: A part is missing or damaged.
    """
    import pyarrow as pa

    names = {column: _Names(log, *_naming(column)) for column in columns if not column.startswith(_PLAIN)}
    wanted = {*columns, *(each.numbered for each in names.values()), "impressions.session_id"}
    known = log.parts()
    sessions = {part.first_session: part for part in known if part.name == "sessions"}
    for part in (part for part in known if part.name == "impressions"):
        shown = log.read_part(part, _of("impressions", wanted))
        came = log.read_part(sessions[part.first_session], ["session_id", *_of("sessions", wanted)])
        rows = _rows_of(shown.column("session_id"), came.column("session_id"), part)
        arrays = []
        for column in columns:
            table, _, name = (names[column].numbered if column in names else column).partition(".")
            values = shown.column(name) if table == "impressions" else came.column(name).take(rows)
            arrays.append(names[column].of(values) if column in names else values)
        arm = pa.array(np.full(len(shown), part.arm_id, dtype=np.int64))
        yield pa.table([arm, *arrays], names=["arm_id", *map(str, range(len(arrays)))])


_PLAIN = ("impressions.", "sessions.")


def _naming(column: str) -> tuple[str, str]:
    return _NAMED.get(column, _TEAM)


def _of(table: str, wanted: set[str]) -> list[str]:
    return sorted(column.partition(".")[2] for column in wanted if column.startswith(f"{table}."))


def _rows_of(session: pa.ChunkedArray, came: pa.ChunkedArray, part: Part) -> IntArray:
    """The row of each impression's session in the part that holds the sessions."""
    first = part.first_session
    ids, rows = came.to_numpy(), session.to_numpy() - first
    if not np.array_equal(ids, np.arange(first, first + len(ids))) or (
        len(rows) and not 0 <= rows.min() <= rows.max() < len(ids)
    ):
        raise sqlite3.OperationalError(f"{part.path} does not belong to the sessions of its arm and day")
    return rows


class _Names:
    """Names of things by their number in the log.

    Args:
        log: To read.
        numbered: The column with the numbers.
        query: SELECT numbers in ascending order, and names.
    """

    def __init__(self, log: ColumnarConnection, numbered: str, query: str) -> None:
        import pyarrow as pa

        rows: list[tuple[int, str]] = log.execute(query).fetchall()
        self.numbered = numbered
        self._numbers = np.array([number for number, _ in rows], dtype=np.int64)
        self._names = pa.array([name for _, name in rows], pa.string())

    def of(self, numbers: pa.ChunkedArray) -> pa.Array:
        """The name of each, NULL for NULL."""
        import pyarrow as pa
        import pyarrow.compute as pc

        unknown = np.asarray(pc.is_null(numbers))
        values: Any = np.asarray(pc.fill_null(numbers, int(self._numbers[0])))
        places = np.minimum(np.searchsorted(self._numbers, values), len(self._numbers) - 1)
        if not np.array_equal(self._numbers[places], values):
            raise sqlite3.OperationalError(f"{self.numbered} holds a number that nothing has")
        return self._names.take(pa.array(places, mask=unknown))
