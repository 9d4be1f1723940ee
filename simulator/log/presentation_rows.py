"""Rows of `presentations`: in what words each slot was shown, where a recommender chose them.

The table stands in the logs of runs whose recommenders say something of items, and in no other: it is made with its
first row.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, MetaData, Table, inspect

from groundlings.environments.notes import UNSAID
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.tables import Integer, Text
from groundlings.simulator.session import CohortRecord

presentations = Table(
    "presentations",
    MetaData(),  # only the logs of runs with a presenter have it
    Column("session_id", Integer, primary_key=True, autoincrement=False),
    Column("rank", Integer, primary_key=True, autoincrement=False),  # of the impression in its session
    Column("original", Text, nullable=False),  # what the catalogue says of the item beside its title
    Column("shown", Text),  # what the page said in its place; NULL = the catalogue's own words
    Column("fitting", Integer),  # facts of it that fit the keywords it was chosen by; NULL likewise
)


def has_presentations(connection: Connection) -> bool:
    """Whether a log has the table."""
    return inspect(connection).has_table(presentations.name)


def presentation_rows(record: CohortRecord, first_session: int) -> list[Row]:
    """One row per slot of the pages whose recommender says something of items, by session and rank."""
    found: list[Row] = []
    for logged in record.turns:
        notes, page = logged.served.notes, logged.turn.page
        if notes is None:
            continue
        for row, slot in zip(*(part.tolist() for part in page.shown.nonzero()), strict=True):
            fitting = int(notes.fitting[row, slot])
            found.append(
                (
                    first_session + int(logged.turn.rows[row]),
                    page.first_rank + slot,
                    notes.originals[row, slot] or "",
                    notes.shown[row, slot],
                    None if fitting == UNSAID else fitting,
                )
            )
    return sorted(found, key=lambda each: each[:2])
