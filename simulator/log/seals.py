"""Seals: what is written is hashed as it is written, so that a later change can be seen.

Each seal is a row of `seals`: what it covers, a hash of that, and a hash over this and the seal before it. The chain
grows in the transaction that writes what it covers, so a crash leaves neither rows without a seal nor a seal without
rows. A seal shows accidents and edits. It is no signature: who edits a log can compute the chain anew, and only a copy
of its last seal that lies elsewhere, as in a manifest that was sent to somebody, shows that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Table, insert, inspect, select

from groundlings.simulator.log import tables
from groundlings.simulator.log.canonical import PIECE_ROWS, Hash, Kind, absorb, kinds_of
from groundlings.simulator.log.columns import Column, Columns, Row
from groundlings.simulator.log.presentation_rows import presentations
from groundlings.simulator.log.row_layout import Block, Origin

SealKind: TypeAlias = Literal[
    "run", "arms", "agents", "assignments", "items", "rows", "lessons", "state", "manifest", "unsealed"
]

STATE = ("status", "finished_at", "identity")
"""Columns of `runs` that change in the life of a run; the others are written once."""

RUN = tuple(column.name for column in tables.runs.columns if column.name not in STATE)

NUMBERED = ("sessions", "impressions", "events", "calls")
"""Tables whose rows a seal of rows counts; their keys are whole numbers without gaps, and need no hash."""

BY_SESSION = ("moods", "memories", "interviews")
"""Tables whose rows belong to the sessions that a seal counts."""

START = "0" * 64


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a chain of seals ends.

    Attributes:
        number: Of the last seal; 0 where there is none.
        seal: The last seal.
    """

    number: int = 0
    seal: str = START

    def after(self, kind: SealKind, covers: Mapping[str, Any], content: str) -> tuple[Row, Chain]:
        """The next row of `seals`, and the chain with it."""
        what = as_canonical_json(covers)
        seal = next_seal(self.seal, kind, what, content)
        return (self.number + 1, kind, what, content, seal), Chain(self.number + 1, seal)


def next_seal(before: str, kind: str, covers: str, content: str) -> str:
    """The seal that follows another."""
    return hashlib.sha256("\n".join((before, kind, covers, content)).encode()).hexdigest()


def last_seal(connection: Connection) -> Chain | None:
    """Where the chain in a log ends; None where the log is not sealed, because an earlier version began it."""
    found = connection.execute(
        select(tables.seals.c.seal_id, tables.seals.c.kind, tables.seals.c.seal).order_by(tables.seals.c.seal_id)
    ).all()
    if any(row.kind == "unsealed" for row in found):
        return None
    return Chain(found[-1].seal_id, found[-1].seal) if found else Chain()


def write_seal(connection: Connection, chain: Chain, kind: SealKind, covers: Mapping[str, Any], content: str) -> Chain:
    """Append a seal; the chain with it."""
    row, longer = chain.after(kind, covers, content)
    connection.execute(insert(tables.seals).values(dict(zip(tables.seals.columns.keys(), row, strict=True))))
    return longer


def as_canonical_json(value: Mapping[str, Any]) -> str:
    """The one JSON text of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def seal_of_values(values: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """What a seal over single values covers, a hash for each so that a changed one can be named; and its content."""
    covers = {name: hashlib.sha256(json.dumps(_plain(value)).encode()).hexdigest() for name, value in values.items()}
    return covers, hashlib.sha256(as_canonical_json(covers).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A value as either database gives it back."""
    return int(value) if isinstance(value, bool) else value


def seal_of_run(connection: Connection) -> tuple[dict[str, Any], str]:
    """The seal of what a run's row says for good."""
    columns = [tables.runs.c[name] for name in RUN]
    return seal_of_values(dict(zip(RUN, connection.execute(select(*columns)).one(), strict=True)))


def seal_of_arms(connection: Connection) -> tuple[dict[str, Any], str]:
    """The seal of the arms, each under its name."""
    rows = connection.execute(select(tables.arms).order_by(tables.arms.c.arm_id)).all()
    return seal_of_values({row.name: [_plain(cell) for cell in row] for row in rows})


def seal_of_state(connection: Connection) -> tuple[dict[str, Any], str]:
    """The seal of what changes in the life of a run, as it stands now: its state, accepted changes, interventions."""
    columns = [tables.runs.c[name] for name in STATE]
    run = dict(zip(STATE, connection.execute(select(*columns)).one(), strict=True))
    accepted = connection.execute(select(tables.accepted_changes).order_by(tables.accepted_changes.c.change_id)).all()
    values = {**run, "accepted_changes": [[_plain(cell) for cell in row] for row in accepted]}
    if inspect(connection).has_table(tables.interventions.name):
        number = tables.interventions.c.intervention_id
        changes = connection.execute(select(tables.interventions).order_by(number)).all()
        if changes:  # a run without any has the seal that it had before there were interventions
            values["interventions"] = [[_plain(cell) for cell in row] for row in changes]
    return seal_of_values(values)


