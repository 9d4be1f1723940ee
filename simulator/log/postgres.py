"""A log on a PostgreSQL server: for what one file cannot hold, and for many runs beside each other.

Each run has a schema (PostgreSQL's word for a namespace) of its own with the tables that a SQLite log has, and a
connection sees the tables of its own run only. So runs that are written at once never meet, no query needs to say
which run it means, and deleting one drops a schema. The schema `groundlings` has one table, `logs`, which lists the
runs of a database and gives each a number, from which its ids begin: they are unique in the whole database.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote_to_bytes

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, make_url, text
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import AddConstraint

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log import tables
from groundlings.simulator.log.address import shown_address
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.faults import TAKES_NO_WRITES, named_faults
from groundlings.simulator.log.foreign import refuse_losses
from groundlings.simulator.log.sent_passwords import note_password
from groundlings.simulator.log.trusted_hosts import ADDRESS_NAME

if TYPE_CHECKING:
    from groundlings.simulator.log.parquet import PartKeeper

_CONNECT = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""How a connection is made, and how we find out that the machine of the server is gone, which cannot say so: whoever
waits for rows would wait for two hours. An address that says otherwise has its way."""

_IDS_A_RUN = 2**36
"""Ids of one kind that a run may need: 69 billion rows, and 131,072 runs before an id has more bits than a float."""

_LOCK_ATTEMPTS, _LOCK_SECONDS = 8, 0.25
"""A writer that was just killed is still there for a moment."""

_SETTINGS = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "extra_float_digits": "1",
    "client_encoding": "UTF8",
    "quote_all_identifiers": "off",
    "row_security": "off",
}
"""How the server finds out that a machine is gone which cannot say so; and numbers, texts and definitions come as they
are kept, whatever is set for a user, a database or a shell. Rows that a user may not see are refused, not left out."""

_USABLE = "(SELECT has_schema_privilege(oid, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = %s)"

