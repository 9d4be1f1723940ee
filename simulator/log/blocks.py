"""From the record of a cohort to rows: columns first, one block a table, visits in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from environments.arrays import FloatArray, IntArray
from environments.chat import CallRecord
from personas.mind import PageTurn
from simulator.log.inner_life import Rows, interview_rows, memory_rows, mood_rows
from simulator.session import CohortRecord

Column = NDArray[Any]

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

    session: int
    impression: int
    event: int
    call: int
    agent: int
    item: int


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a cohort for each table, columns in the order of `tables.py`."""

    sessions: Rows
    impressions: Rows
    events: Rows
    calls: Rows
    moods: Rows
    memories: Rows
    interviews: Rows


def block_of(record: CohortRecord, origin: Origin, *, arm_id: int, sim_time: int, policy_version: str) -> Block:
    """Lay out everything a cohort did; the order of rows depends on the record alone."""
    slots = _Slots(record, origin.impression)
    calls = _calls_in_order(record)
    ids = {id(call): origin.call + number for number, (_, _, call) in enumerate(calls)}
    return Block(
        sessions=_sessions(record, origin, arm_id, sim_time, policy_version),
        impressions=_impressions(record, slots, origin),
        events=_events(record, slots, origin),
        calls=_calls(calls, origin),
        moods=mood_rows(record, origin.session),
        memories=memory_rows(record, origin.session),
        interviews=interview_rows(record, origin.session, [ids[id(call)] for call in record.afterthoughts.calls]),
    )


