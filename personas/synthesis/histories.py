"""Histories that nobody has: of each stretch of the catalog what one of several like-minded real users has of it.

A shuffled catalog is cut at random into a stretch for each donor, and of each stretch the history has the items that
this donor has. So an item is in it with the share of the donors that have it, popularity and what goes together stay as
they are, and no donor gives more than their stretch. Ratings are matched by rank: what stands high among the ratings of
the donor stands as high among those of the new user. Gaps between interactions are those of one of the donors, begun
somewhere and stretched a little, and end at a time that is drawn with the other traits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.personas.profile import star_columns
from groundlings.personas.synthesis.source import Source

_LAST_LAP = 9
"""Of the pair that is taken where there is no other."""

_APART = 1_000.0
"""More than any two ranks of one lap differ."""

_HALF_TAKEN = np.log(2)
"""By how much the log of the chance to be taken follows the log of a weight, where half is taken."""

_LEAST_FREE = 0.2
"""Where less of a history can change, taste is not pulled harder."""

_FURTHEST = 3.0
"""Taste is pulled by so many standard deviations at most."""

_STRONGEST = 4.0
"""Logs of weights lie within this."""

_STRETCHED = 0.15
"""Gaps are made longer or shorter by up to this share."""

_TILT_STEPS = 3


@dataclass(frozen=True)
class NewRows:
    """Rows of new users, by user and then by time.

    Attributes:
        rows: Users are numbered from 0.
        known: Which of them are interactions and not earlier stages, shape (n_rows,).
    """

    rows: Interactions
    known: BoolArray


@dataclass(frozen=True)
class Wanted:
    """What some new users are to be like.

    Attributes:
        donors: The first and others, shape (n, k).
        widths: The share of the catalog in which each donor is asked, shape (k,).
        pairs: Items that each history has, shape (n,).
        stars: Mean ratings, NaN where nobody knows, shape (n,).
        ends: Times of the latest row, in ticks, shape (n,).
        taste: Means of the items' loadings, shape (n, d).
        draws: Of each user.
    """

    donors: IntArray
    widths: FloatArray
    pairs: IntArray
    stars: FloatArray
    ends: FloatArray
    taste: FloatArray
    draws: Draws


def make_histories(source: Source, wanted: Wanted, most_rows: int | None = None) -> NewRows:
    """The histories of some new users.

    Args:
        source: Real histories.
        wanted: What they are to be like.
        most_rows: Only the latest so many rows of each are kept.
    """
    users, pairs = _chosen_pairs(source, wanted)
    lengths = source.first[pairs + 1] - source.first[pairs]
    whose, places = np.repeat(users, lengths), _ranges(source.first[pairs], lengths)
    mixed = wanted.draws.take(whose).uniform("moment", places)
    jitter = 1 / np.maximum(np.bincount(whose, minlength=len(wanted.pairs)), 1)
    order = np.lexsort((source.moment[places] + jitter[whose] * mixed, whose))
    whose, places = whose[order], places[order]
    times = _times(source, wanted, whose)
    ratings = _ratings(source, wanted, whose, places)
    taken = replace(
        source.rows.take(places),
        users=whose,
        ratings=ratings,
        timestamps=times,
        synthetic=np.ones(len(whose), dtype=np.bool_),
        n_users=len(wanted.pairs),
    )
    known = source.known[places]
    if most_rows is None:
        return NewRows(taken, known)
    kept = _latest(whose, known, len(wanted.pairs), most_rows)
    return NewRows(taken.take(kept), known[kept])


def _latest(whose: IntArray, known: BoolArray, n: int, most_rows: int) -> BoolArray:
    """True for the latest rows of each user, an interaction always among them, shape (n_rows,)."""
    later = _ends(whose, n) - np.arange(len(whose))
    kept = later <= most_rows
    bare = np.bincount(whose, known & kept, minlength=n) == 0
    kept &= ~(bare[whose] & (later == most_rows))  # makes room where the latest rows are earlier stages only
    latest = np.full(n, -1)
    latest[whose[known]] = np.flatnonzero(known)  # of a user's interactions the last one stays
    kept[latest[bare]] = True
    return kept


def _chosen_pairs(source: Source, wanted: Wanted) -> tuple[IntArray, IntArray]:
    """Users and the pairs of each, `Wanted.pairs` of them where the donors have so many; users ascending.

    Of every stretch two donors are asked. What both have is taken; of what one of them has, half, and rather what
    brings the history to the taste that is wanted. With any taste an item so has the chance that it is had by a donor.
    """
    everybody = np.arange(len(wanted.pairs))
    sizes = np.diff(np.searchsorted(source.keys, np.arange(len(source.users) + 1) * source.n_items))
    expected = np.maximum(sizes[wanted.donors] @ wanted.widths, 1e-9)
    share = np.minimum(wanted.pairs / expected, 1.0)
    parts = [(*_stretches(source, wanted, everybody, share, lap), lap) for lap in (0, 1)]
    parts.append((everybody, _sure_pairs(source, wanted), _LAST_LAP))
    found = _Candidates.of(source, parts)
    short = np.flatnonzero(np.bincount(found.users, minlength=len(everybody)) < wanted.pairs)
    if len(short):
        parts += [(*_stretches(source, wanted, short, np.ones(len(short)), lap), lap) for lap in (2, 3)]
        found = _Candidates.of(source, parts)
    return _picked(source, wanted, found)


@dataclass(frozen=True)
class _Candidates:
    """Pairs that a history may have, each item once, by user and then by place.

    Attributes:
        users, pairs: Shape (n,).
        lap: In which they were found first, shape (n,).
        common: Whether both donors that were asked have the item, shape (n,).
    """

    users: IntArray
    pairs: IntArray
    lap: IntArray
    common: BoolArray

    @classmethod
    def of(cls, source: Source, parts: Sequence[tuple[IntArray, IntArray, int]]) -> _Candidates:
        users = np.concatenate([part[0] for part in parts])
        pairs = np.concatenate([part[1] for part in parts])
        lap = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
        cells = users * source.n_items + source.keys[pairs] % source.n_items
        order = np.argsort(cells * (_LAST_LAP + 1) + lap)
        cells, lap = cells[order], lap[order]
        new = np.concatenate([[True], cells[1:] != cells[:-1]])
        common = np.zeros(len(order), dtype=np.bool_)
        common[:-1] = (lap[:-1] == 0) & (lap[1:] == 1) & ~new[1:]
        kept = order[new]
        return cls(users[kept], pairs[kept], lap[new], common[new])


def _picked(source: Source, wanted: Wanted, found: _Candidates) -> tuple[IntArray, IntArray]:
    """Of each user's candidates the wanted number, at least one of them an interaction."""
    n, users = len(wanted.pairs), found.users
    place = source.keys[found.pairs] % source.n_items
    uniform = np.clip(wanted.draws.take(users).uniform("which", place), 1e-12, 1 - 1e-12)
    # The least of exponential draws by weight: sampling without replacement (Efraimidis and Spirakis 2006, "Weighted
    # random sampling with a reservoir", Information Processing Letters 97), in logs.
    rank = np.log(-np.log1p(-uniform)) - _drift(source, wanted, found, place)
    rank += np.where(found.common, -_APART, np.where(found.lap > 1, found.lap * _APART, 0.0))
    order = np.lexsort((rank, users))
    starts = np.cumsum(np.bincount(users, minlength=n)) - np.bincount(users, minlength=n)
    first = np.arange(len(order)) - starts[users[order]] < wanted.pairs[users[order]]
    kept = np.sort(order[first])
    users, pairs = users[kept], found.pairs[kept]
    if source.known.all():
        return users, pairs
    bare = np.flatnonzero(np.bincount(users, source.interaction[pairs], minlength=n) == 0)
    # Who has earlier stages only would be no user of the training part: one more pair, which is an interaction.
    users, pairs = np.concatenate([users, bare]), np.concatenate([pairs, _sure_pairs(source, wanted)[bare]])
    order = np.argsort(users, kind="stable")
    return users[order], pairs[order]


