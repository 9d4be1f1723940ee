"""What a policy observes before a page: what a recommender may know of the user and of the session so far.

A row holds numbers from -1 to 3, one part behind the other, w is the width of the vectors:

    history         w   mean vector of the user's history
    clicked         w   mean vector of what the user clicked in this session
    page            1   p / (p + 1) after p pages
    known           1   log(1 + interactions in the user's history) / 10
    click_rate      1   clicks per impression in this session, 0 before the first page
    last_page       1   clicks per impression on the page before, 0 before the first page
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray, ItemArray
from groundlings.recommenders.policies.vectors import SessionVectors

PARTS = ("history", "clicked", "page", "known", "click_rate", "last_page")
"""What a row holds, in this order; the first two have the width of the vectors, the others one number each."""


@dataclass(frozen=True, slots=True)
class SessionSoFar:
    """Sessions before their next page, one row each.

    Attributes:
        users: Row numbers of users, shape (n,).
        pages: Pages shown so far, shape (n,).
        shown: What was shown on them, page by page, filled up with `NO_ITEM`, shape (n, m), m at least `slots`.
        clicked: What of it was clicked, shape as `shown`.
        slots: Slots of a page.
    """

    users: IntArray
    pages: IntArray
    shown: ItemArray
    clicked: BoolArray
    slots: int

    def take(self, rows: IntArray) -> SessionSoFar:
        """Some of the sessions."""
        return replace(
            self,
            users=self.users[rows],
            pages=self.pages[rows],
            shown=self.shown[rows],
            clicked=self.clicked[rows],
        )


def observation_length(width: int) -> int:
    """Numbers in a row, for vectors of this width."""
    return 2 * width + len(PARTS) - 2


def observe(vectors: SessionVectors, sessions: SessionSoFar) -> NDArray[np.float32]:
    """What a policy sees of each session; see the module.

    Args:
        vectors: Of items and users.
        sessions: The sessions.

    Returns:
        Shape (n, `observation_length(width)`).
    """
    there = sessions.shown != NO_ITEM
    clicked = sessions.clicked & there
    # The page before fills the columns (pages - 1) * slots and the following.
    first = np.maximum(sessions.pages - 1, 0) * sessions.slots
    columns = first[:, None] + np.arange(sessions.slots)
    here = np.take_along_axis(there, columns, axis=1), np.take_along_axis(clicked, columns, axis=1)
    return np.concatenate(
        [
            vectors.users[sessions.users],
            vectors.mean_of(sessions.shown, clicked),
            (sessions.pages / (sessions.pages + 1))[:, None],
            (np.log1p(vectors.histories[sessions.users]) / 10)[:, None],
            _rate(clicked, there),
            _rate(here[1], here[0]),
        ],
        axis=1,
        dtype=np.float32,
        casting="unsafe",
    )


def _rate(clicked: BoolArray, there: BoolArray) -> NDArray[np.float64]:
    return (clicked.sum(axis=1) / np.maximum(there.sum(axis=1), 1))[:, None]
