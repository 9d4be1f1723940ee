"""Rows of `events`: actions as the environment declares them, remarks that explain them, refusals, ends of pages."""

from __future__ import annotations

from functools import partial

import numpy as np

from groundlings.environments.actions import ActionSchema, ActionSpec
from groundlings.environments.offers import PRICE, PROMOTED
from groundlings.environments.ties import FRIENDS_LIKED
from groundlings.environments.trace import REMARK_KINDS
from groundlings.personas.mind import PageTurn
from groundlings.simulator.log.columns import Coded, Columns, unknown_where
from groundlings.simulator.log.impression_columns import Cells, Slots

_AFTER_ACTIONS = (*REMARK_KINDS, "illegal", PRICE, PROMOTED, FRIENDS_LIKED)
_PAGE_KINDS = ("unreadable", "next_page", "exit", "unanswerable")
_IN_THE_PAGE_EVENT = frozenset({"next_page", "satisfaction"})
"""Actions that the event which ends a page tells of: its kind says whether the next page was asked for, its value how
satisfying the page was."""
_WHOLE_PAGE = 1 << 20
"""Position of an event that concerns the page and not a slot: it sorts behind all slots."""
_HEADING = -1
"""Position of what a page says of itself: it sorts before all slots."""


class EventKinds:
    """The kinds of events in the order in which they stand in the log, slot by slot and then for the page.

    Every action per slot that an environment declares is a kind, then what explains and what was refused; then every
    action per page but those which the event that ends the page tells of. What a page says of itself comes before all.
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
            *schema.tells,
        )
        self.tells = schema.tells
        self.going_on = tuple(spec for spec in self.page_actions if spec.goes_on)
        self.names = names
        self.place = {name: place for place, name in enumerate(names)}


def event_rows(slots: Slots, kinds: EventKinds, first_session: int, first_event: int) -> Columns:
    """One row per event: within a page slot by slot (actions as declared, then what was refused), then the page.

    Args:
        slots: What was shown and done.
        kinds: The kinds of events there are.
        first_session, first_event: The ids that rows start from.
    """
    parts = [
        *(_of_slots(slots, spec, kinds.place[spec.name]) for spec in kinds.slot_actions),
        *(_of_page_action(slots, spec, kinds.place[spec.name]) for spec in kinds.page_actions),
        _of_pages(slots, kinds),
        _remarks_and_refusals(slots, kinds),
        *_of_what_is_beside(slots, kinds),
        *(_of_heading(slots, name, kinds.place[name]) for name in kinds.tells),
    ]
    session, page, position, kind, impression, value, detail = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    # The last key sorts first: by session, then page, then slot (the page's own events behind all slots), then kind.
    order = np.lexsort((kind, position, page, session))
    impression = impression[order]  # -1 where an event concerns no slot that was shown: NULL in the log
    return Columns(
        range(first_event, first_event + len(order)),
        session[order] + first_session,
        unknown_where(impression < 0, impression),
        page[order],
        Coded(kind[order], kinds.names),
        value[order],
        detail[order],
    )


_EventColumns = tuple[Cells, Cells, Cells, Cells, Cells, Cells, Cells]


def _of_slots(slots: Slots, spec: ActionSpec, kind: int) -> _EventColumns:
    """One event per slot on which an action per slot was taken; `where` holds its places among all impressions."""
    cells = slots.column(lambda turn: turn.decision[spec.name])
    where = np.flatnonzero(spec.taken(cells))
    values, texts = _said(spec, cells[where])
    return (
        slots.session[where],
        slots.page[where],
        slots.position[where],
        np.full(len(where), kind),
        slots.ids[where],
        values,
        texts,
    )


def _of_what_is_beside(slots: Slots, kinds: EventKinds) -> list[_EventColumns]:
    """One event per slot that showed a price, per promoted slot, and per slot that friends liked; none where no page
    shows any of it."""
    parts = []
    for kind, missing in ((PRICE, np.nan), (PROMOTED, 0.0), (FRIENDS_LIKED, 0.0)):
        if not any(kind in turn.page.further for turn in slots.turns):
            continue
        cells = slots.column(partial(_beside, name=kind, missing=missing)).astype(np.float64)
        where = np.flatnonzero(~np.isnan(cells) if kind == PRICE else cells > 0)
        parts.append(
            (
                slots.session[where],
                slots.page[where],
                slots.position[where],
                np.full(len(where), kinds.place[kind]),
                slots.ids[where],
                np.full(len(where), np.nan) if kind == PROMOTED else cells[where],
                np.full(len(where), None),
            )
        )
    return parts


def _beside(turn: PageTurn, name: str, missing: float) -> Cells:
    """What a page shows beside its items, in their shape."""
    cells = turn.page.further.get(name)
    return np.full(turn.page.items.shape, missing) if cells is None else cells


def _of_page_action(slots: Slots, spec: ActionSpec, kind: int) -> _EventColumns:
    """One event per session and page in which an action per page was taken."""
    cells = slots.a_showing(lambda turn: turn.decision[spec.name])
    where = np.flatnonzero(spec.taken(cells))
    values, texts = _said(spec, cells[where])
    return (
        slots.showing_session[where],
        slots.showing_page[where],
        np.full(len(where), _WHOLE_PAGE),
        np.full(len(where), kind),
        np.full(len(where), -1),
        values,
        texts,
    )


def _of_heading(slots: Slots, name: str, kind: int) -> _EventColumns:
    """One event per session and page that says something of itself."""
    texts = slots.a_showing(lambda turn: turn.page.further[name])
    where = np.flatnonzero([text is not None for text in texts])
    return (
        slots.showing_session[where],
        slots.showing_page[where],
        np.full(len(where), _HEADING),
        np.full(len(where), kind),
        np.full(len(where), -1),
        np.full(len(where), np.nan),
        texts[where],
    )


def _said(spec: ActionSpec, cells: Cells) -> tuple[Cells, Cells]:
    """What an event keeps of an action: the value of a number, the detail of a text, neither of a flag."""
    values = cells.astype(np.float64) if spec.kind == "number" else np.full(len(cells), np.nan)
    texts = cells if spec.kind == "text" else np.full(len(cells), None)
    return values, texts


def _of_pages(slots: Slots, kinds: EventKinds) -> _EventColumns:
    """The event that ends a page for a session."""
    showings = len(slots.showing_session)
    goes_on = slots.a_showing(lambda turn: _goes_on(turn, kinds.going_on))
    unreadable = slots.a_showing(lambda turn: turn.decision.unreadable)
    refused = slots.a_showing(lambda turn: turn.decision.refused)
    ended = np.where(goes_on, kinds.place["next_page"], kinds.place["exit"])
    lost = np.where(refused, kinds.place["unanswerable"], kinds.place["unreadable"])
    return (
        slots.showing_session,
        slots.showing_page,
        np.full(showings, _WHOLE_PAGE),
        np.where(unreadable, lost, ended),
        np.full(showings, -1),
        slots.a_showing(satisfaction_of),
        slots.a_showing(_words),
    )


def _goes_on(turn: PageTurn, further: tuple[ActionSpec, ...]) -> Cells:
    """Which sessions see a further page, by `next_page` or by another action that leads to one."""
    turned = turn.decision.get("next_page")
    goes_on = np.zeros(len(turn.rows), dtype=np.bool_) if turned is None else turned
    for spec in further:
        goes_on = goes_on | spec.taken(turn.decision[spec.name])
    return goes_on


def satisfaction_of(turn: PageTurn) -> Cells:
    """How satisfying each session found its page, NaN where it was not asked."""
    said = turn.decision.get("satisfaction")
    return np.full(len(turn.rows), np.nan) if said is None else said


def _words(turn: PageTurn) -> Cells:
    """How a page felt; of one that the server refused, what it said."""
    words = np.full(len(turn.rows), None)
    if turn.decision.trace.feelings:
        words[:] = turn.decision.trace.feelings
    if turn.decision.unanswerable:
        refused = turn.decision.refused
        words[refused] = np.array(turn.decision.unanswerable, dtype=np.object_)[refused]
    return words


def _remarks_and_refusals(slots: Slots, kinds: EventKinds) -> _EventColumns:
    """One event per refused action and per remark that explains a decision, with its text as `detail`."""
    found = []
    for first, logged in slots.logged:
        refused, remarks = logged.illegal, logged.turn.decision.trace.remarks
        notes = [(each.row, each.position, kinds.place["illegal"], f"{each.said}: {each.reason}") for each in refused]
        notes += [(each.row, each.position, kinds.place[each.kind], each.text) for each in remarks]
        for row, slot, kind, text in notes:
            # `row` counts the turn's sessions, `rows` says which of the cohort they are, `first` where it begins.
            session, page = int(logged.turn.rows[row]) + first, logged.turn.page
            impression, position = -1, _WHOLE_PAGE
            if slot is not None:
                position = slot
                if page.shown[row, position]:
                    # The pages of a session follow each other from the first, and a page has no gaps.
                    showing = int(np.searchsorted(slots.showing_session, session)) + page.number - 1
                    impression = int(slots.ids[slots.showing_first[showing] + position])
            found.append((session, page.number, position, kind, impression, text))
    sessions, pages, positions, note_kinds, impressions = (
        np.array([each[n] for each in found], dtype=np.int64) for n in range(5)
    )
    details = np.array([*(each[5] for each in found), None], dtype=np.object_)[:-1]
    return sessions, pages, positions, note_kinds, impressions, np.full(len(found), np.nan), details