def _drift(source: Source, wanted: Wanted, found: _Candidates, place: IntArray) -> FloatArray:
    """How much each candidate brings its user to the taste that is wanted, in logs of weight, shape (n,).

    One step of Newton's method for the tilt that changes the mean of a history: the change over the covariance within
    histories, and over the part of the history that can change.
    """
    n, users, open_ = len(wanted.pairs), found.users, (found.lap < 2) & ~found.common
    weight = np.where(found.common, 1.0, np.where(open_, 0.5, 0.0))
    loadings = source.loadings.items.astype(np.float32)[place]
    total = np.maximum(np.bincount(users, weight, minlength=n), 1e-9)
    # Everybody has a candidate, so that the rows of each user are a slice that is not empty.
    starts = np.searchsorted(users, np.arange(n))
    means = np.add.reduceat(loadings * weight.astype(np.float32)[:, None], starts, axis=0)
    free = np.maximum(np.bincount(users, 0.5 * open_, minlength=n) / total, _LEAST_FREE)
    change = np.clip(wanted.taste - means / total[:, None], -_FURTHEST, _FURTHEST)
    tilt = (change @ source.loadings.within / (_HALF_TAKEN * free)[:, None]).astype(np.float32)
    return np.clip(np.einsum("nd,nd->n", tilt[users], loadings), -_STRONGEST, _STRONGEST)


