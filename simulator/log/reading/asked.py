"""A stranger's question to a log: one SELECT, which can change nothing, see no other file, and ends in time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection

from groundlings.environments.cleaning import printable
from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.faults import named_faults
from groundlings.simulator.log.reading import query_process
from groundlings.simulator.log.sqlite import SqliteStore
from groundlings.simulator.log.store import open_log, store_at

EXAMPLE = """SELECT name AS arm, count(*) AS sessions, avg(pages) AS pages
FROM sessions JOIN arms USING (arm_id)
GROUP BY name"""
"""A query to begin with."""

_LONGEST_SHOWN, _MOST_SHOWN = 2_000, 5_000_000
"""Characters of a value, and of all together, as `query_process` has them."""
_START_SECONDS = 5.0
"""How much longer than a query its process may take, before it is ended."""

Rows = Sequence[Sequence[tuple[str, int] | None]]
"""Values as text, the beginning and the length of the whole; None for NULL."""


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
    if half := re.search("[\ud800-\udfff]", sql):
        raise NotAnswered(
            f"found half a character ({printable(half[0])}) at place {half.start() + 1:,} of the query; type it anew"
        )
    engine = open_log(run)
    try:
        store = store_at(run)
        if isinstance(store, SqliteStore):
            columns, found, more = _of_files(store, sql, seconds, rows)
        else:
            with named_faults(store, ours=False), engine.connect() as connection:
                columns, found, more = _of_postgres(connection, sql, seconds, rows)
    except RunDirectoryError as fault:
        raise NotAnswered(str(fault)) from None
    finally:
        engine.dispose()
    kept = tuple(tuple(map(_clean, row)) for row in found)
    names = tuple(printable(name, limit=200) for name in columns)
    return Answer(names, kept, more, time.monotonic() - began)


def _of_files(store: SqliteStore, sql: str, seconds: float, rows: int) -> tuple[Sequence[str], Rows, bool]:
    told = {"address": f"{store.path.absolute().as_uri()}?mode=ro", "sql": sql, "seconds": seconds, "rows": rows}
    if store.keeper is not None:
        told |= {"directory": str(store.path.parent.absolute()), "modules": sys.path}
    # A process that is ended removes nothing, so what it keeps on the disk lies where this one removes it.
    with TemporaryDirectory(prefix="groundlings-", ignore_cleanup_errors=True) as spilled:
        try:
            process = subprocess.run(  # noqa: S603 - our own file
                [sys.executable, "-I", query_process.__file__],
                input=json.dumps(told).encode(), capture_output=True, timeout=seconds + _START_SECONDS, check=False,
                env={**os.environ, "TMPDIR": spilled},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            process = None
    if process is None or process.returncode < 0:
        raise NotAnswered(f"stopped after {seconds:g} seconds; ask for less, or use {_elsewhere(store)}")
    if process.returncode:
        last = process.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise NotAnswered(printable(last or "the query took all memory", limit=500))
    found = json.loads(process.stdout)
    if "refused" in found:
        raise NotAnswered(printable(found["refused"], limit=500))
    return found["columns"], found["rows"], found["more"]


def _elsewhere(store: SqliteStore) -> str:
    return "sqlite3 on log.db" if store.keeper is None else "DuckDB on the parts"


def _of_postgres(connection: Connection, sql: str, seconds: float, rows: int) -> tuple[Sequence[str], Rows, bool]:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {int(1000 * seconds)}")
        try:
            # `prepare` makes the server take one statement: nothing can follow a semicolon.
            one = f"({sql.rstrip().removesuffix(';')}\n) AS asked"
            cursor.execute(f"SELECT * FROM {one} LIMIT 0", prepare=True)
            columns = list(cursor.description)
            if not columns:
                raise NotAnswered("found a SELECT without columns; expected one that gives some")
            names = [f"c{number}" for number in range(len(columns))]
            parts = ", ".join(map(_beginning, names, columns))
            kept, more = _rows(cursor.stream(f"SELECT {parts} FROM {one}({', '.join(names)}) LIMIT {rows + 1}"), rows)
            return [column.name for column in columns], kept, more
        except Exception as fault:
            if not type(fault).__module__.startswith("psycopg"):
                raise
            if driver.broken:  # past SQLAlchemy, which would try to end its transaction and log that it cannot
                connection.invalidate()
            raise NotAnswered(printable(" ".join(str(fault).split()), limit=500)) from None


def _beginning(name: str, column: Any) -> str:
    """What is asked of a column and how long it is, so that no whole text comes here from the server."""
    if column.type_code == _BYTES:
        told = f"to_char(octet_length({name}), 'FM999,999,999,999') || ' bytes'"
        return f"{told}, length({told})"
    if column.internal_size is not None or column.type_code == _NUMERIC:
        return f"{name}, NULL"
    return f"left({name}::text, {_LONGEST_SHOWN}), length({name}::text)"


_BYTES, _NUMERIC = 17, 1700
"""Kinds of PostgreSQL whose size differs from row to row, and that are no text."""


def _rows(found: Generator[Sequence[Any], None, None], most: int) -> tuple[Rows, bool]:
    """The first rows as they come, each value behind its length, and whether there are more."""
    kept: list[list[tuple[str, int] | None]] = []
    room = _MOST_SHOWN
    with closing(found):
        for row in found:
            if len(kept) == most or room <= 0:
                return kept, True
            kept.append([_shown(value, length) for value, length in zip(row[::2], row[1::2], strict=True)])
            room -= sum(len(value[0]) for value in kept[-1] if value is not None)
    return kept, False


def _shown(value: Any, length: int | None) -> tuple[str, int] | None:
    if value is None:
        return None
    text = str(value)
    return text[:_LONGEST_SHOWN], len(text) if length is None else length


def _clean(value: tuple[str, int] | None) -> str | None:
    if value is None:
        return None
    begins, length = value
    return printable(begins, limit=_LONGEST_SHOWN) + (f"... ({length:,} characters)" if length > len(begins) else "")
