"""What is asked of a recommender, and what it answers: for many sessions at once, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import (
    NO_ITEM,
    BoolArray,
    FloatArray,
    IntArray,
    ItemArray,
    are_flags,
    holds_any,
    seal_arrays,
)
from groundlings.environments.chat import CallRecord
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.notes import Notes
from groundlings.environments.offers import DayOffers
from groundlings.environments.random_streams import Draws

PropensityKind = Literal["deterministic", "exact", "estimated"]

_FLAGS, _FEWEST_ROWS = 2**21, 8
"""Flags of `was_seen` that stay in a processor's cache, and how many sessions are looked at together at least."""


@dataclass(frozen=True, slots=True)
class RankingRequest:
    """A request for one ranked list per session.

    Attributes:
        users: Row numbers of users, shape (n,); a user may occur once at most.
        size: How many items each list may hold.
        seen: Items that must not be listed, shape (n, n_items), a stored entry means "seen".
        draws: The only random numbers a recommender may use, one row per session.
        page: The page that the lists are for, 1 for the first; 1 where one list serves a whole session.
        shown: What each session was shown on its earlier pages, shape (n, n_shown), filled up with `NO_ITEM`; None on
            the first page. These items are in `seen` as well.
        clicked: Where an item of `shown` was clicked, shape (n, n_shown); None where `shown` is, and on pages that hold
            several lists.
        queries: What each session asked for in words, None where it asked for nothing in particular.
        sim_time: When the sessions take place, in seconds since 1970 on the simulated clock.
        first: How many slots of the page stand before the list, where a page holds several; what they hold are the last
            so many columns of `shown`.
        offers: Today's prices, promotions and stock by item number, as a shop knows them; None where the data have
            none. Items that are sold out are in `seen`.
        dialogue: What has been said in each session, the user's words first, then the recommender's and the user's in
            turn; None where nobody talks.
    """

    users: IntArray
    size: int
    seen: sp.csr_array
    draws: Draws
    page: int = 1
    shown: ItemArray | None = None
    queries: tuple[str | None, ...] | None = None
    sim_time: int = 0
    first: int = 0
    offers: DayOffers | None = None
    clicked: BoolArray | None = None
    dialogue: tuple[tuple[str, ...], ...] | None = None

    def __post_init__(self) -> None:
        seal_arrays(self, "users", "shown", "clicked")

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: NDArray[np.integer]) -> RankingRequest:
        """The request of some sessions."""
        return replace(
            self,
            users=self.users[rows],
            seen=sp.csr_array(self.seen[rows]),
            draws=self.draws.take(rows),
            shown=None if self.shown is None else self.shown[rows],
            clicked=None if self.clicked is None else self.clicked[rows],
            queries=None if self.queries is None else tuple(self.queries[row] for row in rows),
            dialogue=None if self.dialogue is None else tuple(self.dialogue[row] for row in rows),
        )

    def without(self, items: BoolArray) -> RankingRequest:
        """The request with further items that must not be listed.

        Args:
            items: Which, shape (n_items,) for all sessions or (n, n_items).
        """
        if items.ndim == 1:
            columns = np.flatnonzero(items)
            rows = np.repeat(np.arange(len(self)), len(columns))
            columns = np.tile(columns, len(self))
        else:
            rows, columns = items.nonzero()
        marks = np.ones(len(rows), dtype=self.seen.dtype)
        return replace(self, seen=self.seen + sp.csr_array((marks, (rows, columns)), shape=self.seen.shape))

    def unseen_counts(self) -> IntArray:
        """How many items may be listed for each session, shape (n,)."""
        seen = self.seen
        if not seen.has_canonical_format:
            seen = seen.copy()
            seen.sum_duplicates()
        return seen.shape[1] - np.diff(seen.indptr).astype(np.int64)

    def was_seen(self, items: ItemArray) -> BoolArray:
        """Which items the session of their row has seen, shape (n, size) as `items`; `NO_ITEM` never was.

        A few sessions at a time are written into flags and wiped out again: looking a flag up takes a fraction of what
        a search among all entries takes, and no array holds a row of all items for every session.
        """
        n_items = self.seen.shape[1]
        if len(self) == 1:
            alone = np.zeros(n_items, dtype=np.bool_)
            alone[self.seen.indices] = True
            return alone[items] & (items != NO_ITEM)
        found = np.zeros(items.shape, dtype=np.bool_)
        height = min(max(_FEWEST_ROWS, _FLAGS // max(1, n_items)), len(self))
        flags = np.zeros(height * n_items, dtype=np.bool_)
        for first in range(0, len(self) if self.seen.nnz else 0, height):
            starts = self.seen.indptr[first : first + height + 1]
            rows = np.arange(len(starts) - 1, dtype=np.int64) * n_items
            marks = np.repeat(rows, np.diff(starts)) + self.seen.indices[starts[0] : starts[-1]]
            flags[marks] = True
            found[first : first + height] = flags[rows[:, None] + items[first : first + height]]
            flags[marks] = False
        return found & (items != NO_ITEM)

    def lengths_with_seen(self) -> IntArray:
        """How long a list is that surely holds `size` unseen items, shape (n,), in few different lengths.

        A session's length depends on what it has seen, never on the other sessions of the request; it is at most the
        number of items.
        """
        n_items = self.seen.shape[1]
        wanted = self.size + n_items - self.unseen_counts()
        doublings = np.ceil(np.log2(wanted / self.size))
        return np.minimum(self.size * 2**doublings, n_items).astype(np.int64)

    def hide_seen(self, scores: FloatArray, first: int = 0) -> None:
        """Put -inf, in place, where a session has seen the item.

        Args:
            scores: Shape (m, n_items), the sessions `first` to `first + m` of this request.
            first: The session of the first row.
        """
        starts = self.seen.indptr[first : first + len(scores) + 1]
        if len(scores) == 1:
            scores[0, self.seen.indices[starts[0] : starts[1]]] = -np.inf
            return
        rows = np.repeat(np.arange(len(scores)), np.diff(starts))
        scores[rows, self.seen.indices[starts[0] : starts[-1]]] = -np.inf


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ordered lists, best first; a short list is filled up with `NO_ITEM` at its end.

    Attributes:
        items: Item numbers, shape (n, size), no item twice in a row.
        scores: The recommender's own scores, shape (n, size), NaN where there is none.
        propensities: P(this item at this rank | the items at the ranks before it, request), shape (n, size), 1 for
            a deterministic list and for `NO_ITEM`. The product along a row is the chance of the whole list, as
            sequential estimators need it (McInerney et al. 2020, "Counterfactual evaluation of slate recommendations").
        explored: True where chance, not the score, chose the slot, shape (n, size).
        propensity_kind: "deterministic", "exact" (known in closed form) or "estimated".
        teams: On a list that several recommenders draft together, whose pick a slot is: 0 for the first of them, -1
            for `NO_ITEM`, shape (n, size); None on any other list.
        calls: The calls to a language model behind the lists; `CallRecord.row` is the row of the request.
        notes: What is said of each item in the place of the catalogue's words; None where nothing is.
        replies: What a recommender that converses says, a text per session; None of all others.
    """

    items: ItemArray
    scores: FloatArray
    propensities: FloatArray
    explored: BoolArray
    propensity_kind: PropensityKind = "deterministic"
    teams: IntArray | None = None
    calls: tuple[CallRecord, ...] = ()
    notes: Notes | None = None
    replies: tuple[str, ...] | None = None

    @classmethod
    def deterministic(cls, items: ItemArray, scores: FloatArray) -> Ranking:
        """A ranking in which chance played no part."""
        explored = np.zeros(items.shape, dtype=np.bool_)
        return cls(items, scores, np.ones(items.shape), explored, "deterministic")

    def take(self, rows: NDArray[np.integer]) -> Ranking:
        """The lists of some sessions, without the calls behind them."""
        teams = None if self.teams is None else self.teams[rows]
        columns = (self.items[rows], self.scores[rows], self.propensities[rows], self.explored[rows])
        notes = None if self.notes is None else self.notes.each(lambda cells, _: cells[rows])
        replies = None if self.replies is None else tuple(self.replies[row] for row in rows)
        return Ranking(*columns, self.propensity_kind, teams, notes=notes, replies=replies)

    def check(self, request: RankingRequest, n_items: int) -> None:
        """Raise ValueError at the first promise that this answer to `request` breaks."""
        self._check_kinds()
        if self.items.ndim != 2 or self.items.shape[0] != len(request) or self.items.shape[1] > request.size:
            raise ValueError(f"ranking of shape {self.items.shape}; expected ({len(request)}, at most {request.size})")
        for name in ("scores", "propensities", "explored"):
            if getattr(self, name).shape != self.items.shape:
                raise ValueError(f"ranking.{name} has another shape than ranking.items {self.items.shape}")
        listed = self.items != NO_ITEM
        full = np.count_nonzero(listed) == listed.size
        if not full and holds_any(listed[:, 1:] & ~listed[:, :-1]):
            raise ValueError("a ranking may be short, but it has no gaps: NO_ITEM only at the end of a row")
        named = self.items if full else self.items[listed]
        if named.size and not (named.min() >= 0 and named.max() < n_items):
            raise ValueError(f"ranking names an item outside 0..{n_items - 1}")
        ordered = np.sort(self.items if full else np.where(listed, self.items, -1 - np.arange(self.items.shape[1])))
        if holds_any(ordered[:, 1:] == ordered[:, :-1]):
            raise ValueError("ranking lists an item twice for one user")
        if holds_any(request.was_seen(self.items)):
            raise ValueError("ranking lists an item of request.seen")
        chances = self.propensities if full else self.propensities[listed]
        if chances.size and not (chances.min() > 0 and chances.max() <= 1):
            raise ValueError("propensities must lie in (0, 1]")
        if self.notes is not None:
            self.notes.check(self.items.shape)
        if self.replies is not None:
            said: tuple[object, ...] = self.replies
            if len(said) != len(request) or not all(isinstance(reply, str) for reply in said):
                raise ValueError(
                    f"ranking.replies holds {len(said)} replies; expected a text for each of {len(request)}"
                )

    def _check_kinds(self) -> None:
        for name, kinds, expected in _COLUMNS:
            found: object = getattr(self, name)
            if not isinstance(found, np.ndarray) or found.dtype.kind not in kinds:
                what = (
                    f"holds {found.dtype} values" if isinstance(found, np.ndarray) else f"is a {type(found).__name__}"
                )
                raise ValueError(f"ranking.{name} {what}; expected an array of {expected}")
        if not are_flags(self.explored):
            raise ValueError("ranking.explored holds other values than True and False")
        if self.propensity_kind not in get_args(PropensityKind):
            raise ValueError(
                f"ranking.propensity_kind is {shown(self.propensity_kind)}; expected one of "
                f"{', '.join(get_args(PropensityKind))}"
            )


_COLUMNS = (
    ("items", "iu", "item numbers"),
    ("scores", "fiu", "numbers"),
    ("propensities", "fiu", "numbers"),
    ("explored", "biu", "True or False"),
)
"""Columns of a ranking: name, what they may hold as NumPy calls it, and in words."""


def sound_ranking(answer: object, request: RankingRequest, n_items: int, *, whose: str) -> Ranking:
    """An answer that keeps every promise of `Ranking`.

    Args:
        answer: What a recommender gave.
        request: What it was asked.
        n_items: How many items there are.
        whose: The recommender's class, for messages.

    Raises:
        ConfigError: It is no ranking, or breaks a promise.
    """
    if not isinstance(answer, Ranking):
        raise ConfigError(f"recommender {whose}: its answer is a {type(answer).__name__}; expected a Ranking")
    try:
        answer.check(request, n_items)
    except ValueError as error:
        raise ConfigError(f"recommender {whose}: {error}") from None
    return answer


def top_items(scores: FloatArray, request: RankingRequest) -> Ranking:
    """Rank by score, seen items left out, ties by the smaller item number.

    Args:
        scores: Shape (n, n_items), one row per session of the request; -inf never lists an item.
        request: Says what was seen and how many items are wanted.

    Raises:
        ValueError: A score is NaN: there is no honest place for it in an order.
    """
    sessions, n_items = scores.shape
    size = min(request.size, n_items)
    items = np.empty((sessions, size), dtype=np.int32)
    kept = np.empty((sessions, size))
    # One block of rows at a time: a block passes through memory once and stays in the cache for the rest.
    height = max(1, _BLOCK_CELLS // max(1, n_items))
    for first in range(0, sessions, height):
        block = np.array(scores[first : first + height], dtype=np.float64)
        request.hide_seen(block, first)
        rows = slice(first, first + height)
        items[rows], kept[rows] = _best(block, size)
    return Ranking.deterministic(items, kept)


_BLOCK_CELLS = 2**17  # 1 MiB of float64


def _best_of_one(scores: FloatArray, size: int, floor: float) -> tuple[ItemArray, FloatArray]:
    """`_best` of a single row, shape (n_items,), that has `size` items to list, the last of them with a score `floor`.

    A stable order of what is good enough has ties by item number, so it can be cut where the list ends.
    """
    items = (scores >= floor).nonzero()[0]
    values = scores[items]
    order = (-values).argsort(kind="stable")[:size]
    return items[order].astype(np.int32)[None], values[order][None]


_STRIDE, _MANY_SCORES = 16, 2**14
"""Items whose best score stands for all of them while the last score of a list is looked for, and of how many scores on
that is quicker."""


def _last_listed(scores: FloatArray, size: int) -> FloatArray:
    """The score of rank `size` of each row, shape (rows,).

    At least `size` scores are as high as the highest of `size` groups of items. The few that are hold the one that is
    looked for, which spares all others a place in an order.

    Raises:
        ValueError: A score is NaN.
    """
    n_rows, n_items = scores.shape
    groups, looked_at = n_items // _STRIDE, scores
    # Items lie strides apart in a group: a catalog may have its best sellers one behind the other.
    if scores.size >= _MANY_SCORES and groups >= 2 * size:
        whole = scores[:, : groups * _STRIDE].reshape(n_rows, _STRIDE, groups).max(axis=1)
        looked_at = np.concatenate([whole, scores[:, groups * _STRIDE :]], axis=1)
    highest = np.partition(looked_at, looked_at.shape[1] - size, axis=1)[:, looked_at.shape[1] - size :]
    if np.isnan(highest).any():
        row, item = np.argwhere(np.isnan(scores))[0]
        raise ValueError(f"the score of item {item} is NaN (row {row} of its block); hide an item with -inf instead")
    least = highest[:, 0]
    if looked_at is scores:
        return least
    enough = scores >= least[:, None]
    counts = np.count_nonzero(enough, axis=1)
    if counts.max() > n_items // 4:  # many scores are alike
        return np.partition(scores, n_items - size, axis=1)[:, n_items - size]
    few = np.full((n_rows, int(counts.max())), -np.inf)
    few[np.arange(few.shape[1]) < counts[:, None]] = scores[enough]
    return np.partition(few, few.shape[1] - size, axis=1)[:, few.shape[1] - size]


def _best(scores: FloatArray, size: int) -> tuple[ItemArray, FloatArray]:
    """The best items of each row and their scores, shape (rows, size) each, `NO_ITEM` and NaN behind the last."""
    n_rows, n_items = scores.shape
    last = _last_listed(scores, size)
    if n_rows == 1 and size and last[0] > -np.inf:
        return _best_of_one(scores[0], size, last[0])
    floor = np.maximum(last, np.finfo(np.float64).min)  # so that -inf is never good enough
    enough = scores >= floor[:, None]
    counts = enough.sum(axis=1)
    rows = np.repeat(np.arange(n_rows), counts)
    places = enough.ravel().nonzero()[0]  # row by row, item numbers ascending
    values = scores.ravel()[places]
    if counts.max(initial=0) > size:
        # Too many tie with the last place: those of the smaller numbers get it.
        above = values > floor[rows]
        wanted = size - np.bincount(rows[above], minlength=n_rows)
        ties = np.cumsum(~above)
        ties_before = np.concatenate([[0], ties])[counts.cumsum() - counts]
        fits = above | (ties - ties_before[rows] <= wanted[rows])
        rows, places, values = rows[fits], places[fits], values[fits]
        counts = np.bincount(rows, minlength=n_rows)
    columns = np.arange(len(rows)) - (counts.cumsum() - counts)[rows]
    items = np.full((n_rows, size), NO_ITEM, dtype=np.int32)
    kept = np.full((n_rows, size), -np.inf)
    items[rows, columns] = places - rows * n_items
    kept[rows, columns] = values
    order = (-kept).argsort(axis=1, kind="stable")
    each_row = np.arange(n_rows)[:, None]
    kept = kept[each_row, order]
    kept[kept == -np.inf] = np.nan
    return items[each_row, order], kept
