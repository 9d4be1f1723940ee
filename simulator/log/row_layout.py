"""From the records of cohorts to rows: columns first, one block a table, visits in order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.actions import ActionSchema, ActionSpec
from groundlings.environments.chat import CallRecord
from groundlings.environments.trace import REMARK_KINDS
from groundlings.personas.mind import PageTurn
from groundlings.simulator.log.agent_state_rows import interview_rows, memory_rows, mood_rows
from groundlings.simulator.log.columns import Columns, Row, unknown_where
from groundlings.simulator.log.impression_columns import Cells, Slots
from groundlings.simulator.session import CohortRecord

_AFTER_ACTIONS = (*REMARK_KINDS, "illegal")
_PAGE_KINDS = ("unreadable", "next_page", "exit")
_IN_THE_PAGE_EVENT = frozenset({"next_page", "satisfaction"})
"""Actions that the event which ends a page tells of: its kind says whether the next page was asked for, its value how
satisfying the page was."""
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
    kinds = EventKinds(cohorts[0].record.schema)
    calls: list[Row] = []
    moods: list[Row] = []
    memories: list[Row] = []
    interviews: list[Row] = []
    for cohort, first in zip(cohorts, slots.first_visits, strict=False):
        record, session = cohort.record, origin.session + first
        found = _calls_in_order(record)
        ids = {id(call): origin.call + len(calls) + number for number, (_, _, _, call) in enumerate(found)}
        calls += _calls(found, origin.call + len(calls), session)
        moods += mood_rows(record, session)
        memories += memory_rows(record, session)
        interviews += interview_rows(record, session, [ids[id(call)] for call in record.afterthoughts.calls])
    return Block(
        sessions=_sessions(cohorts, slots, origin),
        impressions=_impressions(slots, origin),
        events=_events(slots, kinds, origin),
        calls=calls,
        moods=moods,
        memories=memories,
        interviews=interviews,
    )


class EventKinds:
    """The kinds of events in the order in which they stand in the log, slot by slot and then for the page.

    Every action per slot that an environment declares is a kind, then what explains and what was refused; then every
    action per page but those which the event that ends the page tells of.
    """

    def __init__(self, schema: ActionSchema) -> None:
        self.slot_actions = tuple(spec for spec in schema.specs if spec.per == "slot")
        self.page_actions = tuple(
            spec for spec in schema.specs if spec.per == "page" and spec.name not in _IN_THE_PAGE_EVENT
        )
        names = (
            *(spec.name for spec in self.slot_actions),
            *_AFTER_ACTIONS,
            *(spec.name for spec in self.page_actions),
            *_PAGE_KINDS,
        )
        self.names = np.array(names, dtype=np.object_)
        self.place = {name: place for place, name in enumerate(names)}


def _sessions(cohorts: Sequence[Cohort], slots: Slots, origin: Origin) -> Columns:
    visits = [len(cohort.record.visits) for cohort in cohorts]
    total = sum(visits)
    satisfaction = slots.a_showing(_satisfaction)
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
        spread(map(_propensity_kind, cohorts)),
        np.concatenate([cohort.record.pages for cohort in cohorts]),
        [str(reason) for cohort in cohorts for reason in cohort.record.ended_by],
        np.divide(felt, asked, out=np.full(total, np.nan), where=asked > 0),
    )


_KNOWN_LEAST = ("deterministic", "exact", "estimated")


def _propensity_kind(cohort: Cohort) -> str:
    """Of all lists that a cohort was shown: the kind that claims least; "deterministic" where nothing was shown."""
    kinds = {logged.served.propensity_kind for logged in cohort.record.turns}
    return max(kinds, key=_KNOWN_LEAST.index, default=_KNOWN_LEAST[0])


def _impressions(slots: Slots, origin: Origin) -> Columns:
    unknown = slots.on_every_slot(lambda turn: turn.decision.unreadable)
    return Columns(
        slots.ids,
        slots.visit + origin.session,
        slots.page,
        slots.position,
        slots.rank,
        slots.column(lambda turn: turn.page.items).astype(np.int64) + origin.item,
        slots.served(lambda served: served.scores),
        slots.served(lambda served: served.propensities),
        slots.served(lambda served: served.explored),
        slots.optional(lambda turn: turn.decision.trace.examined),
        unknown_where(unknown, slots.optional(lambda turn: turn.decision.get("click"))),
        slots.optional(lambda turn: turn.decision.get("rate")),
        slots.optional(lambda turn: turn.decision.trace.probability("click")),
        slots.optional(lambda turn: turn.decision.trace.draw("click")),
        slots.position
        if all(turn.decision.trace.display is None for turn in slots.turns)
        else slots.column(_displayed),
        _teams(slots, origin),
    )


def _teams(slots: Slots, origin: Origin) -> Cells:
    """The arm behind each slot; the teams of a list are the run's first arms."""
    if any(logged.served.teams is None for _, logged in slots.logged):
        return np.full(len(slots.ids), np.nan)
    return slots.served(lambda served: np.asarray(served.teams)).astype(np.int64) + origin.arm


def _displayed(turn: PageTurn) -> Cells:
    if turn.decision.trace.display is not None:
        return turn.decision.trace.display
    return np.broadcast_to(np.arange(turn.page.items.shape[1]), turn.page.items.shape)


