"""Candidates with scores: how a list is made of a large catalogue without a score for each of its items.

A recommender finds the best items of each user, seen ones included, and a list is the best of them that its session has
not seen. Of a session that has seen n items at least n more candidates are asked for than its list holds, so enough are
left. The list is the one that `ranking.top_items` makes of all scores, to the last tie.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.sorting import order_of, pair_keys
from groundlings.environments.uneven_rows import among_largest
from groundlings.recommenders.base import Recommender, ScoringRecommender, part_of

CELLS_AT_ONCE = 2**22
"""Sessions times candidates, or users times items looked through, that are held at a time: 32 MiB of float64."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best items of some users, seen or not, best first, ties by the smaller item number.

    Attributes:
        items: Item numbers, shape (n, width), `NO_ITEM` behind the last.
        scores: Their scores, shape (n, width), NaN behind the last.
    """

    items: ItemArray
    scores: FloatArray

    @classmethod
    def of_everybody(cls, order: IntArray, scores: FloatArray, n: int, width: int) -> Candidates:
        """The same items for n users.

        Args:
            order: All items, best first.
            scores: Of each item, shape (n_items,).
            n: Users.
            width: How many items.
        """
        best = order[:width].astype(np.int32)
        shape = n, len(best)
        return cls(np.broadcast_to(best, shape), np.broadcast_to(scores[best], shape))

    @classmethod
    def of_pairs(cls, rows: IntArray, items: IntArray, scores: FloatArray, n: int, width: int) -> Candidates:
        """The best of scored pairs, at most `width` of each user.

        Args:
            rows: Users, 0 to n - 1, in any order, shape (n_pairs,).
            items: Item numbers; a pair occurs once.
            scores: Of each pair.
            n: Users.
            width: Columns of the result.
        """
        counts = np.bincount(rows, minlength=n)
        longest = max(int(counts.max(initial=0)), width)
        if n * longest > _MOST_PADDING * max(len(rows), n * width) or np.isnan(scores).any():
            order = np.lexsort((items, -scores, rows))
        else:
            order = _by_row_and_score(rows, items, scores, counts)
        rows, items, scores = rows[order], items[order], scores[order]
        places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        kept = places < width
        found = cls(np.full((n, width), NO_ITEM, dtype=np.int32), np.full((n, width), np.nan))
        found.items[rows[kept], places[kept]] = items[kept]
        found.scores[rows[kept], places[kept]] = scores[kept]
        return found


_MOST_PADDING = 8


def _by_row_and_score(rows: IntArray, items: IntArray, scores: FloatArray, counts: IntArray) -> IntArray:
    """Pairs by row, then by falling score, then by item; arguments as of `Candidates.of_pairs`, and pairs a row."""
    order = order_of(pair_keys(rows, items, int(items.max(initial=0)) + 1)[0])
    starts = np.cumsum(counts) - counts
    padded = np.full((len(counts), int(counts.max(initial=0))), np.inf)
    real = np.arange(padded.shape[1]) < counts[:, None]
    padded[real] = -scores[order]
    by_score = np.argsort(padded, axis=1, kind="stable")
    return order[(by_score + starts[:, None])[real]]


class CandidateRecommender(Recommender):
    """A recommender that finds the best items of a user. Subclasses write `fit` and `candidates`.

    For large catalogues and for search indexes. A list is as good as its candidates: what is not among them is not
    listed, and a list is short where too few of them are unseen.

    Example:

        class MostClicked(CandidateRecommender):
            def fit(self, interactions, catalog):
                self.counts = interactions.item_counts.astype(float)
                self.order = np.argsort(-self.counts, kind="stable")

            def candidates(self, users, width):
                best = self.order[:width]
                shape = len(users), len(best)
                return Candidates(np.broadcast_to(best, shape), np.broadcast_to(self.counts[best], shape))
    """

    @abstractmethod
    def candidates(self, users: IntArray, width: int) -> Candidates:
        """The `width` best items of each user, whether or not they were seen; fewer only where no others may be listed.

        Those of one user must not depend on which others are asked for. Raises `NotFitted` before the first `fit`.
        """

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`."""
        return ranking_of_candidates(self, request)


