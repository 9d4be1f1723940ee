"""Rows of `lessons`: what recommenders asked a language model in order to learn, which belongs to no session.

The table stands in the logs of runs whose recommenders learn by asking, and in no other: it is made with its first row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Float, MetaData, Table, func, insert, inspect, select

from groundlings.environments.chat import CallRecord
from groundlings.recommenders.learning import Answer
from groundlings.simulator.log.call_rows import call_cells
from groundlings.simulator.log.canonical import NotOurs, absorb, kinds_of
from groundlings.simulator.log.tables import Integer, String, Text, arms

lessons = Table(
    "lessons",
    MetaData(),  # only the logs of runs that learn by asking have it
    Column("lesson_id", Integer, primary_key=True, autoincrement=False),  # ascending in the order of writing, from 1
    Column("arm_id", Integer, nullable=False),  # whose recommender asked
    Column("day", Integer, nullable=False),  # before which it asked; 0 is the first
    Column("template", String, nullable=False),
    Column("prompt_hash", String, nullable=False),
    Column("model", String, nullable=False),
    Column("model_fingerprint", String, nullable=False),
    Column("temperature", Float, nullable=False),
    Column("seed", Integer),
    Column("status", String, nullable=False),  # ok, unreadable, unanswerable
    Column("attempts", Integer, nullable=False),
    Column("from_store", Boolean, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("latency_seconds", Float, nullable=False),
    Column("messages", Text, nullable=False),  # JSON: all that the model was shown
    Column("reply", Text, nullable=False),  # all that it said
    Column("finish_reason", String),
    Column("form", String),
    Column("tokens_estimated", Boolean, nullable=False),
    Column("thought_characters", Integer, nullable=False),
)

_BEHAVIOUR = (
    "day", "template", "prompt_hash", "model", "temperature", "seed", "status", "prompt_tokens", "completion_tokens",
    "messages", "reply",
)  # fmt: skip
"""Columns of the digest: those of `calls` that tell of behaviour."""


def has_lessons(connection: Connection) -> bool:
    """Whether a log has the table."""
    return inspect(connection).has_table(lessons.name)


def write_lessons(
    connection: Connection, arm_id: int, day: int, calls: Sequence[CallRecord]
) -> tuple[dict[str, Any], str]:
    """A row per call, in the order of asking; the table is made if need be.

    Returns:
        What the seal of the rows covers, and its content.
    """
    lessons.create(connection, checkfirst=True)
    first = 1 + (connection.execute(select(func.max(lessons.c.lesson_id))).scalar_one() or 0)
    names = lessons.columns.keys()
    rows = [(first + number, arm_id, day, *call_cells(call)) for number, call in enumerate(calls)]
    connection.execute(insert(lessons), [dict(zip(names, row, strict=True)) for row in rows])
    return {"first": first, "rows": len(rows)}, _content(rows)


def _content(rows: Sequence[Sequence[Any]]) -> str:
    """The hash over some rows, their numbers left out: the seal counts them."""
    total = hashlib.sha256(lessons.name.encode())
    if rows:
        absorb(total, kinds_of(lessons)[1:], list(zip(*rows, strict=True))[1:])
    return total.hexdigest()


def lesson_faults(connection: Connection, sealed: Sequence[tuple[int, int, str]]) -> Iterator[str]:
    """What became of lessons since they were written.

    Args:
        connection: To the log.
        sealed: First number, rows and content of each seal.
    """
    if not has_lessons(connection):
        yield from ("rows of lessons were removed",) * bool(sealed)
        return
    query = select(lessons).order_by(lessons.c.lesson_id)
    for first, count, content in sealed:
        between = lessons.c.lesson_id.between(first, first + count - 1)
        rows = [tuple(row) for row in connection.execute(query.where(between))]
        if len(rows) != count:
            yield "rows of lessons were removed"
            return
        try:
            same = _content(rows) == content
        except NotOurs:
            same = False
        if not same:
            yield "rows of lessons were changed"
            return
    if connection.execute(select(func.count()).select_from(lessons)).scalar_one() != sum(rows for _, rows, _ in sealed):
        yield "rows were added to lessons"


def read_answers(connection: Connection, arm_id: int) -> tuple[Answer, ...]:
    """The answers that the recommender of an arm has learnt from, in the order of asking."""
    if not has_lessons(connection):
        return ()
    wanted = [lessons.c[name] for name in ("messages", "temperature", "seed", "reply", "status")]
    rows = connection.execute(select(*wanted).where(lessons.c.arm_id == arm_id).order_by(lessons.c.lesson_id))
    return tuple(Answer(*row) for row in rows)


def absorb_lessons(total: Any, connection: Connection) -> None:
    """Have a digest take in what was learnt by asking; nothing where nobody did.

    The order is that of the rows themselves: questions that were open together end in any order.
    """
    if not has_lessons(connection):
        return
    wanted = select(arms.c.name, *(lessons.c[name] for name in _BEHAVIOUR)).join(
        arms, arms.c.arm_id == lessons.c.arm_id
    )
    hashes = sorted(
        hashlib.sha256(repr(tuple(row)).encode("utf-8", "surrogatepass")).digest() for row in connection.execute(wanted)
    )
    if hashes:
        total.update(f"lessons {len(hashes)}\n".encode())
        total.update(b"".join(hashes))
