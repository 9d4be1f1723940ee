"""DuckDB over the parts of a log: the large tables as views under today's names and kinds of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, TypeVar

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.concurrency import waited_for
from groundlings.simulator.log import tables
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.part_footers import refuse_claims
from groundlings.simulator.log.parts import RESTORE, Part, fault_of, schema_of

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Result = TypeVar("Result")

_SETTINGS = (
    "SET integer_division = true",  # as in SQLite and PostgreSQL
    "SET default_null_order = 'nulls_first_on_asc_last_on_desc'",  # as in SQLite
    "SET memory_limit = '1GB'",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class QueryEngine:
    """One DuckDB, which answers one query at a time.

    Args:
        directory: The run's.
        threads: How many it uses; all there are where it is None. With one, a sum of floats depends on the order of
            rows alone, so that `compare` says the same twice.
    """

    def __init__(self, directory: Path, threads: int | None = 1) -> None:
        import duckdb

        self._directory = directory
        self._address: Path | None = None
        self._seen: tuple[Part, ...] | None = None
        self._tables: dict[str, pa.Table] = {}
        self._spilled = TemporaryDirectory(prefix="groundlings-", ignore_cleanup_errors=True)
        """What an answer needs beyond DuckDB's share of the memory."""
        self.connection: duckdb.DuckDBPyConnection = duckdb.connect(":memory:")
        self.connection.execute(f"SET temp_directory = {quoted(self._spilled.name)}")
        with suppress(duckdb.InvalidInputException):  # a notebook without ipywidgets, where it has no bar to draw
            # Of `python -c`, a prompt or a notebook it would draw over what is printed.
            self.connection.execute("SET enable_progress_bar = false")
        for setting in (*(() if threads is None else (f"SET threads = {threads}",)), *_SETTINGS):
            self.connection.execute(setting)

    def close(self) -> None:
        """Let go of everything."""
        self.connection.close()
        self._spilled.cleanup()

    def see(self, known: tuple[Part, ...]) -> None:
        """Have the views show these parts.

        Raises:
            RunDirectoryError: One is missing, or not of the size and the rows that it was written with.
        """
        if known == self._seen:
            return
        before = set(self._seen or ())
        for part in known:
            wrong = fault_of(self._directory, part, whole=False)
            if wrong is not None:
                raise RunDirectoryError(f"{self._directory}: {wrong}; {RESTORE}")
            if part not in before:
                _refuse_claims(self._directory, part)
        for name in tables.LARGE:
            self.connection.register(f"{name}_in_parts", rows_of(self._addressed(), name, known))
            if self._seen is None:
                self._view(name, schema_of(name))
        self._seen = known

    def hold(self, known: Mapping[str, pa.Table]) -> None:
        """Have the views show tables that lie in memory, with the columns that these have; always the same ones."""
        if self._seen is None:
            for name, table in known.items():
                self.connection.register(f"{name}_in_parts", table)
                self._view(name, table.schema)
            self._seen = ()

    def _view(self, name: str, schema: pa.Schema) -> None:
        self.connection.execute(f"CREATE TEMP VIEW {name} AS SELECT {_widened(schema)} FROM {name}_in_parts")

    def _addressed(self) -> Path:
        """The run's directory by a name that Arrow takes: a link to it where its own is not UTF-8."""
        if self._address is None:
            self._address = self._directory.absolute()
            try:
                str(self._address).encode()
            except UnicodeEncodeError:
                self._address = Path(self._spilled.name) / "run"
                self._address.symlink_to(self._directory.absolute())
        return self._address

    def see_table(self, name: str, table: pa.Table) -> None:
        """Have a small table show these rows."""
        if self._tables.get(name) is not table:
            self.connection.register(name, table)
            self._tables[name] = table

    def run(self, sql: str, values: Sequence[Any]) -> None:
        """Begin to answer one SELECT; `Asked` reads the answer."""
        statement = self._one_select(sql)
        answered(self.connection, lambda: self.connection.execute(statement, list(values)))

    def batches(self, sql: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The answer to one SELECT as Arrow has it, about so many rows at a time."""
        self._one_select(sql)
        reader = answered(self.connection, lambda: self.connection.sql(sql).to_arrow_reader(rows))
        try:
            while (batch := answered(self.connection, lambda: next(reader, None))) is not None:
                yield batch
        finally:
            reader.close()

    def table(self, sql: str, values: Mapping[str, Any]) -> pa.Table:
        """The answer to one SELECT, which names its values `$so`, as columns of the kinds that SQLite gives."""
        self._one_select(sql)
        connection = self.connection
        found = answered(connection, lambda: connection.sql(sql, params=dict(values)).to_arrow_table())
        return found.cast(_as_in_sqlite(found.schema))

    def _one_select(self, sql: str) -> duckdb.Statement:
        import duckdb

        statements = self.connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise duckdb.BinderException("found something else than one SELECT: the log is read and never changed")
        return statements[0]


def _refuse_claims(directory: Path, part: Part) -> None:
    """As `refuse_claims`, by the footer of the part's file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with (directory / part.path).open("rb") as file:  # Arrow takes some names for addresses
            about = pq.read_metadata(file)
    except (pa.ArrowException, OSError):
        raise RunDirectoryError(f"{directory}: part {part.path} was changed; {RESTORE}") from None
    refuse_claims(directory, part, about)


def answered(connection: duckdb.DuckDBPyConnection, ask: Callable[[], Result]) -> Result:
    """What DuckDB answers; a signal that comes meanwhile ends it as it ends anything else.

    DuckDB looks for signals between its own steps, and some steps last as long as the query. So another thread asks,
    and this one waits and can be woken.

    Args:
        connection: To DuckDB.
        ask: Asks it.
    """
    if current_thread() is not main_thread():  # signals reach no other thread
        return ask()
    with ThreadPoolExecutor(1, thread_name_prefix="groundlings") as beside:
        asking = beside.submit(ask)
        try:
            return waited_for(asking)
        except BaseException:
            if not asking.done():
                connection.interrupt()
            raise


def _as_in_sqlite(schema: pa.Schema) -> pa.Schema:
    """Whole numbers and truth values in 64 bits, also sums, which DuckDB has in 128; decimal numbers as floats."""
    import pyarrow as pa
    import pyarrow.types as kind

    def plain(found: pa.DataType) -> pa.DataType:
        if kind.is_boolean(found) or kind.is_integer(found) or (kind.is_decimal(found) and found.scale == 0):
            return pa.int64()
        return pa.float64() if kind.is_decimal(found) else found

    return pa.schema([(field.name, plain(field.type)) for field in schema])


def quoted(text: str) -> str:
    """A text as SQL has it."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def rows_of(directory: Path, name: str, known: Sequence[Part]) -> Any:
    """The rows of a table as Arrow reads them, part after part; whoever asks for some sessions reads their parts only.

    Args:
        directory: The run's.
        name: One of `tables.LARGE`.
        known: Parts of all tables.
    """
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    from pyarrow.fs import LocalFileSystem

    schema, files, form = schema_of(name), LocalFileSystem(), ds.ParquetFileFormat()
    session = pc.field("session_id")
    fragments = [
        form.make_fragment(
            str((directory / part.path).absolute()),
            files,
            partition_expression=(session >= part.first_session) & (session <= part.last_session),
        )
        for part in known
        if part.name == name
    ]
    return ds.FileSystemDataset(fragments, schema, form, files)


def _widened(schema: pa.Schema) -> str:
    """The columns of a view: whole numbers of 64 bits and truth values as 1 and 0, as SQLite gives them."""
    import pyarrow as pa

    return ", ".join(
        f"CAST({field.name} AS BIGINT) AS {field.name}"
        if pa.types.is_boolean(field.type) or pa.types.is_int32(field.type)
        else field.name
        for field in schema
    )


_FETCHED = 8_192


class Asked:
    """The rows of an answer, as Python values of the kinds that SQLite gives.

    Args:
        engine: Answers.
        give_back: Is given the engine when the answer is read or not wanted any more.
        explained: Makes an error of what goes wrong while it is read.
    """

    def __init__(
        self, engine: QueryEngine, give_back: Callable[[QueryEngine], None], explained: Callable[[Exception], Exception]
    ) -> None:
        self._engine: QueryEngine | None = engine
        self._give_back = give_back
        self._explained = explained
        described = engine.connection.description or ()
        self.description = tuple((column[0], *(None,) * 6) for column in described)
        kinds = [_plain(str(column[1])) for column in described]
        self._plain = {place: kind for place, kind in enumerate(kinds) if kind is not None}

    def fetchmany(self, size: int) -> list[Row]:
        """The next rows, [] behind the last one."""
        if self._engine is None:
            return []
        try:
            connection = self._engine.connection
            rows = answered(connection, lambda: connection.fetchmany(size))
        except Exception as fault:
            self.close()
            raise self._explained(fault) from None
        if len(rows) < size:
            self.close()
        return [self._as_in_sqlite(row) for row in rows] if self._plain else rows

    def _as_in_sqlite(self, row: Row) -> Row:
        cells = list(row)
        for place, kind in self._plain.items():
            if cells[place] is not None:
                cells[place] = kind(cells[place])
        return tuple(cells)

    def __iter__(self) -> Iterator[Row]:
        while rows := self.fetchmany(_FETCHED):
            yield from rows

    def close(self) -> None:
        """Let the engine answer something else."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.connection.abort()  # what is left of it
            self._give_back(engine)


def _plain(kind: str) -> type[int] | type[float] | None:
    """What a truth value or a decimal number becomes, as SQLite gives it; None for what stays as it is."""
    return int if kind == "BOOLEAN" else float if kind.startswith("DECIMAL") else None