class RowSeal:
    """The hash over rows of a table that pass by on their way into the database.

    Args:
        table: Whose rows; their key is counted and not hashed.
    """

    def __init__(self, table: Table) -> None:
        self._hash = begin_hash(table)
        self._kinds = kinds_of(table)[1:]
        self._first, self._count = 0, 0

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows."""
        source = iter(rows)
        while piece := list(islice(source, PIECE_ROWS)):
            self._take_in(list(zip(*piece, strict=True)))
            yield from piece

    def passing_blocks(self, blocks: Iterable[Sequence[Column]]) -> Iterator[Row]:
        """The rows of blocks that come as columns; `PIECE_ROWS` of them in each block but the last."""
        for columns in blocks:
            self._take_in(columns)
            yield from zip(*columns, strict=True)

    def _take_in(self, columns: Sequence[Column]) -> None:
        self._first = self._first or columns[0][0]
        self._count += len(columns[0])
        absorb(self._hash, self._kinds, columns[1:])

    @property
    def seal(self) -> tuple[dict[str, Any], str]:
        """What passed: the first id and how many, and the hash."""
        return {"first": self._first, "rows": self._count}, self._hash.hexdigest()


def begin_hash(table: Table) -> Any:
    """A hash for rows of a table."""
    return hashlib.sha256(table.name.encode())


def seal_of_block(
    placed: Iterable[tuple[int, int]], block: Block, origin: Origin, parts: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], str]:
    """The seal of a block of rows: which arms and days, which rows, and the hash over them.

    Args:
        placed: Arm and day of the rows.
        block: The rows.
        origin: The ids that they start from.
        parts: Path -> SHA-256 of the files that hold the rows of large tables, which stand for these rows; None where
            all rows lie in the database.
    """
    firsts = (origin.session, origin.impression, origin.event, origin.call)
    covers: dict[str, Any] = {
        name: [first, len(getattr(block, name))] for name, first in zip(NUMBERED, firsts, strict=True)
    }
    covers["visits"] = sorted(set(placed))
    if parts is not None:
        covers["parts"] = dict(parts)
    total = hashlib.sha256()
    for name in numbered_rows(parts):
        part = getattr(block, name)
        columns = part.columns if isinstance(part, Columns) else list(zip(*part, strict=True))
        absorb_table(total, tables.metadata.tables[name], columns[1:])
    for name in BY_SESSION:
        rows = sorted(getattr(block, name), key=lambda row: (row[0], row[1]))
        covers[name] = len(rows)
        absorb_table(total, tables.metadata.tables[name], list(zip(*rows, strict=True)))
    if block.presentations:  # a block without any has the seal that it had before there were presenters
        rows = sorted(block.presentations, key=lambda row: (row[0], row[1]))
        covers[presentations.name] = len(rows)
        absorb_table(total, presentations, list(zip(*rows, strict=True)))
    return covers, total.hexdigest()


def numbered_rows(parts: Mapping[str, str] | None) -> tuple[str, ...]:
    """The tables of `NUMBERED` whose rows a seal hashes; those in parts are sealed by the hashes of their files."""
    return NUMBERED if parts is None else tuple(name for name in NUMBERED if name not in tables.LARGE)


def absorb_table(total: Hash, table: Table, columns: Sequence[Any]) -> None:
    """Have a hash take in the rows that a seal covers of a table, without the key that it counts."""
    begin_table(total, table, len(columns[0]) if columns else 0)
    if columns:
        absorb(total, hashed_kinds(table), columns, always_hashed(table))


def begin_table(total: Hash, table: Table, rows: int) -> None:
    """Say to a hash which table comes next."""
    total.update(f"{table.name} {rows}\n".encode())


LATER = {"impressions": ("row_name", "place_row", "place_slot")}
"""Columns that came after the first sealed schema, the last ones of their table."""


def always_hashed(table: Table) -> int:
    """How many of the hashed columns of a table were there when logs were first sealed; see `absorb`."""
    return len(hashed_kinds(table)) - len(LATER.get(table.name, ()))


def hashed_kinds(table: Table) -> tuple[Kind, ...]:
    """What the columns hold that seals of rows hash."""
    return kinds_of(table)[1 if table.name in NUMBERED else 0 :]