def _events(slots: Slots, kinds: EventKinds, origin: Origin) -> Columns:
    """Within a page slot by slot (actions as declared, then what was refused there), then the page as a whole."""
    parts = [
        *(_of_slots(slots, spec, kinds.place[spec.name]) for spec in kinds.slot_actions),
        *(_of_page_action(slots, spec, kinds.place[spec.name]) for spec in kinds.page_actions),
        _of_pages(slots, kinds),
        _told(slots, kinds),
    ]
    visit, page, position, kind, impression, value, detail = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((kind, position, page, visit))
    impression = impression[order]
    return Columns(
        range(origin.event, origin.event + len(order)),
        visit[order] + origin.session,
        unknown_where(impression < 0, impression),
        page[order],
        kinds.names[kind[order]],
        value[order],
        detail[order],
    )


_EventColumns = tuple[Cells, Cells, Cells, Cells, Cells, Cells, Cells]


def _of_slots(slots: Slots, spec: ActionSpec, kind: int) -> _EventColumns:
    """One event per slot on which an action per slot was taken."""
    cells = slots.column(lambda turn: turn.decision[spec.name])
    where = np.flatnonzero(spec.taken(cells))
    values, texts = _said(spec, cells[where])
    return (
        slots.visit[where],
        slots.page[where],
        slots.position[where],
        np.full(len(where), kind),
        slots.ids[where],
        values,
        texts,
    )


def _of_page_action(slots: Slots, spec: ActionSpec, kind: int) -> _EventColumns:
    """One event per visit and page in which an action per page was taken."""
    cells = slots.a_showing(lambda turn: turn.decision[spec.name])
    where = np.flatnonzero(spec.taken(cells))
    values, texts = _said(spec, cells[where])
    return (
        slots.showing_visit[where],
        slots.showing_page[where],
        np.full(len(where), _WHOLE_PAGE),
        np.full(len(where), kind),
        np.full(len(where), -1),
        values,
        texts,
    )


def _said(spec: ActionSpec, cells: Cells) -> tuple[Cells, Cells]:
    """What an event keeps of an action: the value of a number, the detail of a text, neither of a flag."""
    values = cells.astype(np.float64) if spec.kind == "number" else np.full(len(cells), np.nan)
    texts = cells if spec.kind == "text" else np.full(len(cells), None)
    return values, texts


def _of_pages(slots: Slots, kinds: EventKinds) -> _EventColumns:
    """The event that ends a page for a visit."""
    showings = len(slots.showing_visit)
    goes_on = slots.a_showing(_goes_on)
    unreadable = slots.a_showing(lambda turn: turn.decision.unreadable)
    ended = np.where(goes_on, kinds.place["next_page"], kinds.place["exit"])
    return (
        slots.showing_visit,
        slots.showing_page,
        np.full(showings, _WHOLE_PAGE),
        np.where(unreadable, kinds.place["unreadable"], ended),
        np.full(showings, -1),
        slots.a_showing(_satisfaction),
        slots.a_showing(_feelings),
    )


def _goes_on(turn: PageTurn) -> Cells:
    turned = turn.decision.get("next_page")
    return np.zeros(len(turn.rows), dtype=np.bool_) if turned is None else turned


def _satisfaction(turn: PageTurn) -> Cells:
    said = turn.decision.get("satisfaction")
    return np.full(len(turn.rows), np.nan) if said is None else said


def _feelings(turn: PageTurn) -> Cells:
    told = np.full(len(turn.rows), None)
    if turn.decision.trace.feelings:
        told[:] = turn.decision.trace.feelings
    return told


def _told(slots: Slots, kinds: EventKinds) -> _EventColumns:
    """What is known of single slots in words: what was refused there, and what explains a decision."""
    found = []
    for first, logged in slots.logged:
        refused, remarks = logged.illegal, logged.turn.decision.trace.remarks
        told = [(each.row, each.position, kinds.place["illegal"], f"{each.said}: {each.reason}") for each in refused]
        told += [(each.row, each.position, kinds.place[each.kind], each.text) for each in remarks]
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
    visits, pages, positions, told_kinds, impressions = (
        np.array([each[n] for each in found], dtype=np.int64) for n in range(5)
    )
    details = np.array([*(each[5] for each in found), None], dtype=np.object_)[:-1]
    return visits, pages, positions, told_kinds, impressions, np.full(len(found), np.nan), details


_RECOMMENDER, _AGENT = 0, 1
_ASKED_BY = ("recommender", "agent")


def _calls_in_order(record: CohortRecord) -> list[tuple[int, int, int, CallRecord]]:
    """Visit, page, who asked (a recommender before the agent sees the page) and call, in the order of asking.

    What an agent asked after its visit comes last.
    """
    found = [(call.row, page, _RECOMMENDER, call) for page, call in record.asked]
    found += [
        (int(logged.turn.rows[call.row]), logged.turn.page.number, _AGENT, call)
        for logged in record.turns
        for call in logged.calls
    ]
    found += [(call.row, int(record.pages[call.row]), _AGENT, call) for call in record.afterthoughts.calls]
    found.sort(key=lambda each: each[:3])
    return found


def _calls(found: list[tuple[int, int, int, CallRecord]], first_call: int, first_session: int) -> list[Row]:
    return [
        (first_call + number, first_session + visit, page, *_call(call), _ASKED_BY[asker])
        for number, (visit, page, asker, call) in enumerate(found)
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
