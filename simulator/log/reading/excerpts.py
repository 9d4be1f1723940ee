"""Few rows of a log in parts, cut out for the queries that ask for no others.

A database that joins all impressions with some sessions, or with some events, reads all impressions for each query. Cut
out once, the rows are few enough to lie in memory, where queries find them under the names of their tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from sqlalchemy import Engine

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.simulator.log.columnar import ColumnarConnection, columnar
from groundlings.simulator.log.held_columns import HeldStore
from groundlings.simulator.log.parts import Part, schema_of
from groundlings.simulator.log.reading.batches import frame_of, refused
from groundlings.simulator.log.reading.nobody import of_somebody
from groundlings.simulator.log.reading.open_log import OpenLog
from groundlings.simulator.log.reading.part_rows import parts_of, read_part, rows_in_parts
from groundlings.simulator.log.store import LOG_NAME, Store, named_faults

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_SESSIONS = ("session_id", "arm_id", "agent_id", "day", "sim_time", "ended_by")
_STEPS = ("team_arm_id", "item_id", "page", "display_position", "rank", "examined", "clicked", "rating")
_EVENTS = ("event_id", "impression_id", "kind", "value")
_OF_EVENTS = ("impression_id", "session_id", "team_arm_id", "item_id", "page")
"""Columns that queries on excerpts ask for."""

Tables = Mapping[str, "pa.Table"]
"""Table -> some of its rows."""


class Excerpt(Protocol):
    """Which rows; equal excerpts are of the same rows."""

    def __hash__(self) -> int: ...

    def cut(self, log: ColumnarConnection) -> Tables:
        """The rows, in the order of the log."""
        ...


@dataclass(frozen=True, slots=True)
class OfAgents:
    """Sessions of one of so many agents, and their impressions.

    Attributes:
        first: Number of an agent who is one of them.
        every: One of so many.
    """

    first: int
    every: int

    def are_among(self, others: OfAgents) -> bool:
        """Whether they all are among some others."""
        return self.first == others.first and self.every % others.every == 0

    def chosen(self, sessions: pa.Table) -> BoolArray:
        """Which sessions are theirs."""
        return np.asarray((sessions.column("agent_id").to_numpy() - self.first) % self.every == 0)

    def cut(self, log: ColumnarConnection) -> Tables:
        """See `Excerpt`."""
        shown, came = [], []
        for each in rows_in_parts(log, parts_of(log, "impressions"), _STEPS, _SESSIONS):
            chosen = self.chosen(each.sessions)
            shown.append(each.among(chosen[each.of]).rows)
            came.append(each.sessions.filter(chosen))
        return {"sessions": _joined("sessions", came), "impressions": _joined("impressions", shown)}


@dataclass(frozen=True, slots=True)
class WithEvents:
    """Events of some kinds, with their impressions and sessions.

    Attributes:
        kinds: Of events.
        agents: Whose; everybody's if absent.
    """

    kinds: tuple[str, ...]
    agents: OfAgents | None = None

    def cut(self, log: ColumnarConnection) -> Tables:
        """See `Excerpt`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        kinds = pa.array(self.kinds, pa.string())
        known = parts_of(log, "events")
        wanted = [part for part in known if pc.any(pc.is_in(read_part(log, part, ["kind"]).column(0), kinds)).as_py()]
        shown = {part.first_session: part for part in parts_of(log, "impressions")}
        found: dict[str, list[pa.Table]] = {"sessions": [], "impressions": [], "events": []}
        for each in rows_in_parts(log, wanted, _EVENTS, _SESSIONS):
            events = each.among(np.asarray(pc.is_in(each.rows.column("kind"), kinds)))
            if self.agents is not None:
                events = events.among(self.agents.chosen(events.sessions)[events.of])
            found["events"].append(events.rows)
            found["sessions"].append(events.sessions.take(np.unique(events.of)))
            ids = np.unique(events.rows.column("impression_id").drop_null().to_numpy())
            if len(ids):
                found["impressions"].append(_impressions(log, shown.get(each.part.first_session), ids))
        return {name: _joined(name, tables) for name, tables in found.items()}


def _impressions(log: ColumnarConnection, part: Part | None, ids: IntArray) -> pa.Table:
    """Those of a part that have these numbers, which ascend."""
    if part is None or not part.first_id <= ids[0] <= ids[-1] < part.first_id + part.rows:
        raise refused("impression_id", "found an impression of another arm or day")
    return read_part(log, part, _OF_EVENTS).take(ids - part.first_id)


def _joined(name: str, tables: Sequence[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(tables) if tables else schema_of(name).empty_table()


class ExcerptReader(OpenLog):
    """The ground of readers that ask for some rows of large tables."""

    def __init__(self, log: Path | str | Store | Engine) -> None:
        super().__init__(log)
        self._kept: dict[Excerpt, Engine] = {}  # what was cut out before, as a log of its own
        self._cutting = Lock()

    def close(self) -> None:
        """Let go of the log, and of what was cut out of it."""
        for engine in self._kept.values():
            engine.dispose()
        super().close()

    def _numbers_of(self, table: Literal["agents", "items"]) -> range:
        """From the first number of all agents, or of all items, to the last; empty where there is none yet."""
        (found,) = self._rows(f"SELECT min({table[:-1]}_id) AS first, max({table[:-1]}_id) AS last FROM {table}")
        return range(0) if found["first"] is None else range(found["first"], found["last"] + 1)

    def _ask_of(self, excerpt: Excerpt, sql: str, **values: Any) -> pd.DataFrame:
        """As `_ask_all`, of a query that finds in an excerpt all that it asks for."""
        with self._asking_of(excerpt) as log:
            if log is None:
                return self._ask_all(sql, **values)
            return of_somebody(self, frame_of(log.table(sql, values)))

    @contextmanager
    def _asking_of(self, excerpt: Excerpt) -> Iterator[ColumnarConnection | None]:
        """A connection to an excerpt of a log in parts; None of any other log."""
        with self._connected() as connection:
            log = columnar(connection)
            if log is None:
                yield None
                return
            with self._cutting:  # who wants the same meanwhile waits for it
                engine = self._kept.get(excerpt)
                if engine is None:
                    engine = HeldStore(log.directory / LOG_NAME, excerpt.cut(log)).for_reading()
                if self._finished:
                    self._kept[excerpt] = engine
        try:
            with named_faults(self._place), engine.connect() as connection:
                yield columnar(connection)
        finally:
            if not self._finished:
                engine.dispose()
