"""One query on a SQLite file in a process of its own, whose time and memory are bounded by the system.

SQLite looks at no clock inside one function (`instr` of two long texts takes hours) or while it prepares a query (30
subqueries that each name the one before twice take all memory), so only the end of a process stops it. The file is run
as it stands and imports nothing but the standard library, so that it starts quickly.

It reads what `main` names from its input as JSON and answers in JSON: `columns`, `rows` and `more`, or `refused`. A log
in parts is read by DuckDB; only then is anything else imported, from where the process that asks has it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

_MOST_MEMORY = 1 << 30
_MOST_MEMORY_FOR_PARTS = 6 << 30
"""Of addresses: DuckDB keeps itself to 1 GB of memory, and Arrow reserves more than it uses."""

_MOST_SPILLED = 1 << 30
"""Bytes of one file that DuckDB may keep on the disk meanwhile; it has a few of them."""

_LONGEST_VALUE = 10_000_000
"""Bytes of the longest text that SQLite may make on the way, such as with `zeroblob`."""

_LONGEST_SHOWN = 2_000
_MOST_SHOWN = 5_000_000
"""Characters of all values together."""

_MOST_COLUMNS = 200
_STEPS = 10_000
"""How many of SQLite's steps pass between two looks at the clock: some tenths of a millisecond."""

_ALLOWED = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip
_FORBIDDEN_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}


def main() -> None:
    """Read `address` (a URI of SQLite), `sql`, `seconds` and `rows`, of a log in parts also its `directory` and where
    `modules` lie; answer."""
    told = json.load(sys.stdin)
    in_parts = "directory" in told
    _bound(told["seconds"], _MOST_MEMORY_FOR_PARTS if in_parts else _MOST_MEMORY)
    connection = sqlite3.connect(told["address"], uri=True, check_same_thread=False)
    for setting in ("trusted_schema = OFF", "query_only = ON"):
        connection.execute(f"PRAGMA {setting}")
    if in_parts:
        sys.path[:] = told["modules"]
        found = _answered_from_parts(connection, told["directory"], told["sql"], told["seconds"], told["rows"])
    else:
        found = _answered(connection, told["sql"], told["seconds"], told["rows"])
    with os.fdopen(1, "w", encoding="utf-8") as answer:  # for the process that asked: nobody reads it as text
        json.dump(found, answer)


def _answered_from_parts(
    connection: sqlite3.Connection, directory: str, sql: str, seconds: float, rows: int
) -> dict[str, Any]:
    """DuckDB answers whatever is asked, also of the small tables; SQLite runs no word of a stranger's query."""
    from pathlib import Path

    import duckdb

    from groundlings.environments.errors import RunDirectoryError
    from groundlings.simulator.log.columnar import ColumnarConnection

    log = ColumnarConnection(connection, Path(directory))
    late = threading.Timer(seconds, log.interrupt)
    late.daemon = True
    late.start()
    try:
        asked = log.ask(sql)
        kept, more = _rows(asked, rows)
        return {"columns": [column[0] for column in asked.description], "rows": kept, "more": more}
    except (sqlite3.Error, RunDirectoryError, duckdb.Error) as fault:
        if "INTERRUPT" in str(fault):
            return {"refused": f"stopped after {seconds:g} seconds; ask for less"}
        return {"refused": str(fault)}
    except MemoryError:
        return {"refused": "took more memory than a query may; ask for less"}


def _bound(seconds: float, most_memory: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows; whoever started this process ends it in time
        return
    for kind, most in (
        (resource.RLIMIT_AS, most_memory),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_FSIZE, _MOST_SPILLED),
    ):
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):  # macOS knows no bound of memory
            continue


def _answered(connection: sqlite3.Connection, sql: str, seconds: float, rows: int) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, _MOST_COLUMNS)
    connection.set_authorizer(_authorised)
    try:
        cursor = connection.execute(sql)
        if cursor.description is None:
            return {"refused": "found no SELECT; expected one query that gives rows"}
        kept, more = _rows(cursor, rows)
        return {"columns": [column[0] for column in cursor.description], "rows": kept, "more": more}
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as fault:
        if str(fault) == "interrupted":
            return {"refused": f"stopped after {seconds:g} seconds; ask for less, or use sqlite3 on log.db"}
        if str(fault) in ("not authorized", "authorization denied"):
            return {"refused": "only SELECT is answered here: the log is read and never changed"}
        return {"refused": str(fault)}
    except MemoryError:
        return {"refused": f"took more than {_MOST_MEMORY >> 20} MiB of memory; ask for less"}


def _rows(cursor: Iterable[tuple[Any, ...]], most: int) -> tuple[list[list[tuple[str, int] | None]], bool]:
    """The first rows, cut to what is shown as they come, and whether there are more."""
    kept: list[list[tuple[str, int] | None]] = []
    room = _MOST_SHOWN
    for row in cursor:
        if len(kept) == most or room <= 0:
            return kept, True
        kept.append([_shown(value) for value in row])
        room -= sum(len(value[0]) for value in kept[-1] if value is not None)
    return kept, False


def _shown(value: Any) -> tuple[str, int] | None:
    """The beginning of a value as text, and how long the whole is."""
    if value is None:
        return None
    text = f"{len(value):,} bytes" if isinstance(value, bytes) else str(value)
    return text[:_LONGEST_SHOWN], len(text)


def _authorised(action: int, first: str | None, second: str | None, _database: str | None, _by: str | None) -> int:
    if action not in _ALLOWED:
        return sqlite3.SQLITE_DENY
    named = (second or first or "").lower()
    if action == sqlite3.SQLITE_FUNCTION and named in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


if __name__ == "__main__":
    main()
