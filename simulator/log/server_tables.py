"""Whether the tables of a log are still of the kinds that a run makes; asked before a row is read.

A server keeps one kind of value in a column, so what a column holds need not be looked at. But whoever owns the tables
may give a column another kind or let it hold nothing, and then numbers are compared and sorted as text, and what is
unknown is left out of sums; and rows that stand twice are counted twice where no key keeps them apart. A SQLite file
takes any value into any column, so there only columns that lost their NOT NULL are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Float, Integer, text

from groundlings.simulator.log import tables
from groundlings.simulator.log.assignment_rows import assignments
from groundlings.simulator.log.columnar import columnar
from groundlings.simulator.log.lesson_rows import lessons
from groundlings.simulator.log.migrations import SCHEMA_VERSION
from groundlings.simulator.log.presentation_rows import presentations

_COLUMNS = """
SELECT relname, attname, typname, attnotnull,
       EXISTS (SELECT 1 FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary) AS keyed
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_type ON pg_type.oid = atttypid
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
      AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
"""

_HEIRS = """
SELECT parent.relname, child.oid::regclass::text
FROM pg_inherits JOIN pg_class AS parent ON parent.oid = inhparent JOIN pg_class AS child ON child.oid = inhrelid
WHERE parent.relkind = 'r' AND parent.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
ORDER BY 1, 2
"""
"""Tables whose rows a server counts among those of another one; the parts of a partitioned table are its own rows."""

_LOOSE = """
SELECT found.name, told.name FROM sqlite_master AS found JOIN pragma_table_info(found.name) AS told
WHERE found.type = 'table' AND told."notnull" = 0 AND told.pk = 0
"""

_ALL = (*tables.metadata.sorted_tables, assignments, lessons, presentations)

_KINDS = (
    (Boolean, ("bool",), "truth values"),
    (Integer, ("int8", "int4", "int2"), "whole numbers"),
    (Float, ("float8",), "decimal numbers of 64 bits"),
)
"""What a column of ours is, the server's words for it, and ours."""
_TEXT = (("text", "varchar"), "text")


def odd_column(connection: Connection, version: int) -> str | None:
    """What is wrong with the columns of a log, in words; None where nothing is.

    Args:
        connection: To the log.
        version: Of its schema; columns that logs of earlier ones lack are not missing there.
    """
    found = _emptied(connection) if connection.dialect.name == "sqlite" else _odd(connection, version)
    return next(found, None)


def _emptied(connection: Connection) -> Iterator[str]:
    """Columns of a file that may hold nothing, as tools that copy tables leave them, and that do."""
    apart = tables.LARGE if columnar(connection) is not None else ()
    loose = {(row[0], row[1]) for row in connection.execute(text(_LOOSE))}
    for table in _ALL:
        for column in table.columns if table.name not in apart else ():
            if not column.nullable and (table.name, column.name) in loose:
                empty = text(f"SELECT 1 FROM {table.name} WHERE {column.name} IS NULL LIMIT 1")
                if connection.execute(empty).first() is not None:
                    yield f"{table.name}.{column.name} holds nothing in a row, expected a value in every row"


def _odd(connection: Connection, version: int) -> Iterator[str]:
    rows = connection.execute(text(_COLUMNS)).all()
    found, keyed = {(row[0], row[1]): (row[2], row[3]) for row in rows}, {row[0]: row[4] for row in rows}
    for table_name, heir in connection.execute(text(_HEIRS)):
        yield f"the table {table_name} takes in the rows of another table, {heir}, which inherits from it"
    for table in _ALL:
        if not keyed.get(table.name, True):
            yield f"the table {table.name} has no primary key"
        for column in table.columns if table.name in keyed else ():
            kind, never_empty = found.get((table.name, column.name), (None, False))
            if kind is not None:
                yield from _of_another_kind(f"{table.name}.{column.name}", column, kind, bool(never_empty))
            elif version == SCHEMA_VERSION:
                yield f"the table {table.name} has no column {column.name}"


def _of_another_kind(name: str, column: Column[Any], kind: str, never_empty: bool) -> Iterator[str]:
    kinds, called = next((words for each, *words in _KINDS if isinstance(column.type, each)), _TEXT)
    if kind not in kinds:
        yield f"{name} holds values of the kind {kind}, expected {called}"
    elif not (never_empty or column.nullable):
        yield f"{name} may hold nothing, expected a value in every row"
