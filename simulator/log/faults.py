"""What can go wrong with a database, said so that somebody can mend it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError, NoSuchTableError

from groundlings.environments.cleaning import logger
from groundlings.environments.errors import RunDirectoryError, UnknownTables
from groundlings.simulator.log.sent_passwords import without_passwords

_logger = logger(__name__)

_SAFE, _GO_ON = "all committed sessions are safe", "repeat this or resume the run"

TAKES_NO_WRITES = (
    "the server takes no writes; it may be a standby, or default_transaction_read_only is set for this user or database"
)

_ENDED = (
    "the server ends connections that wait for so long; {safe}; raise idle_session_timeout and "
    "idle_in_transaction_session_timeout for this user, and {go_on}"
)
_HELD = "somebody else holds what this needs; {safe}; when that is over, {go_on}"

_BY_STATE = {
    "53100": "the server's disk is full; {safe}; free some space, and {go_on}",
    "53200": "the server is short of memory; {safe}; when it has more, {go_on}",
    "53300": "the server takes no further connections; {safe}, close some or raise max_connections",
    "42501": "the user lacks a right; who reads a run needs USAGE on its schema and SELECT on its tables without "
    "row-level security, which hides rows (its owner can `ALTER TABLE ... DISABLE ROW LEVEL SECURITY`), runs need "
    "CREATE on the database, and the schema groundlings belongs to whoever logged there first",
    "42P01": "the tables of this run are gone from the server; restore its schema from a backup, or start a new run",
    "25006": TAKES_NO_WRITES,
    **dict.fromkeys(("25P03", "25P04", "57P05"), _ENDED),
    **dict.fromkeys(("40001", "40P01", "55P03"), _HELD),
    "57014": "the server gave a query up; {safe}, raise statement_timeout for this user",
    "XX001": "the database is damaged; restore it from a backup",
    "XX002": "an index of the database is damaged; REINDEX it, or restore a backup",
}
"""PostgreSQL's SQLSTATE -> what to do; {safe} and {go_on} depend on whether anything was begun."""

_BY_WORDS = {
    "password": "the server refused the password, or none was given; put it into PGPASSWORD or ~/.pgpass",
    "does not exist": "create what is missing (`createdb`, `createuser`), or mend log.url",
    "no pg_hba.conf entry": "the server lets nobody in from here; mend its pg_hba.conf or log.url",
    "too many": "the server takes no further connections; close some or raise max_connections",
    "connection slots": "the server takes no further connections; close some or raise max_connections",
    "NUL": "PostgreSQL stores no NUL characters, and something in this session holds one; log this run to SQLite",
    "0x00": "PostgreSQL stores no NUL characters, and something in this session holds one; log this run to SQLite",
}


class OddValue(RunDirectoryError):
    """A column holds what no run writes into it; `named_faults` puts the name of the log before that."""


