"""The one writer of a run's log: whole sessions go in, in transactions that a crash cannot cut in two."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, insert, text, update

from groundlings.environments.actions import ActionSchema
from groundlings.environments.errors import BudgetExhausted, RunDirectoryError, TooMuchUnreadable, UserError
from groundlings.personas.population import Population
from groundlings.simulator.interventions import Intervention
from groundlings.simulator.log import tables
from groundlings.simulator.log.begun import Change, write_accepted
from groundlings.simulator.log.columns import Columns, Row
from groundlings.simulator.log.commit_window import MOST_PAGES_OF_PARTS, WINDOW_SECONDS_OF_PARTS, CommitWindow
from groundlings.simulator.log.connection import WritingConnection
from groundlings.simulator.log.integrity import damage_in
from groundlings.simulator.log.intervention_rows import write_interventions
from groundlings.simulator.log.numbering import first_origin, next_ids
from groundlings.simulator.log.participants import ArmRow, Personas, as_json, item_rows, write_agents
from groundlings.simulator.log.resume_reader import PastRun, read_resumption
from groundlings.simulator.log.row_layout import Cohort, Origin, block_of
from groundlings.simulator.log.seal_check import seals_in
from groundlings.simulator.log.seals import (
    Chain,
    RowSeal,
    last_seal,
    seal_of_arms,
    seal_of_block,
    seal_of_run,
    seal_of_state,
    write_seal,
)
from groundlings.simulator.log.store import Store, on_disk
from groundlings.simulator.session import CohortRecord

__all__ = ["ArmRow", "LogWriter", "PastRun"]

_MENDABLE = (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit, UserError, BudgetExhausted, TooMuchUnreadable)


class LogWriter:
    """Writes the log of one run, or continues that of an interrupted one.

    Use it as a context manager: leaving it by an error that a person can mend, or by Ctrl-C, marks the run as
    "interrupted", leaving it by any other as "failed". What was committed stays in either case.
    """

    def __init__(self, place: Path | Store) -> None:
        self._store = on_disk(place) if isinstance(place, Path) else place
        self._connection = WritingConnection(self._store)
        self._arms: dict[str, int] = {}
        self._next: Origin | None = None
        self._run_id = ""
        self._chain: Chain | None = None  # None where an earlier version began the log, and it is not sealed
        wait = () if self._store.keeper is None else (WINDOW_SECONDS_OF_PARTS, MOST_PAGES_OF_PARTS)
        self._window = CommitWindow(self._commit, *wait)
        self.leftovers = 0
        """Files of a killed run that `resume` found beside its log, and removed."""

    def __enter__(self) -> LogWriter:
        self._connection.open()
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
            self._connection.close()

    def begin(
        self,
        run: Mapping[str, Any],
        arms: Sequence[ArmRow],
        population: Population,
        interventions: Sequence[Intervention] = (),
        personas: Personas = "full",
    ) -> None:
        """Write the participants: the run, its arms, agents and items; and what is to change.

        Args:
            run: Columns of `tables.runs`.
            arms: The arms, in the order of the YAML.
            population: The agents, and the items.
            interventions: What is to change in arms.
            personas: What is kept of each agent.
        """
        self._run_id = run["run_id"]
        with self._connection.transaction() as connection:
            connection.execute(insert(tables.runs), [{**run, "status": "running", "started_at": _now()}])
            first = next_ids(connection, self._store)
            for position, arm in enumerate(arms):
                self._arms[arm.name] = first["arms"] + position
                row = {**asdict(arm), "options": as_json(arm.options), "position": position}
                connection.execute(insert(tables.arms), {"arm_id": self._arms[arm.name], "run_id": self._run_id, **row})
            write_interventions(connection, self._arms, interventions)
            agents = write_agents(connection, self._store, population, self._run_id, first["agents"], personas)
            items = RowSeal(tables.items)
            things = item_rows(population.catalog, self._run_id, first["items"])
            self._store.pour(connection, tables.items, items.passing(things))
            chain = last_seal(connection)
            if chain is not None:
                chain = write_seal(connection, chain, "run", *seal_of_run(connection))
                chain = write_seal(connection, chain, "arms", *seal_of_arms(connection))
                chain = write_seal(connection, chain, "agents", *agents)
                chain = write_seal(connection, chain, "items", *items.seal)
                chain = write_seal(connection, chain, "state", *seal_of_state(connection))
        self._chain = chain
        self._next = first_origin(first)

    def resume(self, schema: ActionSchema, *, lists: bool = False) -> PastRun | None:
        """Continue the run in this log; None where the log is empty and `begin` is to be called.

        Args:
            schema: Says which action recommenders have learnt from.
            lists: Whether what was shown is read as well, for minds that count it and for returns that depend on it.

        Raises:
            RunDirectoryError: The database is damaged, or was changed since it was written.
        """
        with self._connection.transaction() as connection:
            self._store.check_integrity(connection)
            damage = damage_in(connection)
            if damage is not None:
                raise RunDirectoryError(f"{self._store}: the log is damaged: {damage}; restore it from a copy")
            changed = seals_in(connection).faults
            if changed:
                raise RunDirectoryError(
                    f"{self._store}: the log is not as it was written: {'; '.join(changed)}; nothing was added to it, "
                    "restore it from a copy, or start a new run"
                )
            if self._store.keeper is not None:
                self.leftovers = self._store.keeper.clear_leftovers(connection)
            found = read_resumption(connection, self._store, schema, lists=lists)
            if found is None:
                return None
            self._chain = last_seal(connection)
            self._run_id, self._arms, self._next = found.run_id, dict(found.arm_ids), found.origin
            if not found.past.begun.done:
                connection.execute(update(tables.runs).values(status="running", finished_at=None))
                self._chain = self._with_state(connection)
            return found.past

    def accept(self, changes: Sequence[Change]) -> None:
        """Write down which parts of what the run depends on have changed, and that it goes on all the same."""
        with self._connection.transaction() as connection:
            write_accepted(connection, self._run_id, changes)
            chain = self._with_state(connection)
        self._chain = chain

    def intervene(self, changes: Sequence[Intervention]) -> None:
        """Write down what will be changed in arms, before it is."""
        self.flush()
        with self._connection.transaction() as connection:
            write_interventions(connection, self._arms, changes)
            chain = self._with_state(connection)
        self._chain = chain

    def write(self, record: CohortRecord, *, arm: str, sim_time: int, policy_version: str) -> None:
        """Accept a cohort's sessions: all of their rows are committed or none, at once or within `CommitWindow`'s time.

        Raises:
            RunDirectoryError: This cohort, or one before it, cannot be written.
        """
        if self._next is None:
            raise RuntimeError("LogWriter.write before LogWriter.begin")
        self._window.take(Cohort(record, self._arms[arm], sim_time, policy_version))

    def flush(self) -> None:
        """Commit every accepted cohort."""
        self._window.flush()

    def close(self, status: str = "done") -> None:
        """Set the status of the run; if done, create the indexes and leave a single database file."""
        self.flush()
        with self._connection.transaction() as connection:
            ended = {"status": status, "finished_at": _now()}
            connection.execute(update(tables.runs).where(tables.runs.c.run_id == self._run_id).values(ended))
            chain = self._with_state(connection)
            if status == "done":
                for name, columns in tables.INDEXES.items():
                    connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}"))
                self._store.add_references(connection)
        self._chain = chain
        with self._connection.transaction() as connection:
            self._store.settle(connection)

    def _commit(self, cohorts: Sequence[Cohort]) -> None:
        """Write the rows of some cohorts in one transaction, and advance the ids."""
        assert self._next is not None
        origin, chain = self._next, self._chain
        with self._connection.transaction() as connection:
            for together in [cohorts] if self._store.keeper is None else _by_arm_and_day(cohorts):
                origin, chain = self._add(connection, together, origin, chain)
        self._next, self._chain = origin, chain

    def _add(
        self, connection: Connection, cohorts: Sequence[Cohort], origin: Origin, chain: Chain | None
    ) -> tuple[Origin, Chain | None]:
        """Write one block of rows with its seal; where ids and seals go on."""
        block = block_of(cohorts, origin)
        parts = None if self._store.keeper is None else self._store.keeper.keep(connection, block, cohorts[0])
        for table in (tables.sessions, tables.impressions, tables.events) if parts is None else ():
            columns: Columns = getattr(block, table.name)
            width = columns.filled
            rows = columns.rows(nan_is_null=self._store.nan_is_null, width=width)
            self._store.pour(connection, table, rows, width)
        for table in (tables.calls, tables.moods, tables.memories, tables.interviews):
            listed: list[Row] = getattr(block, table.name)
            if listed:
                self._store.pour(connection, table, listed)
        if chain is not None:
            seal, chain = chain.after("rows", *seal_of_block(cohorts, block, origin, parts))
            self._store.pour(connection, tables.seals, [seal])
        after = replace(
            origin,
            session=origin.session + len(block.sessions),
            impression=origin.impression + len(block.impressions),
            event=origin.event + len(block.events),
            call=origin.call + len(block.calls),
        )
        return after, chain

    def _with_state(self, connection: Connection) -> Chain | None:
        """The chain, longer by what the run's row says of itself now."""
        if self._chain is None:
            return None
        return write_seal(connection, self._chain, "state", *seal_of_state(connection))

    def _save_what_was_decided(self) -> None:
        """Commit the waiting cohorts when an error leaves the writer; a server that was lost may be back already."""
        if self._connection.lost:
            self._window.forget_fault()
            self._connection.prepare()
            self.flush()
        else:
            self._window.leave()


def _by_arm_and_day(cohorts: Sequence[Cohort]) -> Iterator[list[Cohort]]:
    """The cohorts in their order, those that follow each other in an arm and day together."""
    for _, together in groupby(cohorts, key=lambda each: (each.arm_id, int(each.record.sessions.day))):
        yield list(together)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
