"""One hash for what a run did: equal when two runs behaved alike, whatever the clock or the order of arms.

What is hashed has a version, which a run keeps from its beginning to its end. A digest of a version after the first
begins with it (`v2:`), so that digests of two versions are never taken for two behaviours.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.simulator.log.digest_version import DIGEST_VERSION, begun_with, named
from groundlings.simulator.log.reading.batches import one_state
from groundlings.simulator.log.row_digest import digest_of_rows
from groundlings.simulator.log.seal_check import SealReport, seals_in
from groundlings.simulator.log.session_digest import GivenSessions, digest_of_sessions
from groundlings.simulator.log.session_hashes import Hashes
from groundlings.simulator.log.session_streams import Disordered
from groundlings.simulator.log.sqlite_columns import NotAsColumns, sqlite_columns

_MADE: Mapping[int, Callable[[Connection], str]] = {1: digest_of_rows, 2: digest_of_sessions}


def digest(engine: Engine, version: int | None = None, hashes: Hashes | None = None) -> str:
    """SHA-256 over what happened, in hexadecimal, behind its version.

    Args:
        engine: Of the log.
        version: Of the digest; the one that the run began with if absent.
        hashes: Of all its sessions, where whoever wrote them has these; they are read if absent.

    Raises:
        ConfigError: There is no such version.
        RunDirectoryError: The log holds a value that no run writes.
    """
    with engine.connect() as connection:
        chosen = _begun_version(connection) if version is None else version
        if chosen not in _MADE:
            known = " or ".join(map(str, _MADE))
            raise ConfigError(f"found {chosen} as the version of a digest, expected {known}")
        if chosen == 2 and hashes is not None:
            return named(2, digest_of_sessions(connection, hashes))
        return named(chosen, _MADE[chosen](connection))


def digest_and_seals(engine: Engine, version: int | None = None) -> tuple[str, SealReport | None]:
    """As `digest`, with what `check_seals` says of all rows where one reading of large tables told both.

    Where anything is not as it was written, or the log is not read as columns, the digest is made as ever, from another
    reading; what the seals say is None where nothing was found out.

    Args:
        engine: Of the log.
        version: As of `digest`.

    Raises:
        ConfigError, RunDirectoryError: As of `digest`.
    """
    report = None
    faults = (Disordered, NotAsColumns, RunDirectoryError, SQLAlchemyError, sqlite3.Error, ValueError)
    with suppress(*faults), engine.connect() as connection:
        columns = sqlite_columns(connection)
        if columns is not None and 2 == (_begun_version(connection) if version is None else version):
            one_state(connection)
            sessions = GivenSessions(connection)
            report = seals_in(connection, None, columns, sessions.take)
            if report.sealed and not report.faults and sessions.blocks == report.blocks:
                return named(2, digest_of_sessions(connection, sessions.hashes)), report
    return digest(engine, version), report


def _begun_version(connection: Connection) -> int:
    row = connection.execute(text("SELECT versions FROM runs")).first()
    return DIGEST_VERSION if row is None else begun_with(row[0])
