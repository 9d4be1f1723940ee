"""Large tables in chunks, in the order of happening: memory stays small however long the log is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.simulator.log.canonical import kinds_of
from groundlings.simulator.log.columnar import columnar
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.finite import SCORE, NotFinite, refuse_cells, refuse_row
from groundlings.simulator.log.reading import open_log
from groundlings.simulator.log.reading.batches import one_state, rechunked, refused, tables_of
from groundlings.simulator.log.reading.impression_tables import (
    OUTCOMES,
    Outcome,
    impressions_in_parts,
    impressions_in_tables,
)
from groundlings.simulator.log.reading.nobody import refuse_nobody
from groundlings.simulator.log.reading.open_log import OpenLog
from groundlings.simulator.log.sqlite_columns import sqlite_columns, tables_in_order
from groundlings.simulator.log.tables import LARGE, metadata

if TYPE_CHECKING:
    import pyarrow as pa

IMPRESSION_COLUMNS: Mapping[str, str] = {
    "impression_id": "impressions.impression_id",
    "session_id": "impressions.session_id",
    "user_id": "agents.source_user_id",
    "agent_id": "sessions.agent_id",
    "day": "sessions.day",
    "timestamp": "sessions.sim_time",
    "policy_version": "sessions.policy_version",
    "pscore_kind": "sessions.pscore_kind",
    "page": "impressions.page",
    "position": "impressions.position",
    "rank": "impressions.rank",
    "item_id": "items.source_item_id",
    "item_number": "impressions.item_id",
    "score": "impressions.score",
    "pscore": "impressions.pscore",
    "is_random": "impressions.is_random",
    "examined": "impressions.examined",
    "clicked": "impressions.clicked",
    "rating": "impressions.rating",
    "p_click": "impressions.p_click",
    "u_click": "impressions.u_click",
    "display_position": "impressions.display_position",
    "team": "(SELECT name FROM arms WHERE arms.arm_id = impressions.team_arm_id)",
    "row_name": "impressions.row_name",
    "place_row": "impressions.place_row",
    "place_slot": "impressions.place_slot",
}
"""What can be asked of an impression, and where it stands in the log; logs of the first schema have no `team`, those of
the first four no places."""

# A CASE each, because PostgreSQL does not add up truth values.
_COUNTS = """
SELECT sessions.arm_id, count(*), count(impressions.clicked), count(CASE WHEN impressions.clicked THEN 1 END),
       count(impressions.rating), sum(impressions.rating)
FROM impressions LEFT JOIN sessions ON sessions.session_id = impressions.session_id
GROUP BY sessions.arm_id
"""


@dataclass(frozen=True, slots=True)
class ArmRows:
    """What one arm's log holds: sessions, impressions, and those that are known, clicked (opened) and rated."""

    sessions: int
    impressions: int
    known: int
    opened: int
    rated: int

    @property
    def unknown(self) -> int:
        """Impressions whose outcome nobody knows."""
        return self.impressions - self.known

    @property
    def nothing_known(self) -> bool:
        """Whether the outcome of no impression is known, so that `opened` and `rated` are no numbers."""
        return self.impressions > 0 == self.known


