"""Rows of a SQLite file as Arrow columns: Arrow's own driver makes them, and no cell becomes a Python object.

It brings a SQLite of its own. Two copies of SQLite in one process take each other's locks away when they close a file
(https://www.sqlite.org/howtocorrupt.html, section 2.2.1), so that only logs are read in this way that nobody writes any
more: those of finished runs. Whatever this reader refuses, `sqlite3` reads, or says what is wrong with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from groundlings.simulator.log.columnar import columnar
from groundlings.simulator.log.reading.ahead import read_ahead
from groundlings.simulator.log.reading.batches import truths

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST_ROWS = 100_000
"""Impressions of a log from which on it is read as columns; below, loading the driver takes longer than it saves."""

_DRIVER = "adbc_driver_sqlite"
"""It is built for the usual machines (pyproject.toml names them); on others `sqlite3` reads everything."""

_ROWS = 16_384
"""Rows of a batch."""

_KINDS = {"int64": "0", "double": "0.0", "string": "''"}
"""Arrow's types of columns, and a value of each in SQL."""


class NotAsColumns(Exception):
    """A value is not of the kind that its column is to hold, or the file cannot be read."""


class SqliteColumns:
    """A SQLite file that is read as columns.

    Args:
        address: The file, as a URI.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def batches(self, query: str, kinds: Mapping[str, pa.DataType], key: str | None = None) -> Iterator[pa.RecordBatch]:
        """The answer to a query, in the order of its first column.

        Args:
            query: A SELECT without ORDER BY; its first column is a key.
            kinds: Name -> int64, float64 or string, of the other columns.
            key: The name of the key in the answer, which lacks it if absent.

        Raises:
            NotAsColumns: A value is not of these kinds, or the file cannot be read.
        """
        import pyarrow as pa

        named = () if key is None else (key,)
        try:
            with self._reading(_with_kinds(query, kinds)) as reader:
                for (name, kind), found in zip(kinds.items(), reader.schema.types[1:], strict=True):
                    if found != kind:
                        raise NotAsColumns(f"{name} holds {found}, expected {kind}")
                before = 1  # the row that says the kinds
                with closing(read_ahead(_validated(reader))) as batches:
                    for batch in batches:
                        if len(batch) > before:
                            yield pa.RecordBatch.from_arrays(
                                batch.slice(before).columns[1 - len(named) :], [*named, *kinds]
                            )
                        before = 0
        except (pa.ArrowException, OSError) as fault:
            raise NotAsColumns(str(fault)) from None

    @contextmanager
    def _reading(self, query: str) -> Iterator[pa.RecordBatchReader]:
        import adbc_driver_sqlite
        import pyarrow as pa
        from adbc_driver_manager import AdbcConnection, AdbcStatement, Error

        with ExitStack() as stack:
            try:
                database = stack.enter_context(adbc_driver_sqlite.connect(self._address))
                connection = stack.enter_context(AdbcConnection(database))
                statement = stack.enter_context(AdbcStatement(connection))
                for setting in ("trusted_schema = OFF", "query_only = ON"):
                    statement.set_sql_query(f"PRAGMA {setting}")
                    statement.execute_update()
                statement.set_options(**{adbc_driver_sqlite.StatementOptions.BATCH_ROWS.value: str(_ROWS)})
                statement.set_sql_query(query)
                handle, _ = statement.execute_query()
            except Error as fault:
                raise NotAsColumns(str(fault)) from None
            yield stack.enter_context(pa.RecordBatchReader.from_stream(handle))


def sqlite_columns(connection: Connection) -> SqliteColumns | None:
    """What reads the log behind a connection as columns; None where `sqlite3` does better, or must.

    Args:
        connection: To a log; nothing is changed.
    """
    name = connection.engine.url.database
    if connection.dialect.name != "sqlite" or columnar(connection) is not None or name is None:
        return None
    if find_spec(_DRIVER) is None:
        return None
    running = connection.execute(text("SELECT count(*) FROM runs WHERE status <> 'done'")).scalar_one()
    last = connection.execute(text("SELECT max(impression_id) FROM impressions")).scalar_one() or 0
    file = Path(name).absolute()
    if running or last < FEWEST_ROWS or not file.is_file():
        return None
    return SqliteColumns(f"{file.as_uri()}?mode=ro")


def tables_in_order(reader: SqliteColumns, query: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """The answer to a query as of `SqliteColumns.batches`, whose truth values SQLite has as 0 and 1.

    Raises:
        sqlite3.OperationalError: As for any file that cannot be read: a value is not of the kind that its column holds.
    """
    import pyarrow as pa

    flags = {field.name for field in schema if pa.types.is_boolean(field.type)}
    held = {field.name: pa.int64() if field.name in flags else field.type for field in schema}
    try:
        for batch in reader.batches(query, held):
            columns = zip(batch.schema.names, batch.columns, strict=True)
            read = [truths(column, name) if name in flags else column for name, column in columns]
            yield pa.Table.from_arrays(read, schema=schema)
    except NotAsColumns as fault:
        raise sqlite3.OperationalError(
            f"{fault}; no run writes that: the log was left as it is, restore it from a copy"
        ) from None


def _validated(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        batch.validate(full=True)  # of text, that it is UTF-8
        yield batch


def _with_kinds(query: str, kinds: Mapping[str, pa.DataType]) -> str:
    """A query behind a row with a value of each kind: the driver takes kinds from values, and a column may begin with
    thousands of NULLs. A key that is NULL comes first."""
    first = ", ".join(["NULL", *(_KINDS[str(kind)] for kind in kinds.values())])
    return f"SELECT {first} UNION ALL {query} ORDER BY 1"
