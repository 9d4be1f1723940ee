"""The real histories, laid out so that what a user has of a stretch of the catalog is one slice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_key
from groundlings.environments.split import Split
from groundlings.personas.profile import star_columns
from groundlings.personas.synthesis.traits import Loadings, fit_loadings, shrunk_means

MOST_DONORS = 20_000
"""Real users that are fitted on and taken from, at most: those that come first by a hash of seed and number."""

_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Source:
    """Rows of real users, by user and then by the place of their item in a shuffled catalog.

    A pair of a user and an item is taken as a whole, with all rows that it has.

    Attributes:
        users: Row numbers of the real users in the data set, ascending, shape (n_users,).
        rows: Their rows, shape (n_rows,).
        known: Which of them are interactions and not earlier stages, shape (n_rows,).
        moment: Where in its user's history each row stands, from 0 to 1, shape (n_rows,).
        keys: User and place of each pair as one number, ascending, shape (n_pairs,).
        first: The first row of each pair, and the end, shape (n_pairs + 1,).
        gaps: Ticks between one row and the next of a user, users one after another in the order of `users`.
        gap_starts: Where each user's gaps begin, shape (n_users + 1,).
        ends: Time of each user's latest row, shape (n_users,).
        tick: Ticks that all times are a multiple of: a day, an hour, a minute, a second or one.
        star_shares: Cumulative shares of the ratings of each user, pulled towards everybody's, shape (n_users,
        n_stars). star_means: Mean ratings that vary as much as users do, NaN without one, shape (n_users,). loadings:
        What items say of taste, by place. scale: The ratings in use.
    """

    users: IntArray
    rows: Interactions
    known: BoolArray
    moment: FloatArray
    keys: IntArray
    first: IntArray
    gaps: IntArray
    gap_starts: IntArray
    ends: IntArray
    tick: int
    star_shares: FloatArray
    star_means: FloatArray
    loadings: Loadings
    scale: RatingScale

    @property
    def n_items(self) -> int:
        """Size of the catalog."""
        return self.rows.n_items

    @cached_property
    def met(self) -> sp.csr_array:
        """1 for each pair, columns being places, shape (n_users, n_items)."""
        return _met(self.keys, len(self.users), self.n_items)

    @cached_property
    def interaction(self) -> BoolArray:
        """Whether each pair is in the training part, shape (n_pairs,)."""
        return np.add.reduceat(self.known.astype(np.int64), self.first[:-1]) > 0

    @cached_property
    def known_pairs(self) -> IntArray:
        """Pairs that are in the training part, ascending, shape (n,)."""
        return np.flatnonzero(self.interaction)


def lay_out(dataset: Dataset, split: Split, users: IntArray, seed: int) -> Source:
    """Lay out the histories of some users.

    Args:
        dataset: For items and the ratings in use.
        split: Its training part, and what is known besides.
        users: Real users with training rows, ascending.
        seed: Of the shuffled catalog.
    """
    train, scale = split.train, dataset.scale
    whole = train if split.beside is None else train.joined(split.beside)
    known = np.arange(len(whole)) < len(train)
    number = np.full(train.n_users, -1)
    number[users] = np.arange(len(users))
    mine = number[whole.users] >= 0
    whole, known = whole.take(mine), known[mine]
    donors = number[whole.users]
    places = np.random.default_rng(name_key("places", seed)).permutation(train.n_items)
    moment, gaps, gap_starts, ends = _times(whole, donors, len(users))
    keys = donors * train.n_items + places[whole.items]
    order = np.lexsort((whole.timestamps, keys))
    pairs, first = np.unique(keys[order], return_index=True)
    categories = np.empty_like(dataset.catalog.genre_matrix)
    categories[places] = dataset.catalog.genre_matrix
    shares, means = _stars(whole, donors, len(users), scale)
    return Source(
        users=users,
        rows=whole.take(order),
        known=known[order],
        moment=moment[order],
        keys=pairs,
        first=np.append(first, len(order)),
        gaps=gaps,
        gap_starts=gap_starts,
        ends=ends,
        tick=_tick(whole),
        star_shares=shares,
        star_means=means,
        loadings=fit_loadings(_met(pairs, len(users), train.n_items), categories),
        scale=scale,
    )


def some_users(available: IntArray, seed: int) -> IntArray:
    """The real users that are taken from: all of them, or `MOST_DONORS`; ascending."""
    if len(available) <= MOST_DONORS:
        return available
    return np.sort(np.random.default_rng(name_key("donors", seed)).permutation(available)[:MOST_DONORS])


def _met(keys: IntArray, n_users: int, n_items: int) -> sp.csr_array:
    cells = np.ones(len(keys)), (keys // n_items, keys % n_items)
    return sp.csr_array(cells, shape=(n_users, n_items))


def _times(rows: Interactions, donors: IntArray, n_users: int) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
    """Moments of rows from 0 to 1, gaps, where each user's begin, and the latest time of each user."""
    order = np.lexsort((rows.timestamps, donors))
    counts = np.bincount(donors, minlength=n_users)
    starts = np.concatenate([[0], np.cumsum(counts)])
    moment = np.empty(len(rows))
    moment[order] = (np.arange(len(rows)) - starts[donors[order]] + 0.5) / counts[donors[order]]
    times = rows.timestamps[order]
    inner = np.ones(max(len(rows) - 1, 0), dtype=np.bool_)
    inner[starts[1:-1] - 1] = False
    return moment, np.diff(times)[inner], starts - np.arange(n_users + 1), times[starts[1:] - 1]


def _tick(rows: Interactions) -> int:
    """The coarsest clock that all times fit on."""
    second = rows.ticks_per_second
    for ticks in (_DAY_SECONDS * second, 3_600 * second, 60 * second, second):
        if not (rows.timestamps % ticks).any():
            return ticks
    return 1


def _stars(rows: Interactions, donors: IntArray, n_users: int, scale: RatingScale) -> tuple[FloatArray, FloatArray]:
    """`star_shares` and `star_means`."""
    rated = ~np.isnan(rows.ratings)
    whose, given, width = donors[rated], rows.ratings[rated], len(scale.values)
    cells = whose * width + star_columns(given, scale)
    counts = np.bincount(cells, minlength=n_users * width).reshape(n_users, width)
    number = counts.sum(axis=1)
    sums, squares = (np.bincount(whose, each, minlength=n_users).astype(np.float64) for each in (given, given**2))
    means, prior = shrunk_means(sums, squares, number)
    overall = (counts.sum(axis=0) + 1 / width) / (counts.sum() + 1)
    shares = (counts + prior * overall) / (number + prior)[:, None]
    return np.cumsum(shares, axis=1), means
