"""A connection to a log in parts: SQLite for its index and small tables, DuckDB for whatever asks for the large ones.

It has the face of `sqlite3.Connection`, so that everything above speaks to one database. A query that names `sessions`,
`impressions` or `events` is answered by DuckDB, which sees them as views over the parts under today's names, and the
small tables that the query names as SQLite has them; any other statement goes to SQLite. DuckDB opens no file itself:
Arrow hands it the parts that the index lists, so that neither a query nor the name of a directory reaches further.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log import measured_agents, tables
from groundlings.simulator.log.assignment_rows import assignments
from groundlings.simulator.log.canonical import kinds_of
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.lesson_rows import lessons
from groundlings.simulator.log.part_footers import refuse_claims, refuse_disorder
from groundlings.simulator.log.parts import RESTORE, Part, fault_of, parts
from groundlings.simulator.log.presentation_rows import presentations
from groundlings.simulator.log.query_engine import Asked, QueryEngine
from groundlings.simulator.log.row_bounds import refuse_too_many
from groundlings.simulator.log.row_texts import RowTexts

if TYPE_CHECKING:
    import pyarrow as pa

_NAMES_LARGE = re.compile(rf"\b({'|'.join(tables.LARGE)})\b", re.IGNORECASE)
_FOR_SQLITE = re.compile(
    r"\s*(pragma|create|drop|alter|insert|replace|update|delete|analyze|reindex|vacuum|attach|detach)\b|.*\bsqlite_",
    re.IGNORECASE | re.DOTALL,
)
_ALL_COLUMNS = re.compile(r"\*(?!\s*\))|\bnatural\b", re.IGNORECASE)
_PLACE = re.compile(r"(?<!:):([a-z_]+)\b")
"""A value in a query of ours, as SQLAlchemy has it."""

_SMALL: dict[str, Table] = {
    **{name: table for name, table in tables.metadata.tables.items() if name not in tables.LARGE},
    parts.name: parts,
    assignments.name: assignments,
    lessons.name: lessons,
    presentations.name: presentations,
}


class ColumnarConnection:
    """See the module.

    Args:
        index: The run's `log.db`; this connection closes it.
        directory: The run's.
    """

    def __init__(self, index: sqlite3.Connection, directory: Path) -> None:
        self.directory = directory
        self._index = index
        self._engines: list[QueryEngine] = []
        self._free: list[QueryEngine] = []
        self._stamp: tuple[int, int] | None = None
        self._parts: tuple[Part, ...] = ()
        self._in_order: tuple[Part, ...] = ()
        self._small: dict[str, pa.Table] = {}

    def __getattr__(self, name: str) -> Any:
        """Whatever else SQLite's connections can do."""
        return getattr(self._index, name)

    def cursor(self) -> ColumnarCursor:
        """A cursor for either database."""
        return ColumnarCursor(self, self._index.cursor())

    def close(self) -> None:
        """Let go of both."""
        for engine in self._engines:
            engine.close()
        self._engines.clear()
        self._free.clear()
        self._index.close()

    def interrupt(self) -> None:
        """Stop what is being answered."""
        for engine in self._engines:
            engine.connection.interrupt()

    def parts(self) -> tuple[Part, ...]:
        """The parts of the log as this connection sees it, in the order of writing.

        Raises:
            RunDirectoryError: They do not fit together.
        """
        found = self.listed()
        if found != self._in_order:
            refuse_disorder(self.directory, found)
            self._in_order = found
        return found

    def listed(self) -> tuple[Part, ...]:
        """As `parts`, whatever the log lists: for whoever says what of it was changed."""
        self._look_again()
        return self._parts

    def ask(self, sql: str, values: Sequence[Any] = ()) -> Asked:
        """The answer of DuckDB to one SELECT.

        Raises:
            sqlite3.OperationalError: It refuses the query.
            RunDirectoryError: A part is missing or damaged.
        """
        import duckdb

        engine = self._ready_for(sql)
        try:
            engine.run(sql, values)
        except duckdb.Error as fault:
            self._free.append(engine)
            raise self._explained(fault) from None
        return Asked(engine, self._free.append, self._explained)

    def table(self, sql: str, values: Mapping[str, Any]) -> pa.Table:
        """The whole answer to one SELECT on a large table, as columns of the kinds that SQLite gives.

        Args:
            sql: With its values as `:name`.
            values: By name.

        Raises:
            sqlite3.OperationalError, RunDirectoryError: As of `ask`.
        """
        import duckdb
        import pyarrow as pa

        engine = self._ready_for(sql)
        try:
            return engine.table(_PLACE.sub(r"$\1", sql), values)
        except (duckdb.Error, pa.ArrowException, OSError) as fault:
            raise self._explained(fault) from None
        finally:
            self._free.append(engine)

    def batches(self, sql: str, rows: int) -> Iterator[pa.RecordBatch]:
        """As `ask`, the answer as Arrow has it, about so many rows at a time."""
        import duckdb
        import pyarrow as pa

        engine = self._ready_for(sql)
        try:
            yield from engine.batches(sql, rows)
        except (duckdb.Error, pa.ArrowException, OSError) as fault:
            raise self._explained(fault) from None
        finally:
            self._free.append(engine)

    def read_part(self, part: Part, columns: Sequence[str]) -> pa.Table:
        """Some columns of one part as they were written.

        Raises:
            RunDirectoryError: It is missing or damaged, or claims more rows than it can hold.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with (self.directory / part.path).open("rb") as file:  # Arrow takes some names for addresses
                content = pq.ParquetFile(file)
                refuse_claims(self.directory, part, content.metadata)
                return content.read(columns=list(columns))
        except (pa.ArrowException, OSError) as fault:
            raise self._explained(fault) from None

    def row_texts(self) -> RowTexts:
        """What writes the rows of the large tables as the digest takes them in; whoever asks closes it."""
        return RowTexts(self._index, self.directory, self.parts())

    def _ready_for(self, sql: str) -> QueryEngine:
        """An engine of its own for a query, which sees all tables that the query can mean."""
        if not self._free:
            self._engines.append(QueryEngine(self.directory))
            self._free.append(self._engines[-1])
        engine = self._free[-1]
        self._show_large(engine)
        for name in _SMALL:
            if _names(sql, name) and self._here(name):
                engine.see_table(name, self._table(name, sql))
        return self._free.pop()

    def _show_large(self, engine: QueryEngine) -> None:
        """Have an engine see the large tables."""
        engine.see(self.parts())

    def _look_again(self) -> None:
        """Forget what was read of the index where anybody has written since."""
        (changes,) = self._index.execute("PRAGMA data_version").fetchone()
        stamp = (changes, self._index.total_changes)
        if stamp != self._stamp:
            columns = ", ".join(column.name for column in parts.columns)
            found = self._index.execute(f"SELECT {columns} FROM {parts.name} ORDER BY part_id").fetchall()
            known = tuple(Part(*row) for row in found)
            refuse_too_many(self.directory, self._index, known)
            self._parts, self._small = known, {}
            self._stamp = stamp

    def _table(self, name: str, sql: str) -> pa.Table:
        """A small table with the columns that a query can mean: those it names, or all where it may mean all."""
        here = self._here(name)
        wanted = here
        if not _ALL_COLUMNS.search(sql):
            wanted = [column for column in here if re.search(rf"\b{column}\b", sql, re.IGNORECASE)] or here[:1]
        known = self._small.get(name)
        if known is None or not set(wanted) <= set(known.column_names):
            earlier = [] if known is None else known.column_names
            self._small[name] = known = self._read(name, [column for column in here if column in {*wanted, *earlier}])
        return known

    def _here(self, name: str) -> list[str]:
        """The columns of a small table; none where the log has no such table."""
        return [row[1] for row in self._index.execute(f"PRAGMA table_xinfo({name})")]

    def _read(self, name: str, columns: Sequence[str]) -> pa.Table:
        import pyarrow as pa

        table = _SMALL[name]
        kinds = {"integer": pa.int64(), "float": pa.float64(), "text": pa.string()}
        held = {
            column: kind
            for each in (measured_agents.stored, table)
            for column, kind in zip(each.columns.keys(), kinds_of(each), strict=True)
        }
        rows = self._index.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
        cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
        try:
            return pa.table(
                {column: pa.array(part, kinds[held[column]]) for column, part in zip(columns, cells, strict=True)}
            )
        except (pa.ArrowException, UnicodeError) as fault:
            raise sqlite3.OperationalError(
                f"the table {name} holds a value of another kind ({fault}); {RESTORE}"
            ) from None

    def _explained(self, fault: Exception) -> Exception:
        """Why DuckDB could not answer: a part that is not as it was written, or what it says itself."""
        for part in self._parts:
            wrong = fault_of(self.directory, part, whole=False)
            if wrong is not None:
                return RunDirectoryError(f"{self.directory}: {wrong}; {RESTORE}")
        said = str(fault)
        if any(sign in said for sign in _DAMAGE):
            for part in self._parts:
                wrong = fault_of(self.directory, part, whole=True)
                if wrong is not None:
                    return RunDirectoryError(f"{self.directory}: {wrong}; {RESTORE}")
        return sqlite3.OperationalError(" ".join(said.split()))


def _names(sql: str, table: str) -> bool:
    """Whether a query may read a table of this name; `count(*) AS agents` gives a name, and reads none."""
    return any(not found[1] for found in re.finditer(rf"\b(as\s+)?{table}\b", sql, re.IGNORECASE))


_DAMAGE = ("ArrowException", "Arrow", "Parquet", "Corrupt", "OSError", "thrift", "deserialize", "ecompress")


class ColumnarCursor:
    """A cursor that sends each statement to the database that can answer it.

    Args:
        connection: Its connection.
        index: A cursor of SQLite's.
    """

    arraysize = 1

    def __init__(self, connection: ColumnarConnection, index: sqlite3.Cursor) -> None:
        self._connection = connection
        self._index = index
        self._asked: Asked | None = None

    def __getattr__(self, name: str) -> Any:
        """Whatever else SQLite's cursors can do."""
        return getattr(self._index, name)

    @property
    def description(self) -> Any:
        """The columns of the answer, as DB-API has it."""
        return self._index.description if self._asked is None else self._asked.description

    def execute(self, sql: str, values: Sequence[Any] = ()) -> ColumnarCursor:
        """Ask, or change something in the index."""
        self._let_go()
        if _NAMES_LARGE.search(sql) and not _FOR_SQLITE.match(sql):
            self._asked = self._connection.ask(sql, values)
        else:
            self._index.execute(sql, values)
        return self

    def fetchone(self) -> Row | None:
        """The next row, None behind the last one."""
        if self._asked is None:
            return self._index.fetchone()
        return next(iter(self._asked.fetchmany(1)), None)

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """The next rows, [] behind the last one."""
        size = self.arraysize if size is None else size
        return self._index.fetchmany(size) if self._asked is None else self._asked.fetchmany(size)

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        if self._asked is None:
            return self._index.fetchall()
        rows: list[Row] = []
        while found := self._asked.fetchmany(_FETCHED):
            rows += found
        return rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self.fetchone, None)

    def close(self) -> None:
        """Let go of the answer."""
        self._let_go()
        self._index.close()

    def _let_go(self) -> None:
        if self._asked is not None:
            self._asked.close()
            self._asked = None


_FETCHED = 65_536


def columnar(connection: Connection) -> ColumnarConnection | None:
    """What stands behind a connection to a log in parts, None behind any other."""
    driver: Any = connection.connection.driver_connection
    return driver if isinstance(driver, ColumnarConnection) else None
