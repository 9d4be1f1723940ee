"""Rows of a log as records, session by session and table by table, a few thousand sessions at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, inspect

from groundlings.environments.arrays import IntArray
from groundlings.simulator.log.columnar import ColumnarConnection, columnar
from groundlings.simulator.log.faults import other_tables
from groundlings.simulator.log.migrations import SCHEMA_VERSION, schema_version
from groundlings.simulator.log.parts import Part
from groundlings.simulator.log.reading.ahead import read_ahead
from groundlings.simulator.log.reading.batches import streamed
from groundlings.simulator.log.session_records import (
    EVENTS,
    HANGING,
    PRESENTATIONS,
    SESSIONS,
    Kind,
    Layout,
    Names,
    as_numbers,
    packed,
)
from groundlings.simulator.log.session_tables import (
    ACTED_COLUMNS,
    SESSION_COLUMNS,
    SHOWN_COLUMNS,
    Cluster,
    Records,
    arrow_kinds,
    cluster_of,
    columns_of,
    whole,
    whose,
)
from groundlings.simulator.log.sqlite_columns import SqliteColumns
from groundlings.simulator.log.tables import LARGE

if TYPE_CHECKING:
    import pyarrow as pa

Chunk: TypeAlias = tuple[NDArray[np.void], NDArray[np.void], IntArray, Mapping[Layout, Records]]
"""arm_id and day of each session, their heads, their ids, and what hangs on them."""

_ROWS = 1_024
"""Rows that are Python objects at a time: so few stay in the cache of the processor."""


_SESSIONS = 4_096
"""Sessions that are hashed together."""


class Disordered(Exception):
    """Rows of a session do not follow each other by their key, so that they must be sorted before they are read."""


class Sessions:
    """The sessions of a log with all that hangs on them.

    Args:
        connection: To the log.
        names: The places of users, items and arms.
        ordered: Whether the database is to sort by session what it would read in the order of its key.
        columns: Reads large tables, in the order of their keys; the connection does if absent.
        given: Whether the rows of large tables come by `chunk_of`, so that nobody reads them here.
    """

    def __init__(
        self,
        connection: Connection,
        names: Names,
        *,
        ordered: bool = False,
        columns: SqliteColumns | None = None,
        given: bool = False,
    ) -> None:
        self._connection, self._names, self._ordered, self._as_columns = connection, names, ordered, columns
        self._behind = columnar(connection)
        apart = LARGE if given or self._behind is not None else ()
        self._streams = {
            layout: _Stream(self._records(layout))
            for layout in (*HANGING, PRESENTATIONS)
            if layout.table not in apart and self._has(layout)
        }

    def chunks(self) -> Iterator[Chunk]:
        """A few thousand sessions at a time."""
        for found in self._heads() if self._behind is None else self._parts(self._behind):
            yield self._with_rest(found)

    def chunk_of(self, sessions: pa.Table, shown: pa.Table, acted: pa.Table) -> Chunk:
        """Sessions whose rows in large tables are given, and follow those of the last call.

        Args:
            sessions, shown, acted: All rows of some sessions in `sessions`, `impressions` and `events`, as the database
                holds them.

        Raises:
            Disordered: Some belong to other sessions, or an event is about an impression that is not given.
        """
        found = cluster_of(sessions, shown if len(shown) else None, acted if len(acted) else None, self._names)
        (ids, _), _, hanging = found
        if any(of[0] < ids[0] or of[-1] > ids[-1] for of, _ in hanging.values()) or not _all_given(acted, shown):
            raise Disordered
        return self._with_rest(found)

    def _with_rest(self, found: Cluster) -> Chunk:
        """With rows of those tables that are read session by session."""
        (ids, heads), placed, hanging = found
        for layout, stream in self._streams.items():
            rows = stream.up_to(int(ids[-1]))
            if rows is not None:
                hanging[layout] = rows
        return placed, heads, ids, hanging

    def _heads(self) -> Iterator[Cluster]:
        kinds: dict[str, Kind] = {"session_id": "wide", "arm_id": "wide", "day": "wide", **SESSIONS.columns}
        columns, query = tuple(kinds), f"{', '.join(kinds)} FROM sessions"
        if self._as_columns is not None:
            for batch in self._as_columns.batches(f"SELECT session_id, {query}", arrow_kinds(kinds)):
                heads = packed(SESSIONS, len(batch), columns_of(SESSIONS, batch), self._names)
                ids, arms, days = (whole(batch.column(name), "wide") for name in columns[:3])
                yield (ids, heads), whose(arms, days), {}
            return
        for rows in streamed(self._connection, f"SELECT {query} ORDER BY session_id", _SESSIONS):
            found: dict[str, Any] = dict(zip(columns, zip(*rows, strict=True), strict=True))
            ids, arms, days = (as_numbers(found[name], "wide", "sessions", name) for name in columns[:3])
            yield (ids, packed(SESSIONS, len(ids), found, self._names)), whose(arms, days), {}

    def _records(self, layout: Layout) -> Iterator[Records]:
        """The rows of a table in a database, with their sessions."""
        names = tuple(layout.columns)
        origin, wanted = layout.table, [f"{layout.table}.{name}" for name in ("session_id", *names)]
        if layout is EVENTS:
            origin = "events LEFT JOIN impressions ON impressions.impression_id = events.impression_id"
            wanted = [each.replace("events.position", "impressions.position") for each in wanted]
        query = f"{', '.join(wanted)} FROM {origin}{f' WHERE {layout.where}' if layout.where else ''}"
        if self._as_columns is not None and layout.table in LARGE:
            kinds: dict[str, Kind] = {"session_id": "wide", **layout.columns}
            key = f"{layout.table}.{layout.key}"
            for batch in self._as_columns.batches(f"SELECT {key}, {query}", arrow_kinds(kinds)):
                ids = whole(batch.column("session_id"), "wide")
                yield ids, packed(layout, len(ids), columns_of(layout, batch), self._names)
            return
        by = (layout.key,) if layout.numbered and not self._ordered else ("session_id", layout.key)
        order = ", ".join(f"{layout.table}.{column}" for column in by)
        for rows in streamed(self._connection, f"SELECT {query} ORDER BY {order}", _ROWS):
            sessions, *columns = zip(*rows, strict=True)
            ids = as_numbers(sessions, "wide", layout.table, "session_id")
            yield ids, packed(layout, len(ids), dict(zip(names, columns, strict=True)), self._names)

    def _has(self, layout: Layout) -> bool:
        """Whether a log can have such rows; one of an earlier schema lacks what came later.

        Raises:
            UnknownTables: A log of today's schema lacks a column.
        """
        found = inspect(self._connection)
        if layout is PRESENTATIONS and not found.has_table(layout.table):
            return False
        here = {column["name"] for column in found.get_columns(layout.table)}
        lacking = sorted(set(layout.columns) - {"position"} - here)
        if lacking and schema_version(self._connection) == SCHEMA_VERSION:
            place = self._connection.engine.url.database
            raise other_tables(place, f"the table {layout.table} has no column {lacking[0]}")
        return not lacking

    def _parts(self, log: ColumnarConnection) -> Iterator[Cluster]:
        with closing(read_ahead(_tables(log, log.parts()))) as read:
            for sessions, shown, acted in read:
                yield cluster_of(sessions, shown, acted, self._names)


class _Stream:
    """Rows that are taken in the order of their sessions.

    Args:
        pieces: Some at a time.
    """

    def __init__(self, pieces: Iterator[Records]) -> None:
        self._pieces = pieces
        self._waiting: list[Records] = []
        self._last = -1
        self._ended = False

    def up_to(self, session: int) -> Records | None:
        """The rows of all sessions up to one that were not taken yet, None where there are none.

        Raises:
            Disordered: Rows come in another order.
        """
        while not self._ended and self._last <= session:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
                break
            ids = piece[0]
            if ids[0] < self._last or (np.diff(ids) < 0).any():
                raise Disordered
            self._last = int(ids[-1])
            self._waiting.append(piece)
        if not self._waiting:
            return None
        ids = np.concatenate([each[0] for each in self._waiting])
        rows = np.concatenate([each[1] for each in self._waiting])
        end = int(np.searchsorted(ids, session, side="right"))
        self._waiting = [(ids[end:], rows[end:])] if end < len(ids) else []
        return (ids[:end], rows[:end]) if end else None


def _clusters(known: Sequence[Part]) -> Iterator[list[Part]]:
    """Parts that may hold rows of the same sessions, together; in the order of their sessions."""
    waiting: list[Part] = []
    for part in sorted(known, key=lambda part: (part.first_session, part.last_session)):
        if waiting and part.first_session > max(each.last_session for each in waiting):
            yield waiting
            waiting = []
        waiting.append(part)
    if waiting:
        yield waiting


def _tables(
    log: ColumnarConnection, known: Sequence[Part]
) -> Iterator[tuple[pa.Table, pa.Table | None, pa.Table | None]]:
    """The rows of sessions, impressions and events that belong together, a few parts of each at a time."""
    for together in _clusters(known):
        sessions, shown, acted = (
            _read(log, [part for part in together if part.name == name], columns)
            for name, columns in zip(LARGE, (SESSION_COLUMNS, SHOWN_COLUMNS, ACTED_COLUMNS), strict=True)
        )
        if sessions is not None:
            yield sessions, shown, acted


def _read(log: ColumnarConnection, parts: Sequence[Part], columns: Sequence[str]) -> pa.Table | None:
    """The rows of parts that belong together, None where there are none."""
    import pyarrow as pa

    found = [log.read_part(part, columns) for part in parts]
    return pa.concat_tables(found) if found and sum(map(len, found)) else None


def _all_given(acted: pa.Table, shown: pa.Table) -> bool:
    """Whether the impressions that events are about are among those shown, whose keys have no gap."""
    about = acted.column("impression_id").drop_null().to_numpy()
    keys = shown.column("impression_id")
    return not len(about) or bool(
        len(keys) and keys[0].as_py() <= about.min() and about.max() <= keys[len(keys) - 1].as_py()
    )
