"""Rows of sessions and of what hangs on them, held as tables, made records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray
from groundlings.simulator.log.session_records import (
    EVENTS,
    IMPRESSIONS,
    PLACES,
    SESSIONS,
    TEAMS,
    Coded,
    Kind,
    Layout,
    Names,
    null_of,
    packed,
)

if TYPE_CHECKING:
    import pyarrow as pa

Records: TypeAlias = tuple[IntArray, NDArray[np.void]]
"""The session of each row, ascending, and the rows."""

Cluster: TypeAlias = tuple[Records, NDArray[np.void], dict[Layout, Records]]
"""Ids and heads of sessions, arm_id and day of each, and what hangs on them."""

SESSION_COLUMNS = ("session_id", "arm_id", "day", *SESSIONS.columns)
SHOWN_COLUMNS = tuple(
    dict.fromkeys(["impression_id", "session_id", *IMPRESSIONS.columns, *TEAMS.columns, *PLACES.columns])
)
ACTED_COLUMNS = ("event_id", "session_id", "impression_id", "page", "kind", "value", "detail")
"""Columns of sessions, impressions and events that a cluster is made of."""


def cluster_of(sessions: pa.Table, shown: pa.Table | None, acted: pa.Table | None, names: Names) -> Cluster:
    """Sessions that are held whole, with all their impressions and events.

    Args:
        sessions: Their rows.
        shown: Rows of impressions, None where there are none; columns of teams and places may be absent.
        acted: Rows of events, likewise.
        names: The places of users, items and arms.
    """
    arms, days = sessions.column("arm_id").to_numpy(), sessions.column("day").to_numpy()
    order, ids = by_session(sessions)
    heads = packed(SESSIONS, len(ids), columns_of(SESSIONS, sessions), names)[order]
    return (ids, heads), whose(arms, days)[order], _hanging(shown, acted, names)


def _hanging(shown: pa.Table | None, acted: pa.Table | None, names: Names) -> dict[Layout, Records]:
    found: dict[Layout, Records] = {}
    if shown is not None:
        order, ids = by_session(shown, "impression_id")
        for layout in (IMPRESSIONS, TEAMS, PLACES):
            if not set(layout.columns) <= set(shown.schema.names):
                continue
            rows, of = order, ids
            if layout.where:
                known = ~np.asarray(shown.column(layout.where.split()[0]).is_null())[order]
                rows, of = order[known], ids[known]
            if len(rows):
                records = packed(layout, len(shown), columns_of(layout, shown), names)
                found[layout] = (of, records if rows is order and _is_still(order) else records[rows])
    if acted is not None:
        order, ids = by_session(acted, "event_id")
        columns = columns_of(EVENTS, acted) | {"position": _positions(acted, shown)}
        found[EVENTS] = (ids, packed(EVENTS, len(acted), columns, names)[order])
    return found


def whose(arms: Sequence[int] | NDArray[Any], days: Sequence[int] | NDArray[Any]) -> NDArray[np.void]:
    """Arm and day of sessions, as one value each."""
    found = np.empty(len(arms), dtype=[("arm_id", "<i8"), ("day", "<i8")])
    found["arm_id"], found["day"] = arms, days
    return found


def by_session(table: pa.Table, key: str | None = None) -> tuple[IntArray, IntArray]:
    """The order of rows by session and key, and the session of each in that order."""
    ids: IntArray = table.column("session_id").to_numpy()
    numbers = ids if key is None else table.column(key).to_numpy()
    if len(ids) < 2 or ((np.diff(ids) >= 0).all() and (np.diff(numbers) > 0).all()):
        return np.arange(len(ids)), ids
    order = np.lexsort((numbers, ids))
    return order, ids[order]


def _is_still(order: IntArray) -> bool:
    return bool((order == np.arange(len(order))).all())


def arrow_kinds(kinds: Mapping[str, Kind]) -> dict[str, pa.DataType]:
    """Arrow's type of each column, as a database holds it."""
    import pyarrow as pa

    known = {"float": pa.float64(), "text": pa.string()}
    return {name: known.get(kind, pa.int64()) for name, kind in kinds.items()}


def columns_of(layout: Layout, table: pa.Table | pa.RecordBatch) -> dict[str, Any]:
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
        return Coded(whole(coded.indices, "user").astype(np.int64), coded.dictionary.to_pylist())
    if kind == "float":
        return np.asarray(column, dtype=np.float64)
    return whole(column, kind)


def whole(column: Any, kind: Kind) -> NDArray[Any]:
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
    about = whole(events.column("impression_id"), "wide")
    if impressions is None:
        return np.full(len(about), null)
    ids, positions = impressions.column("impression_id").to_numpy(), impressions.column("position").to_numpy()
    if len(ids) > 1 and not (np.diff(ids) > 0).all():
        order = np.argsort(ids)
        ids, positions = ids[order], positions[order]
    rows = np.minimum(np.searchsorted(ids, about), len(ids) - 1)
    return np.where(ids[rows] == about, positions[rows].astype(np.int64), null)