def _stretches(
    source: Source, wanted: Wanted, some: IntArray, share: FloatArray, lap: int
) -> tuple[IntArray, IntArray]:
    """What donors have of their stretches, of the share of the catalog that is looked at.

    Args:
        source, wanted: As above.
        some: Users, shape (m,).
        share: Of the catalog, shape (m,).
        lap: Donors are turned by so many places, so that another one has each stretch.

    Returns:
        Users and pairs.
    """
    n_items = source.n_items
    donors = np.roll(wanted.donors[some], lap, axis=1)
    edges = np.concatenate([[0.0], np.cumsum(wanted.widths)])
    start = wanted.draws.take(some).uniform("offset")
    cuts = np.rint((start[:, None] + share[:, None] * edges) * n_items).astype(np.int64)
    low, high = cuts[:, :-1].ravel(), cuts[:, 1:].ravel()
    whose, of = np.repeat(some, donors.shape[1]), donors.ravel()
    over = high > n_items  # the catalog is a circle
    low, high = (
        np.concatenate([np.minimum(low, n_items), np.maximum(low[over] - n_items, 0)]),
        np.concatenate([np.minimum(high, n_items), high[over] - n_items]),
    )
    whose, of = np.concatenate([whose, whose[over]]), np.concatenate([of, of[over]])
    begin, end = (np.searchsorted(source.keys, of * n_items + edge) for edge in (low, high))
    counts = end - begin
    return np.repeat(whose, counts), _ranges(begin, counts)


def _sure_pairs(source: Source, wanted: Wanted) -> IntArray:
    """An interaction of each first donor, for who has no other, shape (n,)."""
    pairs = source.known_pairs
    owner = source.keys[pairs] // source.n_items
    starts = np.searchsorted(owner, np.arange(len(source.users) + 1))
    first = wanted.donors[:, 0]
    lot = wanted.draws.uniform("sure pair")
    return pairs[starts[first] + (lot * (starts[first + 1] - starts[first])).astype(np.int64)]


