"""Rows of one shard, laid out where it is simulated; for a log in parts as the Parquet files that hold them.

Whoever simulates a shard lays its rows out with ids that count from 0, and says how many there are. The one writer
gives ids out in the order of shards, so that they do not depend on who simulates what, or on who is ready first. With
these the rows become files, of which only the bytes travel, or columns with their seal, which the writer pours into the
database as they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from groundlings.simulator.log import parts
from groundlings.simulator.log.columns import Column, Columns
from groundlings.simulator.log.row_layout import Block, Cohort, Origin, block_of, small_rows
from groundlings.simulator.log.seals import seal_of_block
from groundlings.simulator.log.session_hashes import hashes_of_rows
from groundlings.simulator.log.session_records import Names
from groundlings.simulator.log.tables import LARGE
from groundlings.simulator.session import CohortRecord

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the sessions of an arm on one occasion go in a log.

    Attributes:
        in_files: Whether the large tables lie in files.
        arm_id: The arm's.
        sim_time: When the sessions are, on the simulated clock.
        policy_version: What the recommender had learnt.
        first_arm, first_agent, first_item: The log's first ids.
        names: By which the digest knows users, items and arms; None where whoever lays out rows hashes no sessions.
    """

    in_files: bool
    arm_id: int
    sim_time: int
    policy_version: str
    first_arm: int
    first_agent: int
    first_item: int
    names: Names | None = None

    def lay_out(self, record: CohortRecord) -> LaidOut:
        """The rows of a shard, whose ids are not known yet."""
        cohort = Cohort(record, self.arm_id, self.sim_time, self.policy_version)
        origin = Origin(self.first_arm, 0, 0, 0, 0, self.first_agent, self.first_item)
        block = block_of([cohort], origin)
        small = block.calls or block.moods or block.memories or block.interviews or block.presentations
        counts = Counts(len(block.sessions), len(block.impressions), len(block.events), len(block.calls))
        day, names = (
            int(record.sessions.day),
            None if small else self.names,
        )  # the hash of a session is over all its rows
        return LaidOut(self.in_files, block, counts, self.arm_id, day, cohort if small else None, names)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows with numbers of their own a shard has."""

    sessions: int
    impressions: int
    events: int
    calls: int

    def after(self, origin: Origin) -> Origin:
        """Where the rows behind these begin."""
        return replace(
            origin,
            session=origin.session + self.sessions,
            impression=origin.impression + self.impressions,
            event=origin.event + self.events,
            call=origin.call + self.calls,
        )


@dataclass(frozen=True, slots=True)
class LaidOut:
    """Rows of a shard, ids counted from 0.

    Attributes:
        in_files: As of `Destination`.
        block: The rows.
        counts: How many there are.
        arm_id, day: Whose.
        cohort: What its small tables are made of; None where they have no rows.
        names: As of `Destination`; None where its sessions are hashed when the log is read.
    """

    in_files: bool
    block: Block
    counts: Counts
    arm_id: int
    day: int
    cohort: Cohort | None
    names: Names | None

    def numbered(self, origin: Origin) -> ShardRows:
        """The rows with their ids.

        Args:
            origin: Where the ids begin.
        """
        block = _numbered(self.block, origin)
        if self.cohort is not None:
            calls, moods, memories, interviews, said = small_rows(self.cohort, origin.session, origin.call, origin.arm)
            block = replace(
                block, calls=calls, moods=moods, memories=memories, interviews=interviews, presentations=said
            )
        if self.in_files:
            return rows_in_files(block, origin, self.counts, self.arm_id, self.day, self.names)
        seal = seal_of_block([(self.arm_id, self.day)], block, origin)
        hashes = None if self.names is None else hashes_of_rows(_as_tables(block), self.names)
        return ShardRows(origin, self.counts, self.arm_id, self.day, block, seal=seal, hashes=hashes)


@dataclass(frozen=True, slots=True)
class ShardRows:
    """Rows of one arm and day, for the database or with files for the large tables.

    Attributes:
        origin: Where their ids begin.
        counts: How many there are.
        arm_id, day: Whose.
        block: The rows; of those that are in files the ids alone.
        files: Table -> its file, none for a table without rows; None where all rows are for the database.
        seal: Of rows for the database.
        hashes: Of its sessions, shape (n_sessions, 32), for the digest; None where nobody has made them.
    """

    origin: Origin
    counts: Counts
    arm_id: int
    day: int
    block: Block
    files: Mapping[str, PartFile] | None = None
    seal: tuple[Mapping[str, Any], str] | None = None
    hashes: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class PartFile:
    """A part that is not written yet: its bytes, their SHA-256, how many rows, and the first id."""

    content: bytes
    sha256: str
    rows: int
    first_id: int


def rows_in_files(
    block: Block, origin: Origin, counts: Counts, arm_id: int, day: int, names: Names | None = None
) -> ShardRows:
    """The rows of one arm and day, those of large tables as Parquet files; the same rows give the same bytes."""
    large = _as_tables(block)
    files, ids = dict[str, PartFile](), dict[str, Columns]()
    for name, table in large.items():
        first = table.column(0)[0].as_py() if len(table) else 0
        ids[name] = Columns(range(first, first + len(table)))
        if len(table):
            content = parts.file_of(table)
            files[name] = PartFile(content, parts.hash_of(content), len(table), first)
    rest = replace(block, sessions=ids["sessions"], impressions=ids["impressions"], events=ids["events"])
    hashes = None if names is None else hashes_of_rows(large, names)
    return ShardRows(origin, counts, arm_id, day, rest, files, hashes=hashes)


def _as_tables(block: Block) -> dict[str, pa.Table]:
    return {name: parts.table_of(name, getattr(block, name)) for name in LARGE}


def _numbered(block: Block, origin: Origin) -> Block:
    """Rows whose ids counted from 0, counted from where they begin."""
    session, impression, event = origin.session, origin.impression, origin.event
    sessions, impressions, events = (getattr(block, name).columns for name in LARGE)
    return replace(
        block,
        sessions=Columns(_later(sessions[0], session), *sessions[1:]),
        impressions=Columns(_later(impressions[0], impression), _later(impressions[1], session), *impressions[2:]),
        events=Columns(
            _later(events[0], event), _later(events[1], session), _later(events[2], impression), *events[3:]
        ),
    )


def _later(ids: Column, by: int) -> Column:
    return range(ids.start + by, ids.stop + by) if isinstance(ids, range) else np.asanyarray(ids) + by
