"""Whether a log is as it was written: its seals computed again from what stands in it now."""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from sqlalchemy import Connection, Engine, Row, Table, func, inspect, select
from sqlalchemy.exc import DBAPIError

from groundlings.simulator.log import measured_agents, tables
from groundlings.simulator.log.assignment_rows import assignments
from groundlings.simulator.log.canonical import Hash, NotOurs, absorb, kinds_of
from groundlings.simulator.log.columns import Column
from groundlings.simulator.log.lesson_rows import lesson_faults
from groundlings.simulator.log.migrations import missing_tables, schema_version
from groundlings.simulator.log.part_check import part_faults
from groundlings.simulator.log.presentation_rows import has_presentations, presentations
from groundlings.simulator.log.seal_words import NAMES, told
from groundlings.simulator.log.sealed_rows import LargeTables, columns_in_batches, columns_of_tables, columns_read
from groundlings.simulator.log.seals import (
    BY_SESSION,
    LATER,
    NUMBERED,
    START,
    always_hashed,
    begin_hash,
    begin_table,
    hashed_kinds,
    next_seal,
    numbered_rows,
    seal_of_arms,
    seal_of_run,
    seal_of_state,
)
from groundlings.simulator.log.sqlite_columns import NotAsColumns, SqliteColumns, sqlite_columns

if TYPE_CHECKING:
    import pyarrow as pa

Fate: TypeAlias = Literal["changed", "added", "removed"]

_SEALED_SINCE = 4
"""The first schema that has a table of seals."""

_ONCE = ("run", "arms", "agents", "items")
"""Kinds of seals of which each log has one: what a run begins with."""


def _part_of_run(name: str) -> str:
    return NAMES.get(name, f"runs.{name}")


@dataclass(frozen=True, slots=True)
class SealReport:
    """What the seals of a log say.

    Attributes:
        sealed: Whether the log has seals; those that an earlier version began have none.
        faults: What is not as it was written, in plain words; empty for a log that is.
        blocks, blocks_read: Seals of rows, and how many of them were computed again.
        rows, rows_read: Rows that the seals cover, and those that were read.
        last: The last seal; None where the log has none.
        manifests: SHA-256 of every manifest that was written beside the log -> the seal that was given to it.
    """

    sealed: bool
    faults: tuple[str, ...] = ()
    blocks: int = 0
    blocks_read: int = 0
    rows: int = 0
    rows_read: int = 0
    last: str | None = None
    manifests: Mapping[str, str] = field(default_factory=dict)

    @property
    def chance(self) -> float:
        """With which an edit of one block's rows would have been noticed."""
        return self.blocks_read / self.blocks if self.blocks else 1.0


Onward: TypeAlias = Callable[[Mapping[str, "pa.Table"]], None]
"""Takes the rows of a block in `sessions`, `impressions` and `events` as the database holds them, behind their keys."""


def check_seals(engine: Engine, most_rows: int | None = None) -> SealReport:
    """Compute the seals of a log again.

    The chain, the configuration, the arms and the number of rows are always checked. Where a log has more rows than
    asked for, blocks of rows are drawn at random.

    Args:
        engine: Of the log; nothing is changed.
        most_rows: About how many rows are read; all of them without it.

    Raises:
        RunDirectoryError: From `named_faults` around the call: the log cannot be read.
    """
    with engine.connect() as plain:
        sqlite = plain.dialect.name == "sqlite"
        connection = plain if sqlite else plain.execution_options(isolation_level="REPEATABLE READ")
        if sqlite:
            connection.exec_driver_sql("BEGIN")  # one state of the log, even while a run writes it
        return seals_in(connection, most_rows, sqlite_columns(connection))


