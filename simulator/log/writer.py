"""The one writer of a run's log: whole sessions go in, in transactions that a crash cannot cut in two."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, text, update

from groundlings.environments.actions import ActionSchema
from groundlings.environments.chat import CallRecord
from groundlings.environments.errors import BudgetExhausted, RunDirectoryError, TooMuchUnreadable, UserError
from groundlings.personas.population import Population
from groundlings.simulator.assignment import Assignment
from groundlings.simulator.interventions import Intervention
from groundlings.simulator.log import tables
from groundlings.simulator.log.assignment_rows import write_assignments
from groundlings.simulator.log.begun import Change, write_accepted
from groundlings.simulator.log.columns import Columns, Row
from groundlings.simulator.log.commit_window import MOST_PAGES_OF_PARTS, WINDOW_SECONDS_OF_PARTS, CommitWindow
from groundlings.simulator.log.connection import WritingConnection
from groundlings.simulator.log.integrity import damage_in
from groundlings.simulator.log.intervention_rows import write_interventions
from groundlings.simulator.log.lesson_rows import write_lessons
from groundlings.simulator.log.numbering import first_origin, next_ids
from groundlings.simulator.log.participants import ArmRow, Personas, as_json, item_rows, write_agents
from groundlings.simulator.log.presentation_rows import presentations
from groundlings.simulator.log.resume_reader import PastRun, read_resumption
from groundlings.simulator.log.row_layout import Block, Cohort, Origin, block_of
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
from groundlings.simulator.log.session_hashes import Hashes, names_in
from groundlings.simulator.log.session_records import Names
from groundlings.simulator.log.shard_rows import Counts, Destination, ShardRows, rows_in_files
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
        self._written: Origin | None = None  # before `_next` while rows are laid out elsewhere
        self._run_id = ""
        self._chain: Chain | None = None  # None where an earlier version began the log, and it is not sealed
        self._hashes: dict[tuple[int, int], list[NDArray[np.uint8]]] | None = None
        self._names: Names | None = None
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
        assignment: Assignment | None = None,
    ) -> None:
        """Write the participants: the run, its arms, agents and items; and what is to change.

        Args:
            run: Columns of `tables.runs`.
            arms: The arms, in the order of the YAML.
            population: The agents, and the items.
            interventions: What is to change in arms.
            personas: What is kept of each agent.
            assignment: Which arm each agent lives in; None where ties cross no arms.
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
            homes = None
            if assignment is not None:
                homes = write_assignments(connection, self._store, self._arms, first["agents"], assignment)
            items = RowSeal(tables.items)
            things = item_rows(population.catalog, self._run_id, first["items"])
            self._store.pour(connection, tables.items, items.passing(things))
            chain = last_seal(connection)
            if chain is not None:
                chain = write_seal(connection, chain, "run", *seal_of_run(connection))
                chain = write_seal(connection, chain, "arms", *seal_of_arms(connection))
                chain = write_seal(connection, chain, "agents", *agents)
                if homes is not None:
                    chain = write_seal(connection, chain, "assignments", *homes)
                chain = write_seal(connection, chain, "items", *items.seal)
                chain = write_seal(connection, chain, "state", *seal_of_state(connection))
        self._chain, self._hashes = chain, {}
        self._next = self._written = first_origin(first)

    def resume(self, schema: ActionSchema, *, lists: bool = False) -> PastRun | None:
        """Continue the run in this log; None where the log is empty and `begin` is to be called.

        Args:
            schema: Says which action recommenders have learnt from.
            lists: Whether what was shown is read as well, for minds that count it and for returns that depend on it.

        Raises:
            RunDirectoryError: The database is damaged, or was changed since it was written.
        """
        with self._connection.transaction() as connection:
            if not self._connection.made:
                self._refuse_changed(connection)
            if self._store.keeper is not None:
                self.leftovers = self._store.keeper.clear_leftovers(connection)
            found = read_resumption(connection, self._store, schema, lists=lists)
            if found is None:
                return None
            self._chain = last_seal(connection)
            self._run_id, self._arms = found.run_id, dict(found.arm_ids)
            self._next = self._written = found.origin
            if not found.past.begun.done:
                connection.execute(update(tables.runs).values(status="running", finished_at=None))
                self._chain = self._with_state(connection)
            return found.past

    def _refuse_changed(self, connection: Connection) -> None:
        """Read all of a log that was there before, and raise `RunDirectoryError` where it is not as it was written."""
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

    def destination(self, arm: str, *, sim_time: int, policy_version: str) -> Destination:
        """Where sessions of an arm go, for whoever lays out their rows.

        Whatever was accepted before is committed, because from here on ids are given out by `claim`.
        """
        self.flush()
        first, in_files = self._begun(), self._store.keeper is not None
        if self._hashes is not None and self._names is None:
            with self._connection.transaction() as connection:
                self._names = names_in(connection)
        names = None if self._hashes is None else self._names
        return Destination(
            in_files, self._arms[arm], sim_time, policy_version, first.arm, first.agent, first.item, names
        )

    def claim(self, counts: Counts) -> Origin:
        """Ids for rows that are laid out elsewhere: where they begin. Rows are claimed, and written, in one order."""
        claimed = self._begun()
        self._next = counts.after(claimed)
        return claimed

    def follows(self, rows: ShardRows) -> bool:
        """Whether some rows are the next ones; they are not where others that were claimed before are missing."""
        return rows.origin == self._written

    def write(self, sessions: CohortRecord | ShardRows, *, arm: str, sim_time: int, policy_version: str) -> None:
        """Accept the sessions of a cohort: all of their rows are committed or none.

        A record is committed at once or within `CommitWindow`'s time, rows that were laid out elsewhere are at once.

        Raises:
            RunDirectoryError: This cohort, or one before it, cannot be written.
        """
        if isinstance(sessions, CohortRecord):
            self._begun()
            self._hashes = None
            self._window.take(Cohort(sessions, self._arms[arm], sim_time, policy_version))
            return
        if not self.follows(sessions):
            raise RuntimeError(f"rows begin at {sessions.origin}, and those before them end at {self._written}")
        with self._connection.transaction() as connection:
            chain = self._add(connection, sessions, self._chain)
        self._written, self._chain = sessions.counts.after(sessions.origin), chain
        if sessions.hashes is None:
            self._hashes = None
        elif self._hashes is not None:
            self._hashes.setdefault((sessions.arm_id, sessions.day), []).append(sessions.hashes)

    @property
    def hashes(self) -> Hashes | None:
        """Of all sessions of the log, for its digest; None unless each was hashed by whoever laid out its rows."""
        return self._hashes

    def teach(self, arm: str, day: int, calls: Sequence[CallRecord]) -> None:
        """Commit what the recommender of an arm asked in order to learn, before a day."""
        if not calls:
            return
        self.flush()
        with self._connection.transaction() as connection:
            sealed = write_lessons(connection, self._arms[arm], day, calls)
            chain = None if self._chain is None else write_seal(connection, self._chain, "lessons", *sealed)
        self._chain = chain

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

    def _begun(self) -> Origin:
        if self._next is None:
            raise RuntimeError("LogWriter.write before LogWriter.begin")
        return self._next

    def _commit(self, cohorts: Sequence[Cohort]) -> None:
        """Write the rows of some cohorts in one transaction, and advance the ids."""
        origin, chain = self._begun(), self._chain
        in_parts = self._store.keeper is not None
        with self._connection.transaction() as connection:
            for together in _by_arm_and_day(cohorts) if in_parts else [cohorts]:
                block = block_of(together, origin)
                counts = Counts(len(block.sessions), len(block.impressions), len(block.events), len(block.calls))
                placed = [(cohort.arm_id, int(cohort.record.sessions.day)) for cohort in together]
                if in_parts:
                    chain = self._add(connection, rows_in_files(block, origin, counts, *placed[0]), chain)
                else:
                    self._pour(connection, block)
                    if chain is not None:
                        chain = self._sealed(connection, chain, seal_of_block(placed, block, origin))
                origin = counts.after(origin)
        self._next, self._written, self._chain = origin, origin, chain

    def _add(self, connection: Connection, rows: ShardRows, chain: Chain | None) -> Chain | None:
        """Write rows of one arm and day with their seal; where seals go on."""
        parts = None
        if self._store.keeper is not None:
            parts = self._store.keeper.keep(connection, rows)
        self._pour(connection, rows.block, () if rows.files is not None else tables.LARGE)
        if chain is None:
            return None
        seal = rows.seal or seal_of_block([(rows.arm_id, rows.day)], rows.block, rows.origin, parts)
        return self._sealed(connection, chain, seal)

    def _pour(self, connection: Connection, block: Block, large: Sequence[str] = tables.LARGE) -> None:
        """Write rows into the database: some of the large tables, and all small ones."""
        for name in large:
            columns: Columns = getattr(block, name)
            width = columns.filled
            rows = columns.rows(nan_is_null=self._store.nan_is_null, width=width)
            self._store.pour(connection, tables.metadata.tables[name], rows, width)
        if block.presentations:
            presentations.create(connection, checkfirst=True)
        for table in (tables.calls, tables.moods, tables.memories, tables.interviews, presentations):
            listed: list[Row] = getattr(block, table.name)
            if listed:
                self._store.pour(connection, table, listed)

    def _sealed(self, connection: Connection, chain: Chain, seal: tuple[Mapping[str, Any], str]) -> Chain:
        """The chain, longer by the seal of some rows."""
        row, longer = chain.after("rows", *seal)
        self._store.pour(connection, tables.seals, [row])
        return longer

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
