"""The columns of `impressions`: everything shown to some cohorts, flattened to one entry per slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray
from groundlings.environments.environment import Served
from groundlings.personas.mind import PageTurn
from groundlings.simulator.session import CohortRecord, LoggedTurn

Cells = NDArray[Any]


class Slots:
    """The impressions of some cohorts as flat arrays: by session, then page, then position.

    Sessions are counted through all cohorts. A showing is one page as one session saw it.

    Attributes:
        first_sessions: The first session of each cohort, then the number of all sessions.
        turns: The turns of all cohorts.
        logged: The same with where items came from and what was refused, each with the first session of its cohort.
        showing_session, showing_page: Shape (n_showings,) each, by session, then page.
        showing_first: How many impressions come before each showing, shape (n_showings,).
        session, page, position, rank: Shape (n_impressions,) each.
        ids: Impression ids, ascending.
    """

    def __init__(self, records: Sequence[CohortRecord], first_id: int) -> None:
        self.first_sessions = [0]
        self.logged: list[tuple[int, LoggedTurn]] = []
        for record in records:
            self.logged += ((self.first_sessions[-1], logged) for logged in record.turns)
            self.first_sessions.append(self.first_sessions[-1] + len(record.sessions))
        self.turns = [logged.turn for _, logged in self.logged]
        self._width = max((turn.page.items.shape[1] for turn in self.turns), default=0)
        # `rows` counts the sessions of one cohort; adding the cohort's first session counts them over all cohorts.
        session = _joined([logged.turn.rows + first for first, logged in self.logged])
        # Turns come page by page; this order puts the pages of a session side by side. Stable: they stay ascending.
        self._order = np.argsort(session, kind="stable")
        self.showing_session = session[self._order]
        self.showing_page = self._spread(lambda turn: turn.page.number)
        self._shown = self._stacked([turn.page.shown for turn in self.turns]).astype(np.bool_, copy=False)
        self._slots = self._shown.sum(axis=1)
        self.showing_first = np.cumsum(self._slots) - self._slots
        # A showing has one entry per slot that holds an item: empty slots behind the end of a list are no impressions.
        self.session = np.repeat(self.showing_session, self._slots)
        self.page = np.repeat(self.showing_page, self._slots)
        self.position = np.broadcast_to(np.arange(self._width), self._shown.shape)[self._shown]
        # Rank in the session = rank of the page's first slot + position in the page.
        self.rank = self.position + np.repeat(self._spread(lambda turn: turn.page.first_rank), self._slots)
        self.ids = np.arange(first_id, first_id + len(self.session))

    def column(self, pick: Callable[[PageTurn], Cells]) -> Cells:
        """One value per slot; `pick` gives those of a turn, in the shape of its page (n_sessions, n_slots)."""
        return self._stacked([pick(turn) for turn in self.turns])[self._shown]

    def served(self, pick: Callable[[Served], Cells]) -> Cells:
        """One value per slot from the recommender's answer; `pick` gives those of a page in its shape."""
        return self._stacked([pick(logged.served) for _, logged in self.logged])[self._shown]

    def optional(self, pick: Callable[[PageTurn], Cells | None]) -> Cells:
        """As `column`, with NULL on the pages for which `pick` gives None."""
        parts = [pick(turn) for turn in self.turns]
        known = [part for part in parts if part is not None]
        if not known:
            return np.full(len(self.ids), np.nan)
        if len(known) < len(parts) and known[0].dtype.kind == "b":
            # A column with both booleans and NULL is of objects: 0, 1 and None, which every database takes.
            known = [part.view(np.int8).astype(np.object_) for part in known]
        unknown = None if known[0].dtype == np.object_ else np.nan
        whole = iter(known)  # in the order of turns; a turn without the value gets unknowns in its shape
        return self._stacked(
            [
                np.full(turn.page.items.shape, unknown) if part is None else next(whole)
                for turn, part in zip(self.turns, parts, strict=True)
            ]
        )[self._shown]

    def on_every_slot(self, pick: Callable[[PageTurn], Cells]) -> Cells:
        """One value per slot, the same on all slots of a page; `pick` gives those of a turn, shape (n_sessions,)."""
        return np.repeat(self.a_showing(pick), self._slots)

    def a_showing(self, pick: Callable[[PageTurn], Cells]) -> Cells:
        """One value per showing; `pick` gives those of a turn, shape (n_sessions of the turn,)."""
        return _joined([pick(turn) for turn in self.turns])[self._order]

    def _spread(self, pick: Callable[[PageTurn], int]) -> IntArray:
        """One number per turn, repeated for each of its showings."""
        numbers = np.array([pick(turn) for turn in self.turns], dtype=np.int64)
        return np.repeat(numbers, [len(turn.rows) for turn in self.turns])[self._order]

    def _stacked(self, parts: Sequence[Cells]) -> Cells:
        """The arrays of all turns below each other, by showing, shape (n_showings, n_slots of the widest)."""
        if not parts:
            return np.zeros((0, 0), dtype=np.int64)
        level = [
            part if part.shape[1] == self._width else np.pad(part, ((0, 0), (0, self._width - part.shape[1])))
            for part in parts
        ]
        return _joined(level)[self._order]


def _joined(parts: Sequence[Cells]) -> Cells:
    return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else np.zeros(0, dtype=np.int64)
