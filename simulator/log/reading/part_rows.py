"""Rows of a log in parts beside the sessions that they belong to: nothing is joined, for both lie in the same order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.simulator.log.columnar import ColumnarConnection
from groundlings.simulator.log.parts import RESTORE, Part, schema_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class PartRows:
    """Rows of one part, which are of one arm and day.

    Attributes:
        part: Which.
        rows: The columns that were asked for.
        sessions: Likewise, of the part that holds the sessions of these rows.
        of: Which of these sessions each row belongs to, shape (n_rows,).
    """

    part: Part
    rows: pa.Table
    sessions: pa.Table
    of: IntArray

    def of_sessions(self, column: str) -> Any:
        """A column of sessions, a value per row."""
        return self.sessions.column(column).to_numpy()[self.of]

    def among(self, kept: BoolArray) -> PartRows:
        """Some of the rows, with all sessions."""
        import pyarrow as pa

        return PartRows(self.part, self.rows.filter(pa.array(kept)), self.sessions, self.of[kept])


def rows_in_parts(
    log: ColumnarConnection, known: Sequence[Part], columns: Sequence[str], of_sessions: Sequence[str]
) -> Iterator[PartRows]:
    """The rows of some parts, one part after the other.

    Args:
        log: To read.
        known: Parts of impressions or events.
        columns: Of these, those that are wanted; `session_id` is read as well.
        of_sessions: Of sessions, likewise; `session_id` and `arm_id` are read as well.

    Raises:
        RunDirectoryError: A part is missing or damaged.
        sqlite3.OperationalError: Rows are of other sessions than those of their arm and day.
    """
    sessions = {part.first_session: part for part in parts_of(log, "sessions")}
    for part in known:
        rows = read_part(log, part, ["session_id", *columns])
        came = read_part(log, sessions[part.first_session], ["session_id", "arm_id", *of_sessions])
        yield PartRows(part, rows, came, _places(part, rows.column("session_id"), came))


def parts_of(log: ColumnarConnection, name: str, arm_id: int | None = None) -> list[Part]:
    """The parts of a table, of one arm or of all, in the order of the log."""
    return [part for part in log.parts() if part.name == name and arm_id in (None, part.arm_id)]


def sessions_in_parts(log: ColumnarConnection, columns: Sequence[str]) -> pa.Table:
    """Some columns of all sessions in the order of the log, each text once; the first session has the number 1."""
    import pyarrow as pa

    found = [read_part(log, part, columns) for part in parts_of(log, "sessions")]
    whole = pa.concat_tables(found) if found else schema_of("sessions").empty_table().select(columns)
    for place, field in enumerate(whole.schema):
        if pa.types.is_string(field.type):
            whole = whole.set_column(place, field.name, whole.column(place).dictionary_encode())
    return whole.unify_dictionaries()


def read_part(log: ColumnarConnection, part: Part, columns: Sequence[str]) -> pa.Table:
    """Some columns of a part, each once; those that parts of earlier versions lack hold nothing."""
    import pyarrow as pa

    wanted = list(dict.fromkeys(columns))
    found, schema = log.read_part(part, wanted), schema_of(part.name)
    for name in wanted:
        if name not in found.column_names:
            found = found.append_column(schema.field(name), pa.nulls(len(found), schema.field(name).type))
    return found


def _places(part: Part, session: pa.ChunkedArray, came: pa.Table) -> IntArray:
    """The row of each row's session in the part that holds the sessions."""
    first = part.first_session
    ids, arms = (came.column(name).to_numpy() for name in ("session_id", "arm_id"))
    places: IntArray = session.to_numpy() - first
    if (
        not np.array_equal(ids, np.arange(first, first + len(ids)))
        or (arms != part.arm_id).any()
        or (len(places) and not 0 <= places.min() <= places.max() < len(ids))
    ):
        raise sqlite3.OperationalError(f"{part.path} does not belong to the sessions of its arm and day; {RESTORE}")
    return places
