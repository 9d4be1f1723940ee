"""The one connection that a writer holds for as long as it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from groundlings.simulator.log.foreign import refuse_foreign
from groundlings.simulator.log.migrations import migrate
from groundlings.simulator.log.store import Store, named_faults


class WritingConnection:
    """A connection to a log whose tables are those of today; it keeps other writers away. Open it, and close it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._engine = store.for_writing()
        self._connection: Connection | None = None
        self.made = False
        """Whether the tables were made when it was opened, in a database that had none."""

    def open(self) -> None:
        """Connect, make room for tables, and bring those of an older version up to date.

        Raises:
            RunDirectoryError: The log cannot be written, or another process writes it.
        """
        try:
            with named_faults(self._store):
                self._connection = self._engine.connect()
            self.prepare()
            with self.transaction() as connection:
                refuse_foreign(connection, self._store)
                self.made = migrate(connection, self._store)
        except BaseException:
            self.close()
            raise

    def prepare(self) -> None:
        """See `Store.prepare`; once more where a server was lost."""
        with self.transaction() as connection:
            self._store.prepare(connection)

    def close(self) -> None:
        """Let go of the log."""
        if self._connection is not None:
            with suppress(DBAPIError):  # a connection that was lost cannot say goodbye
                self._connection.close()
        self._engine.dispose()

    @property
    def lost(self) -> bool:
        """Whether the server went away; the next transaction connects anew."""
        return self._connection is not None and self._connection.invalidated

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Everything or nothing; what goes wrong with the database is a `RunDirectoryError`."""
        assert self._connection is not None, "LogWriter is a context manager"
        with named_faults(self._store), self._connection.begin():
            yield self._connection
