"""A log that is open for reading: connections, and the ways in which rows come out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from groundlings.environments.errors import GroundlingsError, RunDirectoryError, shown
from groundlings.environments.paths import handed_over
from groundlings.simulator.log import measured_agents, tables
from groundlings.simulator.log.columnar import columnar
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.faults import other_tables
from groundlings.simulator.log.finite import NotFinite
from groundlings.simulator.log.foreign import foreign_in
from groundlings.simulator.log.held_columns import answers, held
from groundlings.simulator.log.migrations import SCHEMA_VERSION, schema_version
from groundlings.simulator.log.parts import RESTORE
from groundlings.simulator.log.reading.batches import arrow_table, frame_of, rechunked, streamed, tables_of
from groundlings.simulator.log.reading.nobody import each_of_somebody, of_somebody
from groundlings.simulator.log.sent_passwords import without_passwords
from groundlings.simulator.log.store import Store, named_faults, open_log, store_at

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from groundlings.simulator.log.seal_check import SealReport
    from groundlings.simulator.log.session_hashes import Hashes

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")

CHUNK_ROWS = 50_000
"""Rows in memory at a time where rows are streamed: about 40 MB as Python objects."""


DONE = "SELECT run_id FROM runs WHERE status = 'done'"

Value = TypeVar("Value")

_SEALED = {
    "assignments": "SELECT seal_id FROM seals WHERE kind = 'assignments' LIMIT 1",
    "lessons": "SELECT seal_id FROM seals WHERE kind = 'lessons' LIMIT 1",
    "presentations": """SELECT seal_id FROM seals WHERE kind = 'rows' AND covers LIKE '%"presentations"%' LIMIT 1""",
}
"""Tables that only some logs have, each with a query that finds a seal of its rows."""


class OpenLog:
    """The ground of `LogReader`; use it as a context manager, or `close` it.

    Args:
        log: A run directory, a log file, a store, or an engine, which stays its owner's to dispose of.

    Attributes:
        directory: Where the log lies, with what stands beside it; None where it was not opened from a path.

    Raises:
        RunDirectoryError: There is no log, or it is not one of ours.
        ConfigError: What was given is nothing of these.
    """

    def __init__(self, log: Path | str | Store | Engine) -> None:
        log = _place(log)
        self._borrowed = isinstance(log, Engine)
        self.directory = None if not isinstance(log, Path) else log if log.is_dir() else log.parent
        if isinstance(log, Engine):
            self._engine, self._place = log, str(log.url.database)
        else:
            store = store_at(log) if isinstance(log, Path) else log
            self._engine, self._place = open_log(store), str(store)
        self._held: Engine | None = None
        self._finished = False
        self._answers: dict[str, Sequence[Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        return self._place

    def close(self) -> None:
        """Let go of the log; a later question opens it again."""
        if self._held is not None:
            self._held.dispose()
        if not self._borrowed:
            self._engine.dispose()

    def hold_columns(self) -> None:
        """Keep in memory what is asked again and again, so that much is answered sooner, and alike.

        Of a finished log in a SQLite file that is neither small nor very large, sessions and impressions are read at
        once. Of any finished log it is kept who takes part, and of one in parts the rows that were cut out for a query.
        """
        self._finished = self._finished or any(self._rows(DONE))
        if self._held is None:
            with self._connected() as connection:
                store = held(connection)
            self._held = None if store is None else store.for_reading()

    def digest(self, version: int | None = None, hashes: Hashes | None = None) -> str:
        """SHA-256 over what happened, behind its version (`v2:`): equal when two runs behaved alike.

        Args:
            version: Of the digest; the one that the run began with if absent.
            hashes: Of all its sessions, where whoever wrote them has these; they are read if absent.

        Raises:
            ConfigError: There is no such version.
        """
        from groundlings.simulator.log.digest import digest

        for table in _SEALED:
            self.columns_of(table)  # refuses a log that has lost one
        with named_faults(self._place):
            return digest(self._engine, version, hashes)

    def digest_and_seals(self, version: int | None = None) -> tuple[str, SealReport | None]:
        """As `digest`, with what `check_seals` says; None where it is still to be asked."""
        from groundlings.simulator.log.digest import digest_and_seals

        with named_faults(self._place):
            return digest_and_seals(self._engine, version)

    def check_seals(self, most_rows: int | None = None) -> SealReport:
        """Whether the log is as it was written; see `seal_check.check_seals`."""
        from groundlings.simulator.log.seal_check import check_seals

        with named_faults(self._place):
            return check_seals(self._engine, most_rows)

    def foreign(self) -> tuple[str, ...]:
        """Triggers, views, tables and columns that no version of ours makes; reading runs none of them."""
        with self._connected() as connection:
            return foreign_in(connection)

    def schema_version(self) -> int:
        """The version of the log's tables; `migrations.STEPS` names what each brought."""
        with self._connected() as connection:
            return schema_version(connection)

    def query(self, sql: str, **values: Any) -> pd.DataFrame:
        """The answer to a query of your own, with the columns that it names.

        Args:
            sql: One SELECT on the tables of docs/log.md.
            values: What stands in the query as `:name`.

        Raises:
            RunDirectoryError: The database refuses it.

        Example:
            >>> reader.query("SELECT kind, count(*) AS n FROM events WHERE page = :page GROUP BY kind", page=1)
        """
        import pandas as pd
        from sqlalchemy.exc import ResourceClosedError

        try:
            with self._engine.connect() as connection:
                return _answer(connection, sql, values)
        except (pd.errors.DatabaseError, DBAPIError) as fault:
            cause = fault.__cause__ if isinstance(fault, pd.errors.DatabaseError) else fault
            said = cause.args[0] if cause is not None and cause.args else fault  # without the query and a link
            told = without_passwords(" ".join(str(said).split()), cause, self)
            raise RunDirectoryError(f"{self}: {told}") from None
        except ResourceClosedError:
            raise RunDirectoryError(f"{self}: found {shown(sql)}, expected a SELECT, which gives rows") from None

    def _ask(self, sql: str, **values: Any) -> pd.DataFrame:
        """As `query`, of our own, so that the log is to blame for what fails."""
        with self._connected() as connection:
            return of_somebody(self, _blaming_the_log(connection, sql, values))

    def _ask_all(self, sql: str, **values: Any) -> pd.DataFrame:
        """As `_ask`, of a query that names its columns and walks through all rows of a large table."""
        with self._asking(sql) as connection:
            behind = columnar(connection)
            if behind is None:
                return of_somebody(self, _blaming_the_log(connection, sql, values))
            return of_somebody(self, frame_of(behind.table(sql, values)))

    def _once(self, question: str, ask: Callable[[], Sequence[Value]]) -> list[Value]:
        """An answer about all agents or all items; of a finished log whose columns are held it is asked for once."""
        if not self._finished:
            return list(ask())
        if question not in self._answers:
            self._answers[question] = ask()
        return list(self._answers[question])

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with named_faults(self._place), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _asking(self, sql: str) -> Iterator[Connection]:
        """As `_connected`, for a query that walks through all rows: to what is held where that can answer it."""
        if self._held is None or not answers(sql):
            with self._connected() as connection:
                yield connection
            return
        with named_faults(self._place), self._held.connect() as connection:
            yield connection

    @contextmanager
    def _naming_damage(self) -> Iterator[None]:
        """Whatever goes wrong meanwhile is told as what no run writes into a log, where the log holds such a thing.

        SQLite keeps anything in any column, and what it is not is noticed only where something is made of it. The whole
        log is read, once something has failed; where nothing is wrong with it, the fault stays what it is.

        Raises:
            RunDirectoryError: The log is damaged.
        """
        from groundlings.simulator.log.integrity import damage_in

        try:
            yield
        except GroundlingsError:
            raise
        except Exception as fault:
            with self._connected() as connection:
                damage = damage_in(connection)
            if damage is None and not isinstance(fault, NotFinite):
                raise
            raise RunDirectoryError(f"{self}: the log is damaged: {damage or fault}; {RESTORE}") from fault

    def _rows(self, sql: str, **values: Any) -> Sequence[dict[str, Any]]:
        """The answer to a query that names its values `:so`, a dict per row; none for text that no database holds."""
        if any(isinstance(value, str) and _HALF_CHARACTER.search(value) for value in values.values()):
            return []  # as a command line has it whose bytes are no UTF-8
        with self._connected() as connection:
            return each_of_somebody(self, [dict(row) for row in connection.execute(text(sql), values).mappings()])

    def _rows_of_all(self, sql: str) -> Sequence[dict[str, Any]]:
        """As `_rows`, of a query that names its columns and walks through all rows of a large table."""
        with self._asking(sql) as connection:
            return each_of_somebody(self, [dict(row) for row in connection.execute(text(sql)).mappings()])

    def _chunks(self, sql: str) -> Iterator[list[Row]]:
        """The answer to a query, `CHUNK_ROWS` at a time."""
        with self._connected() as connection:
            yield from streamed(connection, sql, CHUNK_ROWS)

    def _batches(self, sql: str, schema: pa.Schema) -> Iterator[pa.Table]:
        """As `_chunks`, as columns of the kinds of a schema."""
        with self._connected() as connection:
            behind = columnar(connection)
            if behind is None:
                yield from (arrow_table(rows, schema) for rows in self._chunks(sql))
                return
            yield from rechunked(tables_of(behind.batches(sql, CHUNK_ROWS)), CHUNK_ROWS, schema)

    def columns_of(self, table: str) -> frozenset[str]:
        """The columns that a table has in this log; older logs lack some, and some whole tables.

        Raises:
            RunDirectoryError: A log of today's schema lacks one, or a table of which its seals speak: what stands there
                is not unknown, but lost.
        """
        with self._connected() as connection:
            here = inspect(connection)
            columns = here.get_columns(table) if here.has_table(table) else ()
            if not columns and table in _SEALED and here.has_table(tables.seals.name):
                sealed = connection.execute(text(_SEALED[table])).first()
                if sealed is not None:
                    raise other_tables(self._place, f"no such table: {table}")
            found = frozenset(each["name"] for each in columns)
            lacking = [name for name in _every_column_of(table) if name not in found]
            if lacking and schema_version(connection) == SCHEMA_VERSION:
                raise other_tables(self._place, f"the table {table} has no column {lacking[0]}")
            return found


def _place(given: Any) -> Path | Store | Engine:
    """What was given, a path as one."""
    place: Store | Engine = given
    return place if isinstance(given, Engine) or hasattr(given, "for_reading") else handed_over(given, "log")


def _every_column_of(table: str) -> Sequence[str]:
    """The columns of a table in every log of today's schema; () of one that only some logs have, or have otherwise."""
    expected = tables.metadata.tables.get(table)
    return () if expected is None or table == measured_agents.stored.name else expected.columns.keys()


def _blaming_the_log(connection: Connection, sql: str, values: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    try:
        return _answer(connection, sql, values)
    except pd.errors.DatabaseError as fault:
        raise fault.__cause__ if isinstance(fault.__cause__, DBAPIError) else fault from None


def _answer(connection: Connection, sql: str, values: Mapping[str, Any]) -> pd.DataFrame:
    """What a database answers, as pandas reads it; its errors are pandas'."""
    import pandas as pd

    return pd.read_sql_query(text(sql) if values else sql, connection, params=dict(values) or None)
