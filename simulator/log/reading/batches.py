"""Answers as columns, so many rows at a time: for whoever writes columns and never looks at a row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from groundlings.simulator.log.columns import Row

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def read_in_pieces(connection: Connection, sql: str, rows: int) -> Iterator[list[Row]]:
    """The rows of a query's answer as SQLite's driver gives them, so many at a time.

    The driver is asked itself, because SQLAlchemy's handling of each row would double the time.
    """
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor()
    try:
        cursor.execute(sql)
        while piece := cursor.fetchmany(rows):
            yield piece
    finally:
        with suppress(sqlite3.ProgrammingError):  # the log was closed before all was read
            cursor.close()


def one_state(connection: Connection) -> Connection:
    """The same connection, in a transaction whose queries see one state of a log, even while a run writes it."""
    if connection.dialect.name != "sqlite":
        return connection.execution_options(isolation_level="REPEATABLE READ")
    connection.exec_driver_sql("BEGIN")
    return connection


def streamed(connection: Connection, sql: str, rows: int) -> Iterator[list[Row]]:
    """The rows of a query's answer as the driver gives them, so many at a time, whatever the database."""
    if connection.dialect.name == "sqlite":
        yield from read_in_pieces(connection, sql, rows)
        return
    streaming = connection.execution_options(stream_results=True, yield_per=rows)
    for chunk in streaming.exec_driver_sql(sql).partitions(rows):
        yield [tuple(row) for row in chunk]


def arrow_table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Rows as columns of a schema; truth values may come as 0 and 1.

    Raises:
        sqlite3.OperationalError: As of `refused`.
    """
    import pyarrow as pa

    cells = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pa.table([_array(column, field) for column, field in zip(cells, schema, strict=True)], schema=schema)


def _array(column: Sequence[Any], field: pa.Field) -> pa.Array:
    import pyarrow as pa

    whole, floating = pa.types.is_integer, pa.types.is_floating
    try:
        found = pa.array(column)  # with a type, Arrow would cut a fraction off and take bytes for text
        if pa.types.is_boolean(field.type) and whole(found.type):
            return truths(found, field.name)
        numbers = whole(found.type) and (whole(field.type) or floating(field.type))
        if not (numbers or pa.types.is_null(found.type) or found.type == field.type):
            raise refused(field.name, f"found {found.type}, expected {field.type}")
        return found.cast(field.type)
    except (pa.ArrowException, OverflowError):  # of values of several kinds, what Arrow says names the first
        raise refused(field.name, f"found something else, expected {field.type}") from None


def frame_of(table: pa.Table) -> pd.DataFrame:
    """A table as pandas reads the same rows from a database: a column without any value holds None."""
    import pandas as pd

    columns = {
        name: pd.Series([None] * len(column), dtype=object) if column.null_count == len(column) else column.to_pandas()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return pd.DataFrame(columns)


def truths(numbers: pa.Array | pa.ChunkedArray, name: str) -> Any:
    """Truth values of 0, 1 and NULL.

    Raises:
        sqlite3.OperationalError: As of `refused`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ends: Any = pc.min_max(numbers)
    odd = [end for end in (ends["min"].as_py(), ends["max"].as_py()) if end not in (None, 0, 1)]
    if odd:
        raise refused(name, f"found {odd[0]}, expected 0 or 1")
    return numbers.cast(pa.bool_())


def refused(name: str, said: object) -> sqlite3.OperationalError:
    """What to raise where a column holds what no run writes into it: as for any log that cannot be read."""
    return sqlite3.OperationalError(
        f"the column {name} holds a value that no run writes: {said}; the log was left as it is, restore it from a copy"
    )


def tables_of(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows as tables."""
    import pyarrow as pa

    for batch in batches:
        yield pa.Table.from_batches([batch])


def rechunked(tables: Iterable[pa.Table], rows: int, schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows, exactly so many at a time but for the last ones, as columns of a schema."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    held = 0
    for table in tables:
        waiting.append(table)
        held += len(table)
        while held >= rows:
            whole = pa.concat_tables(waiting)
            yield _cast(whole.slice(0, rows), schema)
            waiting = [whole.slice(rows)]
            held = len(waiting[0])
    if held:
        yield _cast(pa.concat_tables(waiting), schema)


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return table.rename_columns(schema.names).cast(schema).combine_chunks()
