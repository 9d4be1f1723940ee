"""Where logs lie: a file in the run directory, or a server that the directory points to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from sqlalchemy import Connection, Engine, Table

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.address import postgres_address, schema_name
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.faults import named_faults, other_tables
from groundlings.simulator.log.foreign import refuse_disguised
from groundlings.simulator.log.migrations import SCHEMA_VERSION, schema_version
from groundlings.simulator.log.server_tables import odd_column
from groundlings.simulator.log.sqlite import SqliteStore, tables_in
from groundlings.simulator.log.trusted_hosts import ADDRESS_NAME

if TYPE_CHECKING:
    from groundlings.simulator.log.parquet import PartKeeper

__all__ = ["ADDRESS_NAME", "LOG_NAME", "Store", "named_faults", "open_log", "store_at"]

LOG_NAME = "log.db"


class Store(Protocol):
    """The place of one run's log; as a string it is what messages call it."""

    nan_is_null: ClassVar[bool]
    """Whether the database itself stores NaN as NULL."""

    @property
    def keeper(self) -> PartKeeper | None:
        """What writes sessions, impressions and events where they lie in files of their own; None where they do not."""
        ...

    def for_writing(self) -> Engine:
        """An engine whose connections see the tables of this log and no other's."""
        ...

    def for_reading(self) -> Engine:
        """The same, for connections that change nothing."""
        ...

    def exists(self) -> bool:
        """Whether anything was ever put there; nothing is made by asking."""
        ...

    def prepare(self, connection: Connection) -> None:
        """Make room for tables, and keep other writers away for as long as the connection lasts.

        Raises:
            RunDirectoryError: Another process writes this log.
        """
        ...

    def first_id(self, connection: Connection) -> int:
        """Where the ids of an empty table begin."""
        ...

    def pour(self, connection: Connection, table: Table, rows: Iterable[Row], width: int | None = None) -> None:
        """Append rows, columns in the order of `table`: so many of them, the others are NULL; all if absent."""
        ...

    def check_integrity(self, connection: Connection) -> None:
        """Raise `RunDirectoryError` when the log is damaged; nothing is changed."""
        ...

    def add_references(self, connection: Connection) -> None:
        """Complete the tables of a finished run with what would have slowed it down."""
        ...

    def settle(self, connection: Connection) -> None:
        """What is worth doing once nobody writes any more."""
        ...

    def size_bytes(self) -> int:
        """What it takes outside of the run directory."""
        ...

    def remove(self) -> None:
        """Delete what lies outside of the run directory."""
        ...


def store_at(run: Path) -> Store:
    """Where the log of a run lies.

    Args:
        run: A run directory, or a SQLite file.

    Raises:
        RunDirectoryError: The address in the directory cannot be read, or names a server that nobody here has named.
    """
    address = run / ADDRESS_NAME
    if not address.is_file():
        return on_disk(run / LOG_NAME if run.is_dir() else run)
    from groundlings.simulator.log.postgres import PostgresStore
    from groundlings.simulator.log.trusted_hosts import refuse_unnamed

    try:
        content = json.loads(bounded_text(address, regular=True))
        store = PostgresStore(postgres_address(content["url"]), schema_name(content["schema"]), run)
        refuse_unnamed(store.url, address)
        return store
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as fault:
        raise RunDirectoryError(
            f"{address}: expected the url and the schema of a log as JSON ({fault}); restore it from a copy"
        ) from None


def on_disk(path: Path) -> SqliteStore:
    """The log that a SQLite file holds, or is the index of."""
    from groundlings.simulator.log.parquet import ParquetStore, is_in_parts

    return ParquetStore(path) if is_in_parts(path) else SqliteStore(path)


def refuse_disguised_log(store: Store) -> None:
    """As `refuse_disguised`, of a log that nobody has opened yet; nothing is refused where there is none."""
    if not store.exists():
        return
    engine = store.for_reading()
    try:
        with named_faults(store), engine.connect() as connection:
            refuse_disguised(connection, store)
    finally:
        engine.dispose()


def open_log(run: Path | Store) -> Engine:
    """An engine for reading the log of a finished or interrupted run; outside of this room, open a `LogReader`.

    Args:
        run: The run directory, the log file itself, or its store.

    Raises:
        RunDirectoryError: There is no log, it is not one of ours, or it has lost the list of its parts.
        UnknownTables: A column holds nothing where a run writes a value; or, on a server, it is not there or not of the
            kind that a run makes.
    """
    store = store_at(run) if isinstance(run, Path) else run
    from groundlings.simulator.log.part_footers import refuse_lost_list

    engine = store.for_reading()
    with named_faults(store), engine.connect() as connection:
        version = schema_version(connection)
        refuse_disguised(connection, store)
        if 0 < version <= SCHEMA_VERSION:
            if odd := odd_column(connection, version):
                raise other_tables(store, odd)
            refuse_lost_list(connection, store)
    if version == 0 and isinstance(store, SqliteStore) and store.path.name == LOG_NAME and not tables_in(store.path):
        raise RunDirectoryError(
            f"{store}: there is nothing in it; a run that stopped before it had begun goes on with `groundlings run "
            f"--resume {store.path.parent}`, and any other log is to be restored from a copy"
        )
    if version == 0:
        raise RunDirectoryError(
            f"{store}: a database, but not a log of Groundlings (it has no schema_migrations table); give the "
            "directory that `groundlings run` wrote, or restore its log from a copy"
        )
    if version > SCHEMA_VERSION:
        raise RunDirectoryError(
            f"{store}: schema version {version}, this Groundlings knows up to {SCHEMA_VERSION}; upgrade to read it"
        )
    return engine
