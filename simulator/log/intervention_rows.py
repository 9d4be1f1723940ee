"""Interventions as rows of the log: written before they take effect, and read back by a run that goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, insert, inspect, select

from groundlings.simulator.interventions import Intervention
from groundlings.simulator.log.participants import as_json
from groundlings.simulator.log.tables import arms, interventions


def write_interventions(connection: Connection, arm_ids: Mapping[str, int], changes: Sequence[Intervention]) -> None:
    """A row of `interventions` per change.

    Args:
        connection: To the log.
        arm_ids: Name of each arm -> its id.
        changes: In the order in which they were decided.
    """
    last = connection.execute(select(func.max(interventions.c.intervention_id))).scalar_one() or 0
    rows = [
        {
            "intervention_id": last + number,
            "arm_id": arm_ids[change.arm],
            "day": change.day,
            "kind": change.kind,
            "detail": as_json(change.detail),
            "origin": change.origin,
            "place": change.place,
        }
        for number, change in enumerate(changes, start=1)
    ]
    if rows:
        connection.execute(insert(interventions), rows)


def read_interventions(connection: Connection) -> tuple[Intervention, ...]:
    """The interventions in a log, in the order of writing; none in a log of an earlier schema."""
    if not inspect(connection).has_table(interventions.name):
        return ()
    table = interventions.c
    rows = connection.execute(
        select(arms.c.name, table.day, table.kind, table.detail, table.origin, table.place)
        .join(arms, arms.c.arm_id == table.arm_id)
        .order_by(table.intervention_id)
    )
    return tuple(Intervention(arm, day, kind, json.loads(told), *where) for arm, day, kind, told, *where in rows)
