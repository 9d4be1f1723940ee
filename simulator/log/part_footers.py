"""Whether the parts of a log can be read at all: how the index lists them, and what the footers of their files say.

Both are read before any row. What a run writes fits together: ids follow each other from part to part, the rows of a
part belong to the sessions of one part, and each file has the columns of its table. Else rows would be counted twice or
left out, and a column under another name would be one of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log import tables
from groundlings.simulator.log.parts import RESTORE, Part, parts, schema_of

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_MOST_ROWS, _MOST_ROWS_PER_BYTE = 2_000_000, 4
"""A part of more rows whose bytes are fewer is not read: a run writes some ten thousand pages of a part at most, and
equal rows without end take no room in a file and all there is in memory."""
_LATER = frozenset(("team_arm_id", "row_name", "place_row", "place_slot"))
"""Columns that parts of earlier versions lack; `migrations.STEPS` brought them."""

_SEALED = """SELECT seal_id FROM seals WHERE kind = 'rows' AND covers LIKE '%"parts":{"%' LIMIT 1"""


def refuse_lost_list(connection: Connection, where: object) -> None:
    """Return where a log lists parts, or never had any, so that it is empty because nobody came.

    Args:
        connection: To the log.
        where: The log, as a message calls it.

    Raises:
        RunDirectoryError: Its seals speak of parts.
    """
    here = inspect(connection)
    if here.has_table(parts.name) and connection.execute(text(f"SELECT 1 FROM {parts.name} LIMIT 1")).first():
        return
    if not (here.has_table(tables.seals.name) and here.has_table(tables.sessions.name)):
        return
    if connection.execute(text("SELECT 1 FROM sessions LIMIT 1")).first() is not None:
        return
    if connection.execute(text(_SEALED)).first() is not None:
        raise RunDirectoryError(
            f"{where}: the list of parts was taken away: its rows lie in parts, and none is listed; {RESTORE}"
        )


def refuse_disorder(directory: Path, known: Sequence[Part]) -> None:
    """Return where parts fit together as a run writes them.

    Args:
        directory: The run's.
        known: All that the log lists.

    Raises:
        RunDirectoryError: One is missing or listed twice, or is none of the sessions of its arm and day.
    """
    wrong = next(_disorder(known), None)
    if wrong is not None:
        raise RunDirectoryError(f"{directory}: the list of parts was changed: {wrong}; {RESTORE}")


def _disorder(known: Sequence[Part]) -> Iterator[str]:
    places = {(part.first_session, part.last_session, part.arm_id, part.day) for part in known if _is_of_sessions(part)}
    following = dict.fromkeys(tables.LARGE, 1)
    for part in sorted(known, key=lambda part: part.first_id):
        called, expected = f"part {part.path}", following.get(part.name, 0)
        last = following[part.name] = part.first_id + part.rows
        if part.first_id != expected:
            yield f"{called} begins with row {part.first_id:,}, expected {expected:,}"
        if (part.first_session, part.last_session, part.arm_id, part.day) not in places:
            yield f"{called} is of sessions of which no part is listed"
        if _is_of_sessions(part) and (part.first_session, part.last_session) != (part.first_id, last - 1):
            yield f"{called} has other sessions than those that it is listed with"


def _is_of_sessions(part: Part) -> bool:
    return part.name == tables.sessions.name


def refuse_claims(directory: Path, part: Part, about: pq.FileMetaData) -> None:
    """Return where a part has the columns and rows that it is listed with, and no more than its bytes can hold.

    Args:
        directory: The run's.
        part: As it was written.
        about: What the footer of its file says; asked before any row is decoded.

    Raises:
        RunDirectoryError: The footer and the list of parts differ, or both claim too much.
    """
    if odd := next(_odd_columns(part, about), None):
        raise RunDirectoryError(f"{directory}: part {part.path} {odd}; {RESTORE}")
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    columns = range(about.num_columns)
    held = {sum(group.column(column).num_values for group in groups) for column in columns}
    found = max(
        {about.num_rows, sum(group.num_rows for group in groups), *held}, key=lambda rows: abs(rows - part.rows)
    )
    if found != part.rows:
        wrong = f"part {part.path} has {found:,} rows, expected {part.rows:,}"
    elif found > max(_MOST_ROWS, _MOST_ROWS_PER_BYTE * part.bytes):
        wrong = (
            f"part {part.path} claims {found:,} rows in {part.bytes:,} bytes, expected at most "
            f"{max(_MOST_ROWS, _MOST_ROWS_PER_BYTE * part.bytes):,}; it was not read"
        )
    else:
        return
    raise RunDirectoryError(f"{directory}: {wrong}; {RESTORE}")


def _odd_columns(part: Part, about: pq.FileMetaData) -> Iterator[str]:
    """What is wrong with the columns of a part."""
    here = about.schema.to_arrow_schema()
    for field in schema_of(part.name):
        place = here.get_field_index(field.name)
        if place < 0:
            yield from () if field.name in _LATER else (f"has no column {field.name}",)
        elif here.field(place).type != field.type:
            yield f"holds {here.field(place).type} as {field.name}, expected {field.type}"
        elif here.field(place).nullable and not field.nullable:
            yield f"may hold nothing as {field.name}, expected a value in every row"
    place = here.get_field_index("session_id")
    for group in range(about.num_row_groups):
        found = about.row_group(group).column(place).statistics
        if found is None or not found.has_min_max:
            continue
        if found.null_count or not part.first_session <= found.min <= found.max <= part.last_session:
            yield "has rows of other sessions than those that it is listed with"
