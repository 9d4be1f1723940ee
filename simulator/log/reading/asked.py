"""A stranger's question to a log: one SELECT, which can change nothing, see no other file, and ends in time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from groundlings.environments.cleaning import printable
from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.faults import named_faults
from groundlings.simulator.log.store import open_log, store_at

_LONGEST_VALUE = 10_000_000
"""Bytes of the longest text that SQLite may make on the way, such as with `zeroblob`."""

_LONGEST_SHOWN = 2_000
_STEPS = 10_000
"""How many of SQLite's steps pass between two looks at the clock: some tenths of a millisecond."""

_ALLOWED = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip
_FORBIDDEN_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave.

    Attributes:
        columns: Their names.
        rows: Values as text, cleaned; None for NULL.
        more: Whether there were more rows than asked for.
        seconds: How long it took.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    more: bool
    seconds: float


class NotAnswered(ValueError):
    """The database refuses the query, or it took too long; the message is fit to be shown."""


def answer(run: Path, sql: str, *, seconds: float = 10.0, rows: int = 500) -> Answer:
    """The first rows that a query gives.

    Args:
        run: A run directory.
        sql: One SELECT on the tables of docs/log.md.
        seconds: How long it may take.
        rows: How many rows are read at most.

    Raises:
        NotAnswered: It is no SELECT, is wrong, or takes too long.
        RunDirectoryError: There is no log, or it cannot be read.
    """
    began = time.monotonic()
    engine = open_log(run)
    try:
        with named_faults(store_at(run)), engine.connect() as connection:
            ask = _of_sqlite if engine.dialect.name == "sqlite" else _of_postgres
            columns, found = ask(connection, sql, seconds, rows)
    except RunDirectoryError as fault:
        raise NotAnswered(str(fault)) from None
    finally:
        engine.dispose()
    kept = tuple(tuple(map(_shown, row)) for row in found[:rows])
    names = tuple(printable(name, limit=200) for name in columns)
    return Answer(names, kept, len(found) > rows, time.monotonic() - began)


def _of_sqlite(connection: Connection, sql: str, seconds: float, rows: int) -> tuple[list[str], Sequence[Any]]:
    driver: Any = connection.connection.driver_connection
    deadline = time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    driver.set_authorizer(_authorised)
    try:
        cursor = driver.execute(sql)
        if cursor.description is None:
            raise NotAnswered("found no SELECT; expected one query that gives rows")
        return [column[0] for column in cursor.description], cursor.fetchmany(rows + 1)
    except sqlite3.OperationalError as fault:
        if str(fault) == "interrupted":
            raise NotAnswered(f"stopped after {seconds:g} seconds; ask for less, or use sqlite3 on log.db") from None
        raise NotAnswered(printable(str(fault), limit=500)) from None
    except (sqlite3.DatabaseError, sqlite3.Warning, sqlite3.ProgrammingError) as fault:
        if str(fault) == "not authorized":
            raise NotAnswered("only SELECT is answered here: the log is read and never changed") from None
        raise NotAnswered(printable(str(fault), limit=500)) from None
    except (UnicodeError, OverflowError, MemoryError) as fault:
        raise NotAnswered(printable(str(fault) or "out of memory", limit=500)) from None
    finally:
        driver.set_authorizer(None)
        driver.set_progress_handler(None, 0)


def _authorised(action: int, first: str | None, second: str | None, _database: str | None, _by: str | None) -> int:
    if action not in _ALLOWED:
        return sqlite3.SQLITE_DENY
    named = (second or first or "").lower()
    if action == sqlite3.SQLITE_FUNCTION and named in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _of_postgres(connection: Connection, sql: str, seconds: float, rows: int) -> tuple[list[str], Sequence[Any]]:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {int(1000 * seconds)}")
        try:
            # `prepare` makes the server take one statement: nothing can follow a semicolon.
            cursor.execute(
                f"SELECT * FROM ({sql.rstrip().removesuffix(';')}\n) AS asked LIMIT {rows + 1}", prepare=True
            )
            return [column.name for column in cursor.description], cursor.fetchall()
        except Exception as fault:
            if not type(fault).__module__.startswith("psycopg"):
                raise
            raise NotAnswered(printable(" ".join(str(fault).split()), limit=500)) from None


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    text = f"{len(value):,} bytes" if isinstance(value, bytes | memoryview) else str(value)
    return printable(text, limit=_LONGEST_SHOWN)
