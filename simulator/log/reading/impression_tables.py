"""Impressions with what their session, user and item say, column by column: nothing is joined or sorted by a query.

A database walks through impressions alone, in the order of their key. What stands in other tables is looked up among
their sorted numbers, which costs a few nanoseconds where a join costs a microsecond per row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from sqlalchemy import Connection

from groundlings.environments.arrays import IntArray
from groundlings.simulator.log import tables
from groundlings.simulator.log.canonical import kinds_of
from groundlings.simulator.log.columnar import ColumnarConnection
from groundlings.simulator.log.parts import RESTORE, schema_of
from groundlings.simulator.log.reading.batches import arrow_table, streamed
from groundlings.simulator.log.reading.part_rows import parts_of, rows_in_parts
from groundlings.simulator.log.sqlite_columns import SqliteColumns, tables_in_order

if TYPE_CHECKING:
    import pyarrow as pa

_NAMED = {
    "agents.source_user_id": ("sessions.agent_id", "SELECT agent_id, source_user_id FROM agents ORDER BY agent_id"),
    "items.source_item_id": ("impressions.item_id", "SELECT item_id, source_item_id FROM items ORDER BY item_id"),
}
_TEAM = ("impressions.team_arm_id", "SELECT arm_id, name FROM arms ORDER BY arm_id")
"""Columns that hold the name of something, the column with its number, and the names."""

Outcome: TypeAlias = Literal["known", "clicked", "rated"]
"""Impressions whose outcome is known, those that were clicked, those with a rating."""

OUTCOMES: Mapping[Outcome, str] = {"known": "clicked IS NOT NULL", "clicked": "clicked", "rated": "rating IS NOT NULL"}

_PLAIN = ("impressions.", "sessions.")
_ROWS = 4_096
"""Rows that are Python objects at a time."""


def impressions_in_parts(
    log: ColumnarConnection, columns: Sequence[str], kept: Outcome | None = None
) -> Iterator[pa.Table]:
    """The arm's number and some columns of impressions, part after part in the order of the log.

    Args:
        log: To read.
        columns: Where each column stands, as the values of `streams.IMPRESSION_COLUMNS`.
        kept: Which impressions; all if absent.

    Raises:
        RunDirectoryError: A part is missing or damaged.
    """
    looked_up = _LookedUp(log.execute, columns)
    asked = None if kept is None else "rating" if kept == "rated" else "clicked"
    wanted = {*looked_up.read, *(() if asked is None else (f"impressions.{asked}",))}
    parts = parts_of(log, "impressions")
    for each in rows_in_parts(log, parts, _of("impressions", wanted), _of("sessions", wanted)):
        found = each
        if asked is not None:
            known = each.rows.column(asked)
            found = each.among(np.asarray(known.fill_null(False) if kept == "clicked" else known.is_valid()))
        yield looked_up.table(found.rows, found.sessions, found.of)


def impressions_in_tables(
    connection: Connection,
    columns: Sequence[str],
    conditions: Sequence[str] = (),
    as_columns: SqliteColumns | None = None,
) -> Iterator[pa.Table]:
    """As `impressions_in_parts`, of a log whose tables lie in a database.

    Args:
        connection: To the log, in a transaction that sees one state of it.
        columns: Where each column stands.
        conditions: SQL that rows of `impressions` must meet.
        as_columns: Reads impressions and sessions; the connection does if absent.
    """
    looked_up = _LookedUp(lambda query: connection.exec_driver_sql(query), columns)
    of_sessions = ["session_id", "arm_id", *_of("sessions", {*looked_up.read})]
    came = _whole(connection, "sessions", of_sessions, as_columns)
    ids: IntArray = came.column("session_id").to_numpy()
    read = ["session_id", *(name for name in _of("impressions", {*looked_up.read}) if name != "session_id")]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    for shown in _rows_in_order(connection, "impressions", "impression_id", read, as_columns, where):
        sessions: IntArray = shown.column("session_id").to_numpy()
        rows = np.minimum(np.searchsorted(ids, sessions), len(ids) - 1)
        if not len(ids) or not np.array_equal(ids[rows], sessions):
            raise sqlite3.OperationalError(f"impressions.session_id holds a number that no session has; {RESTORE}")
        yield looked_up.table(shown, came, rows)


def _rows_in_order(
    connection: Connection,
    table: str,
    key: str,
    columns: Sequence[str],
    as_columns: SqliteColumns | None,
    where: str = "",
) -> Iterator[pa.Table]:
    """Some columns of the rows of a table, in the order of its key."""
    query, schema = f"{', '.join(columns)} FROM {table}{where}", _schema(table, columns)
    if as_columns is not None:
        yield from tables_in_order(as_columns, f"SELECT {key}, {query}", schema)
        return
    for piece in streamed(connection, f"SELECT {query} ORDER BY {key}", _ROWS):
        yield arrow_table(piece, schema)


def _whole(connection: Connection, table: str, columns: Sequence[str], as_columns: SqliteColumns | None) -> pa.Table:
    """Some columns of all rows of a table, in the order of the first, each text once."""
    import pyarrow as pa

    schema = _schema(table, columns)
    found = list(_rows_in_order(connection, table, columns[0], columns, as_columns))
    whole = pa.concat_tables(found) if found else schema.empty_table()
    for place, field in enumerate(schema):
        if pa.types.is_string(field.type):
            whole = whole.set_column(place, field.name, whole.column(place).dictionary_encode())
    return whole.unify_dictionaries().combine_chunks()


def _schema(table: str, columns: Sequence[str]) -> pa.Schema:
    """Columns of a table of sessions or impressions, as its parts would have them, and in any width."""
    import pyarrow as pa

    kinds: Mapping[str, Any] = {"integer": pa.int64(), "float": pa.float64(), "text": pa.string()}
    held = dict(zip(tables.metadata.tables[table].columns.keys(), kinds_of(tables.metadata.tables[table]), strict=True))
    flags = {field.name for field in schema_of(table) if pa.types.is_boolean(field.type)}
    return pa.schema([(name, pa.bool_() if name in flags else kinds[held[name]]) for name in columns])


def _of(table: str, wanted: set[str]) -> list[str]:
    return sorted(column.partition(".")[2] for column in wanted if column.startswith(f"{table}."))


class _LookedUp:
    """Columns of impressions, some of which stand in other tables.

    Args:
        ask: Answers a query on a small table.
        columns: Where each stands.

    Attributes:
        read: Columns of impressions and sessions that they are made of.
    """

    def __init__(self, ask: Any, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._names = {
            column: _Names(ask, *_NAMED.get(column, _TEAM)) for column in columns if not column.startswith(_PLAIN)
        }
        self.read = {self._names[column].numbered if column in self._names else column for column in columns}

    def table(self, shown: pa.Table, came: pa.Table, rows: IntArray) -> pa.Table:
        """The columns of some impressions, behind `arm_id`.

        Args:
            shown: Rows of impressions.
            came: Rows of sessions.
            rows: Of which of these each impression is.
        """
        import pyarrow as pa

        at = pa.array(rows)
        taken: dict[str, Any] = {}

        def column(place: str) -> Any:
            table, _, name = place.partition(".")
            if table == "impressions":
                return shown.column(name)
            if name not in taken:
                taken[name] = came.column(name).take(at)
            return taken[name]

        arrays = [
            self._names[place].of(column(self._names[place].numbered)) if place in self._names else column(place)
            for place in self._columns
        ]
        names = ["arm_id", *map(str, range(len(arrays)))]
        return pa.table([column("sessions.arm_id"), *arrays], names=names)


class _Names:
    """Names of things by their number in the log.

    Args:
        ask: Answers the query.
        numbered: The column with the numbers.
        query: SELECT numbers in ascending order, and names.
    """

    def __init__(self, ask: Any, numbered: str, query: str) -> None:
        import pyarrow as pa

        rows: list[tuple[int, str]] = ask(query).fetchall()
        self.numbered = numbered
        self._numbers = np.array([number for number, _ in rows], dtype=np.int64)
        self._names = pa.array([name for _, name in rows], pa.string())

    def of(self, numbers: pa.ChunkedArray) -> pa.Array:
        """The name of each, NULL for NULL."""
        import pyarrow as pa
        import pyarrow.compute as pc

        unknown = np.asarray(pc.is_null(numbers))
        values: Any = np.asarray(pc.fill_null(numbers, int(self._numbers[0]) if len(self._numbers) else 0))
        places = np.minimum(np.searchsorted(self._numbers, values), max(len(self._numbers) - 1, 0))
        if len(values) and not (len(self._numbers) and np.array_equal(self._numbers[places], values)):
            raise sqlite3.OperationalError(f"{self.numbered} holds a number that nothing has; {RESTORE}")
        return self._names.take(pa.array(places, mask=unknown))