def seals_in(
    connection: Connection,
    most_rows: int | None = None,
    columns: SqliteColumns | None = None,
    onward: Onward | None = None,
) -> SealReport:
    """As `check_seals`, in the transaction of a connection.

    Args:
        connection: To the log.
        most_rows: As of `check_seals`.
        columns: Reads large tables; the connection does if absent, as it must while this process writes the log.
        onward: Is given each block that was read as columns and is as it was written.
    """
    if not inspect(connection).has_table(tables.seals.name):
        taken = schema_version(connection) >= _SEALED_SINCE
        return SealReport(
            sealed=False, faults=("the seals of the log were taken away: it has no table of them",) * taken
        )
    seals = connection.execute(select(tables.seals).order_by(tables.seals.c.seal_id)).all()
    if [seal.kind for seal in seals] == ["unsealed"]:
        return SealReport(sealed=False)
    if missing := missing_tables(connection):
        return SealReport(sealed=True, faults=(f"the table {missing[0]} was taken away",))
    if not seals and connection.execute(select(tables.runs.c.run_id)).first() is None:
        return SealReport(sealed=True)
    return _Check(connection, seals, columns, onward).report(most_rows)


class _Check:
    """One pass over a sealed log."""

    def __init__(
        self,
        connection: Connection,
        seals: Sequence[Row[Any]],
        columns: SqliteColumns | None,
        onward: Onward | None = None,
    ) -> None:
        self._connection, self._as_columns, self._onward = connection, columns, onward
        self._large: LargeTables | None = None
        self._seals = seals
        self._covers: list[Mapping[str, Any]] = []
        here = inspect(connection)
        self._later = {column["name"] for name in LATER if here.has_table(name) for column in here.get_columns(name)}

    def report(self, most_rows: int | None) -> SealReport:
        broken = list(self._broken_chain())
        if broken:
            return SealReport(True, tuple(broken), last=self._seals[-1].seal if self._seals else None)
        rows = list(self._pairs("rows"))
        blocks = [covers for covers, _ in rows]
        counts = [sum(covers[name][1] for name in NUMBERED) for covers in blocks]
        chosen = _drawn(counts, most_rows)
        taught = [(covers["first"], covers["rows"], seal.content) for covers, seal in self._pairs("lessons")]
        faults = [
            *self._beginnings(),
            *self._state(),
            *self._fates(blocks, [rows[number] for number in chosen]),
            *lesson_faults(self._connection, taught),
        ]
        return SealReport(
            sealed=True,
            faults=tuple(faults),
            blocks=len(blocks),
            blocks_read=len(chosen),
            rows=sum(counts),
            rows_read=sum(counts[number] for number in chosen),
            last=self._seals[-1].seal,
            manifests={seal.content: seal.seal for _, seal in self._pairs("manifest")},
        )

    def _pairs(self, kind: str) -> Iterator[tuple[Mapping[str, Any], Row[Any]]]:
        for covers, seal in zip(self._covers, self._seals, strict=True):
            if seal.kind == kind:
                yield covers, seal

    def _broken_chain(self) -> Iterator[str]:
        """Seals that do not follow from those before them, or are not there."""
        before = START
        for number, seal in enumerate(self._seals, start=1):
            try:
                covers = json.loads(seal.covers)
                follows = seal.seal == next_seal(before, seal.kind, seal.covers, seal.content)
            except (TypeError, ValueError, RecursionError):
                follows = False
            if seal.seal_id != number or not follows:
                yield f"the seals were changed: seal {seal.seal_id} does not follow from the one before it"
                return
            self._covers.append(covers)
            before = seal.seal
        missing = [kind for kind in (*_ONCE, "state") if not any(seal.kind == kind for seal in self._seals)]
        if missing:
            yield f"the seals were changed: there is none of the kind {missing[0]!r}"

    def _beginnings(self) -> Iterator[str]:
        """What of the things that a run begins with is no longer as it was."""
        ((covers, _),) = self._pairs("run")
        yield from self._differing(covers, seal_of_run, _part_of_run)
        ((covers, _),) = self._pairs("arms")
        yield from self._differing(covers, seal_of_arms, "arm {}".format)
        agents = measured_agents.stored if measured_agents.are_measured(self._connection) else tables.agents
        for table in (agents, tables.items):
            ((covers, seal),) = self._pairs(table.name)
            yield from self._changed_whole(table, covers, seal.content)
        for covers, seal in self._pairs(assignments.name):
            if inspect(self._connection).has_table(assignments.name):
                yield from self._changed_whole(assignments, covers, seal.content)
            else:
                yield f"the table {assignments.name} was taken away"

    def _state(self) -> Iterator[str]:
        covers, _ = list(self._pairs("state"))[-1]
        yield from self._differing(covers, seal_of_state, _part_of_run)

    def _differing(self, covers: Mapping[str, Any], seal_again: Any, called: Callable[[str], str]) -> Iterator[str]:
        """What a seal covers and is not as it was; `called` is what messages call a part of it."""
        try:
            now, _ = seal_again(self._connection)
        except DBAPIError as fault:  # a table or a column is not there
            yield f"what is sealed cannot be read ({' '.join(str(fault.orig).split())})"
            return
        except Exception:  # a row that is not there, or two of them: one part stands for whatever differs
            yield from (f"{called(name)} was changed" for name in list(covers)[:1])
            return
        yield from (
            f"{called(name)} was changed" for name in sorted({*covers, *now}) if covers.get(name) != now.get(name)
        )

    def _changed_whole(self, table: Table, covers: Mapping[str, Any], content: str) -> Iterator[str]:
        """A table that is written at once, when a run begins."""
        (key,) = table.primary_key.columns
        total = begin_hash(table)
        found = 0
        columns = table.columns.keys()[1:]
        try:
            for piece in columns_read(
                self._connection, f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY {key.name}"
            ):
                found += len(piece[0])
                absorb(total, kinds_of(table)[1:], piece)
            same = total.hexdigest() == content
        except NotOurs:
            same = False
        if found != covers["rows"]:
            yield f"rows of {table.name} were {'added' if found > covers['rows'] else 'removed'}"
        elif not same:
            yield f"rows of {table.name} were changed"

    def _fates(
        self, blocks: Sequence[Mapping[str, Any]], chosen: Sequence[tuple[Mapping[str, Any], Row[Any]]]
    ) -> Iterator[str]:
        """What became of sessions, by arm and day."""
        yield from part_faults(self._connection, blocks, [covers for covers, _ in chosen])
        fates: dict[Fate, set[tuple[int, int]]] = defaultdict(set)
        if self._as_columns is not None and len(chosen) == len(blocks):
            self._large = LargeTables(self._as_columns, {name: self._wanted(name) for name in tables.LARGE})
        for covers, seal in chosen:
            fate = self._fate(covers, seal.content)
            if fate is not None:
                fates[fate] |= {(arm, day) for arm, day in covers["visits"]}
        names = {row.arm_id: row.name for row in self._connection.execute(select(tables.arms)).all()}
        for fate, sessions in fates.items():
            yield f"rows of {told(sessions, names)} were {fate} after they were written"
        yield from self._beyond(blocks)

    def _fate(self, covers: Mapping[str, Any], content: str) -> Fate | None:
        """What became of the rows of a block; None where they are as they were."""
        try:
            held = {} if self._large is None else self._large.of({name: covers[name] for name in tables.LARGE})
            fate = self._fate_of_rows(covers, content, held)
        except NotAsColumns:  # a value of another kind; `sqlite3` reads any, and the block from its beginning
            self._as_columns = self._large = None
            return self._fate_of_rows(covers, content, {})
        if fate is None and held and self._onward is not None:
            self._onward(held)
        return fate

    def _fate_of_rows(self, covers: Mapping[str, Any], content: str, held: Mapping[str, pa.Table]) -> Fate | None:
        """As `_fate`; rows of large tables that are held are not read."""
        total = hashlib.sha256()
        try:
            for name in numbered_rows(covers.get("parts")):
                first, count = covers[name]
                found = self._absorb_range(total, tables.metadata.tables[name], first, count, count, held.get(name))
                if found != count:
                    return "removed" if found < count else "added"
            first, count = covers["sessions"]
            for name in BY_SESSION:
                self._absorb_range(total, tables.metadata.tables[name], first, count, covers[name])
            if presentations.name in covers:
                if not has_presentations(self._connection):
                    return "removed"
                self._absorb_range(total, presentations, first, count, covers[presentations.name])
        except NotOurs:
            return "changed"
        return None if total.hexdigest() == content else "changed"

    def _absorb_range(
        self, total: Hash, table: Table, first: int, count: int, rows: int, held: pa.Table | None = None
    ) -> int:
        """Have a hash take in the rows between two keys; how many there are."""
        begin_table(total, table, rows)
        if not rows and table.name in NUMBERED:
            return 0
        keys = [column.name for column in table.primary_key.columns]
        columns = self._hashed(table)
        between = f"FROM {table.name} WHERE {keys[0]} BETWEEN {int(first)} AND {int(first) + int(count) - 1}"
        pieces: Iterator[Sequence[Column]]
        if held is not None:
            read = [name for name in columns if name in held.schema.names]
            pieces = columns_of_tables([held], table, read)
        else:
            read = columns[: len(columns) - self._unused(table, columns, between)]
            if self._as_columns is not None and table.name in tables.LARGE:
                pieces = columns_in_batches(self._as_columns, table, read, between)
            else:
                query = f"SELECT {', '.join(read)} {between} ORDER BY {', '.join(keys)}"
                pieces = columns_read(self._connection, query)
        found = 0
        for piece in pieces:
            found += len(piece[0])
            nothing = [np.full(len(piece[0]), np.nan)] * (len(columns) - len(read))
            absorb(total, hashed_kinds(table)[: len(columns)], [*piece, *nothing], always_hashed(table))
        return found

    def _hashed(self, table: Table) -> list[str]:
        """The columns of a table that are hashed, as far as the log has them."""
        return [name for name in table.columns.keys()[1 if table.name in NUMBERED else 0 :] if self._has(table, name)]

    def _wanted(self, name: str) -> list[str]:
        """The columns of a table that are read where all of its rows are."""
        columns = self._hashed(tables.metadata.tables[name])
        return columns[: len(columns) - self._unused(tables.metadata.tables[name], columns, f"FROM {name} WHERE TRUE")]

    def _unused(self, table: Table, columns: Sequence[str], between: str) -> int:
        """How many of the last columns hold nothing in some rows: to ask that is cheaper than to read them."""
        seldom = [name for name in columns if name in _SELDOM.get(table.name, ())]
        if len(seldom) < 2:
            return 0
        query = f"SELECT 1 {between} AND ({' OR '.join(f'{name} IS NOT NULL' for name in seldom)}) LIMIT 1"
        return 0 if self._connection.exec_driver_sql(query).first() else len(seldom)

    def _has(self, table: Table, column: str) -> bool:
        """Whether a log has a column; one of an earlier schema lacks those that came later."""
        return column not in LATER.get(table.name, ()) or column in self._later

    def _beyond(self, blocks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Rows in front of or behind all that seals cover."""
        apart = tables.LARGE if any("parts" in covers for covers in blocks) else ()
        known = [tables.metadata.tables[name] for name in (*NUMBERED, *BY_SESSION) if name not in apart]
        for table in (*known, *((presentations,) if has_presentations(self._connection) else ())):
            counted = table.name if table.name in NUMBERED else "sessions"
            sealed = [covers for covers in blocks if table is not presentations or table.name in covers]
            ranges = [covers[counted] for covers in sealed if covers[counted][1]]
            key = next(iter(table.primary_key.columns))
            # Two queries: SQLite looks up one end of a key in a step, and for both in one query reads the whole table.
            low, high = (self._connection.execute(select(end(key))).scalar_one() for end in (func.min, func.max))
            if low is not None and not (ranges and ranges[0][0] <= low and high <= ranges[-1][0] + ranges[-1][1] - 1):
                yield f"rows were added to {table.name}"


def _drawn(counts: Sequence[int], most_rows: int | None) -> list[int]:
    """Which blocks are read: all, or so many drawn at random that they hold about as many rows as wanted."""
    total = sum(counts)
    if most_rows is None or total <= most_rows:
        return list(range(len(counts)))
    number = max(1, len(counts) * most_rows // total) if most_rows else 0
    return sorted(random.SystemRandom().sample(range(len(counts)), number))  # nobody can know which


_SELDOM = {"impressions": ("team_arm_id", *LATER["impressions"])}
"""Columns that hold nothing in most runs, the last ones of their table."""
