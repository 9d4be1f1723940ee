"""Looking for what a hand, a tool or a failing disk has done to a log: asked once something could not be read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby

from sqlalchemy import Boolean, Column, Connection, Float, Integer, Table, inspect, select, text

from groundlings.environments.social_turns import ABOUT, SAY, SOCIAL_TURN, TO, Told
from groundlings.simulator.log import measured_agents, tables
from groundlings.simulator.log.assignment_rows import assignments
from groundlings.simulator.log.columnar import columnar
from groundlings.simulator.log.digest import digest
from groundlings.simulator.log.finite import odd_number
from groundlings.simulator.log.lesson_rows import lessons
from groundlings.simulator.log.migrations import SCHEMA_VERSION, missing_tables, schema_version
from groundlings.simulator.log.presentation_rows import presentations
from groundlings.simulator.log.server_tables import odd_column
from groundlings.simulator.log.store import Store, named_faults
from groundlings.simulator.log.tables import LARGE

_JSON: Mapping[str, Mapping[str, type[dict[str, object]] | type[list[object]]]] = {
    "runs": {"config": dict, "mind": dict, "versions": dict, "identity": dict},
    "arms": {"options": dict},
    "interventions": {"detail": dict},
    "agents": {"persona": dict, "demographics": dict},
    "calls": {"messages": list, "first_token": list},
    "moods": {"boredom": dict},
    "lessons": {"messages": list},
    "assignments": {"ties": dict},
}
"""Text columns that hold JSON, by table, and what the JSON is."""

_TOLD = f"""
SELECT session_id, events.kind, events.detail FROM events JOIN events AS turn USING (session_id, page)
WHERE turn.kind = '{SOCIAL_TURN}' AND events.kind IN ('{TO}', '{ABOUT}', '{SAY}') ORDER BY session_id
"""


def examine(store: Store) -> tuple[str | None, str | None]:
    """What no run of ours would have written into a log, None where there is no such thing; then its digest as well.

    It reads the whole log, so ask only when reading it has failed.

    Raises:
        RunDirectoryError: It cannot be read at all.
    """
    engine = store.for_reading()
    try:
        with named_faults(store), engine.connect() as connection:
            damage = damage_in(connection)
            if damage is None and connection.execute(select(tables.runs.c.run_id)).first() is None:
                damage = "no run has begun in it"
        with named_faults(store):
            return damage, None if damage else digest(engine)
    finally:
        engine.dispose()


def damage_in(connection: Connection) -> str | None:
    """What no run of ours would have written, None where there is no such thing; nothing may have begun yet."""
    try:
        return next(_complaints(connection), None)
    except UnicodeDecodeError:
        return "the names of its tables are no text"


def _complaints(connection: Connection) -> Iterator[str]:
    here, sqlite = inspect(connection), connection.dialect.name == "sqlite"
    apart = LARGE if columnar(connection) is not None else ()  # Parquet keeps one kind in a column, and nothing here
    version = schema_version(connection)
    if not str(version).isdecimal() or version < 1:  # SQLite keeps a word in a column of numbers, too
        yield "the table schema_migrations names no version"
        return
    measured = {measured_agents.stored.name: measured_agents.stored} if measured_agents.are_measured(connection) else {}
    later = [table for table in (assignments, lessons, presentations) if here.has_table(table.name)]
    yield from (f"the table {name} is missing" for name in missing_tables(connection))
    yield from filter(None, [odd_column(connection, version)])
    for each in (*tables.metadata.sorted_tables, *later):
        table = measured.get(each.name, each)
        if not here.has_table(table.name):
            continue
        found = {column["name"] for column in here.get_columns(table.name)}
        for column in table.columns:
            if column.name in found:
                yield from _wrong_kind(connection, table, column) if sqlite and table.name not in apart else ()
                kind = _JSON.get(table.name, {}).get(column.name)
                yield from () if kind is None else _no_json(connection, table, column, kind)
                yield from odd_number(connection, table, column)
            elif version == SCHEMA_VERSION:
                yield f"the table {table.name} has no column {column.name}"
    yield from () if tables.events.name in apart else _half_told(connection)
    for row in connection.execute(text("PRAGMA foreign_key_check")) if sqlite else ():
        if row[2] in apart:
            continue
        yield f"a row of {row[0]} belongs to a row of {row[2]} that is not there"


def _half_told(connection: Connection) -> Iterator[str]:
    """What was told in social turns has words, an item and people."""
    for session_id, rows in groupby(connection.execute(text(_TOLD)), key=lambda row: row.session_id):
        try:
            Told.of(0, {row.kind: row.detail for row in rows})
        except ValueError as fault:
            yield f"events of session {session_id}: {fault}"


def _wrong_kind(connection: Connection, table: Table, column: Column[object]) -> Iterator[str]:
    """SQLite keeps anything in any column; PostgreSQL does not."""
    kinds = (
        ("integer",) if isinstance(column.type, Integer | Boolean)
        else ("real", "integer") if isinstance(column.type, Float)
        else ("text",)
    )  # fmt: skip
    listed = ", ".join(f"'{kind}'" for kind in (*kinds, *(("null",) if column.nullable else ())))
    query = f"SELECT typeof({column.name}) FROM {table.name} WHERE typeof({column.name}) NOT IN ({listed}) LIMIT 1"
    for (kind,) in connection.execute(text(query)):
        yield f"{table.name}.{column.name} holds a value of the kind {kind}, expected {' or '.join(kinds)}"


def _no_json(
    connection: Connection, table: Table, column: Column[object], kind: type[dict[str, object]] | type[list[object]]
) -> Iterator[str]:
    query = select(column).where(column.is_not(None))
    for (content,) in connection.execute(query, execution_options={"yield_per": 1000}):
        try:
            known = isinstance(json.loads(str(content)), kind)
        except (ValueError, RecursionError):
            known = False
        if not known:
            yield f"{table.name}.{column.name} holds no JSON {'object' if kind is dict else 'list'}"
            return
