"""Sessions and impressions of a finished SQLite log, held in memory as columns for whoever asks much about them.

A report asks a dozen. SQLite walks through all rows for each of them, and sorts them to group them: 300,000 impressions
take it a third of a second. Read once as Arrow columns, which takes less than that, they are shown to DuckDB, which
answers as it does of a log in parts, in a tenth of the time.

Answers are the same to the bit. Impressions are joined in the order of the log, so ratings are added up in that order,
too. Sums of money and of probabilities would not be, and are left to SQLite: what names events, or a column that is not
held.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text

from groundlings.simulator.log.columnar import ColumnarConnection
from groundlings.simulator.log.parts import Part, schema_of
from groundlings.simulator.log.query_engine import QueryEngine
from groundlings.simulator.log.sqlite import SqliteStore
from groundlings.simulator.log.sqlite_columns import SqliteColumns, sqlite_columns, tables_in_order

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 8_000_000
"""Impressions of a log up to which its tables are held: 49 bytes each."""

_NOT_HELD = frozenset(
    {"impression_id", "score", "pscore", "is_random", "p_click", "u_click", "row_name", "place_row", "place_slot"}
)  # fmt: skip
"""Columns of impressions that a report seldom or never asks for."""

_HELD = ("sessions", "impressions")
_NAMES_ANOTHER = re.compile(rf"\b({'|'.join(sorted(_NOT_HELD))}|events)\b", re.IGNORECASE)


@dataclass(frozen=True)
class HeldStore(SqliteStore):
    """See `store.Store`; for reading alone.

    Attributes:
        held: Table -> its rows.
    """

    held: Mapping[str, pa.Table]

    def connected(self, address: str) -> Any:
        """See `SqliteStore.connected`."""
        return _HeldConnection(super().connected(address), self.path.parent, self.held)


class _HeldConnection(ColumnarConnection):
    """As its base, of a log without parts: what DuckDB sees is what is held."""

    def __init__(self, index: sqlite3.Connection, directory: Path, held: Mapping[str, pa.Table]) -> None:
        super().__init__(index, directory)
        self._held = held

    def parts(self) -> tuple[Part, ...]:
        """It has none."""
        return ()

    def _show_large(self, engine: QueryEngine) -> None:
        engine.hold(self._held)


def held(connection: Connection) -> HeldStore | None:
    """What is held of the log behind a connection; None where it is not read as columns, or too large.

    Args:
        connection: To a log; nothing is changed.
    """
    reader = sqlite_columns(connection)
    if reader is None or connection.engine.url.database is None:
        return None
    if (connection.execute(text("SELECT max(impression_id) FROM impressions")).scalar_one() or 0) > MOST_ROWS:
        return None
    try:
        rows = {name: _whole(connection, reader, name) for name in _HELD}
    except sqlite3.OperationalError:  # SQLite reads it, or says what is wrong with it
        return None
    return HeldStore(Path(connection.engine.url.database), rows)


def answers(sql: str) -> bool:
    """Whether a query, which names its columns, asks for nothing but what is held."""
    return not _NAMES_ANOTHER.search(sql)


def _whole(connection: Connection, reader: SqliteColumns, name: str) -> pa.Table:
    """The columns of a table that are held and that this log has, in the order of its key."""
    import pyarrow as pa

    here = {column["name"] for column in inspect(connection).get_columns(name)} - _NOT_HELD
    narrow = pa.schema([field for field in schema_of(name) if field.name in here])
    wide = pa.schema([(field.name, pa.int64() if pa.types.is_int32(field.type) else field.type) for field in narrow])
    query = f"SELECT {name[:-1]}_id, {', '.join(narrow.names)} FROM {name}"
    try:
        found = [table.cast(narrow) for table in tables_in_order(reader, query, wide)]
    except pa.ArrowException as fault:
        raise sqlite3.OperationalError(str(fault)) from None
    return pa.concat_tables(found) if found else narrow.empty_table()
