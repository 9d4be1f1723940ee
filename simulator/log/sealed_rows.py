"""The rows that a seal covers as columns, as many at a time as are hashed together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, Table

from groundlings.simulator.log.canonical import PIECE_ROWS, kinds_of
from groundlings.simulator.log.columns import Column
from groundlings.simulator.log.reading.batches import rechunked, tables_of
from groundlings.simulator.log.sqlite_columns import SqliteColumns

if TYPE_CHECKING:
    import pyarrow as pa

_FETCHED = 256
"""Rows that are tuples at a time; columns grow from them while they are in the processor's cache."""


def columns_read(connection: Connection, query: str) -> Iterator[list[list[Any]]]:
    """The columns of a query's answer, `PIECE_ROWS` rows at a time.

    The driver is asked itself, because SQLAlchemy's handling of each row would double the time.
    """
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor()
    try:
        cursor.execute(query)
        piece: list[list[Any]] = []
        while rows := cursor.fetchmany(_FETCHED):
            columns = zip(*rows, strict=True)
            if piece:
                for column, more in zip(piece, columns, strict=True):
                    column.extend(more)
            else:
                piece = [list(column) for column in columns]
            if len(piece[0]) >= PIECE_ROWS:
                yield piece
                piece = []
        if piece:
            yield piece
    finally:
        cursor.close()


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
    import pyarrow as pa

    arrow = {"integer": pa.int64(), "float": pa.float64(), "text": pa.string()}
    held = dict(zip(table.columns.keys(), kinds_of(table), strict=True))
    schema = pa.schema([(name, arrow[held[name]]) for name in names])
    (key,) = table.primary_key.columns
    query = f"SELECT {key.name}, {', '.join(names)} {between}"
    found = reader.batches(query, dict(zip(schema.names, schema.types, strict=True)))
    for piece in rechunked(tables_of(found), PIECE_ROWS, schema):
        yield [_column(column) for column in piece.columns]


def _column(column: pa.ChunkedArray) -> Column:
    """A column as `absorb` takes it."""
    import pyarrow as pa

    if pa.types.is_string(column.type):
        return column.to_pylist()
    if pa.types.is_floating(column.type) or not column.null_count:
        return column.to_numpy()
    return np.ma.MaskedArray(column.fill_null(0).to_numpy(), mask=column.is_null().to_numpy())