def _times(source: Source, wanted: Wanted, whose: IntArray) -> IntArray:
    """Times of rows, ascending for each user, shape (n_rows,)."""
    if not source.gaps.any() and not source.ends.any():
        return np.zeros(len(whose), dtype=np.int64)
    n = len(wanted.ends)
    which = (wanted.draws.uniform("whose gaps") * wanted.donors.shape[1]).astype(np.int64)
    donor = wanted.donors[np.arange(n), which]
    starts, number = source.gap_starts[donor], source.gap_starts[donor + 1] - source.gap_starts[donor]
    begin = (wanted.draws.uniform("first gap") * np.maximum(number, 1)).astype(np.int64)
    later = _ends(whose, n) - np.arange(len(whose)) - 1  # rows of the user after this one
    place = (begin[whose] - later) % np.maximum(number[whose], 1)
    known = (number[whose] > 0) & (later > 0)
    gap = np.zeros(len(whose))
    gap[known] = source.gaps[starts[whose[known]] + place[known]]
    stretch = 1 + _STRETCHED * (2 * wanted.draws.take(whose).uniform("stretch", later) - 1)
    gap *= stretch
    # `gap` of a row is what lies between it and the next; the sum from here on is how far the end is away.
    total = np.cumsum(gap[::-1])[::-1]
    after = np.append(total, 0.0)[_ends(whose, n)]
    away = total - after
    earliest, latest = float(source.rows.timestamps.min()), float(source.rows.timestamps.max())
    longest = np.zeros(n)
    np.maximum.at(longest, whose, away)
    ends = np.clip(np.maximum(wanted.ends, earliest + longest), earliest, latest)
    squeeze = np.minimum(1.0, (ends - earliest) / np.maximum(longest, 1e-9))
    times = ends[whose] - away * squeeze[whose]
    ticks = np.floor(times / source.tick).astype(np.int64) * source.tick
    return np.clip(ticks, source.rows.timestamps.min(), source.rows.timestamps.max())


def _ratings(source: Source, wanted: Wanted, whose: IntArray, places: IntArray) -> FloatArray:
    """Ratings of rows: as high among the user's as they are among the donor's; NaN where the donor gave none."""
    given = source.rows.ratings[places]
    rated = ~np.isnan(given)
    if not rated.any():
        return given
    own = _own_shares(source, wanted)
    donor = np.searchsorted(source.users, source.rows.users[places[rated]])
    column = star_columns(given[rated], source.scale)
    below = np.where(column > 0, source.star_shares[donor, column - 1], 0.0)
    width = source.star_shares[donor, column] - below
    height = below + width * wanted.draws.take(whose[rated]).uniform("stars", places[rated])
    found = np.zeros(len(column), dtype=np.int64)
    for edge in range(own.shape[1] - 1):
        found += height >= own[whose[rated], edge]
    given[rated] = np.array(source.scale.values)[found]
    return given


def _own_shares(source: Source, wanted: Wanted) -> FloatArray:
    """Cumulative shares of each user's ratings: the first donor's, tilted to the mean that is wanted, (n, n_stars)."""
    values = np.array(source.scale.values)
    first = source.star_shares[wanted.donors[:, 0]]
    shares = np.diff(first, axis=1, prepend=0.0)
    goal = np.where(np.isnan(wanted.stars), shares @ values, wanted.stars)
    tilt = np.zeros(len(goal))
    for _ in range(_TILT_STEPS):
        tilted = shares * np.exp(tilt[:, None] * (values - values.mean()))
        tilted /= tilted.sum(axis=1, keepdims=True)
        reached = tilted @ values
        spread = np.maximum(tilted @ values**2 - reached**2, 1e-6)
        step = np.clip((goal - reached) / spread, -1 / source.scale.step, 1 / source.scale.step)
        tilt += step
    tilted = shares * np.exp(tilt[:, None] * (values - values.mean()))
    return np.asarray(np.cumsum(tilted / tilted.sum(axis=1, keepdims=True), axis=1))


def _ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """Whole numbers from each start on, one range after another."""
    ends = np.cumsum(lengths)
    return np.arange(int(lengths.sum())) + np.repeat(starts - (ends - lengths), lengths)


def _ends(whose: IntArray, n: int) -> IntArray:
    """Behind each row's user's last row, shape (n_rows,); users ascending."""
    return np.cumsum(np.bincount(whose, minlength=n))[whose]
