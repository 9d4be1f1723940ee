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
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, inspect, text

from groundlings.environments.arrays import IntArray
from groundlings.simulator.log import tables
from groundlings.simulator.log.canonical import absorb
from groundlings.simulator.log.lesson_rows import absorb_lessons
from groundlings.simulator.log.measured_agents import are_measured, persona_texts
from groundlings.simulator.log.reading.batches import streamed
from groundlings.simulator.log.session_records import HANGING, PRESENTATIONS, Layout, Names, Places, odd_value
from groundlings.simulator.log.session_streams import Chunk, Disordered, Sessions
from groundlings.simulator.log.session_tables import Records
from groundlings.simulator.log.sqlite_columns import NotAsColumns, sqlite_columns

if TYPE_CHECKING:
    import pyarrow as pa

_HASH = 32
"""Bytes of a hash."""

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


Hashes: TypeAlias = Mapping[tuple[int, int], Sequence[NDArray[np.uint8]]]
"""(arm_id, day) -> the hashes of its sessions, shape (n_sessions, 32) each."""


def digest_of_sessions(connection: Connection, hashes: Hashes | None = None) -> str:
    """SHA-256 over what happened in a log, in hexadecimal.

    Args:
        connection: To the log.
        hashes: Of all its sessions, where somebody made them who read the rows anyway (`GivenSessions`).

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
        found = np.sort(np.concatenate(hashes[arm, day]).view(f"S{_HASH}").ravel())
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


def _names(connection: Connection) -> Names:
    def places(key: str, name: str, table: str) -> Places:
        rows: list[tuple[int, str]] = []
        for piece in streamed(connection, f"SELECT {key}, {name} FROM {table} ORDER BY {key}", _ROWS):
            rows += piece
        return Places.of(rows)

    return Names(
        user=places("agent_id", "source_user_id", "agents"),
        item=places("item_id", "source_item_id", "items"),
        arm=places("arm_id", "name", "arms"),
    )


class GivenSessions:
    """The hashes of sessions whose rows in large tables somebody else has read.

    Args:
        connection: To the log, for its other tables.
    """

    def __init__(self, connection: Connection) -> None:
        self._sessions = Sessions(connection, _names(connection), given=True)
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
    names, columns = _names(connection), sqlite_columns(connection)
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
    hashes = np.frombuffer(b"".join(_hashes(heads, ids, hanging)), np.uint8).reshape(len(ids), _HASH)
    for each in np.unique(whose):
        found[int(each["arm_id"]), int(each["day"])].append(hashes[whose == each])


def _hashes(heads: NDArray[np.void], ids: IntArray, hanging: Mapping[Layout, Records]) -> Iterator[bytes]:
    """The hash of each session: over its head, how many rows of each table hang on it, and these."""
    counts = np.zeros((len(ids), len(HANGING)), dtype="<u4")
    contents: list[tuple[memoryview, list[int], list[int]]] = []
    for place, layout in enumerate(HANGING):
        of, records = hanging.get(layout) or (None, None)
        if of is None or records is None:
            continue
        first, end = np.searchsorted(of, ids, side="left"), np.searchsorted(of, ids, side="right")
        counts[:, place] = end - first
        width = records.dtype.itemsize
        contents.append((_bytes_of(records), (first * width).tolist(), (end * width).tolist()))
    said, presented = hanging.get(PRESENTATIONS) or (np.zeros(0, dtype=np.int64), None)
    opened, counted = _bytes_of(heads), _bytes_of(counts.reshape(-1))
    head, count = heads.dtype.itemsize, counts.itemsize * len(HANGING)
    for number in range(len(ids)):
        total = hashlib.sha256(opened[number * head : (number + 1) * head])
        total.update(counted[number * count : (number + 1) * count])
        for content, firsts, ends in contents:
            if firsts[number] < ends[number]:
                total.update(content[firsts[number] : ends[number]])
        if presented is not None:
            rows = presented[np.searchsorted(said, ids[number]) : np.searchsorted(said, ids[number], side="right")]
            total.update(b"presentations" + _bytes_of(rows) if len(rows) else b"")
        yield total.digest()


def _bytes_of(rows: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(rows).view(np.uint8).reshape(-1).data