_SHARED = "groundlings"
_MADE_IN = "Groundlings run in "
"""What a schema's comment begins with; the path of the run directory follows."""
_LOGS = f"""
CREATE TABLE {_SHARED}.logs (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema TEXT NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class PostgresStore:
    """See `store.Store`.

    Attributes:
        url: The database, without a password: that is taken from PGPASSWORD or ~/.pgpass.
        schema: The run's own.
        directory: The run directory that names it; None where there is none. The server notes it with the schema, so
            that a copy of the directory is told from the one that the log belongs to.
    """

    url: str
    schema: str
    directory: Path | None = field(default=None, compare=False)
    nan_is_null: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"{shown_address(self.url)} ({self.schema})"

    @property
    def keeper(self) -> PartKeeper | None:
        """Everything lies on the server."""
        return None

    def for_writing(self) -> Engine:
        """See `Store.for_writing`."""
        return self._engine()

    def for_reading(self) -> Engine:
        """See `Store.for_reading`."""
        return self._engine({"default_transaction_read_only": "on"})

    def check_server(self) -> None:
        """Return if a log could be written here.

        Raises:
            RunDirectoryError: The driver, the server, the database or the right to write is missing.
        """
        engine = self.for_writing()
        try:
            with named_faults(self, begun=False), engine.begin() as connection:
                self._refuse_other_encodings(connection)
                if not connection.execute(
                    text("SELECT has_database_privilege(current_user, current_database(), 'CREATE')")
                ).scalar_one():
                    raise RunDirectoryError(
                        f"{self}: this user may not create schemas, and each run is one; let an administrator "
                        "`GRANT CREATE ON DATABASE ... TO ...`"
                    )
                if connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on":
                    raise RunDirectoryError(f"{self}: {TAKES_NO_WRITES}")
        finally:
            engine.dispose()

    def exists(self) -> bool:
        """The server is asked by whoever reads: without a schema it finds no table."""
        return True

    def prepare(self, connection: Connection) -> None:
        """Make the run's schema and list it; an advisory lock keeps other writers of this run away."""
        self._refuse_other_encodings(connection)
        self._lock(connection)
        # Two runs that begin at once would both find nothing shared and both create it.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _key(_SHARED)})
        if not inspect(connection).has_table("logs", schema=_SHARED):
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {_SHARED}"))
            connection.execute(text(_LOGS))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {self.schema}"))
        connection.execute(
            text(f"INSERT INTO {_SHARED}.logs (schema) VALUES (:schema) ON CONFLICT DO NOTHING"),
            {"schema": self.schema},
        )
        noted = self._refuse_copies(connection)
        if self.directory is not None:
            # Quoted as in an address: ASCII without quotes, whatever the bytes of the path.
            here = _MADE_IN + quote(os.fsencode(self.directory.absolute()))
            if noted != here:  # only the owner of a schema may comment on it, and others may go on with the run
                connection.execute(text(f"COMMENT ON SCHEMA {self.schema} IS '{here}'"))

    def first_id(self, connection: Connection) -> int:
        """Ids of all runs of a database differ."""
        number = connection.execute(
            text(f"SELECT number FROM {_SHARED}.logs WHERE schema = :schema"), {"schema": self.schema}
        ).scalar_one()
        return (int(number) - 1) * _IDS_A_RUN + 1

    def pour(self, connection: Connection, table: Table, rows: Iterable[Row], width: int | None = None) -> None:
        """Append by COPY, which takes rows about ten times as fast as INSERT."""
        driver: Any = connection.connection.driver_connection
        columns = ", ".join(table.columns.keys()[:width])
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def check_integrity(self, connection: Connection) -> None:
        """See that all tables are there; the server itself keeps references and, with checksums, bytes."""
        inspector = inspect(connection)
        missing = [table.name for table in tables.metadata.sorted_tables if not inspector.has_table(table.name)]
        if missing:
            raise RunDirectoryError(f"{self}: the log is damaged (no table {missing[0]}); restore it from a backup")

    def add_references(self, connection: Connection) -> None:
        """Have the server check every reference of the run, and keep them from now on."""
        for table in tables.metadata.sorted_tables:
            for reference in table.foreign_key_constraints:
                connection.execute(AddConstraint(reference, isolate_from_table=False))

    def settle(self, connection: Connection) -> None:
        """Let the planner know what it deals with, before the first report asks."""
        for table in tables.metadata.sorted_tables:
            connection.execute(text(f"ANALYZE {table.name}"))

    def size_bytes(self) -> int:
        """Tables and indexes of the run."""
        with named_faults(self), self.for_reading().connect() as connection:
            return int(
                connection.execute(
                    text(
                        "SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0) FROM pg_class "
                        "JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = :schema AND relkind = 'r'"
                    ),
                    {"schema": self.schema},
                ).scalar_one()
            )

    def remove(self) -> None:
        """Drop the schema, unless somebody writes it, it holds what is not the run's, or no run made it: whoever made a
        run directory named it."""
        with named_faults(self), self.for_writing().begin() as connection:
            self._lock(connection)
            inspector, listed = inspect(connection), 0
            if inspector.has_table("logs", schema=_SHARED):
                unlist = text(f"DELETE FROM {_SHARED}.logs WHERE schema = :schema")
                listed = connection.execute(unlist, {"schema": self.schema}).rowcount
            if not listed and inspector.has_schema(self.schema):
                raise RunDirectoryError(
                    f"{self}: the database does not list this schema as one of a run, so nothing was removed; if its "
                    "tables are not needed, drop it there yourself"
                )
            self._refuse_copies(connection)
            if inspector.has_schema(self.schema):
                refuse_losses(connection, self)
            connection.execute(text(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE"))

    def _engine(self, further: Mapping[str, str] = MappingProxyType({})) -> Engine:
        try:
            said = make_url(self.url).query
            options = {name: value for name, value in _CONNECT.items() if name not in said}
            engine = create_engine(self.url, poolclass=NullPool, connect_args=options)
        except ModuleNotFoundError:
            raise RunDirectoryError(
                f"{self}: PostgreSQL's driver is missing; install it with: pip install 'groundlings[postgres]'"
            ) from None
        settings = {"search_path": self.schema, **_SETTINGS, **further}
        set_all = ", ".join(["set_config(%s, %s, false)"] * len(settings))
        values = [each for setting in settings.items() for each in setting]

        @event.listens_for(engine, "connect")
        def _settings(connection: Any, _record: Any) -> None:
            note_password(connection.info.password)
            row = connection.execute(f"SELECT {set_all}, {_USABLE}", [*values, self.schema]).fetchone()
            connection.commit()
            if row[-1] is False:  # None where there is no such schema
                raise RunDirectoryError(
                    f"{self}: this user may not look into the schema of the run; let its owner "
                    f"`GRANT USAGE ON SCHEMA {self.schema} TO ...` and "
                    f"`GRANT SELECT ON ALL TABLES IN SCHEMA {self.schema} TO ...`"
                )
            _as_in_sqlite(connection)

        return engine

    def _lock(self, connection: Connection) -> None:
        attempt = text("SELECT pg_try_advisory_lock(:key)")
        for _ in range(_LOCK_ATTEMPTS):
            if connection.execute(attempt, {"key": _key(self.schema)}).scalar_one():
                return
            time.sleep(_LOCK_SECONDS)
        raise RunDirectoryError(
            f"{self}: another process is working on this run; wait for it or stop it (of a machine that is gone, the "
            "server notices after about a minute)"
        )

    def _refuse_copies(self, connection: Connection) -> str | None:
        """Refuse a copy: the log belongs to the directory that it was copied from, as long as that is there.

        A run that was moved leaves nothing behind, and a path of another machine is not found here. What the server
        has noted of the directory is returned.
        """
        found = text("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = :schema")
        noted: str | None = connection.execute(found, {"schema": self.schema}).scalar()
        if self.directory is None or noted is None or not noted.startswith(_MADE_IN):
            return noted
        first = Path(os.fsdecode(unquote_to_bytes(noted.removeprefix(_MADE_IN))))
        address = first / ADDRESS_NAME
        with suppress(OSError, ValueError):
            if not address.samefile(self.directory / ADDRESS_NAME) and self.schema in bounded_text(
                address, regular=True
            ):
                raise RunDirectoryError(
                    f"{self.directory}: a copy of {first}, to which the log on the server belongs ({self}); go on with "
                    "that one, or remove it with `groundlings runs delete` if neither is needed; the files of a copy "
                    "can be removed by hand"
                )
        return noted

    def _refuse_other_encodings(self, connection: Connection) -> None:
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            raise RunDirectoryError(
                f"{self}: the database holds text as {encoding}, which cannot hold every title; expected UTF8: "
                "createdb --encoding=UTF8 --template=template0 ..."
            )


def _key(name: str) -> int:
    """The number of an advisory lock."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _as_in_sqlite(connection: Any) -> None:
    """Have truth values and sums arrive as SQLite gives them: 1 and 0, whole numbers whole."""
    from psycopg.adapt import Loader

    class Truth(Loader):
        def load(self, data: Any) -> int:
            return int(bytes(data) == b"t")

    class Number(Loader):
        def load(self, data: Any) -> float:
            digits = bytes(data)
            return int(digits) if digits.lstrip(b"-").isdigit() else float(digits)

    connection.adapters.register_loader("bool", Truth)
    connection.adapters.register_loader("numeric", Number)
