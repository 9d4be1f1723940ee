"""What a run began with, and what was accepted since: read where it is to be resumed, and where it is reported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, inspect, select, text

from groundlings.simulator.log.store import Store, named_faults
from groundlings.simulator.log.tables import accepted_changes, runs


@dataclass(frozen=True, slots=True)
class Change:
    """A part of what a run depends on that is not as it was.

    Attributes:
        what: Its name in `runs.identity`, or `config.` and a key path.
        before, after: Its value or a hash; None where there is no such part.
    """

    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run began with.

    Attributes:
        run_id: The run's.
        done: Whether nothing is left to simulate.
        config: As plain values.
        config_hash, dataset_hash: SHA-256.
        identity: What must be equal for it to be resumed; None in a log of schema 1 to 3, which does not say.
        accepted: Changes that were accepted when it was resumed, the first one first.
    """

    run_id: str
    done: bool
    config: Mapping[str, Any]
    config_hash: str
    dataset_hash: str
    identity: Mapping[str, str] | None
    accepted: tuple[Change, ...] = ()


def read_begun(connection: Connection) -> Begun | None:
    """What the run in a log began with, None where nothing has begun yet; any version of the schema will do."""
    tables = inspect(connection)
    if not tables.has_table(runs.name):
        return None
    run = connection.execute(text("SELECT * FROM runs")).mappings().first()
    if run is None:
        return None
    identity = run.get("identity")
    return Begun(
        run_id=run["run_id"],
        done=run["status"] == "done",
        config=json.loads(run["config"]),
        config_hash=run["config_hash"],
        dataset_hash=run["dataset_hash"],
        identity=None if identity is None else json.loads(identity),
        accepted=read_accepted(connection),
    )


def read_accepted(connection: Connection) -> tuple[Change, ...]:
    """The changes that were accepted, in their order; none in a log of an earlier schema."""
    if not inspect(connection).has_table(accepted_changes.name):
        return ()
    table = accepted_changes.c
    rows = connection.execute(select(table.what, table.before, table.after).order_by(table.change_id))
    return tuple(Change(*row) for row in rows)


def write_accepted(connection: Connection, run_id: str, changes: Sequence[Change]) -> None:
    """A row of `accepted_changes` per change."""
    last = connection.execute(select(func.max(accepted_changes.c.change_id))).scalar_one() or 0
    now = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute(
        insert(accepted_changes),
        [
            {
                "change_id": last + number,
                "run_id": run_id,
                "accepted_at": now,
                "what": change.what,
                "before": change.before,
                "after": change.after,
            }
            for number, change in enumerate(changes, start=1)
        ],
    )


def begun_in(store: Store) -> Begun | None:
    """As `read_begun`, of a log that nobody has opened yet; None where there is no log."""
    if not store.exists():
        return None
    engine = store.for_reading()
    try:
        with named_faults(store), engine.connect() as connection:
            return read_begun(connection)
    finally:
        engine.dispose()
