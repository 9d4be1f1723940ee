"""The digest of version 2: a hash per session over records of fixed width, and one over all of them in their order.

A session's hash needs nothing but its own rows, so that a log is read once in the order in which it was written, in
any store, and memory holds a hash per session beside a few thousand sessions. They are put in order by arm and day,
and within a day by themselves: that order is the same whoever wrote what first.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, inspect, text

from groundlings.simulator.log import tables
from groundlings.simulator.log.canonical import absorb
from groundlings.simulator.log.lesson_rows import absorb_lessons
from groundlings.simulator.log.measured_agents import are_measured, persona_texts
from groundlings.simulator.log.reading.batches import streamed
from groundlings.simulator.log.session_hashes import HASH, Hashes, hashes_of, names_in
from groundlings.simulator.log.session_records import odd_value
from groundlings.simulator.log.session_streams import Chunk, Disordered, Sessions
from groundlings.simulator.log.sqlite_columns import NotAsColumns, sqlite_columns

if TYPE_CHECKING:
    import pyarrow as pa

_FIRST = (
    ("arms", "name, recommender, options, sees_hidden_preference", "tttw"),
    ("items", "source_item_id, title, year, genres", "ttwt"),
)
"""Small tables that are taken in whole, ordered by their first column, and what each column holds."""

_INTERVENTIONS = """
    SELECT arms.name, day, kind, detail FROM interventions JOIN arms USING (arm_id)
    ORDER BY arms.name, day, origin, place, intervention_id
    """
"""In the order in which they took effect; who decided them tells nothing of behaviour."""

_KINDS: Mapping[str, Any] = {"t": "text", "w": "integer"}
_ROWS = 4_096


def digest_of_sessions(connection: Connection, hashes: Hashes | None = None) -> str:
    """SHA-256 over what happened in a log, in hexadecimal.

    Args:
        connection: To the log.
        hashes: Of all its sessions, where somebody made them who had their rows anyway (`GivenSessions`, `LogWriter`).

    Raises:
        RunDirectoryError: A value is not of the kind that its column holds.
    """
    total = hashlib.sha256(b"groundlings digest 2\n")
    for name, columns, kinds in _FIRST:
        rows = sorted(connection.exec_driver_sql(f"SELECT {columns} FROM {name}").all(), key=lambda row: str(row[0]))
        _take_in(total, name, rows, kinds)
    _take_in_agents(total, connection)
    if inspect(connection).has_table(tables.interventions.name):
        _take_in(total, "interventions", connection.execute(text(_INTERVENTIONS)).all(), "twtt")
    absorb_lessons(total, connection)
    arms = {row.arm_id: row.name for row in connection.execute(text("SELECT arm_id, name FROM arms")).all()}
    hashes = _hashes_by_day(connection) if hashes is None else hashes
    if lost := {arm for arm, _ in hashes} - set(arms):
        raise odd_value(min(lost), "the number of an arm", "sessions", "arm_id")
    for arm, day in sorted(hashes, key=lambda each: (arms[each[0]], each[1])):
        found = np.sort(np.concatenate(hashes[arm, day]).view(f"S{HASH}").ravel())
        total.update(f"{len(arms[arm].encode())} {arms[arm]} {day} {len(found)}\n".encode())
        total.update(found.tobytes())
    return total.hexdigest()


def _take_in(total: Any, name: str, rows: Sequence[Any], kinds: str) -> None:
    """Have a hash take in the rows of a small table."""
    total.update(f"{name} {len(rows)}\n".encode())
    if rows:
        absorb(total, [_KINDS[kind] for kind in kinds], list(zip(*rows, strict=True)))


def _take_in_agents(total: Any, connection: Connection) -> None:
    """Have a hash take in who took part and what they are: a hash for each, ordered by the user's id."""
    users: list[str] = []
    hashes: list[bytes] = []
    for user, persona in _personas(connection):
        users.append(user)
        hashes.append(hashlib.sha256(persona.encode("utf-8", "surrogatepass")).digest())
    order = sorted(range(len(users)), key=users.__getitem__)
    _take_in(total, "agents", [(users[row],) for row in order], "t")
    total.update(b"".join(hashes[row] for row in order))


def _personas(connection: Connection) -> Iterator[tuple[str, str]]:
    """The user's id and the persona of each agent, in any order."""
    if are_measured(connection):
        yield from persona_texts(connection)
        return
    for rows in streamed(connection, "SELECT source_user_id, persona FROM agents ORDER BY agent_id", _ROWS):
        yield from rows


class GivenSessions:
    """The hashes of sessions whose rows in large tables somebody else has read.

    Args:
        connection: To the log, for its other tables.
    """

    def __init__(self, connection: Connection) -> None:
        self._sessions = Sessions(connection, names_in(connection), given=True)
        self.hashes: defaultdict[tuple[int, int], list[NDArray[np.uint8]]] = defaultdict(list)
        self.blocks = 0

    def take(self, tables: Mapping[str, pa.Table]) -> None:
        """Hash the sessions of a block.

        Args:
            tables: All rows of these sessions in `sessions`, `impressions` and `events`.

        Raises:
            Disordered: These are not all, or not all theirs.
            RunDirectoryError: A value is not of the kind that its column holds.
        """
        self.blocks += 1
        if len(tables["sessions"]):
            _add(self.hashes, self._sessions.chunk_of(tables["sessions"], tables["impressions"], tables["events"]))
        elif len(tables["impressions"]) or len(tables["events"]):
            raise Disordered


def _hashes_by_day(connection: Connection) -> Hashes:
    """Those of all sessions, read in the fastest way that the log allows; the last takes any log, or says why not."""
    names, columns = names_in(connection), sqlite_columns(connection)
    if columns is not None:
        with suppress(NotAsColumns, Disordered):
            return _session_hashes(Sessions(connection, names, columns=columns))
    with suppress(Disordered):
        return _session_hashes(Sessions(connection, names))
    return _session_hashes(Sessions(connection, names, ordered=True))


def _session_hashes(sessions: Sessions) -> Hashes:
    found: defaultdict[tuple[int, int], list[NDArray[np.uint8]]] = defaultdict(list)
    for chunk in sessions.chunks():
        _add(found, chunk)
    return found


def _add(found: defaultdict[tuple[int, int], list[NDArray[np.uint8]]], chunk: Chunk) -> None:
    """Put the hashes of some sessions to those of their arm and day."""
    whose, heads, ids, hanging = chunk
    hashes = hashes_of(heads, ids, hanging)
    for each in np.unique(whose):
        found[int(each["arm_id"]), int(each["day"])].append(hashes[whose == each])
