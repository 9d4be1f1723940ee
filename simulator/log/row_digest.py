"""The digest of version 1: a hash over the rows of a log as Python writes them; runs that began with it keep it.

It takes several microseconds per impression, so that runs begin with the one in `session_digest`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, inspect, text

from groundlings.recommenders.interleaving import TEAM_DRAFT
from groundlings.simulator.log.columnar import columnar
from groundlings.simulator.log.lesson_rows import absorb_lessons
from groundlings.simulator.log.measured_agents import are_measured, persona_texts
from groundlings.simulator.log.presentation_rows import has_presentations
from groundlings.simulator.log.reading.batches import read_in_pieces
from groundlings.simulator.log.row_texts import RowTexts, usable

# Rows are named by what they are about (arm, day, person, page, slot), never by surrogate id. Left out, because
# they tell of the machine and not of the behaviour: wall-clock columns, latency, attempts, cache hits.
# Each order is total, several sessions of a person on a day included: databases differ in the order of equal rows.
_AGENTS = """SELECT source_user_id, persona FROM agents ORDER BY source_user_id"""
_CANONICAL = (
    """SELECT name, recommender, options, sees_hidden_preference FROM arms ORDER BY name""",
    _AGENTS,
    """SELECT source_item_id, title, year, genres FROM items ORDER BY source_item_id""",
    """
    SELECT arms.name, day, source_user_id, sim_time, policy_version, pscore_kind, pages, ended_by, satisfaction
    FROM sessions JOIN arms USING (arm_id) JOIN agents USING (agent_id)
    ORDER BY arms.name, day, source_user_id, sim_time
    """,
    """
    SELECT arms.name, day, source_user_id, page, impressions.position, rank, source_item_id, score, pscore,
           is_random, examined, clicked, rating, p_click, u_click, display_position
    FROM impressions JOIN items USING (item_id) JOIN sessions USING (session_id) JOIN arms USING (arm_id)
         JOIN agents USING (agent_id)
    ORDER BY arms.name, day, source_user_id, rank, sim_time
    """,
    """
    SELECT arms.name, day, source_user_id, events.page, impressions.position, kind, value, detail
    FROM events JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN agents USING (agent_id)
         LEFT JOIN impressions ON impressions.impression_id = events.impression_id
    ORDER BY arms.name, day, source_user_id, event_id
    """,
    """
    SELECT arms.name, day, source_user_id, page, template, prompt_hash, model, temperature, calls.seed, calls.status,
           prompt_tokens, completion_tokens, messages, reply, first_token
    FROM calls JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN agents USING (agent_id)
    ORDER BY arms.name, day, source_user_id, call_id
    """,
    """
    SELECT arms.name, day, source_user_id, page, moods.satisfaction, tiredness, boredom, p_next, u_next
    FROM moods JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN agents USING (agent_id)
    ORDER BY arms.name, day, source_user_id, page, sim_time
    """,
    """
    SELECT arms.name, day, source_user_id, place, kind, text, importance
    FROM memories JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN agents USING (agent_id)
    ORDER BY arms.name, day, source_user_id, place, sim_time
    """,
    """
    SELECT arms.name, day, source_user_id, place, question, answer
    FROM interviews JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN agents USING (agent_id)
    ORDER BY arms.name, day, source_user_id, place, sim_time
    """,
)

_TEAMS = """
    SELECT arms.name, day, source_user_id, rank, teams.name AS team
    FROM impressions JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN agents USING (agent_id)
         JOIN arms AS teams ON teams.arm_id = team_arm_id
    ORDER BY arms.name, day, source_user_id, rank, sim_time
    """
"""Asked where arms share lists, so that logs without such lists keep the digest they had before there were any."""

_SHARED_LISTS = f"SELECT 1 FROM arms WHERE recommender = '{TEAM_DRAFT}'"

_PLACES = """
    SELECT arms.name, day, source_user_id, rank, row_name, place_row, place_slot
    FROM impressions JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN agents USING (agent_id)
    WHERE place_row IS NOT NULL
    ORDER BY arms.name, day, source_user_id, rank, sim_time
    """
"""Taken in where there are any, so that logs of plain lists keep the digest they had before there were places."""

_PRESENTATIONS = """
    SELECT arms.name, day, source_user_id, rank, original, shown, fitting
    FROM presentations JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN agents USING (agent_id)
    ORDER BY arms.name, day, source_user_id, rank, sim_time
    """
"""Taken in where there are any."""

_INTERVENTIONS = """
    SELECT arms.name, day, kind, detail FROM interventions JOIN arms USING (arm_id)
    ORDER BY arms.name, day, origin, place, intervention_id
    """
"""Taken in where there are any, in the order in which they took effect; who decided them tells nothing of behaviour."""

_LARGE = dict(zip(_CANONICAL[3:6], ("sessions", "impressions", "events"), strict=True))
"""The queries whose rows a log in parts writes by itself."""

_CHUNK = 50_000


def digest_of_rows(connection: Connection) -> str:
    """SHA-256 over the canonical rows of a log, in hexadecimal."""
    total = hashlib.sha256()
    measured = are_measured(connection)
    shared = connection.execute(text(_SHARED_LISTS)).first() is not None
    with _quick(connection) as texts:
        for query in (*_CANONICAL, *((_TEAMS,) if shared else ())):
            name = _LARGE.get(query)
            if measured and query == _AGENTS:
                for each in persona_texts(connection):  # made here, alike in every version of SQLite
                    total.update(repr(each).encode())
            elif texts is None or name is None:
                _take_in(total, connection, query)
            else:
                for piece in texts.of(name):
                    total.update(piece)
            total.update(b"\x1e")
    if any(column["name"] == "place_row" for column in inspect(connection).get_columns("impressions")):
        _take_in(total, connection, _PLACES)
    if has_presentations(connection):
        _take_in(total, connection, _PRESENTATIONS)
    if inspect(connection).has_table("interventions"):
        _take_in(total, connection, _INTERVENTIONS)
    absorb_lessons(total, connection)
    return total.hexdigest()


def _take_in(total: Any, connection: Connection, query: str) -> None:
    """Have a hash take in the rows of a query as Python writes them.

    Nothing stands between two rows, so that it does not matter where a driver cuts its chunks.
    """
    if connection.dialect.name == "sqlite":
        for rows in read_in_pieces(connection, query, _CHUNK):
            total.update("".join(map(repr, rows)).encode())
        return
    streamed = connection.execute(text(query), execution_options={"yield_per": _CHUNK})
    for chunk in streamed.partitions(_CHUNK):
        total.update("".join(repr(tuple(row)) for row in chunk).encode())


@contextmanager
def _quick(connection: Connection) -> Iterator[RowTexts | None]:
    """What writes the rows of large tables column by column; None where they lie in no parts."""
    behind = columnar(connection)
    if behind is None or not usable():
        yield None
        return
    texts = behind.row_texts()
    try:
        yield texts
    finally:
        texts.close()
