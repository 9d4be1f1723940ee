"""Rows of a log as records, session by session and table by table, a few thousand sessions at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, inspect

from groundlings.environments.arrays import IntArray
from groundlings.simulator.log.columnar import ColumnarConnection, columnar
from groundlings.simulator.log.parts import Part
from groundlings.simulator.log.reading.batches import streamed
from groundlings.simulator.log.session_records import (
    EVENTS,
    HANGING,
    IMPRESSIONS,
    PLACES,
    PRESENTATIONS,
    SESSIONS,
    TEAMS,
    Coded,
    Kind,
    Layout,
    Names,
    null_of,
    packed,
)
from groundlings.simulator.log.sqlite_columns import SqliteColumns
from groundlings.simulator.log.tables import LARGE

if TYPE_CHECKING:
    import pyarrow as pa

Records: TypeAlias = tuple[IntArray, NDArray[np.void]]
"""The session of each row, ascending, and the rows."""

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
    """

    def __init__(
        self, connection: Connection, names: Names, *, ordered: bool = False, columns: SqliteColumns | None = None
    ) -> None:
        self._connection, self._names, self._ordered, self._as_columns = connection, names, ordered, columns
        self._behind = columnar(connection)
        apart = LARGE if self._behind is not None else ()
        self._streams = {
            layout: _Stream(self._records(layout))
            for layout in (*HANGING, PRESENTATIONS)
            if layout.table not in apart and self._has(layout)
        }

    def chunks(self) -> Iterator[tuple[NDArray[np.void], NDArray[np.void], IntArray, Mapping[Layout, Records]]]:
        """A few thousand sessions at a time: arm_id and day of each, their heads, their ids, and what hangs on them."""
        for found in self._heads() if self._behind is None else self._parts(self._behind):
            (ids, heads), whose, hanging = found
            for layout, stream in self._streams.items():
                rows = stream.up_to(int(ids[-1]))
                if rows is not None:
                    hanging[layout] = rows
            yield whose, heads, ids, hanging

    def _heads(self) -> Iterator[tuple[Records, NDArray[np.void], dict[Layout, Records]]]:
        kinds: dict[str, Kind] = {"session_id": "wide", "arm_id": "wide", "day": "wide", **SESSIONS.columns}
        columns, query = tuple(kinds), f"{', '.join(kinds)} FROM sessions"
        if self._as_columns is not None:
            for batch in self._as_columns.batches(f"SELECT session_id, {query}", _arrow(kinds)):
                heads = packed(SESSIONS, len(batch), _columns(SESSIONS, batch), self._names)
                ids, arms, days = (_whole(batch.column(name), "wide") for name in columns[:3])
                yield (ids, heads), _whose(arms, days), {}
            return
        for rows in streamed(self._connection, f"SELECT {query} ORDER BY session_id", _SESSIONS):
            found: dict[str, Any] = dict(zip(columns, zip(*rows, strict=True), strict=True))
            ids = np.array(found["session_id"], dtype=np.int64)
            yield (ids, packed(SESSIONS, len(ids), found, self._names)), _whose(found["arm_id"], found["day"]), {}

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
            for batch in self._as_columns.batches(f"SELECT {key}, {query}", _arrow(kinds)):
                ids = _whole(batch.column("session_id"), "wide")
                yield ids, packed(layout, len(ids), _columns(layout, batch), self._names)
            return
        by = (layout.key,) if layout.numbered and not self._ordered else ("session_id", layout.key)
        order = ", ".join(f"{layout.table}.{column}" for column in by)
        for rows in streamed(self._connection, f"SELECT {query} ORDER BY {order}", _ROWS):
            sessions, *columns = zip(*rows, strict=True)
            ids = np.array(sessions, dtype=np.int64)
            yield ids, packed(layout, len(ids), dict(zip(names, columns, strict=True)), self._names)

    def _has(self, layout: Layout) -> bool:
        """Whether a log can have such rows; one of an earlier schema lacks what came later."""
        found = inspect(self._connection)
        if layout is PRESENTATIONS and not found.has_table(layout.table):
            return False
        here = {column["name"] for column in found.get_columns(layout.table)}
        return set(layout.columns) - {"position"} <= here

    def _parts(self, log: ColumnarConnection) -> Iterator[tuple[Records, NDArray[np.void], dict[Layout, Records]]]:
        for together in _clusters(log.parts()):
            tables = {name: [part for part in together if part.name == name] for name in LARGE}
            sessions = _read(log, tables["sessions"], ("session_id", "arm_id", "day", *SESSIONS.columns))
            if sessions is None:
                continue
            arms, days = sessions.column("arm_id").to_numpy(), sessions.column("day").to_numpy()
            order, ids = _by_session(sessions)
            heads = packed(SESSIONS, len(ids), _columns(SESSIONS, sessions), self._names)[order]
            hanging = self._hanging(log, tables["impressions"], tables["events"])
            yield (ids, heads), _whose(arms, days)[order], hanging

    def _hanging(
        self, log: ColumnarConnection, impressions: Sequence[Part], events: Sequence[Part]
    ) -> dict[Layout, Records]:
        found: dict[Layout, Records] = {}
        further = dict.fromkeys([*TEAMS.columns, *PLACES.columns])
        wanted = dict.fromkeys(["impression_id", "session_id", *IMPRESSIONS.columns, *further])
        shown = _read(log, impressions, tuple(wanted))
        if shown is not None:
            order, ids = _by_session(shown, "impression_id")
            for layout in (IMPRESSIONS, TEAMS, PLACES):
                rows, of = order, ids
                if layout.where:
                    known = ~np.asarray(shown.column(layout.where.split()[0]).is_null())[order]
                    rows, of = order[known], ids[known]
                if len(rows):
                    records = packed(layout, len(shown), _columns(layout, shown), self._names)
                    found[layout] = (of, records if rows is order and _is_still(order) else records[rows])
        acted = _read(log, events, ("event_id", "session_id", "impression_id", "page", "kind", "value", "detail"))
        if acted is not None:
            order, ids = _by_session(acted, "event_id")
            columns = _columns(EVENTS, acted) | {"position": _positions(acted, shown)}
            found[EVENTS] = (ids, packed(EVENTS, len(acted), columns, self._names)[order])
        return found


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


