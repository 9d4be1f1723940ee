"""Largest numbers of items by category: what stands on a page so far, and which items that blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray, ItemArray
from groundlings.environments.ranking import RankingRequest

UNCAPPED = np.iinfo(np.int64).max
"""The largest number of a category without a cap."""


@dataclass(frozen=True)
class Caps:
    """Largest numbers of items by category.

    Attributes:
        member: Which item is of which category, shape (n_items, n_categories).
        on_page, in_session: The largest number of each category, shape (n_categories,).
    """

    member: BoolArray
    on_page: IntArray
    in_session: IntArray

    @cached_property
    def words(self) -> NDArray[np.uint8]:
        """The categories of each item as bits, shape (n_items, n_bytes)."""
        return _words(self.member)


class Counts:
    """How many items of each category stand on the page and in the session, and which items that blocks.

    Args:
        caps: The largest numbers.
        request: Says what was shown before.
        pins: Items that will stand on the page, and the sessions that are shown them: they count from the beginning.
        n: Sessions.
    """

    def __init__(self, caps: Caps, request: RankingRequest, pins: Iterable[tuple[int, BoolArray]], n: int) -> None:
        self._caps = caps
        self._page, self._session = np.zeros((2, n, caps.member.shape[1]), dtype=np.int64)
        if request.shown is not None:
            first = request.shown.shape[1] - request.first
            for column, items in enumerate(request.shown.T):
                known = items != NO_ITEM
                self._session[known] += caps.member[items[known]]
                if column >= first:
                    self._page[known] += caps.member[items[known]]
        for item, rows in pins:
            self._page[rows] += caps.member[item]
            self._session[rows] += caps.member[item]

    def turn_page(self) -> None:
        """Nothing stands on the next page yet."""
        self._page[:] = 0

    def add(self, items: NDArray[np.integer[Any]], rows: BoolArray) -> None:
        """Count an item of each of some sessions; `items` has the shape (n,)."""
        member = self._caps.member[items[rows]]
        self._page[rows] += member
        self._session[rows] += member

    def blocked(self, items: ItemArray) -> BoolArray:
        """Which entries of lists no cap allows now, shape (n, depth)."""
        full = self._full()
        return np.asarray((self._caps.words[np.maximum(items, 0)] & _words(full)[:, None]).any(axis=2))

    def blocked_items(self, rows: IntArray) -> BoolArray:
        """Which items no cap allows in some sessions now, shape (n_rows, n_items)."""
        full = self._full()[rows].astype(np.float32)
        return np.asarray(full @ self._caps.member.T.astype(np.float32) > 0)

    def _full(self) -> BoolArray:
        return (self._page >= self._caps.on_page) | (self._session >= self._caps.in_session)


def _words(member: BoolArray) -> NDArray[np.uint8]:
    """Truth values of categories as bits, shape (n, n_bytes)."""
    return np.packbits(member, axis=1)
