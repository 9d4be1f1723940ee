"""The rows that a seal covers as columns, as many at a time as are hashed together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, Table

from groundlings.simulator.log.canonical import PIECE_ROWS, NotOurs, kinds_of
from groundlings.simulator.log.columns import Column
from groundlings.simulator.log.reading.batches import rechunked, tables_of
from groundlings.simulator.log.sqlite_columns import NotAsColumns, SqliteColumns
from groundlings.simulator.log.tables import metadata

if TYPE_CHECKING:
    import pyarrow as pa

_FETCHED = 256
"""Rows that are tuples at a time; columns grow from them while they are in the processor's cache."""

_FLOAT8 = 701
"""What PostgreSQL calls decimal numbers of 64 bits in the description of an answer; SQLite says nothing there."""


def columns_read(connection: Connection, query: str) -> Iterator[list[list[Any]]]:
    """The columns of a query's answer, `PIECE_ROWS` rows at a time.

    The driver is asked itself, because SQLAlchemy's handling of each row would double the time.

    Raises:
        NotOurs: PostgreSQL gives NaN, which hashes as NULL does.
    """
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor()
    try:
        cursor.execute(query)
        floats = [place for place, about in enumerate(cursor.description) if about[1] == _FLOAT8]
        piece: list[list[Any]] = []
        while rows := cursor.fetchmany(_FETCHED):
            columns = zip(*rows, strict=True)
            if piece:
                for column, more in zip(piece, columns, strict=True):
                    column.extend(more)
            else:
                piece = [list(column) for column in columns]
            if len(piece[0]) >= PIECE_ROWS:
                yield _without_nan(piece, floats)
                piece = []
        if piece:
            yield _without_nan(piece, floats)
    finally:
        cursor.close()


def _without_nan(piece: list[list[Any]], floats: Sequence[int]) -> list[list[Any]]:
    if any(cell != cell for place in floats for cell in piece[place]):  # NaN differs from itself
        raise NotOurs("NaN")
    return piece


def columns_in_batches(
    reader: SqliteColumns, table: Table, names: Sequence[str], between: str
) -> Iterator[list[Column]]:
    """As `columns_read`, some columns of a table with one key, read as columns.

    Args:
        reader: Of the log's file.
        table: Whose rows.
        names: Its columns that are wanted.
        between: FROM and WHERE.

    Raises:
        NotAsColumns: A value is not of the kind that its column holds.
    """
    yield from columns_of_tables(tables_of(_batches(reader, table, names, between)), table, names)


def columns_of_tables(found: Iterable[pa.Table], table: Table, names: Sequence[str]) -> Iterator[list[Column]]:
    """As `columns_read`, some columns of rows that are held as columns."""
    schema = _schema(table, names)
    for piece in rechunked((each.select(schema.names) for each in found), PIECE_ROWS, schema):
        yield [_column(column) for column in piece.columns]


class LargeTables:
    """The rows of large tables by ascending ranges of their keys; each table is read once, from its beginning.

    Args:
        reader: Of the log's file.
        names: The columns that are wanted of each table, without its key.
    """

    def __init__(self, reader: SqliteColumns, names: Mapping[str, Sequence[str]]) -> None:
        self._tables = {
            name: _Ranges(_batches(reader, table, wanted, f"FROM {name}", keyed=True), _schema(table, wanted, True))
            for name, wanted in names.items()
            for table in (metadata.tables[name],)
        }

    def of(self, ranges: Mapping[str, tuple[int, int]]) -> dict[str, pa.Table]:
        """The next rows of each table, behind their key.

        Args:
            ranges: Table -> the first key, and how many follow from it on; without a gap to those of the last call.

        Raises:
            NotAsColumns: A row lies before these, or a value is not of the kind that its column holds.
        """
        return {name: rows.between(*map(int, ranges[name])) for name, rows in self._tables.items()}


class _Ranges:
    """Rows that are taken by ranges of their first column, in which they ascend."""

    def __init__(self, pieces: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
        self._pieces = tables_of(pieces)
        self._waiting = schema.empty_table()

    def between(self, first: int, count: int) -> pa.Table:
        import pyarrow as pa

        held: list[pa.Table] = []
        while True:
            keys = self._waiting.column(0).to_numpy()
            if len(keys) and keys[0] < first:
                raise NotAsColumns("a row lies before those that are asked for")
            end = int(np.searchsorted(keys, first + count))
            held.append(self._waiting.slice(0, end))
            if end < len(keys):
                self._waiting = self._waiting.slice(end)
                break
            piece = next(self._pieces, None)
            self._waiting = self._waiting.slice(end) if piece is None else piece
            if piece is None:
                break
        return pa.concat_tables(held)


def _batches(
    reader: SqliteColumns, table: Table, names: Sequence[str], origin: str, *, keyed: bool = False
) -> Iterator[pa.RecordBatch]:
    """Some columns of a table in the order of its key, which stands before them if wanted."""
    (key,) = table.primary_key.columns
    schema = _schema(table, names)
    kinds = dict(zip(schema.names, schema.types, strict=True))
    yield from reader.batches(f"SELECT {', '.join((key.name, *names))} {origin}", kinds, key.name if keyed else None)


def _schema(table: Table, names: Sequence[str], keyed: bool = False) -> pa.Schema:
    """What columns of a table hold, behind the key if wanted."""
    import pyarrow as pa

    arrow = {"integer": pa.int64(), "float": pa.float64(), "text": pa.string()}
    held = dict(zip(table.columns.keys(), kinds_of(table), strict=True))
    before = [key.name for key in table.primary_key.columns] if keyed else []
    return pa.schema([(name, arrow[held[name]]) for name in (*before, *names)])


def _column(column: pa.ChunkedArray) -> Column:
    """A column as `absorb` takes it."""
    import pyarrow as pa

    if pa.types.is_string(column.type):
        return column.to_pylist()
    if pa.types.is_floating(column.type) or not column.null_count:
        return column.to_numpy()
    return np.ma.MaskedArray(column.fill_null(0).to_numpy(), mask=column.is_null().to_numpy())
