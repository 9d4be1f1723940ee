"""A log in a SQLite file: the default, and what the run directory holds it in."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sqlalchemy import URL, Connection, Engine, QueuePool, Table, create_engine, event, text

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.columns import Row

if TYPE_CHECKING:
    from groundlings.simulator.log.parquet import PartKeeper


def tables_in(path: Path) -> frozenset[str] | None:
    """The tables of a SQLite file, without any where a full disk or a kill came before they were made.

    Nothing is made by asking. None where there is no such file, or none that can be read: who opens it says why.
    """
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.text_factory = lambda name: name.decode(errors="replace")  # a table may be called anything
            return frozenset(
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            )
    except (sqlite3.Error, UnicodeDecodeError):  # also of SQLite's own words, which repeat damaged names
        return None


@dataclass(frozen=True, slots=True)
class SqliteStore:
    """See `store.Store`; one file holds one run."""

    path: Path
    nan_is_null: ClassVar[bool] = True

    def __str__(self) -> str:
        return str(self.path)

    @property
    def keeper(self) -> PartKeeper | None:
        """Everything lies in the file."""
        return None

    def for_writing(self) -> Engine:
        """Write-ahead logging, so that others can read while a run writes."""
        return self._engine("rwc", "journal_mode = WAL", "synchronous = NORMAL", "cache_size = -65536")

    def for_reading(self) -> Engine:
        """Never writes; `RunDirectoryError` where there is no file, or one that is plainly no log."""
        from groundlings.simulator.log.nearby import no_log, not_there

        if not self.path.is_file():
            raise RunDirectoryError(f"{self.path}: {not_there(self.path)}")
        if other := no_log(self.path):
            raise RunDirectoryError(f"{self.path}: {other}")
        return self._engine("ro", "query_only = ON")

    def _engine(self, mode: Literal["rwc", "ro"], *settings: str) -> Engine:
        """Connections to this file, whatever its name is: a name never becomes part of an address as it stands.

        A file may come from a stranger, so what its schema calls may not reach beyond the file.
        """
        address = f"{self.path.absolute().as_uri()}?mode={mode}"

        named = URL.create("sqlite", database=str(self.path))  # for messages; `connected` opens the file
        engine = create_engine(named, creator=lambda: self.connected(address), poolclass=QueuePool)

        @event.listens_for(engine, "connect")
        def _settings(connection: Any, _record: Any) -> None:
            for setting in ("trusted_schema = OFF", *settings):
                connection.execute(f"PRAGMA {setting}")

        return engine

    def connected(self, address: str) -> Any:
        """A connection of the driver to this file."""
        return sqlite3.connect(address, uri=True, check_same_thread=False)

    def exists(self) -> bool:
        """See `store.Store`."""
        return self.path.is_file()

    def prepare(self, connection: Connection) -> None:
        """A file needs no preparation, and the lock of the directory keeps others away."""

    def first_id(self, connection: Connection) -> int:  # noqa: ARG002
        """Ids are numbers of this file."""
        return 1

    def pour(self, connection: Connection, table: Table, rows: Iterable[Row], width: int | None = None) -> None:
        """Hand tuples to the driver as they come: SQLAlchemy's handling of them would cost two thirds of the speed."""
        names = table.columns.keys()[:width]
        columns, marks = ", ".join(names), ", ".join("?" * len(names))
        driver: Any = connection.connection.driver_connection
        driver.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", rows)

    def check_integrity(self, connection: Connection) -> None:
        """Ask SQLite to read everything."""
        found = connection.execute(text("PRAGMA integrity_check")).scalars().all()
        if found != ["ok"]:
            raise RunDirectoryError(
                f"{self.path}: the database is damaged ({found[0]}); it was left as it is, restore a copy"
            )

    def add_references(self, connection: Connection) -> None:
        """They are part of the tables."""

    def settle(self, connection: Connection) -> None:
        """Fold the write-ahead log into the one file."""
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def size_bytes(self) -> int:
        """Nothing beside the run directory."""
        return 0

    def remove(self) -> None:
        """It goes with its directory."""
