"""Opening a log: the engine, its settings, and what can go wrong with the file under it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, OperationalError

from environments.errors import RunDirectoryError
from simulator.log.migrations import SCHEMA_VERSION, schema_version

LOG_NAME = "log.db"


def create_log(path: Path) -> Engine:
    """An engine for writing a SQLite log: write-ahead logging, so that others can read while a run writes."""
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -65536")

    return engine


def open_log(run: Path) -> Engine:
    """An engine for reading the log of a finished or interrupted run.

    Args:
        run: The run directory, or the log file itself.

    Raises:
        RunDirectoryError: There is no log, or it is not one of ours.
    """
    path = run / LOG_NAME if run.is_dir() else run
    if not path.is_file():
        raise RunDirectoryError(f"{run}: found no {LOG_NAME} there; expected a directory that `groundlings run` wrote")
    engine = create_engine(f"sqlite:///file:{path.resolve()}?mode=ro&uri=true")
    with named_faults(path), engine.connect() as connection:
        version = schema_version(connection)
    if version == 0:
        raise RunDirectoryError(f"{path}: a database, but not a log of Groundlings (it has no schema_migrations table)")
    if version > SCHEMA_VERSION:
        raise RunDirectoryError(
            f"{path}: schema version {version}, this Groundlings knows up to {SCHEMA_VERSION}; upgrade to read it"
        )
    return engine


def check_integrity(connection: Connection, path: Path) -> None:
    """Raise `RunDirectoryError` when SQLite finds the file damaged; nothing is changed."""
    found = connection.execute(text("PRAGMA integrity_check")).scalars().all()
    if found != ["ok"]:
        raise RunDirectoryError(f"{path}: the database is damaged ({found[0]}); it was left as it is, restore a copy")


@contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Turn what the disk or a damaged file does to SQLite into one clear error."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as fault:
        text = str(getattr(fault, "orig", fault))
        if "full" in text:
            raise RunDirectoryError(
                f"{path}: the disk is full; all committed visits are safe, free some space and run again"
            ) from None
        if "readonly" in text or "unable to open" in text:
            raise RunDirectoryError(
                f"{path}: cannot be written ({text}); choose another directory with --out"
            ) from None
        if "disk I/O" in text:
            raise RunDirectoryError(
                f"{path}: the disk failed while writing ({text}); check its space and health"
            ) from None
        raise RunDirectoryError(f"{path}: {text}") from None
    except (DatabaseError, sqlite3.DatabaseError) as fault:
        text = str(getattr(fault, "orig", fault))
        raise RunDirectoryError(
            f"{path}: not a readable SQLite database ({text}); it was left as it is, restore it from a copy"
        ) from None
