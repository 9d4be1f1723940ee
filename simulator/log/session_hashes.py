"""The hash of each session: over its own rows alone, as records of fixed width, so that whoever has these can make it.

Of a log that is read these are all of its rows, and of a shard those that its worker has just laid out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from groundlings.environments.arrays import IntArray
from groundlings.simulator.log.reading.batches import streamed
from groundlings.simulator.log.session_records import HANGING, PRESENTATIONS, Layout, Names, Places
from groundlings.simulator.log.session_tables import Records, cluster_of

if TYPE_CHECKING:
    import pyarrow as pa

HASH = 32
"""Bytes of a hash."""

Hashes: TypeAlias = Mapping[tuple[int, int], Sequence[NDArray[np.uint8]]]
"""(arm_id, day) -> the hashes of its sessions, shape (n_sessions, 32) each."""

_ROWS = 4_096


def names_in(connection: Connection) -> Names:
    """The places of users, items and arms of a log among their sorted names."""

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


def hashes_of_rows(large: Mapping[str, pa.Table], names: Names) -> NDArray[np.uint8]:
    """The hashes of sessions that have rows in large tables alone, shape (n_sessions, 32).

    Args:
        large: Their rows in `sessions`, `impressions` and `events`, as a log holds them.
        names: The places of users, items and arms.
    """
    shown, acted = large["impressions"], large["events"]
    found = cluster_of(large["sessions"], shown if len(shown) else None, acted if len(acted) else None, names)
    (ids, heads), _, hanging = found
    return hashes_of(heads, ids, hanging)


def hashes_of(heads: NDArray[np.void], ids: IntArray, hanging: Mapping[Layout, Records]) -> NDArray[np.uint8]:
    """The hash of each session, shape (n_sessions, 32): over its head, how many rows hang on it, and these.

    Args:
        heads: Of the sessions, shape (n_sessions,).
        ids: Theirs, ascending, shape (n_sessions,).
        hanging: Table -> the rows that hang on them.
    """
    return np.frombuffer(b"".join(_each(heads, ids, hanging)), np.uint8).reshape(len(ids), HASH)


def _each(heads: NDArray[np.void], ids: IntArray, hanging: Mapping[Layout, Records]) -> Iterator[bytes]:
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
    opened = np.concatenate([_as_bytes(heads).reshape(len(ids), -1), _as_bytes(counts).reshape(len(ids), -1)], axis=1)
    for number, opening in enumerate(opened):
        total = hashlib.sha256(opening.data)
        for content, firsts, ends in contents:
            if firsts[number] < ends[number]:
                total.update(content[firsts[number] : ends[number]])
        if presented is not None:
            rows = presented[np.searchsorted(said, ids[number]) : np.searchsorted(said, ids[number], side="right")]
            total.update(b"presentations" + _bytes_of(rows) if len(rows) else b"")
        yield total.digest()


def _bytes_of(rows: NDArray[Any]) -> memoryview:
    return _as_bytes(rows).data


def _as_bytes(rows: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rows).reshape(-1).view(np.uint8)