class RetrievingRecommender(ScoringRecommender, CandidateRecommender):
    """A recommender with both doors. Subclasses write `fit`, `score` and `candidates`, the items of highest score.

    Up to `DENSE_ITEMS` items all are scored, which is quicker there. In a larger catalogue candidates are asked for,
    except for sessions that have seen so much of it, or may be shown so little, that scores take no more. The lists are
    the same on either road. A subclass that changes `score` alone is asked for scores alone.
    """

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`."""
        n_items = request.seen.shape[1]
        if n_items <= DENSE_ITEMS or not _finds_what_it_scores(type(self)):
            return super().recommend(request)
        few = request.lengths_with_seen() <= n_items // _NARROW
        if few.all():
            return ranking_of_candidates(self, request)
        shape = len(request), min(request.size, n_items)
        items, scores = np.empty(shape, dtype=np.int32), np.empty(shape)
        for rows, road in ((few, ranking_of_candidates), (~few, ScoringRecommender.recommend)):
            if rows.any():
                some = road(self, part_of(request, np.flatnonzero(rows)))
                items[rows], scores[rows] = some.items, some.scores
        return Ranking.deterministic(items, scores)


DENSE_ITEMS = 4096
"""Up to so many items, whoever scores all of them does so."""

_NARROW = 8
"""Candidates are asked for where they are at most such a part of the catalogue."""

_SCORES, _FINDS = frozenset({"score", "affinity"}), frozenset({"candidates", "retrieve"})


def _finds_what_it_scores(kind: type) -> bool:
    """Whether candidates were written together with the scores, or after them; else nobody knows that they agree."""
    for each in kind.__mro__:
        own = vars(each).keys()
        if own & (_SCORES | _FINDS):
            return bool(own & _FINDS)
    return False


def ranking_of_candidates(recommender: CandidateRecommender, request: RankingRequest) -> Ranking:
    """The best unseen candidates of each session, which are asked for in few different widths."""
    shape = len(request), min(request.size, request.seen.shape[1])
    items, scores = np.full(shape, NO_ITEM, dtype=np.int32), np.full(shape, np.nan)
    widths = request.lengths_with_seen()
    for width in np.unique(widths).tolist() or [request.size]:  # nobody's lists are asked for, too: is it fitted?
        alike = np.flatnonzero(widths == width)
        height = max(1, CELLS_AT_ONCE // max(1, width))
        for first in range(0, max(1, len(alike)), height):
            rows = alike[first : first + height]
            asked = part_of(request, rows)
            found = _sound(recommender.candidates(asked.users, width), len(rows), type(recommender).__name__)
            items[rows], scores[rows] = _best_unseen(found, asked, shape[1])
    return Ranking.deterministic(items, scores)


def _sound(found: object, n: int, whose: str) -> Candidates:
    """The candidates themselves, where a list can be made of them; `ConfigError` otherwise."""
    if not isinstance(found, Candidates):
        raise ConfigError(f"recommender {whose}: its candidates are a {type(found).__name__}; expected Candidates")
    items, scores = np.asarray(found.items), np.asarray(found.scores)
    if (
        items.ndim != 2 or len(items) != n or scores.shape != items.shape
        or items.dtype.kind not in "iu" or scores.dtype.kind not in "fiu"
    ):  # fmt: skip
        raise ConfigError(
            f"recommender {whose}: its candidates are items of shape {items.shape} ({items.dtype}) and scores of shape "
            f"{scores.shape} ({scores.dtype}); expected a row for each of {n} users, whole numbers, and as many scores"
        )
    unknown = np.argwhere(np.isnan(scores) & (items != NO_ITEM))
    if len(unknown):
        row, column = unknown[0].tolist()
        raise ConfigError(
            f"recommender {whose}: the score of item {items[row, column]} is NaN (row {row} of its candidates), which "
            "has no place in an order; leave the item out instead"
        )
    if (scores[:, 1:] > scores[:, :-1]).any():
        raise ConfigError(f"recommender {whose}: its candidates do not stand by their scores; expected the best first")
    return Candidates(items, scores)


def _best_unseen(found: Candidates, request: RankingRequest, size: int) -> tuple[ItemArray, FloatArray]:
    free = (found.items != NO_ITEM) & (found.scores != -np.inf) & ~request.was_seen(found.items)
    places = np.cumsum(free, axis=1) - 1
    rows, columns = np.nonzero(free & (places < size))
    items = np.full((len(request), size), NO_ITEM, dtype=np.int32)
    scores = np.full(items.shape, np.nan)
    items[rows, places[rows, columns]] = found.items[rows, columns]
    scores[rows, places[rows, columns]] = found.scores[rows, columns]
    return items, scores


def by_score(scores: FloatArray) -> IntArray:
    """All items, best first, ties by the smaller number, shape (n_items,)."""
    return np.argsort(-scores, kind="stable")


def parts_of_rows(lengths: IntArray) -> Iterator[IntArray]:
    """Row numbers in parts, the shortest rows first: rows times the longest of a part are at most `CELLS_AT_ONCE`.

    Args:
        lengths: Cells that each row takes at most, shape (n,); a row that takes more than a part is a part of its own.
    """
    order = np.argsort(lengths, kind="stable")
    first = 0
    while first < len(order):
        cells = np.maximum(lengths[order[first:]], 1) * np.arange(1, len(order) - first + 1)
        count = max(1, int(np.searchsorted(cells, CELLS_AT_ONCE, side="right")))
        yield order[first : first + count]
        first += count


def best_stored(scores: sp.csr_array, width: int) -> Candidates:
    """The best items of each row of sparse scores, where what is not stored scores 0.

    Args:
        scores: Shape (n, n_items), an entry stored once, in any order.
        width: How many of each row.
    """
    n, n_items = scores.shape
    width = min(width, n_items)
    items, values = scores.indices, scores.data
    bounds: NDArray[np.integer] = scores.indptr
    if not values.min(initial=1) > 0:
        above = np.flatnonzero(values > 0)
        items, values, bounds = items[above], values[above], np.searchsorted(above, bounds)
    enough, _ = among_largest(values, bounds, width)
    rows = np.repeat(np.arange(n), np.diff(np.searchsorted(enough, bounds)))
    parts = [(rows, items[enough].astype(np.int64), values[enough])]
    short = np.diff(bounds) < width
    if short.any():
        others = np.flatnonzero(np.repeat(short, np.diff(scores.indptr)) & (scores.data != 0))
        rows = np.searchsorted(scores.indptr, others, side="right") - 1
        items, values = scores.indices[others], scores.data[others]
        parts.append(_of_score_0(rows, items, np.flatnonzero(short), n_items, width))
        below = values < 0
        parts.append((rows[below], items[below].astype(np.int64), values[below]))
    of_rows, of_items, of_scores = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Candidates.of_pairs(of_rows, of_items, of_scores, n, width)


def _of_score_0(
    rows: IntArray, items: NDArray[np.integer], short: IntArray, n_items: int, width: int
) -> tuple[IntArray, IntArray, FloatArray]:
    """The smallest item numbers that have no other score, `width` of each row that is short, as scored pairs.

    Args:
        rows, items: The pairs of other scores.
        short: The rows that need some, ascending.
        n_items: Size of the catalogue.
        width: How many at most.
    """
    place = np.full(int(rows.max(initial=-1)) + 1, -1)
    place[short[short < len(place)]] = np.flatnonzero(short < len(place))
    here = place[rows] >= 0
    most = int(np.bincount(place[rows[here]], minlength=1).max())
    free = np.ones((len(short), min(n_items, width + most)), dtype=np.bool_)
    inside = here & (items < free.shape[1])
    free[place[rows[inside]], items[inside]] = False
    of_row, of_item = np.nonzero(free & (np.cumsum(free, axis=1) <= width))
    return short[of_row], of_item, np.zeros(len(of_row))
