"""What does not belong into a log: triggers and views run when rows are touched, and nobody asked them to."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, inspect, text

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log import measured_agents, tables
from groundlings.simulator.log.assignment_rows import assignments
from groundlings.simulator.log.lesson_rows import lessons
from groundlings.simulator.log.migrations import LEDGER
from groundlings.simulator.log.parts import FOLDER
from groundlings.simulator.log.presentation_rows import presentations

_SQLITE = "SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
_POSTGRES = """
SELECT 'trigger' AS type, tgname AS name, relname AS tbl_name
FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE NOT tgisinternal AND relnamespace = {here}
UNION ALL
SELECT CASE relkind WHEN 'r' THEN 'table' WHEN 'i' THEN 'index' WHEN 'v' THEN 'view' WHEN 'm' THEN 'view'
       ELSE 'relation' END, relname, coalesce(indrelid::regclass::text, relname)
FROM pg_class LEFT JOIN pg_index ON indexrelid = pg_class.oid
WHERE relnamespace = {here} AND relkind IN ('r', 'i', 'v', 'm', 'f', 'p') AND NOT coalesce(indisprimary, false)
UNION ALL
SELECT 'rule', rulename, relname FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
WHERE relnamespace = {here} AND rulename <> '_RETURN'
UNION ALL {running}
ORDER BY 2
"""
_RUNNING = """
SELECT 'function' AS type, proname AS name, proname AS tbl_name FROM pg_proc WHERE pronamespace = {here}
UNION ALL
SELECT 'operator', oprname, oprname FROM pg_operator WHERE oprnamespace = {here}
UNION ALL
SELECT 'policy', polname, relname FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid WHERE relnamespace = {here}
"""
"""What a server may run where rows are only read: a function for texts of one kind, say, goes before its own."""
_DEPENDENT = """
SELECT DISTINCT dependent.oid::regclass::text FROM pg_depend
JOIN pg_class ours ON refclassid = 'pg_class'::regclass AND refobjid = ours.oid AND ours.relnamespace = {here}
LEFT JOIN pg_rewrite ON classid = 'pg_rewrite'::regclass AND pg_rewrite.oid = objid
LEFT JOIN pg_constraint ON classid = 'pg_constraint'::regclass AND pg_constraint.oid = objid
JOIN pg_class dependent
     ON dependent.oid = coalesce(ev_class, conrelid, CASE WHEN classid = 'pg_class'::regclass THEN objid END)
WHERE dependent.relnamespace <> {here} AND dependent.relkind IN ('r', 'v', 'm', 'f', 'p')
ORDER BY 1
"""
"""What lies in other schemas and could not be without the run's tables: views, tables that refer to them or inherit."""
_HERE = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"

_LATER = {table.name: table for table in (assignments, lessons, presentations)}
"""Tables that only some runs make."""


def foreign_in(connection: Connection) -> tuple[str, ...]:
    """Everything in a log's schema that no version of ours makes, as "trigger x on sessions", by name."""
    return tuple(_foreign(connection))


def refuse_foreign(connection: Connection, where: object) -> None:
    """Raise `RunDirectoryError` where a log has something that no version of ours makes; before anything is written.

    Args:
        connection: To the log; nothing is changed.
        where: The log, as a message calls it.
    """
    found = foreign_in(connection)
    if found:
        raise RunDirectoryError(
            f"{where}: found {', '.join(found)}, which no run of Groundlings makes and which could change what is "
            "written; drop it, or copy what you need of the log into a database of your own"
        )


def refuse_disguised(connection: Connection, where: object) -> None:
    """Raise `RunDirectoryError` where reading would run what a stranger says: a view in the place of a table, or what a
    server's schema has of functions, operators and policies."""
    views = sorted({*tables.metadata.tables, LEDGER, FOLDER, *_LATER} & set(inspect(connection).get_view_names()))
    if views:
        raise RunDirectoryError(f"{where}: {views[0]} is a view, expected a table; restore the log from a copy")
    if connection.dialect.name == "sqlite":
        return
    for kind, name, _ in connection.execute(text(f"{_RUNNING.format(here=_HERE)} ORDER BY 2 LIMIT 1")):
        raise RunDirectoryError(
            f"{where}: found {kind} {name}, which no run of Groundlings makes and which could run when rows are read; "
            "drop it, or read a copy of the log"
        )


def refuse_losses(connection: Connection, where: object) -> None:
    """Raise `RunDirectoryError` where dropping a run's schema would take along what somebody else made.

    Args:
        connection: To a log on a server; nothing is changed.
        where: The log, as a message calls it.
    """
    inside = [found for found in foreign_in(connection) if found.startswith(("table ", "view ", "relation "))]
    outside = list(connection.execute(text(_DEPENDENT.format(here=_HERE))).scalars())
    if inside or outside:
        raise RunDirectoryError(
            f"{where}: found {', '.join([*inside, *outside])}, which no run of Groundlings makes and which would be "
            "lost with the tables of this run; move it to another schema as a table of its own, or drop it; nothing "
            "was removed"
        )


def _foreign(connection: Connection) -> Iterator[str]:
    ours = {*tables.metadata.tables, LEDGER, FOLDER, *_LATER}
    running = _RUNNING.format(here=_HERE)
    query = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES.format(here=_HERE, running=running)
    for kind, name, table in connection.execute(text(query)):
        if (kind == "table" and name in ours) or (kind == "index" and name in tables.INDEXES and table in ours):
            continue
        yield f"{kind} {name}" + ("" if kind in ("table", "view", "function", "operator") else f" on {table}")
    here = inspect(connection)
    measured = measured_agents.are_measured(connection)
    if measured and not measured_agents.is_ours(connection):
        yield "computed columns of agents"
    for table in sorted(ours & set(here.get_table_names()) - {LEDGER, FOLDER}):
        known = set((_LATER[table] if table in _LATER else tables.metadata.tables[table]).columns.keys())
        if measured and table == measured_agents.stored.name:
            known |= set(measured_agents.stored.columns.keys())
        found = [column["name"] for column in here.get_columns(table)]
        if known <= set(found):  # one of ours under another name is damage, and named as that
            yield from (f"column {name} of {table}" for name in found if name not in known)