@contextmanager
def named_faults(where: object, begun: bool = True, ours: bool = True) -> Iterator[None]:
    """Turn what a disk, a server or a damaged file does to a log into one clear error.

    Args:
        where: The log, as a message calls it.
        begun: Whether there may be a run that can be resumed.
        ours: Whether the queries are ours, so that the log is to blame for a table or column that is not there.

    Raises:
        RunDirectoryError: The database failed.
        UnknownTables: A table or column is not there.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error) as fault:
        cause = fault.orig if isinstance(fault, DBAPIError) else fault
        lost = isinstance(fault, DBAPIError) and fault.connection_invalidated
        if lost:
            _logger.warning("%s: the connection to the database was lost", where)
        if ours and _is_shape(cause):
            raise other_tables(where, without_passwords(_said(cause), cause, where)) from None
        if ours and _is_too_large(cause):
            raise RunDirectoryError(f"{where}: {_TOO_LARGE}") from None
        explained = _of_sqlite(cause) if isinstance(cause, sqlite3.Error) else _of_postgres(cause, where, begun, lost)
        raise RunDirectoryError(f"{where}: {explained}") from None
    except OddValue as fault:
        raise RunDirectoryError(f"{where}: {fault}") from None
    except UnicodeDecodeError as fault:
        if not fault.object.startswith(_MALFORMED):
            raise
        said = fault.object.decode(errors="replace")  # SQLite repeats a damaged name, of which Python makes no words
        raise RunDirectoryError(f"{where}: {_UNREADABLE.format(said=said)}") from None
    except NoSuchTableError as fault:
        raise other_tables(where, f"no such table: {fault}") from None
    except Exception as fault:
        # COPY goes to the driver itself, past SQLAlchemy; its errors are known by their module, which may be absent.
        if not type(fault).__module__.startswith("psycopg"):
            raise
        if ours and _is_shape(fault):
            raise other_tables(where, without_passwords(_said(fault), fault, where)) from None
        if ours and _is_too_large(fault):
            raise RunDirectoryError(f"{where}: {_TOO_LARGE}") from None
        raise RunDirectoryError(f"{where}: {_of_postgres(fault, where, begun)}") from None


def other_tables(where: object, said: str) -> UnknownTables:
    """What to raise where a log lacks a table or a column.

    Args:
        where: The log, as a message calls it.
        said: What it lacks, in words.
    """
    return UnknownTables(f"{where}: {_SHAPE.format(said=said)}")


def _said(fault: Any) -> str:
    """What a database says, without the query and the mark under it that a server adds."""
    said = getattr(getattr(fault, "diag", None), "message_primary", None) or fault
    return " ".join(str(said).split())


def _is_shape(fault: Any) -> bool:
    """Whether a database misses a table or a column, or has one of another kind."""
    if isinstance(fault, sqlite3.Error):
        return str(fault).startswith(_MISSING) or "has no column named" in str(fault)
    state = getattr(fault, "sqlstate", None)
    return _is_of_query(state) and state not in _BY_STATE


def _is_of_query(state: str | None) -> bool:
    """Whether an SQLSTATE is of the class "syntax error or access rule violation": the query fits no table there."""
    return state is not None and state.startswith("42")


def _is_too_large(fault: Any) -> bool:
    """Whether a number, or a sum of numbers, does not fit into what a database counts with."""
    if isinstance(fault, sqlite3.Error):
        return "integer overflow" in str(fault)
    return getattr(fault, "sqlstate", None) == "22003"


_TOO_LARGE = (
    "a number, or a sum of numbers, is too large to be counted with, expected numbers that a run writes; the log was "
    "left as it is, restore it from a copy"
)

_MALFORMED = b"malformed database schema"

_UNREADABLE = (
    "not a readable SQLite database ({said}); it was left as it is; give the directory of a run, or restore it from a "
    "copy"
)

_MISSING = ("no such table", "no such column", "cannot join using column")

_SHAPE = (
    "its tables are not those that a run writes ({said}), expected those of docs/log.md; it was left as it is: restore "
    "it from a copy, or read it with the version of Groundlings that wrote it"
)


def _of_sqlite(fault: sqlite3.Error) -> str:
    text = str(fault)
    if not isinstance(fault, sqlite3.OperationalError):
        return _UNREADABLE.format(said=text)
    if "decode" in text:
        return f"it holds text that is not UTF-8, which no run writes ({text}); left as it is; restore it from a copy"
    if "full" in text:
        return f"the disk is full; {_SAFE}, free some space, and {_GO_ON}"
    if "readonly" in text:
        return f"cannot be written ({text}); choose another directory with --out"
    if "unable to open" in text:
        return (
            f"cannot be opened ({text}): it cannot be read, or cannot be written; see its permissions, or choose "
            "another directory with --out"
        )
    if "disk I/O" in text:
        return f"the disk failed while writing ({text}); check its space and health"
    if "locked" in text:
        return f"another process keeps it ({text}); wait for it, or end it, and repeat this"
    return text


def _of_postgres(fault: Any, where: object, begun: bool, lost: bool = False) -> str:
    text = without_passwords(" ".join(str(fault).split()), fault, where)
    state = getattr(fault, "sqlstate", None)
    safe, go_on = (_SAFE, _GO_ON) if begun else ("nothing was begun", "begin again")
    if state in _BY_STATE:
        return f"{_BY_STATE[state].format(safe=safe, go_on=go_on)} ({text})"
    connecting = state is None and text.startswith(_CONNECTING)
    broken = type(fault).__name__ in _WITHOUT_STATE if state is None else state.startswith(("08", "57P"))
    if not connecting and (lost or broken):
        return f"the connection to the server was lost; {safe}; when the server is back, {go_on} ({text})"
    if connecting and getattr(getattr(fault, "pgconn", None), "needs_password", False):
        return f"{_BY_WORDS['password']} ({text})"
    for words, advice in _BY_WORDS.items():
        if words in text and not _is_of_query(state):
            return f"{advice} ({text})"
    if connecting and _NOT_UP in text:
        return f"the server is starting up or shutting down; {safe}; when it is up, {go_on} ({text})"
    if connecting and _BEHIND_ITS_SEVERITY in str(fault):
        return f"{_REFUSED} ({text})"
    if connecting:
        return f"the server cannot be reached; start it, or mend log.url ({text})"
    return text


_CONNECTING = ("connection failed", "connection is bad", "connection timeout", "failed to resolve host")
"""How the driver says that there was no connection yet."""

_BEHIND_ITS_SEVERITY = ":  "
"""What stands before the words of a server that refuses a connection, whatever language they are in (lc_messages); the
driver has no SQLSTATE of them."""

_REFUSED = (
    "the server refuses the connection; see in its words what it objects to: user or database (log.url), password "
    "(PGPASSWORD or ~/.pgpass), who is let in (pg_hba.conf), how many connections it takes (max_connections), or that "
    "it is just starting up or shutting down"
)

_NOT_UP = "the database system is "
"""How a server begins to say that it starts up, shuts down or recovers, where it speaks English."""

_WITHOUT_STATE = ("OperationalError", "InterfaceError")
"""What the driver raises where a connection broke before the server could say anything."""
