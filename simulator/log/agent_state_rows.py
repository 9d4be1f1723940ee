"""Rows for what goes on inside agents, and the way back: a resumed run reads their memories here.

Minds without moods and memories leave no row and cost nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, select

from groundlings.environments.arrays import FloatArray
from groundlings.personas.memory import Memory
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.tables import memories, sessions
from groundlings.simulator.session import CohortRecord

Rows = list[Row]


def mood_rows(record: CohortRecord, first_session: int) -> Rows:
    """One row per page that an agent with a mood has seen, session by session."""
    found = []
    for logged in record.turns:
        trace, number = logged.turn.decision.trace, logged.turn.page.number
        for row, mood in enumerate(trace.moods or ()):
            boredom = {topic: round(felt, 6) for topic, felt in sorted(mood.boredom.items())}
            found.append(
                (
                    first_session + int(logged.turn.rows[row]),
                    number,
                    mood.satisfaction,
                    mood.tiredness,
                    _json(boredom),
                    _known(trace.probability("next_page"), row),
                    _known(trace.draw("next_page"), row),
                )
            )
    return sorted(found, key=lambda each: each[:2])


def memory_rows(record: CohortRecord, first_session: int) -> Rows:
    """One row a memory, in the order in which they were made."""
    session_of = (
        {int(agent): row for row, agent in enumerate(record.sessions.agents)} if record.afterthoughts.memories else {}
    )
    places: dict[int, int] = {}
    rows: Rows = []
    for memory in record.afterthoughts.memories:
        session = session_of[memory.agent]
        places[session] = place = places.get(session, -1) + 1
        rows.append((first_session + session, place, memory.kind, memory.text, memory.importance))
    return rows


def interview_rows(record: CohortRecord, first_session: int, call_ids: Sequence[int]) -> Rows:
    """One row a question; `call_ids` are the log's numbers of the afterthoughts' calls."""
    places: dict[int, int] = {}
    rows: Rows = []
    for said in record.afterthoughts.answers:
        places[said.row] = place = places.get(said.row, -1) + 1
        rows.append((first_session + said.row, place, said.question, said.answer, call_ids[said.call]))
    return rows


def read_memories(connection: Connection, arm_id: int, first_agent: int) -> tuple[Memory, ...]:
    """All memories that the agents of an arm have made, oldest first, for `LooksBack.remember`.

    Args:
        connection: To the log.
        arm_id: Whose agents.
        first_agent: The log's number of the population's first agent.
    """
    found = connection.execute(
        select(sessions.c.agent_id, sessions.c.day, memories.c.kind, memories.c.text, memories.c.importance)
        .join(sessions, sessions.c.session_id == memories.c.session_id)
        .where(sessions.c.arm_id == arm_id)
        .order_by(sessions.c.day, sessions.c.sim_time, sessions.c.agent_id, memories.c.place)
    )
    return tuple(Memory(row.agent_id - first_agent, row.day, row.kind, row.text, row.importance) for row in found)


_json = json.JSONEncoder(ensure_ascii=False).encode


def _known(values: FloatArray | None, row: int) -> float | None:
    return None if values is None or np.isnan(values[row]) else float(values[row])
