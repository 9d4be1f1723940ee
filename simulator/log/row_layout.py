"""From the records of cohorts to rows: columns first, one block a table, visits in order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.chat import CallRecord
from groundlings.environments.ranking import Ranking
from groundlings.personas.mind import PageTurn
from groundlings.simulator.log.agent_state_rows import interview_rows, memory_rows, mood_rows
from groundlings.simulator.log.columns import Columns, Row, unknown_where
from groundlings.simulator.log.impression_columns import Cells, Slots
from groundlings.simulator.session import CohortRecord

KINDS = (
    "click",
    "rate",
    "reason",
    "star_odds",
    "language_score",
    "grounded",
    "illegal",
    "unreadable",
    "next_page",
    "exit",
)
_CLICK, _RATE, _, _, _, _, _ILLEGAL, _UNREADABLE, _NEXT_PAGE, _EXIT = range(len(KINDS))
_WHOLE_PAGE = 1 << 20
"""Position of an event that concerns the page and not a slot: it sorts behind all slots."""


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
        record: The visits.
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


def block_of(cohorts: Sequence[Cohort], origin: Origin) -> Block:
    """Lay out everything that cohorts did, one after the other; the order of rows depends on the records alone.

    Many cohorts of one visit cost little more than one cohort of many, because they are laid out together.
    """
    slots = Slots([cohort.record for cohort in cohorts], origin.impression)
    calls: list[Row] = []
    moods: list[Row] = []
    memories: list[Row] = []
    interviews: list[Row] = []
    for cohort, first in zip(cohorts, slots.first_visits, strict=False):
        record, session = cohort.record, origin.session + first
        found = _calls_in_order(record)
        ids = {id(call): origin.call + len(calls) + number for number, (_, _, call) in enumerate(found)}
        calls += _calls(found, origin.call + len(calls), session)
        moods += mood_rows(record, session)
        memories += memory_rows(record, session)
        interviews += interview_rows(record, session, [ids[id(call)] for call in record.afterthoughts.calls])
    return Block(
        sessions=_sessions(cohorts, slots, origin),
        impressions=_impressions([cohort.record.ranking for cohort in cohorts], slots, origin),
        events=_events(slots, origin),
        calls=calls,
        moods=moods,
        memories=memories,
        interviews=interviews,
    )


def _sessions(cohorts: Sequence[Cohort], slots: Slots, origin: Origin) -> Columns:
    visits = [len(cohort.record.visits) for cohort in cohorts]
    total = sum(visits)
    satisfaction = slots.a_showing(lambda turn: turn.decision.satisfaction)
    given = ~np.isnan(satisfaction)
    asked = np.bincount(slots.showing_visit[given], minlength=total)
    felt = np.bincount(slots.showing_visit[given], weights=satisfaction[given], minlength=total)

    def spread(values: Iterable[Any]) -> list[Any]:
        return [value for value, times in zip(values, visits, strict=True) for _ in range(times)]

    return Columns(
        range(origin.session, origin.session + total),
        spread(cohort.arm_id for cohort in cohorts),
        np.concatenate([cohort.record.visits.agents for cohort in cohorts]) + origin.agent,
        spread(cohort.record.visits.day for cohort in cohorts),
        spread(cohort.sim_time for cohort in cohorts),
        spread(cohort.policy_version for cohort in cohorts),
        spread(cohort.record.ranking.propensity_kind for cohort in cohorts),
        np.concatenate([cohort.record.pages for cohort in cohorts]),
        [str(reason) for cohort in cohorts for reason in cohort.record.ended_by],
        np.divide(felt, asked, out=np.full(total, np.nan), where=asked > 0),
    )


def _impressions(rankings: Sequence[Ranking], slots: Slots, origin: Origin) -> Columns:
    unknown = slots.on_every_slot(lambda turn: turn.decision.unreadable)
    return Columns(
        slots.ids,
        slots.visit + origin.session,
        slots.page,
        slots.position,
        slots.rank,
        slots.ranked(rankings, lambda ranking: ranking.items).astype(np.int64) + origin.item,
        slots.ranked(rankings, lambda ranking: ranking.scores),
        slots.ranked(rankings, lambda ranking: ranking.propensities),
        slots.ranked(rankings, lambda ranking: ranking.explored),
        slots.optional(lambda turn: turn.decision.examined),
        unknown_where(unknown, slots.column(lambda turn: turn.decision.clicked)),
        slots.column(lambda turn: turn.decision.stars),
        slots.optional(lambda turn: turn.decision.click_probability),
        slots.optional(lambda turn: turn.decision.click_draw),
        slots.position if all(turn.decision.display is None for turn in slots.turns) else slots.column(_displayed),
        _teams(rankings, slots, origin),
    )


def _teams(rankings: Sequence[Ranking], slots: Slots, origin: Origin) -> Cells:
    """The arm behind each slot; the teams of a list are the run's first arms."""
    if any(ranking.teams is None for ranking in rankings):
        return np.full(len(slots.ids), np.nan)
    return slots.ranked(rankings, lambda ranking: np.asarray(ranking.teams)).astype(np.int64) + origin.arm


