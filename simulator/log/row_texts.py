"""The rows of a log in parts as the digest of version 1 takes them in: the text of a tuple, made column by column.

The digest of a log is older than its parts: it hashes `repr` of one tuple per row, which costs several microseconds in
Python. DuckDB writes the same text, because both write the shortest decimal number that means a float; `usable` tries
that before anything is trusted to it, and texts that Python would escape are written by Python.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.simulator.log.parts import Part
from groundlings.simulator.log.query_engine import QueryEngine, quoted

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 2_000_000
"""About so many impressions are sorted at a time, with some 150 bytes of text each."""

_TEXTS = {"sessions": ("policy_version", "pscore_kind", "ended_by"), "impressions": (), "events": ("kind", "detail")}
_PLAIN = r"[\x20-\x26\x28-\x5b\x5d-\x7e]*"  # what stands between two single quotes as it is

_CELLS = {
    "sessions": "day, @user, sim_time, policy_version, pscore_kind, pages, ended_by, satisfaction",
    "impressions": (
        "day, @user, page, position, rank, @item, score, pscore, is_random, examined, clicked, rating, p_click, "
        "u_click, display_position"
    ),
    "events": "day, @user, page, position, kind, value, detail",
}
"""What a row of the digest holds behind the name of its arm; what begins with @ is written by Python."""

_ROWS = {
    "sessions": "here",
    "impressions": """
        (SELECT * FROM impressions WHERE {between}) JOIN here USING (session_id) JOIN item_words USING (item_id)""",
    "events": """
        (SELECT * FROM events WHERE {between}) JOIN here USING (session_id)
        LEFT JOIN (SELECT impression_id, position FROM impressions WHERE {between}) USING (impression_id)""",
}
_ORDER = {"sessions": "place, sim_time", "impressions": "place, rank, sim_time", "events": "place, event_id"}


@dataclass(frozen=True, slots=True)
class _Share:
    """Rows that are sorted at once: those of an arm and day, of people whose places in the order are these."""

    arm_id: int
    arm: str
    day: int
    first_session: int
    last_session: int
    first_place: int
    last_place: int


class RowTexts:
    """Texts of the rows of a log in parts.

    Args:
        index: The log's `log.db`.
        directory: The run's.
        known: The log's parts.
    """

    def __init__(self, index: sqlite3.Connection, directory: Path, known: Sequence[Part]) -> None:
        self._known = tuple(known)
        self._engine = QueryEngine(directory, threads=None)
        self._engine.see(self._known)
        self._arms = dict(index.execute("SELECT arm_id, name FROM arms").fetchall())
        self._people = self._put_words(index, "SELECT agent_id, source_user_id FROM agents", "agent")
        self._put_words(index, "SELECT item_id, source_item_id FROM items", "item")

    def close(self) -> None:
        """Let go of the log."""
        self._engine.close()

    def of(self, name: str) -> Iterator[memoryview]:
        """The texts of the rows of a table one behind the other, in the order of arms, days and people."""
        self._put_odd_texts(name)
        for share in self._shares():
            for batch in self._engine.batches(_query(name, share), 65_536):
                yield _bytes_of(batch)

    def _put_words(self, index: sqlite3.Connection, query: str, what: str) -> int:
        """A table with the text and the place in the order of each person or item; how many there are."""
        import pyarrow as pa

        rows = sorted(index.execute(query).fetchall(), key=lambda row: row[1])
        self._engine.see_table(
            f"{what}_words",
            pa.table(
                {
                    f"{what}_id": pa.array([row[0] for row in rows], pa.int64()),
                    "place" if what == "agent" else "item_place": pa.array(range(len(rows)), pa.int64()),
                    f"{what}_word": pa.array([repr(row[1]) for row in rows], pa.string()),
                }
            ),
        )
        return len(rows)

    def _put_odd_texts(self, name: str) -> None:
        """Have Python write the texts that it would escape."""
        import pyarrow as pa

        found: set[str] = set()
        for column in _TEXTS[name]:
            query = f"SELECT DISTINCT {column} FROM {name} WHERE NOT regexp_full_match({column}, '{_PLAIN}')"
            for batch in self._engine.batches(query, 65_536):
                found.update(batch.column(0).to_pylist())
        texts = sorted(found)
        self._engine.see_table(
            "odd_texts",
            pa.table(
                {"odd": pa.array(texts, pa.string()), "written": pa.array([repr(text) for text in texts], pa.string())}
            ),
        )

    def _shares(self) -> Iterator[_Share]:
        """All rows, in the order in which the digest takes them in."""
        for arm_id, arm in sorted(self._arms.items(), key=lambda each: each[1]):
            for day in sorted({part.day for part in self._known if part.arm_id == arm_id}):
                here = [part for part in self._known if (part.arm_id, part.day) == (arm_id, day)]
                rows = sum(part.rows for part in here if part.name == "impressions")
                people = max(1, -(-self._people // (1 + rows // _ROWS_AT_ONCE)))
                first, last = min(part.first_session for part in here), max(part.last_session for part in here)
                for place in range(0, self._people, people):
                    yield _Share(arm_id, repr(arm), day, first, last, place, place + people - 1)


def _query(name: str, share: _Share) -> str:
    """SELECT the texts of the rows of a share, in their order."""
    between = f"session_id BETWEEN {share.first_session} AND {share.last_session}"
    odd = "".join(f" LEFT JOIN odd_texts AS odd_{column} ON odd_{column}.odd = {column}" for column in _TEXTS[name])
    cells = ", ', ', ".join(_cell(name, cell) for cell in _CELLS[name].split(", "))
    kept = "*" if name == "sessions" else "session_id, day, sim_time, place, agent_word"
    return f"""
        WITH here AS MATERIALIZED (
            SELECT {kept} FROM (SELECT * FROM sessions WHERE {between}) JOIN agent_words USING (agent_id)
            WHERE arm_id = {share.arm_id} AND day = {share.day}
                  AND place BETWEEN {share.first_place} AND {share.last_place}
        )
        SELECT concat('(', {quoted(share.arm)}, ', ', {cells}, ')') AS text
        FROM {_ROWS[name].format(between=between)}{odd} ORDER BY {_ORDER[name]}
    """


def _cell(name: str, cell: str) -> str:
    if cell.startswith("@"):
        return {"@user": "agent_word", "@item": "item_word"}[cell]
    if cell in _TEXTS[name]:
        return f"coalesce(odd_{cell}.written, '''' || {cell} || '''', 'None')"
    return f"coalesce(CAST({cell} AS VARCHAR), 'None')"


def _bytes_of(batch: pa.RecordBatch) -> memoryview:
    """All texts of a batch one behind the other, as they lie in memory."""
    import numpy as np

    column = batch.column(0)
    _, offsets, content = column.buffers()
    wide = np.int64 if str(column.type) == "large_string" else np.int32
    places = np.frombuffer(offsets, wide)[column.offset : column.offset + len(column) + 1]
    return memoryview(content)[places[0] : places[-1]]


_TRIED = (
    1.0,
    0.1,
    1 / 3,
    1e-5,
    0.0001,
    1e15,
    1e16,
    1e22,
    123456789.123,
    5e-324,
    1.7976931348623157e308,
    -2.5,
    float("inf"),
)


@cache
def usable() -> bool:
    """Whether this DuckDB writes floats as Python does."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        written = connection.execute(
            f"SELECT {', '.join('CAST(CAST(? AS DOUBLE) AS VARCHAR)' for _ in _TRIED)}", list(_TRIED)
        ).fetchone()
    return written == tuple(map(repr, _TRIED))
