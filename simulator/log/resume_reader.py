"""How far an interrupted run has come: the log read back as the past of its arms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, Select, func, null, select

from groundlings.environments.actions import ActionSchema
from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.environment import LOST
from groundlings.environments.shop_actions import PURCHASE, QUANTITY
from groundlings.environments.social_turns import TURN, Told, takes_turns
from groundlings.simulator.interventions import Intervention
from groundlings.simulator.log.agent_state_rows import read_memories
from groundlings.simulator.log.begun import Begun, read_begun
from groundlings.simulator.log.intervention_rows import read_interventions
from groundlings.simulator.log.lesson_rows import read_answers
from groundlings.simulator.log.numbering import next_origin
from groundlings.simulator.log.row_layout import Origin
from groundlings.simulator.log.store import Store
from groundlings.simulator.log.tables import arms, events, impressions, sessions
from groundlings.simulator.resume_state import Past, PastDay


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that was begun earlier.

    Attributes:
        begun: What it began with, and whether anything is left to simulate.
        arms: What each arm has lived through.
        interventions: What was decided to change in them, and when.
    """

    begun: Begun
    arms: Mapping[str, Past]
    interventions: tuple[Intervention, ...] = ()


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a writer needs to go on with a run.

    Attributes:
        run_id: The run's.
        arm_ids: Name of each arm -> its id.
        origin: Where the next rows begin.
        past: What the run has lived through.
    """

    run_id: str
    arm_ids: Mapping[str, int]
    origin: Origin
    past: PastRun


def read_resumption(
    connection: Connection, store: Store, schema: ActionSchema, *, lists: bool = False
) -> Resumption | None:
    """How far the run in a log has come, None where nothing has begun yet; see `read_past`."""
    begun = read_begun(connection)
    if begun is None:
        return None
    arm_ids = {row.name: row.arm_id for row in connection.execute(select(arms.c.name, arms.c.arm_id))}
    origin = next_origin(connection, store)
    changes = read_interventions(connection)
    lists = lists or any(each.kind == "recommender" for each in changes)  # the new one may learn from what it showed
    past = {name: read_past(connection, arm_id, origin, schema, lists=lists) for name, arm_id in arm_ids.items()}
    return Resumption(begun.run_id, arm_ids, origin, PastRun(begun, past, changes))


def read_past(
    connection: Connection, arm_id: int, origin: Origin, schema: ActionSchema, *, lists: bool = False
) -> Past:
    """What one arm has lived through; a session counts once all of it is committed, so there are no halves.

    Args:
        connection: To the log.
        arm_id: The arm's.
        origin: Where ids begin.
        schema: Says which action is an interaction.
        lists: Whether what was shown is read as well.
    """
    past_sessions = connection.execute(
        select(
            sessions.c.day,
            sessions.c.sim_time,
            sessions.c.agent_id,
            sessions.c.satisfaction,
            sessions.c.ended_by,
        )
        .where(sessions.c.arm_id == arm_id)
        .order_by(sessions.c.day, sessions.c.sim_time, sessions.c.agent_id)
    )
    done = dict(_by_occasion(connection.execute(_interactions(schema).where(sessions.c.arm_id == arm_id))))
    seen = {}
    if lists:
        seen = {when: _shown(rows, origin) for when, rows in _by_occasion(connection.execute(_lists(arm_id)))}
    told = {}
    if takes_turns(schema):
        told = {when: _told(rows, origin) for when, rows in _by_occasion(connection.execute(_turns(arm_id)))}
    days = tuple(
        _day(rows, done.get(when, []), origin, seen.get(when, _NOTHING_SHOWN) if lists else None, told.get(when, ()))
        for when, rows in _by_occasion(past_sessions)
    )
    return Past(days, read_memories(connection, arm_id, origin.agent), read_answers(connection, arm_id))


def _lists(arm_id: int) -> Select[Any]:
    """Day, time, agent and item of everything that was shown in an arm."""
    return (
        select(sessions.c.day, sessions.c.sim_time, sessions.c.agent_id, impressions.c.item_id)
        .select_from(impressions.join(sessions, sessions.c.session_id == impressions.c.session_id))
        .where(sessions.c.arm_id == arm_id)
        .order_by(sessions.c.day, sessions.c.sim_time, sessions.c.agent_id, impressions.c.rank)
    )


def _turns(arm_id: int) -> Select[Any]:
    """Day, time, agent, kind, number and text of everything done in the social turns of an arm."""
    columns = sessions.c.day, sessions.c.sim_time, sessions.c.agent_id, events.c.kind, events.c.value, events.c.detail
    return (
        select(*columns)
        .select_from(events.join(sessions, sessions.c.session_id == events.c.session_id))
        .where(sessions.c.arm_id == arm_id, events.c.page == 1, events.c.kind.in_([spec.name for spec in TURN]))
        .order_by(sessions.c.day, sessions.c.sim_time, sessions.c.agent_id)
    )


def _told(rows: list[Row[Any]], origin: Origin) -> tuple[Told, ...]:
    """What was said on one occasion, agent by agent."""
    found = (
        Told.of(agent - origin.agent, {row.kind: row.value if row.detail is None else row.detail for row in of})
        for agent, of in groupby(rows, key=lambda row: row.agent_id)
    )
    return tuple(each for each in found if each is not None)


def _interactions(schema: ActionSchema) -> Select[Any]:
    """Day, agent, item, strength and units bought of everything a recommender heard of, slot by slot.

    Clicks and stars are columns of impressions; other actions are events.
    """
    shown = impressions.join(sessions, sessions.c.session_id == impressions.c.session_id)
    strength: ColumnElement[Any] = impressions.c.rating
    if schema.strength is None:
        strength = null()
    elif schema.strength != "rate":
        given = events.alias("given")
        shown = shown.outerjoin(
            given, (given.c.impression_id == impressions.c.impression_id) & (given.c.kind == schema.strength)
        )
        strength = given.c.value
    taken: ColumnElement[Any] = impressions.c.clicked
    if schema.interaction != "click":
        done = events.alias("done")
        shown = shown.join(done, done.c.impression_id == impressions.c.impression_id)
        taken = done.c.kind == schema.interaction
    units: ColumnElement[Any] = null()
    if schema.interaction == PURCHASE:  # a purchase without a quantity is of one unit
        number = events.alias("number")
        shown = shown.outerjoin(
            number, (number.c.impression_id == impressions.c.impression_id) & (number.c.kind == QUANTITY)
        )
        units = func.coalesce(number.c.value, 1.0)
    return (
        select(
            sessions.c.day,
            sessions.c.sim_time,
            sessions.c.agent_id,
            impressions.c.item_id,
            strength.label("strength"),
            units.label("units"),
        )
        .select_from(shown)
        .where(taken)
        .order_by(sessions.c.day, sessions.c.sim_time, sessions.c.agent_id, impressions.c.rank)
    )


_Occasion = tuple[int, int]
"""Day and time; people have one session at a time."""


def _by_occasion(rows: Any) -> Iterator[tuple[_Occasion, list[Row[Any]]]]:
    return ((when, list(group)) for when, group in groupby(rows, key=lambda row: (row.day, row.sim_time)))


def _shown(rows: list[Row[Any]], origin: Origin) -> tuple[IntArray, IntArray]:
    """Who was shown what, row numbers in the population and in the catalogue."""
    viewers = np.array([row.agent_id for row in rows], dtype=np.int64) - origin.agent
    return viewers, np.array([row.item_id for row in rows], dtype=np.int64) - origin.item


_NOTHING_SHOWN = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


def _day(
    past_sessions: list[Row[Any]],
    clicks: list[Row[Any]],
    origin: Origin,
    seen: tuple[IntArray, IntArray] | None,
    told: tuple[Told, ...] = (),
) -> PastDay:
    viewers, shown = (None, None) if seen is None else seen
    return PastDay(
        day=past_sessions[0].day,
        sim_time=past_sessions[0].sim_time,
        agents=np.array([row.agent_id for row in past_sessions], dtype=np.int64) - origin.agent,
        clickers=np.array([row.agent_id for row in clicks], dtype=np.int64) - origin.agent,
        items=np.array([row.item_id - origin.item for row in clicks], dtype=np.int32),
        stars=_numbers(row.strength for row in clicks),
        units=_numbers(row.units for row in clicks),
        satisfaction=_numbers(row.satisfaction for row in past_sessions),
        lost=np.array([row.ended_by in LOST for row in past_sessions], dtype=np.bool_),
        viewers=viewers,
        shown=shown,
        told=told,
    )


def _numbers(cells: Iterable[float | None]) -> FloatArray:
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