def _displayed(turn: PageTurn) -> Cells:
    if turn.decision.display is not None:
        return turn.decision.display
    return np.broadcast_to(np.arange(turn.page.items.shape[1]), turn.page.items.shape)


def _events(slots: Slots, origin: Origin) -> Columns:
    """Within a page slot by slot (click, then rate, then what was refused there), then the page as a whole."""
    stars = slots.column(lambda turn: turn.decision.stars)
    clicks = np.flatnonzero(slots.column(lambda turn: turn.decision.clicked))
    rates = np.flatnonzero(~np.isnan(stars))
    parts = [
        _of_slots(slots, clicks, _CLICK, np.full(len(clicks), np.nan)),
        _of_slots(slots, rates, _RATE, stars[rates]),
        _of_pages(slots),
        _told(slots),
    ]
    visit, page, position, kind, impression, value, detail = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((kind, position, page, visit))
    impression = impression[order]
    return Columns(
        range(origin.event, origin.event + len(order)),
        visit[order] + origin.session,
        unknown_where(impression < 0, impression),
        page[order],
        _KIND_NAMES[kind[order]],
        value[order],
        detail[order],
    )


_KIND_NAMES = np.array(KINDS, dtype=np.object_)
_EventColumns = tuple[Cells, Cells, Cells, Cells, Cells, Cells, Cells]


def _of_slots(slots: Slots, where: IntArray, kind: int, values: FloatArray) -> _EventColumns:
    return (
        slots.visit[where],
        slots.page[where],
        slots.position[where],
        np.full(len(where), kind),
        slots.ids[where],
        values,
        np.full(len(where), None),
    )


def _of_pages(slots: Slots) -> _EventColumns:
    showings = len(slots.showing_visit)
    goes_on = slots.a_showing(lambda turn: turn.decision.goes_on)
    unreadable = slots.a_showing(lambda turn: turn.decision.unreadable)
    return (
        slots.showing_visit,
        slots.showing_page,
        np.full(showings, _WHOLE_PAGE),
        np.where(unreadable, _UNREADABLE, np.where(goes_on, _NEXT_PAGE, _EXIT)),
        np.full(showings, -1),
        slots.a_showing(lambda turn: turn.decision.satisfaction),
        slots.a_showing(_feelings),
    )


def _feelings(turn: PageTurn) -> Cells:
    told = np.full(len(turn.rows), None)
    if turn.decision.feelings:
        told[:] = turn.decision.feelings
    return told


def _told(slots: Slots) -> _EventColumns:
    """What is known of single slots in words: what was refused there, and what explains a decision."""
    found = []
    for first, logged in slots.logged:
        told = [(each.row, each.position, _ILLEGAL, f"{each.said}: {each.reason}") for each in logged.illegal]
        told += [(each.row, each.position, KINDS.index(each.kind), each.text) for each in logged.turn.decision.remarks]
        for row, slot, kind, text in told:
            visit, page = int(logged.turn.rows[row]) + first, logged.turn.page
            impression, position = -1, _WHOLE_PAGE
            if slot is not None:
                position = slot
                if page.shown[row, position]:
                    # Shown slots of a visit stand side by side, rank by rank, without gaps.
                    before = int(np.searchsorted(slots.visit, visit))
                    impression = int(slots.ids[before + page.first_rank + position])
            found.append((visit, page.number, position, kind, impression, text))
    visits, pages, positions, kinds, impressions = (
        np.array([each[n] for each in found], dtype=np.int64) for n in range(5)
    )
    details = np.array([*(each[5] for each in found), None], dtype=np.object_)[:-1]
    return visits, pages, positions, kinds, impressions, np.full(len(found), np.nan), details


def _calls_in_order(record: CohortRecord) -> list[tuple[int, int, CallRecord]]:
    """Visit, page and call, in the order of asking within a visit; what was asked after it comes last."""
    found = [
        (int(logged.turn.rows[call.row]), logged.turn.page.number, call)
        for logged in record.turns
        for call in logged.calls
    ]
    found += [(call.row, int(record.pages[call.row]), call) for call in record.afterthoughts.calls]
    found.sort(key=lambda each: each[:2])
    return found


def _calls(found: list[tuple[int, int, CallRecord]], first_call: int, first_session: int) -> list[Row]:
    return [
        (first_call + number, first_session + visit, page, *_call(call))
        for number, (visit, page, call) in enumerate(found)
    ]


def _call(call: CallRecord) -> tuple[Any, ...]:
    request, reply = call.request, call.reply
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    return (
        call.template,
        call.prompt_hash,
        reply.model,
        reply.fingerprint,
        request.temperature,
        request.seed,
        call.status,
        reply.attempts,
        reply.from_store,
        reply.prompt_tokens,
        reply.cached_tokens,
        reply.completion_tokens,
        reply.latency_seconds,
        _json(messages),
        reply.text,
        _json(reply.first_token) if reply.first_token else None,
    )


_json = json.JSONEncoder(ensure_ascii=False).encode
