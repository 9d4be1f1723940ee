"""The one writer of a run's log: whole visits go in, in transactions that a crash cannot cut in two."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import BudgetExhausted, RunDirectoryError, UserError
from groundlings.personas.population import Population
from groundlings.simulator.log import tables
from groundlings.simulator.log.integrity import damage_in
from groundlings.simulator.log.migrations import migrate
from groundlings.simulator.log.resume_reader import read_past
from groundlings.simulator.log.row_layout import Cohort, Origin, block_of
from groundlings.simulator.log.sqlite import SqliteStore
from groundlings.simulator.log.store import Store, named_faults
from groundlings.simulator.resume_state import Past
from groundlings.simulator.session import CohortRecord

WINDOW_SECONDS = 0.05
"""How long a decided visit may wait for others to be committed with; a power failure costs no more than this."""

_MOST_PAGES = 2_000
"""So many pages are enough for a transaction of their own."""


@dataclass(frozen=True, slots=True)
class ArmRow:
    """An arm as the log describes it."""

    name: str
    recommender: str
    options: Mapping[str, Any]
    sees_hidden_preference: bool


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that was begun earlier.

    Attributes:
        config_hash, dataset_hash: What it began with.
        done: Whether nothing is left to simulate.
        arms: What each arm has lived through.
    """

    config_hash: str
    dataset_hash: str
    done: bool
    arms: Mapping[str, Past]