class StreamReader(OpenLog):
    """See `LogReader`."""

    def impression_chunks(
        self, columns: Sequence[str], outcome: Outcome | None = None, action: str | None = None
    ) -> Iterator[tuple[int, list[Row]]]:
        """Impressions in the order of the log, as (arm_id, rows): at most `CHUNK_ROWS` at a time, arm by arm.

        Args:
            columns: Names from `IMPRESSION_COLUMNS`.
            outcome: Which impressions; all where absent.
            action: Only impressions on which this action of the environment was taken, as `logged_actions` names it.
        """
        kinds = {name: _kind_of(IMPRESSION_COLUMNS[name]) for name in columns}
        for arm_id, rows in self.impression_batches(kinds, outcome, action):
            yield arm_id, list(zip(*(column.to_pylist() for column in rows.columns), strict=True))

    def impression_batches(
        self, columns: Mapping[str, pa.DataType], outcome: Outcome | None = None, action: str | None = None
    ) -> Iterator[tuple[int, pa.Table]]:
        """Impressions as of `impression_chunks`, as columns.

        Args:
            columns: Names from `IMPRESSION_COLUMNS`, and what each is to hold.
            outcome: Which impressions; all where absent.
            action: Only impressions on which this action of the environment was taken.
        """
        import pyarrow as pa

        schema, most = pa.schema([("arm_id", pa.int64()), *columns.items()]), open_log.CHUNK_ROWS
        places = [IMPRESSION_COLUMNS[name] for name in columns]
        with self._connected() as connection:
            behind = columnar(connection)
            if behind is None:
                conditions = [
                    *((OUTCOMES[outcome],) if outcome else ()),
                    *((f"EXISTS {given('1', action)}",) if action else ()),
                ]
                found = impressions_in_tables(one_state(connection), places, conditions, sqlite_columns(connection))
            elif action is None:
                found = impressions_in_parts(behind, places, outcome)
            else:
                found = tables_of(behind.batches(_impressions(columns, outcome, action), most))
            yield from _by_arm(rechunked(found, most, schema))

    def table_chunks(self, name: str, key: Sequence[str], columns: Sequence[str]) -> Iterator[tuple[int, list[Row]]]:
        """As `impression_chunks`, of another table that hangs on sessions, in the order of its key."""
        for arm_id, rows in self._by_arm(_of_table(name, key, columns)):
            for row in rows:
                refuse_row(columns, row)
            yield arm_id, rows

    def table_batches(
        self, name: str, key: Sequence[str], columns: Mapping[str, pa.DataType]
    ) -> Iterator[tuple[int, pa.Table]]:
        """As `table_chunks`, as columns of the kinds that are named."""
        import pyarrow as pa

        schema = pa.schema([("arm_id", pa.int64()), *columns.items()])
        with self._connected() as connection:
            as_columns = sqlite_columns(connection) if name in LARGE else None
            if as_columns is None:
                found = self._batches(_of_table(name, key, tuple(columns)), schema)
            else:
                wanted = [f"{name}.{key[0]}", "sessions.arm_id", *(f"{name}.{column}" for column in columns)]
                read = tables_in_order(as_columns, _joined(name, wanted), schema)
                found = rechunked(read, open_log.CHUNK_ROWS, schema)
            yield from _by_arm(found)

    def has_places(self) -> bool:
        """Whether an impression says in which row of its page it stands: none does where all pages are lists."""
        known = "place_row" in self.columns_of("impressions")
        return known and any(self._rows("SELECT 1 FROM impressions WHERE place_row IS NOT NULL LIMIT 1"))

    def rows_by_arm(self) -> dict[int, ArmRows]:
        """arm_id -> how much of everything the arm has; an arm without a session has zeros."""
        sessions = {
            row["arm_id"]: row["sessions"]
            for row in self._rows("SELECT arm_id, count(*) AS sessions FROM sessions GROUP BY arm_id")
        }
        shown: dict[int, tuple[Any, ...]] = {}
        for chunk in self._chunks(_COUNTS):
            for arm_id, *counts, stars in chunk:
                if counts[-1]:
                    refuse_cells("rating", [stars])
                shown[arm_id] = tuple(counts)
        arms = [row["arm_id"] for row in self._rows("SELECT arm_id FROM arms ORDER BY position")]
        refuse_nobody(self, arm_id=None if shown.keys() - set(arms) else 0)
        return {arm: ArmRows(sessions.get(arm, 0), *shown.get(arm, (0,) * 4)) for arm in arms}

    def _by_arm(self, sql: str) -> Iterator[tuple[int, list[Row]]]:
        for chunk in self._chunks(sql):
            for arm_id, rows in groupby(chunk, key=itemgetter(0)):
                if arm_id is None:
                    raise refused("arm_id", _NOTHING)
                yield arm_id, [row[1:] for row in rows]


_NEVER_EMPTY = frozenset({"arm_id", "user_id", "item_id"})
_NOTHING = "found nothing, or a row of another table that is not there"


