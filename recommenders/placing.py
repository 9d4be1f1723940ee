"""Pins, caps and random slots: lists that are filled slot by slot, so that all of them hold together.

At each slot, from the first to the last, `next` is the first item of the inner list that stands at no slot before and
that the caps allow. A slot takes

    the pinned item                    where one is pinned there,
    an item drawn from the candidates  where the slot is a random one (always, or with chance `share`),
    next                               otherwise;

candidates are the items of the pool that may be shown, stand at no slot before, are pinned nowhere and are allowed by
the caps. So, given what stands before, P(item at a slot) is

    1                                                        for a pinned item, and for `next` where no slot is random,
    1 / candidates                                           at a slot that is always random,
    (1 - share) [item is next] + share / candidates [in it]  where chance decides whether it is;

where nobody is a candidate, `next` stands there with certainty. Caps count what stands before on the page (or in the
session) and the pins that are still to come on it. A list ends where no item is left that may follow, after any pins
that are left: lists have no gaps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.caps import Caps, Counts

_CELLS = 2**22
"""Sessions times items, or times entries of their lists, that are worked on together."""

_DEEPER = 4
"""Where caps leave too few items, a list of so many times the length is asked for."""


@dataclass(frozen=True)
class Placing:
    """What stands where.

    Attributes:
        page_size: Slots of a page.
        pins: Slot of the first page, 0 for the first -> the item that is pinned there.
        caps: None for none.
        share: Chance with which a slot is a random one.
        positions: Slots of each page that always are, 0 for the first.
        pool: What random slots are drawn from, shape (n_items,).
    """

    page_size: int
    pins: dict[int, int]
    caps: Caps | None
    share: float
    positions: frozenset[int]
    pool: BoolArray

    @property
    def capped(self) -> bool:
        """Whether there are caps."""
        return self.caps is not None

    @property
    def draws(self) -> bool:
        """Whether there are random slots."""
        return bool(self.share or self.positions)

    async def filled(self, request: RankingRequest, ask: Callable[[RankingRequest], Awaitable[Ranking]]) -> Ranking:
        """The lists; `ask` asks the recommender inside."""
        pinned = np.zeros(request.seen.shape[1], dtype=np.bool_)
        if request.page == 1:
            pinned[list(self.pins.values())] = True
        inner_request = request.without(pinned) if pinned.any() else request
        inner = await ask(inner_request)
        parts = []
        width = inner.items.shape[1] + (request.seen.shape[1] if self.draws or self.caps else 0)
        height = max(1, _CELLS // max(1, width))
        calls = inner.calls
        for first in range(0, len(request), height):
            rows = np.arange(first, min(first + height, len(request)))
            some, queue = request.take(rows), _Queue.of(inner, rows)
            filling = _Filling(self, some, queue, pinned)
            lists = filling.lists()
            short = np.flatnonzero(filling.short & (queue.items[:, -1] != NO_ITEM))
            while self.caps is not None and len(short) and queue.items.shape[1] < request.seen.shape[1]:
                depth = queue.items.shape[1]
                size = min(request.seen.shape[1], _DEEPER * depth)
                deeper = await ask(replace(inner_request.take(rows[short]), size=size))
                calls += tuple(replace(call, row=int(rows[short][call.row])) for call in deeper.calls)
                queue = _Queue.of(deeper, np.arange(len(short)))
                filling = _Filling(self, some.take(short), queue, pinned)
                lists = lists.replaced(short, filling.lists())
                more = queue.items.shape[1] > depth  # else the recommender has no longer lists
                short = short[filling.short & (queue.items[:, -1] != NO_ITEM) & more]
            parts.append(lists)
        kind = "exact" if self.draws else inner.propensity_kind
        columns = (np.concatenate([getattr(part, name) for part in parts]) for name in _Lists.COLUMNS)
        items, scores, propensities, explored = columns
        return Ranking(items, scores, propensities, explored, kind, calls=calls)


@dataclass(frozen=True, slots=True)
class _Queue:
    """The inner lists of some sessions, shape (n, depth) each."""

    items: ItemArray
    scores: FloatArray
    propensities: FloatArray
    explored: BoolArray

    @classmethod
    def of(cls, inner: Ranking, rows: IntArray) -> _Queue:
        return cls(inner.items[rows], inner.scores[rows], inner.propensities[rows], inner.explored[rows])


@dataclass(slots=True)
class _Lists:
    """Lists that are being filled, shape (n, size) each."""

    items: ItemArray
    scores: FloatArray
    propensities: FloatArray
    explored: BoolArray

    COLUMNS = ("items", "scores", "propensities", "explored")

    def replaced(self, rows: IntArray, lists: _Lists) -> _Lists:
        """The same with other lists in some rows."""
        for name in self.COLUMNS:
            getattr(self, name)[rows] = getattr(lists, name)
        return self


class _Filling:
    """One pass over the slots of some sessions.

    Args:
        placing: What stands where.
        request: Of these sessions.
        queue: Their inner lists.
        pinned: The items that are pinned on this page, shape (n_items,).

    Attributes:
        short: Sessions whose list ended before its last slot, shape (n,).
    """

    def __init__(self, placing: Placing, request: RankingRequest, queue: _Queue, pinned: BoolArray) -> None:
        self._placing, self._request, self._queue = placing, request, queue
        n, n_items = len(request), request.seen.shape[1]
        self._taken = np.zeros(queue.items.shape, dtype=np.bool_)
        self.short = np.zeros(n, dtype=np.bool_)
        free: BoolArray | None = None
        if placing.draws:
            hidden = np.zeros((n, n_items))
            request.hide_seen(hidden)
            free = (hidden == 0) & (placing.pool & ~pinned)
        self._free = free
        self._pins = self._pins_of(request) if pinned.any() else {}
        caps = placing.caps
        self._counts = None if caps is None else Counts(caps, request, self._pins.values(), n)

    def _pins_of(self, request: RankingRequest) -> dict[int, tuple[int, BoolArray]]:
        """Rank of these lists -> the item that is pinned there, and the sessions that may be shown it."""
        found = {}
        for slot, item in sorted(self._placing.pins.items()):
            rank = slot - request.first
            if 0 <= rank < request.size:
                found[rank] = item, np.asarray(request.seen[:, [item]].toarray()[:, 0] == 0)
        return found

    def lists(self) -> _Lists:
        """The lists, filled."""
        n, size = len(self._request), min(self._request.size, self._request.seen.shape[1])
        shape = (n, size)
        self._lists = _Lists(
            np.full(shape, NO_ITEM, dtype=np.int32), np.full(shape, np.nan), np.ones(shape), np.zeros(shape, np.bool_)
        )
        waiting = {rank: may.copy() for rank, (_, may) in self._pins.items()}
        for rank in range(size):
            page, slot = divmod(self._request.first + rank, self._placing.page_size)
            if self._counts is not None and rank and not slot:
                self._counts.turn_page()
            left = self._pin(rank, waiting) & ~self.short
            place, found = self._next()
            self._fill(rank, left, place, found, (self._request.page - 1 + page, slot))
            # Where nothing follows, the pins that are left do.
            self._pin_early(rank, left & ~self._filled(rank), waiting)
            self.short |= ~self._filled(rank)
        return self._lists

    def _filled(self, rank: int) -> BoolArray:
        return self._lists.items[:, rank] != NO_ITEM

    def _pin(self, rank: int, waiting: dict[int, BoolArray]) -> BoolArray:
        """Put the item that is pinned at a rank there; the sessions in which the slot is still empty."""
        if rank not in waiting:
            return np.ones(len(self._request), dtype=np.bool_)
        rows = waiting[rank].copy()
        self._put_pin(rank, rank, rows, waiting)
        return ~rows

    def _pin_early(self, rank: int, rows: BoolArray, waiting: dict[int, BoolArray]) -> None:
        for later in sorted(waiting):
            now = rows & waiting[later]
            if now.any():
                self._put_pin(rank, later, now, waiting)
                rows = rows & ~now

    def _put_pin(self, rank: int, pin: int, rows: BoolArray, waiting: dict[int, BoolArray]) -> None:
        self._lists.items[rows, rank] = self._pins[pin][0]
        waiting[pin] &= ~rows

    def _next(self) -> tuple[IntArray, BoolArray]:
        """The place in the inner list of each session's next item, and whether there is one."""
        items = self._queue.items
        open_ = (items != NO_ITEM) & ~self._taken
        if self._counts is not None:
            open_ &= ~self._counts.blocked(items)
        place = open_.argmax(axis=1)
        return place, open_[np.arange(len(items)), place]

    def _fill(self, rank: int, left: BoolArray, place: IntArray, found: BoolArray, where: tuple[int, int]) -> None:
        """Fill a slot of the sessions that are left with what is next, or at random.

        Args:
            rank: The slot of these lists.
            left: The sessions.
            place, found: From `_next`.
            where: Page, and slot of the page, both from 0.
        """
        lists, queue, rows = self._lists, self._queue, np.arange(len(left))
        left = left & found
        items = np.where(left, queue.items[rows, place], NO_ITEM)
        chance = np.where(left, queue.propensities[rows, place], 1.0)
        explored = left & queue.explored[rows, place]
        scores = np.where(left, queue.scores[rows, place], np.nan)
        if self._placing.draws:
            items, chance, explored = self._drawn(items, left, where)
            scores = np.where(explored, np.nan, scores)
        lists.items[left, rank] = items[left]
        lists.scores[left, rank] = scores[left]
        lists.propensities[left, rank] = chance[left]
        lists.explored[left, rank] = explored[left]
        self._taken |= left[:, None] & (queue.items == items[:, None])
        if self._counts is not None:
            self._counts.add(items, left)
        if self._free is not None:
            self._free[rows[left], items[left]] = False

    def _drawn(
        self, following: NDArray[np.integer[Any]], left: BoolArray, where: tuple[int, int]
    ) -> tuple[NDArray[np.integer[Any]], FloatArray, BoolArray]:
        """Items of a slot, their chances, and where chance chose them; arguments as of `_fill`."""
        placing, free = self._placing, self._free
        assert free is not None
        page, slot = where
        share = 1.0 if slot in placing.positions else placing.share
        some = np.flatnonzero(left)
        draws = self._request.draws.apart("random_slot", page * placing.page_size + slot)
        can = free[some]
        if self._counts is not None:
            can = can & ~self._counts.blocked_items(some)
        counts = np.zeros(len(left), dtype=np.int64)
        counts[some] = can.sum(axis=1)
        explored = left & (counts > 0) & (draws.uniform("coin") < share)
        items = following.copy()
        here = explored[some]
        lots = draws.take(some[here]).uniform("item", np.arange(free.shape[1])[None])
        items[some[here]] = np.where(can[here], lots, 2.0).argmin(axis=1)
        inside = np.zeros(len(left), dtype=np.bool_)
        inside[some] = can[np.arange(len(some)), items[some]]
        is_next = items == following
        chance = (1 - share) * is_next + share * inside / np.maximum(counts, 1)
        return items, np.where(counts > 0, np.minimum(chance, 1.0), 1.0), explored