def _whose(arms: Sequence[int] | NDArray[Any], days: Sequence[int] | NDArray[Any]) -> NDArray[np.void]:
    """Arm and day of sessions, as one value each."""
    found = np.empty(len(arms), dtype=[("arm_id", "<i8"), ("day", "<i8")])
    found["arm_id"], found["day"] = arms, days
    return found


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


def _read(log: ColumnarConnection, parts: Sequence[Part], columns: Sequence[str]) -> pa.Table | None:
    """The rows of parts that belong together, None where there are none."""
    import pyarrow as pa

    found = [log.read_part(part, columns) for part in parts]
    return pa.concat_tables(found) if found and sum(map(len, found)) else None


def _by_session(table: pa.Table, key: str | None = None) -> tuple[IntArray, IntArray]:
    """The order of rows by session and key, and the session of each in that order."""
    ids: IntArray = table.column("session_id").to_numpy()
    numbers = ids if key is None else table.column(key).to_numpy()
    if len(ids) < 2 or ((np.diff(ids) >= 0).all() and (np.diff(numbers) > 0).all()):
        return np.arange(len(ids)), ids
    order = np.lexsort((numbers, ids))
    return order, ids[order]


def _is_still(order: IntArray) -> bool:
    return bool((order == np.arange(len(order))).all())


def _arrow(kinds: Mapping[str, Kind]) -> dict[str, pa.DataType]:
    """Arrow's type of each column, as a database holds it."""
    import pyarrow as pa

    known = {"float": pa.float64(), "text": pa.string()}
    return {name: known.get(kind, pa.int64()) for name, kind in kinds.items()}


def _columns(layout: Layout, table: pa.Table | pa.RecordBatch) -> dict[str, Any]:
    """The columns of a layout that a table has, as `packed` takes them."""
    here = table.schema.names
    return {name: _column(table.column(name), kind) for name, kind in layout.columns.items() if name in here}


def _column(column: pa.ChunkedArray | pa.Array, kind: Kind) -> NDArray[Any] | Coded:
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "text":
        coded: Any = pc.dictionary_encode(column)
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.combine_chunks()
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.chunk(0)
        return Coded(_whole(coded.indices, "user").astype(np.int64), coded.dictionary.to_pylist())
    if kind == "float":
        return np.asarray(column, dtype=np.float64)
    return _whole(column, kind)


def _whole(column: Any, kind: Kind) -> NDArray[Any]:
    """Whole numbers and truth values, with what stands for NULL in a record."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if column.null_count:
        if kind not in ("flag", "user", "item", "arm"):
            column = column.cast(pa.int64())
        column = pc.fill_null(column, null_of(kind))
    return np.asarray(column)


def _positions(events: pa.Table, impressions: pa.Table | None) -> IntArray:
    """Where the impression of each event stood, NULL where there is none."""
    null = null_of("narrow")
    about = _whole(events.column("impression_id"), "wide")
    if impressions is None:
        return np.full(len(about), null)
    ids, positions = impressions.column("impression_id").to_numpy(), impressions.column("position").to_numpy()
    if len(ids) > 1 and not (np.diff(ids) > 0).all():
        order = np.argsort(ids)
        ids, positions = ids[order], positions[order]
    rows = np.minimum(np.searchsorted(ids, about), len(ids) - 1)
    return np.where(ids[rows] == about, positions[rows].astype(np.int64), null)