class LogWriter:
    """Writes one run, or goes on with one that was interrupted.

    Use it as a context manager: leaving it by an error that a person can mend, or by Ctrl-C, marks the run as
    "interrupted", leaving it by any other as "failed". What was committed stays in either case.
    """

    def __init__(self, place: Path | Store) -> None:
        self._store = SqliteStore(place) if isinstance(place, Path) else place
        self._engine = self._store.for_writing()
        self._connection: Connection | None = None
        self._arms: dict[str, int] = {}
        self._next: Origin | None = None
        self._run_id = ""
        self._waiting: list[Cohort] = []
        self._waiting_pages = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._late_fault: Exception | None = None

    def __enter__(self) -> LogWriter:
        try:
            with named_faults(self._store):
                self._connection = self._engine.connect()
            with self._transaction() as connection:
                self._store.prepare(connection)
            with self._transaction() as connection:
                migrate(connection)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None and self._run_id:
                self._save_what_was_decided()
                self.close("interrupted" if issubclass(kind, _MENDABLE) else "failed")
        except RunDirectoryError:
            pass  # the disk is why we are here; the error on its way says so
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._connection is not None:
            with suppress(DBAPIError):  # a connection that was lost cannot say goodbye
                self._connection.close()
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Everything or nothing; what goes wrong with the database is a `RunDirectoryError`."""
        assert self._connection is not None, "LogWriter is a context manager"
        with named_faults(self._store), self._connection.begin():
            yield self._connection

    def begin(self, run: Mapping[str, Any], arms: Sequence[ArmRow], population: Population) -> None:
        """Write who takes part: the run (columns of `tables.runs`), its arms, agents and items."""
        self._run_id = run["run_id"]
        with self._transaction() as connection:
            connection.execute(insert(tables.runs), [{**run, "status": "running", "started_at": _now()}])
            first = {table.name: self._next_id(connection, table) for table in _NUMBERED}
            for position, arm in enumerate(arms):
                self._arms[arm.name] = first["arms"] + position
                row = {**asdict(arm), "options": _json(arm.options), "position": position}
                connection.execute(insert(tables.arms), {"arm_id": self._arms[arm.name], "run_id": self._run_id, **row})
            connection.execute(insert(tables.agents), self._agent_rows(population, first["agents"]))
            connection.execute(insert(tables.items), self._item_rows(population.catalog, first["items"]))
        self._next = _origin(first)

    def resume(self) -> PastRun | None:
        """Go on with the run in this log; None where nothing has begun yet and `begin` is to be called.

        Raises:
            RunDirectoryError: The database is damaged.
        """
        with self._transaction() as connection:
            self._store.check_integrity(connection)
            damage = damage_in(connection)
            if damage is not None:
                raise RunDirectoryError(f"{self._store}: the log is damaged: {damage}; restore it from a copy")
            run = connection.execute(select(tables.runs)).first()
            if run is None:
                return None
            self._run_id = run.run_id
            arms = connection.execute(select(tables.arms.c.name, tables.arms.c.arm_id)).all()
            self._arms = {arm.name: arm.arm_id for arm in arms}
            first = {table.name: self._next_id(connection, table) for table in _NUMBERED}
            for table in (tables.arms, tables.agents, tables.items):
                (key,) = table.primary_key.columns
                first[table.name] = connection.execute(select(func.min(key))).scalar_one()
            self._next = _origin(first)
            past = {name: read_past(connection, arm_id, self._next) for name, arm_id in self._arms.items()}
            done = run.status == "done"
            if not done:
                connection.execute(update(tables.runs).values(status="running", finished_at=None))
            return PastRun(run.config_hash, run.dataset_hash, done, past)

    def write(self, record: CohortRecord, *, arm: str, sim_time: int, policy_version: str) -> None:
        """Take a cohort's visits; all of their rows will be committed or none.

        Cohorts that come within moments share a transaction, because a commit takes as long as a hundred visits. In
        an event loop a cohort waits `WINDOW_SECONDS` at most, without one it is committed at once.

        Raises:
            RunDirectoryError: It, or a cohort before it, cannot be written.
        """
        if self._next is None:
            raise RuntimeError("LogWriter.write before LogWriter.begin")
        self._raise_late_fault()
        self._waiting.append(Cohort(record, self._arms[arm], sim_time, policy_version))
        self._waiting_pages += int(record.pages.sum())
        now = time.monotonic()
        self._due = self._due or now + WINDOW_SECONDS
        if self._waiting_pages >= _MOST_PAGES or now >= self._due or not self._set_timer():
            self.flush()

    def flush(self) -> None:
        """Commit every cohort that was taken."""
        self._raise_late_fault()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and self._next is not None:
            origin = self._next
            block = block_of(self._waiting, origin)
            with self._transaction() as connection:
                for table, part in (
                    (tables.sessions, block.sessions),
                    (tables.impressions, block.impressions),
                    (tables.events, block.events),
                ):
                    self._store.pour(connection, table, part.rows(nan_is_null=self._store.nan_is_null))
                for table, rows in (
                    (tables.calls, block.calls),
                    (tables.moods, block.moods),
                    (tables.memories, block.memories),
                    (tables.interviews, block.interviews),
                ):
                    if rows:
                        self._store.pour(connection, table, rows)
            self._next = replace(
                origin,
                session=origin.session + len(block.sessions),
                impression=origin.impression + len(block.impressions),
                event=origin.event + len(block.events),
                call=origin.call + len(block.calls),
            )
        self._waiting.clear()
        self._waiting_pages, self._due = 0, 0.0

    def _set_timer(self) -> bool:
        """Have the event loop commit in time; False where there is none."""
        if self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(WINDOW_SECONDS, self._flush_in_time)
            except RuntimeError:
                return False
        return True

    def _flush_in_time(self) -> None:
        """What the timer calls: nobody would hear an error here, so it is kept for whoever writes next."""
        self._timer = None
        try:
            self.flush()
        except Exception as fault:
            self._late_fault = fault

    def _raise_late_fault(self) -> None:
        if self._late_fault is not None:
            raise self._late_fault

    def close(self, status: str = "done") -> None:
        """Say how the run ended; a finished one gets its indexes and is folded into one file."""
        self.flush()
        with self._transaction() as connection:
            ended = {"status": status, "finished_at": _now()}
            connection.execute(update(tables.runs).where(tables.runs.c.run_id == self._run_id).values(ended))
            if status == "done":
                for name, columns in tables.INDEXES.items():
                    connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}"))
                self._store.add_references(connection)
        with self._transaction() as connection:
            self._store.settle(connection)

    def _save_what_was_decided(self) -> None:
        """Commit what waits, on the way out; where that fails too, the error on its way says why."""
        assert self._connection is not None
        if self._connection.invalidated:  # the server may be back already
            self._late_fault = None
            with self._transaction() as connection:
                self._store.prepare(connection)
            self.flush()
        elif self._late_fault is None:
            try:
                self.flush()
            except Exception as fault:
                self._late_fault = fault
        self._waiting.clear()
        self._late_fault = None

    def _next_id(self, connection: Connection, table: Table) -> int:
        (key,) = table.primary_key.columns
        last = connection.execute(select(func.max(key))).scalar_one()
        return self._store.first_id(connection) if last is None else last + 1

    def _agent_rows(self, population: Population, first: int) -> list[dict[str, Any]]:
        personas = map(population.persona, range(len(population)))
        return [
            {
                "agent_id": first + row,
                "run_id": self._run_id,
                "source_user_id": persona.user_id,
                "persona": _json(persona.as_dict()),
            }
            for row, persona in enumerate(personas)
        ]

    def _item_rows(self, catalog: Catalog, first: int) -> list[dict[str, Any]]:
        items = map(catalog.__getitem__, range(len(catalog)))
        return [
            {
                "item_id": first + item.index,
                "run_id": self._run_id,
                "source_item_id": item.item_id,
                "title": item.title,
                "year": item.year,
                "genres": "|".join(item.genres),
            }
            for item in items
        ]


_MENDABLE = (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit, UserError, BudgetExhausted)

_NUMBERED = (tables.arms, tables.agents, tables.items, tables.sessions, tables.impressions, tables.events, tables.calls)


def _origin(first: Mapping[str, int]) -> Origin:
    return Origin(
        arm=first["arms"],
        session=first["sessions"],
        impression=first["impressions"],
        event=first["events"],
        call=first["calls"],
        agent=first["agents"],
        item=first["items"],
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
