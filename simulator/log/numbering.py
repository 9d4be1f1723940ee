"""The ids that the writer gives: where the next row of each table begins."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, select

from groundlings.simulator.log import tables
from groundlings.simulator.log.columnar import columnar
from groundlings.simulator.log.row_layout import Origin
from groundlings.simulator.log.store import Store

_NUMBERED = (tables.arms, tables.agents, tables.items, tables.sessions, tables.impressions, tables.events, tables.calls)
_BEGUN_WITH = (tables.arms, tables.agents, tables.items)
"""Tables that are written once, when a run begins."""


def next_ids(connection: Connection, store: Store) -> dict[str, int]:
    """Table name -> the id of its next row."""
    found = {}
    behind = columnar(connection)
    for table in _NUMBERED:
        (key,) = table.primary_key.columns
        if behind is not None and table.name in tables.LARGE:  # the list of parts says it, and no file is opened
            last = max(
                (part.first_id + part.rows - 1 for part in behind.parts() if part.name == table.name), default=None
            )
        else:
            last = connection.execute(select(func.max(key))).scalar_one()
        found[table.name] = store.first_id(connection) if last is None else last + 1
    return found


def first_origin(first: Mapping[str, int]) -> Origin:
    """Where the sessions of a run begin that has just been begun with these ids."""
    return Origin(
        arm=first["arms"],
        session=first["sessions"],
        impression=first["impressions"],
        event=first["events"],
        call=first["calls"],
        agent=first["agents"],
        item=first["items"],
    )


def next_origin(connection: Connection, store: Store) -> Origin:
    """Where the sessions of a run go on: behind those in its log, with the arms, agents and items it began with."""
    ids = next_ids(connection, store)
    for table in _BEGUN_WITH:
        (key,) = table.primary_key.columns
        ids[table.name] = connection.execute(select(func.min(key))).scalar_one()
    return first_origin(ids)