def _by_arm(batches: Iterable[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each arm apart; the first column says whose they are.

    Raises:
        sqlite3.OperationalError: A row belongs to something that is not there.
        NotFinite: A row holds NaN or an infinite number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch in batches:
        for name in _NEVER_EMPTY & {*batch.column_names}:
            if batch.column(name).null_count:
                raise refused(name, _NOTHING)
        for field in batch.schema:
            if pa.types.is_floating(field.type):
                odd = pc.is_nan if field.name == SCORE else _is_odd
                if pc.any(odd(batch.column(field.name))).as_py():
                    raise NotFinite
        arms = batch.column(0).to_numpy()
        ends = [*(np.flatnonzero(np.diff(arms)) + 1).tolist(), len(arms)]
        for begin, end in zip([0, *ends], ends, strict=False):
            yield int(arms[begin]), batch.slice(begin, end - begin).drop_columns("arm_id")


def _is_odd(numbers: pa.ChunkedArray) -> Any:
    import pyarrow.compute as pc

    return pc.invert(pc.is_finite(numbers))


def _kind_of(place: str) -> pa.DataType:
    """What a column of impressions is as a Python value: truth values are 0 and 1, as SQLite has them."""
    import pyarrow as pa

    table, _, name = place.partition(".")
    kinds = {"integer": pa.int64(), "float": pa.float64(), "text": pa.string()}
    found = metadata.tables.get(table)
    if found is None or name not in found.columns:
        return pa.string()  # the name of an arm
    return kinds[kinds_of(found)[found.columns.keys().index(name)]]


def _impressions(columns: Iterable[str], outcome: Outcome | None = None, action: str | None = None) -> str:
    """The query behind `StreamReader.impression_batches` where DuckDB is to look for an action."""
    wanted = [IMPRESSION_COLUMNS[name] for name in columns]
    joins = [
        f" LEFT JOIN {table} ON {table}.{key} = {of}.{key}"
        for table, key, of in (("agents", "agent_id", "sessions"), ("items", "item_id", "impressions"))
        if any(column.startswith(f"{table}.") for column in wanted)
    ]
    conditions = [
        *((f"impressions.{OUTCOMES[outcome]}",) if outcome else ()),
        *((f"EXISTS {given('1', action)}",) if action else ()),
    ]
    return in_order("impressions", ("impression_id",), ["sessions.arm_id", *wanted], "".join(joins), conditions)


def _of_table(name: str, key: Sequence[str], columns: Sequence[str]) -> str:
    return in_order(name, key, ["sessions.arm_id", *(f"{name}.{column}" for column in columns)])


def given(what: str, action: str) -> str:
    """A column of the event by which an action was taken on an impression."""
    return f"(SELECT {what} FROM events WHERE events.impression_id = impressions.impression_id AND kind = '{action}')"


def in_order(
    table: str, key: Sequence[str], columns: Sequence[str], joins: str = "", conditions: Sequence[str] = ()
) -> str:
    """A query for rows of a table with their session, in the order of the table's key.

    LEFT JOIN keeps SQLite from starting at an index of sessions: it walks the large table in the order of its key,
    which is the order of happening, and sorts nothing. A row whose session is not there is not left out in silence:
    whatever is selected of its session is NULL, which whoever reads it refuses.

    Args:
        table: `sessions`, or a table that hangs on it.
        key: Columns of its key.
        columns: Expressions to select.
        joins: Further LEFT JOINs, and what ties them to the rest.
        conditions: What is wanted.
    """
    order = ", ".join(f"{table}.{column}" for column in key)
    return f"{_joined(table, columns, joins, conditions)} ORDER BY {order}"


def _joined(table: str, columns: Sequence[str], joins: str = "", conditions: Sequence[str] = ()) -> str:
    """As `in_order`, in no order that is said."""
    origin = table if table == "sessions" else f"{table} LEFT JOIN sessions ON sessions.session_id = {table}.session_id"
    where = " AND ".join(conditions)
    return f"SELECT {', '.join(columns)} FROM {origin}{joins}{f' WHERE {where}' if where else ''}"