class _Slots:
    """Every slot shown to a cohort, flattened: by visit, then page, then position.

    Attributes:
        visit, page, position, rank: Shape (n_impressions,) each.
        ids: Impression ids, ascending.
    """

    def __init__(self, record: CohortRecord, first_id: int) -> None:
        self.turns = [logged.turn for logged in record.turns]
        self._shown = [turn.page.shown for turn in self.turns]
        visit = self._flat(lambda turn: turn.rows[:, None])
        # Stable, so that the slots of a visit stay in the order of pages and positions.
        self._order = np.argsort(visit, kind="stable")
        self.visit = visit[self._order]
        self.ids = np.arange(first_id, first_id + len(visit))
        self.page = self.column(lambda turn: np.full((1, 1), turn.page.number))
        self.position = self.column(_own)
        self.rank = self.position + self.column(lambda turn: np.full((1, 1), turn.page.first_rank))

    def column(self, pick: Callable[[PageTurn], Column]) -> Column:
        """A value a slot; `pick` gives, for each turn, what broadcasts to the shape of its page."""
        return self._flat(pick)[self._order]

    def optional(self, pick: Callable[[PageTurn], Column | None]) -> list[Any]:
        """As `column`, NULL where a mind does not know the value."""
        parts = [pick(turn) for turn in self.turns]
        if any(part is None for part in parts):
            return [None] * len(self.ids)
        return nullable(self.column(lambda turn: np.asarray(pick(turn))))

    def _flat(self, pick: Callable[[PageTurn], Column]) -> Column:
        parts = [
            np.broadcast_to(pick(turn), shown.shape)[shown] for turn, shown in zip(self.turns, self._shown, strict=True)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _sessions(record: CohortRecord, origin: Origin, arm_id: int, sim_time: int, policy_version: str) -> Rows:
    visits = len(record.visits)
    total, asked = np.zeros(visits), np.zeros(visits)
    for logged in record.turns:
        satisfaction = logged.turn.decision.satisfaction
        given = ~np.isnan(satisfaction)
        total[logged.turn.rows[given]] += satisfaction[given]
        asked[logged.turn.rows[given]] += 1
    mean = np.divide(total, asked, out=np.full(visits, np.nan), where=asked > 0)
    columns = (
        range(origin.session, origin.session + visits),
        [arm_id] * visits,
        (record.visits.agents + origin.agent).tolist(),
        [record.visits.day] * visits,
        [sim_time] * visits,
        [policy_version] * visits,
        [record.ranking.propensity_kind] * visits,
        record.pages.tolist(),
        map(str, record.ended_by),
        nullable(mean),
    )
    return list(zip(*columns, strict=True))


def _impressions(record: CohortRecord, slots: _Slots, origin: Origin) -> Rows:
    ranking, cell = record.ranking, (slots.visit, slots.rank)
    clicked = slots.column(lambda turn: turn.decision.clicked)
    unknown = slots.column(lambda turn: turn.decision.unreadable[:, None])
    columns = (
        slots.ids.tolist(),
        (slots.visit + origin.session).tolist(),
        slots.page.tolist(),
        slots.position.tolist(),
        slots.rank.tolist(),
        (ranking.items[cell].astype(np.int64) + origin.item).tolist(),
        nullable(ranking.scores[cell]),
        ranking.propensities[cell].tolist(),
        ranking.explored[cell].tolist(),
        slots.optional(lambda turn: turn.decision.examined),
        _null_where(unknown, clicked),
        nullable(slots.column(lambda turn: turn.decision.stars)),
        slots.optional(lambda turn: turn.decision.click_probability),
        slots.optional(lambda turn: turn.decision.click_draw),
        _displayed(slots).tolist(),
    )
    return list(zip(*columns, strict=True))


def _displayed(slots: _Slots) -> Column:
    if all(turn.decision.display is None for turn in slots.turns):
        return slots.position
    return slots.column(lambda turn: _own(turn) if turn.decision.display is None else turn.decision.display)


def _own(turn: PageTurn) -> Column:
    return np.arange(turn.page.items.shape[1])[None, :]


def _events(record: CohortRecord, slots: _Slots, origin: Origin) -> Rows:
    """Within a page slot by slot (click, then rate, then what was refused there), then the page as a whole."""
    stars = slots.column(lambda turn: turn.decision.stars)
    clicks = np.flatnonzero(slots.column(lambda turn: turn.decision.clicked))
    rates = np.flatnonzero(~np.isnan(stars))
    parts = [
        _of_slots(slots, clicks, _CLICK, np.full(len(clicks), np.nan)),
        _of_slots(slots, rates, _RATE, stars[rates]),
        *(_of_page(logged.turn) for logged in record.turns),
        _told(record, slots),
    ]
    visit, page, position, kind, impression, value, detail = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((kind, position, page, visit))
    columns = (
        range(origin.event, origin.event + len(order)),
        (visit[order] + origin.session).tolist(),
        _null_where(impression[order] < 0, impression[order]),
        page[order].tolist(),
        np.array(KINDS, dtype=np.object_)[kind[order]].tolist(),
        nullable(value[order]),
        detail[order].tolist(),
    )
    return list(zip(*columns, strict=True))


_EventColumns = tuple[Column, Column, Column, Column, Column, Column, Column]


def _of_slots(slots: _Slots, where: IntArray, kind: int, values: FloatArray) -> _EventColumns:
    return (
        slots.visit[where],
        slots.page[where],
        slots.position[where],
        np.full(len(where), kind),
        slots.ids[where],
        values,
        np.full(len(where), None, dtype=np.object_),
    )


def _of_page(turn: PageTurn) -> _EventColumns:
    decision, visits = turn.decision, len(turn.rows)
    feelings = decision.feelings or (None,) * visits
    return (
        turn.rows,
        np.full(visits, turn.page.number),
        np.full(visits, _WHOLE_PAGE),
        np.where(decision.unreadable, _UNREADABLE, np.where(decision.goes_on, _NEXT_PAGE, _EXIT)),
        np.full(visits, -1),
        decision.satisfaction,
        np.array([*feelings, None], dtype=np.object_)[:-1],  # the None keeps numpy from guessing a string type
    )


def _told(record: CohortRecord, slots: _Slots) -> _EventColumns:
    """What is known of single slots in words: what was refused there, and what explains a decision."""
    first = np.searchsorted(slots.visit, np.arange(len(record.visits) + 1))
    found = []
    for logged in record.turns:
        told = [(each.row, each.position, _ILLEGAL, f"{each.said}: {each.reason}") for each in logged.illegal]
        told += [(each.row, each.position, KINDS.index(each.kind), each.text) for each in logged.turn.decision.remarks]
        for row, slot, kind, text in told:
            visit, page = int(logged.turn.rows[row]), logged.turn.page
            impression, position = -1, _WHOLE_PAGE
            if slot is not None:
                position = slot
                if page.shown[row, position]:
                    # Shown slots of a visit stand side by side, rank by rank, without gaps.
                    impression = int(slots.ids[first[visit] + page.first_rank + position])
            found.append((visit, page.number, position, kind, impression, text))
    visits, pages, positions, kinds, impressions = (
        np.array([each[n] for each in found], dtype=np.int64) for n in range(5)
    )
    details = np.array([*(each[5] for each in found), None], dtype=np.object_)[:-1]
    nothing = np.full(len(found), np.nan)
    return visits, pages, positions, kinds, impressions, nothing, details


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


def _calls(found: list[tuple[int, int, CallRecord]], origin: Origin) -> Rows:
    return [
        (origin.call + number, origin.session + visit, page, *_call(call))
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
        json.dumps(messages, ensure_ascii=False),
        reply.text,
        json.dumps(reply.first_token, ensure_ascii=False) if reply.first_token else None,
    )


def nullable(values: Column) -> list[Any]:
    """NaN becomes NULL; other types have no NaN."""
    return _null_where(np.isnan(values), values) if values.dtype.kind == "f" else values.tolist()


def _null_where(missing: Column, values: Column) -> list[Any]:
    if not missing.any():
        return values.tolist()
    cells = values.astype(np.object_)
    cells[missing.astype(np.bool_)] = None
    return cells.tolist()
