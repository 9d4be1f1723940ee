"""From the records of cohorts to rows: columns first, one block a table, sessions in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.personas.mind import PageTurn
from groundlings.simulator.log.agent_state_rows import interview_rows, memory_rows, mood_rows
from groundlings.simulator.log.call_rows import call_rows, calls_in_order
from groundlings.simulator.log.columns import Coded, Column, Columns, Row, unknown_where
from groundlings.simulator.log.event_rows import EventKinds, event_rows, satisfaction_of
from groundlings.simulator.log.impression_columns import Cells, Slots
from groundlings.simulator.log.presentation_rows import presentation_rows
from groundlings.simulator.session import CohortRecord


@dataclass(frozen=True, slots=True)
class Origin:
    """The ids that a block starts from."""

    arm: int
    session: int
    impression: int
    event: int
    call: int
    agent: int
    item: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """What a cohort did, and what the log must know beside it.

    Attributes:
        record: The sessions.
        arm_id: Whose.
        sim_time: Of the day, on the simulated clock.
        policy_version: What the recommender had learnt.
    """

    record: CohortRecord
    arm_id: int
    sim_time: int
    policy_version: str


@dataclass(frozen=True, slots=True)
class Block:
    """Rows for each table, columns in the order of `tables.py`."""

    sessions: Columns
    impressions: Columns
    events: Columns
    calls: list[Row]
    moods: list[Row]
    memories: list[Row]
    interviews: list[Row]
    presentations: list[Row]


def block_of(cohorts: Sequence[Cohort], origin: Origin) -> Block:
    """Lay out everything that cohorts did, one after the other; the order of rows depends on the records alone.

    Many cohorts of one session cost little more than one cohort of many, because they are laid out together.
    """
    slots = Slots([cohort.record for cohort in cohorts], origin.impression)
    kinds = EventKinds(cohorts[0].record.schema)
    calls: list[Row] = []
    moods: list[Row] = []
    memories: list[Row] = []
    interviews: list[Row] = []
    presentations: list[Row] = []
    for cohort, first in zip(cohorts, slots.first_sessions, strict=False):
        found = small_rows(cohort, origin.session + first, origin.call + len(calls), origin.arm)
        for rows, more in zip((calls, moods, memories, interviews, presentations), found, strict=True):
            rows += more
    return Block(
        sessions=_sessions(cohorts, slots, origin),
        impressions=_impressions(slots, origin),
        events=event_rows(slots, kinds, origin.session, origin.event),
        calls=calls,
        moods=moods,
        memories=memories,
        interviews=interviews,
        presentations=presentations,
    )


def small_rows(
    cohort: Cohort, first_session: int, first_call: int, first_arm: int
) -> tuple[list[Row], list[Row], list[Row], list[Row], list[Row]]:
    """The rows of a cohort in its small tables, in the order of `Block`, with the ids that they start from."""
    record = cohort.record
    found = calls_in_order(record)
    ids = {id(call): first_call + number for number, (_, _, _, call) in enumerate(found)}
    return (
        call_rows(found, first_call, first_session, first_arm),
        mood_rows(record, first_session),
        memory_rows(record, first_session),
        interview_rows(record, first_session, [ids[id(call)] for call in record.afterthoughts.calls]),
        presentation_rows(record, first_session),
    )


def _sessions(cohorts: Sequence[Cohort], slots: Slots, origin: Origin) -> Columns:
    sizes = [len(cohort.record.sessions) for cohort in cohorts]
    total = sum(sizes)
    satisfaction = slots.a_showing(satisfaction_of)
    given = ~np.isnan(satisfaction)
    asked = np.bincount(slots.showing_session[given], minlength=total)
    felt = np.bincount(slots.showing_session[given], weights=satisfaction[given], minlength=total)

    def spread(values: Iterable[int]) -> IntArray:
        return np.repeat(np.fromiter(values, np.int64, len(cohorts)), sizes)

    def spread_texts(values: Sequence[str]) -> Coded:
        return Coded(np.repeat(np.arange(len(cohorts)), sizes), values)

    return Columns(
        range(origin.session, origin.session + total),
        spread(cohort.arm_id for cohort in cohorts),
        np.concatenate([cohort.record.sessions.agents for cohort in cohorts]) + origin.agent,
        spread(cohort.record.sessions.day for cohort in cohorts),
        spread(cohort.sim_time for cohort in cohorts),
        spread_texts([cohort.policy_version for cohort in cohorts]),
        spread_texts([_propensity_kind(cohort) for cohort in cohorts]),
        np.concatenate([cohort.record.pages for cohort in cohorts]),
        _words(np.concatenate([cohort.record.ended_by for cohort in cohorts])),
        np.divide(felt, asked, out=np.full(total, np.nan), where=asked > 0),
    )


def _words(values: Cells) -> Coded:
    """The texts of some values, of which few are different objects."""
    objects = values.tolist()
    _, first, codes = np.unique(np.fromiter(map(id, objects), np.int64), return_index=True, return_inverse=True)
    return Coded(codes, [str(objects[place]) for place in first])


_KNOWN_LEAST = ("deterministic", "exact", "estimated")


def _propensity_kind(cohort: Cohort) -> str:
    """Of all lists that a cohort was shown: the kind that claims least; "deterministic" where nothing was shown."""
    kinds = {logged.served.propensity_kind for logged in cohort.record.turns}
    return max(kinds, key=_KNOWN_LEAST.index, default=_KNOWN_LEAST[0])


def _impressions(slots: Slots, origin: Origin) -> Columns:
    unknown = slots.on_every_slot(lambda turn: turn.decision.unreadable)
    return Columns(
        slots.ids,
        slots.session + origin.session,
        slots.page,
        slots.position,
        slots.rank,
        slots.column(lambda turn: turn.page.items).astype(np.int64) + origin.item,
        slots.served(lambda served: served.scores),
        slots.served(lambda served: served.propensities),
        slots.served(lambda served: served.explored),
        slots.optional(lambda turn: turn.decision.trace.examined),
        unknown_where(unknown, slots.optional(lambda turn: turn.decision.get("click"))),
        slots.optional(lambda turn: turn.decision.opinion),
        slots.optional(lambda turn: turn.decision.trace.probability("click")),
        slots.optional(lambda turn: turn.decision.trace.draw("click")),
        slots.position
        if all(turn.decision.trace.display is None for turn in slots.turns)
        else slots.column(_displayed),
        _teams(slots, origin),
        *_places(slots),
    )


def _teams(slots: Slots, origin: Origin) -> Cells:
    """The arm behind each slot; the teams of a list are the run's first arms."""
    if any(logged.served.teams is None for _, logged in slots.logged):
        return np.full(len(slots.ids), np.nan)
    return slots.served(lambda served: np.asarray(served.teams)).astype(np.int64) + origin.arm


def _places(slots: Slots) -> tuple[Column, Column, Column]:
    """Name and number of the row of each slot, and the slot in it; nothing where pages are lists."""
    if all(turn.page.places is None for turn in slots.turns):
        nothing = np.full(len(slots.ids), np.nan)
        return nothing, nothing, nothing
    return (
        slots.optional(_row_names),
        _whole(slots.optional(lambda turn: None if turn.page.places is None else turn.page.places.rows)),
        _whole(slots.optional(lambda turn: None if turn.page.places is None else turn.page.places.slots)),
    )


def _whole(cells: Cells) -> Cells:
    """Whole numbers, None where NaN stands: a server takes no fractions for them."""
    if cells.dtype.kind != "f":
        return cells
    unknown = np.isnan(cells)
    return unknown_where(unknown, np.where(unknown, 0, cells).astype(np.int64))


def _row_names(turn: PageTurn) -> Cells | None:
    places = turn.page.places
    return None if places is None else np.array([*places.names, None], dtype=np.object_)[places.named]


def _displayed(turn: PageTurn) -> Cells:
    if turn.decision.trace.display is not None:
        return turn.decision.trace.display
    return np.broadcast_to(np.arange(turn.page.items.shape[1]), turn.page.items.shape)
