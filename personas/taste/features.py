"""The behavioural features of a user and an item: eight numbers measured on all users' training rows.

Except popularity, none of them is the score of a recommender under test, but some are related to one, and a report
should say so: `sequence` and `association` count pairs of items as item kNN does, over
neighbouring steps instead of whole histories and weighed by recency; `recent_taste` factorises as ALS and BPR do,
pairs of items instead of people and items.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.personas.profile import measure_genre_lifts
from groundlings.personas.taste.co_occurrence import (
    COUNT_PRIOR,
    associate,
    count_following,
    count_neighbours,
    embed,
    histories,
    weigh,
)

Features = NDArray[np.float32]

FEATURES = ("sequence", "association", "recent_taste", "people", "season", "popularity", "genre", "activity")
"""Names and order of the features.

sequence: log of a smoothed P(the item follows the person's latest items); `co_occurrence` has the formula.
association: How much more often than by chance it is near them, in logs, averaged over the latest items.
recent_taste: Cosine-like similarity of the item's vector to those of the latest items.
people: log of the share of the `ALIKE` users with the most similar histories that have the item.
season: log of the item's popularity around the time of the user's latest item, relative to its usual popularity.
popularity: log(1 + users with an interaction with the item).
genre: Mean log genre lift of the user over the item's genres; 0 without genres.
activity: log(1 + items in the user's history), the same for every item: active users interact more with every item.
"""

VERSION = 2
"""Raised whenever a feature changes its meaning and keeps its name, or ratings rest on other features: weights fitted
before are then fitted anew."""

SEQUENCE_HALF_LIFE = 10.0
"""Steps back in a history at which an item counts half, for `sequence`."""

RECENT_HALF_LIFE = 5.0
"""The same for `association` and `recent_taste`."""

ALIKE = 100
"""How many of the most similar users count in `people`."""

SEASON_SECONDS = 14 * 86_400
"""Length of a period for `season`; longer where a history of more than `_MOST_PERIODS` periods asks for it."""

_MOST_PERIODS = 100
_SEASON_PRIOR = 2.0
_POPULAR_PRIOR = 10.0
_SHORT_HISTORY = 3.0
_SHARE_FLOOR = 0.002
_CHUNK = 128


@dataclass(frozen=True)
class Evidence:
    """The features of every person and item, computed in rows on demand.

    Attributes:
        following: How often one item comes after another, shape (n_items, n_items).
        associations: See `associate`, shape (n_items, n_items).
        vectors: Unit item vectors, shape (n_items, d).
        latest, recent: Histories as weights that sum to 1 a person, by `SEQUENCE_HALF_LIFE` and by
            `RECENT_HALF_LIFE`, shape (n_users, n_items).
        met: 1 for each pair that occurs, shape (n_users, n_items).
        activity: The feature, shape (n_users,).
        rarity: Weight of an item in the similarity of two users: lower for more popular items, shape (n_items,).
        season: The feature by period, shape (n_periods, n_items).
        period: Of each person's latest item, shape (n_users,).
        popularity: The feature, shape (n_items,).
        lifts: log genre lifts, shape (n_users, n_genres).
        genres: Membership, each item's row summing to 1 or 0, shape (n_items, n_genres).
    """

    following: sp.csr_array
    associations: sp.csr_array
    vectors: Features
    latest: sp.csr_array
    recent: sp.csr_array
    met: sp.csr_array
    activity: Features
    rarity: Features
    season: Features
    period: IntArray
    popularity: Features
    lifts: Features
    genres: Features

    @property
    def n_users(self) -> int:
        """People of the data set."""
        return len(self.lifts)

    @property
    def n_items(self) -> int:
        """Size of the catalog."""
        return len(self.popularity)

    def column(self, name: str, users: IntArray) -> Features:
        """One of `FEATURES` of all items for some users, shape (n, n_items)."""
        match name:
            case "sequence":
                return self._sequence(users)
            case "association":
                return (self.recent[users] @ self.associations).toarray()
            case "recent_taste":
                return (self.recent[users] @ self.vectors) @ self.vectors.T
            case "people":
                return np.log((self._alike(users) @ self.met).toarray() + np.float32(_SHARE_FLOOR))
            case "season":
                return self.season[self.period[users]]
            case "popularity":
                return np.broadcast_to(self.popularity, (len(users), self.n_items))
            case "genre":
                return self.lifts[users] @ self.genres.T
            case "activity":
                return np.broadcast_to(self.activity[users][:, None], (len(users), self.n_items))
        raise ValueError(f"found the feature {name!r}, expected one of {', '.join(FEATURES)}")

    def pairs(self, users: IntArray, items: IntArray) -> FloatArray:
        """All features of some pairs, shape (n_pairs, n_features), by way of the whole rows of their people."""
        people, rows = np.unique(users, return_inverse=True)
        result = np.empty((len(users), len(FEATURES)))
        for first in range(0, len(people), _CHUNK):
            # The pairs of this chunk's people; `rows - first` is a person's row in the chunk.
            here = np.flatnonzero((rows >= first) & (rows < first + _CHUNK))
            for number, name in enumerate(FEATURES):
                column = self.column(name, people[first : first + _CHUNK])
                result[here, number] = column[rows[here] - first, items[here]]
        return result

    def column_of_pairs(self, name: str, users: IntArray, items: IntArray) -> Features:
        """One of `FEATURES` of some pairs, shape (n_pairs,), at the cost of the pairs and not of whole rows."""
        match name:
            case "sequence":
                weighted, unexplained = self._latest(users)
                return np.log(_row_products(weighted, self._before[items]) + unexplained * self._share[items])
            case "association":
                return _row_products(self.recent[users], self.associations[items])
            case "recent_taste":
                people, rows = np.unique(users, return_inverse=True)
                return np.einsum("nd,nd->n", (self.recent[people] @ self.vectors)[rows], self.vectors[items])
            case "people":
                people, rows = np.unique(users, return_inverse=True)
                shares = _row_products(self._alike(people)[rows], self._met_by[items])
                return np.log(shares + np.float32(_SHARE_FLOOR))
            case "season":
                return self.season[self.period[users], items]
            case "popularity":
                return self.popularity[items]
            case "genre":
                return np.einsum("ng,ng->n", self.lifts[users], self.genres[items])
            case "activity":
                return self.activity[users]
        raise ValueError(f"found the feature {name!r}, expected one of {', '.join(FEATURES)}")

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Everything that was measured, for a fingerprint."""
        sparse = (self.following, self.associations, self.latest, self.recent, self.met)
        kept = [part for matrix in sparse for part in (matrix.indptr, matrix.indices, matrix.data)]
        return (*kept, self.vectors, self.season, self.period, self.activity, self.lifts, self.genres)

    def _latest(self, users: IntArray) -> tuple[sp.csr_array, Features]:
        """Weight of one count after each latest item, shape (n, n_items), and what is left to smoothing, shape (n,)."""
        degree = self.following.sum(axis=1)
        history = self.latest[users]
        weighted = history @ sp.diags_array((1 / (degree + COUNT_PRIOR)).astype(np.float32))
        return weighted, (1 - history @ (degree / (degree + COUNT_PRIOR))).astype(np.float32)

    def _sequence(self, users: IntArray) -> Features:
        """log of a mixture, over the latest items, of P(following | item) smoothed towards the overall share."""
        weighted, unexplained = self._latest(users)
        return np.log((weighted @ self.following).toarray() + np.outer(unexplained, self._share))

    def _alike(self, users: IntArray) -> sp.csr_array:
        """Weights of the most similar users for each user, shape (n, n_users), rows summing to 1 or 0.

        Similarity is a cosine over items weighted by rarity; a user has weight 0 for themselves.
        """
        weighted, length = self._rare
        likeness = (weighted[users] @ weighted.T).toarray() / length
        likeness[np.arange(len(users)), users] = 0  # row r is user users[r]: nobody is like themselves
        if self.n_users > ALIKE:
            # The ALIKE-th largest of each row; everybody below it is dropped.
            last = np.partition(likeness, -ALIKE, axis=1)[:, -ALIKE]
            likeness[likeness < last[:, None]] = 0
        likeness /= np.maximum(likeness.sum(axis=1, keepdims=True), 1e-9)
        return sp.csr_array(likeness)

    @cached_property
    def _share(self) -> Features:
        """Each item's share of all that follows, smoothed, shape (n_items,)."""
        count = self.following.sum(axis=0) + 1
        return (count / count.sum()).astype(np.float32)

    @cached_property
    def _rare(self) -> tuple[sp.csr_array, Features]:
        """`met` weighted by rarity, and the length of each person's row, lengthened for short histories."""
        weighted = sp.csr_array(self.met @ sp.diags_array(self.rarity))
        return weighted, np.sqrt((weighted * weighted).sum(axis=1)) + _SHORT_HISTORY * self.rarity.mean()

    @cached_property
    def _before(self) -> sp.csr_array:
        """`following` by the item that comes after, shape (n_items, n_items)."""
        return self.following.T.tocsr()

    @cached_property
    def _met_by(self) -> sp.csr_array:
        """`met` by item, shape (n_items, n_users)."""
        return self.met.T.tocsr()


def _row_products(left: sp.csr_array, right: sp.csr_array) -> Features:
    """Inner product of each row with the row beside it, shape (n,)."""
    return np.asarray(left.multiply(right).sum(axis=1)).ravel()


def measure_evidence(train: Interactions, catalog: Catalog) -> Evidence:
    """Measure the features of all users and items on training rows: counts, their factorisation, weighted histories."""
    users, items, age = histories(train)
    near = count_neighbours(users, items, train.n_items)
    season, period = _seasons(train)
    lifts = np.nan_to_num(measure_genre_lifts(train, catalog), nan=1.0)
    genres = catalog.genre_matrix.astype(np.float32)
    return Evidence(
        following=count_following(users, items, train.n_items),
        associations=associate(near),
        vectors=embed(near),
        latest=weigh(users, items, 0.5 ** (age / SEQUENCE_HALF_LIFE), train),
        recent=weigh(users, items, 0.5 ** (age / RECENT_HALF_LIFE), train),
        met=train.matrix.astype(np.float32),
        activity=np.log1p(np.diff(train.matrix.indptr)).astype(np.float32),
        rarity=(1 / np.sqrt(train.item_counts + _POPULAR_PRIOR)).astype(np.float32),
        season=season,
        period=period,
        popularity=np.log1p(train.item_counts).astype(np.float32),
        lifts=np.log(lifts).astype(np.float32),
        genres=genres / np.maximum(genres.sum(axis=1, keepdims=True), 1),
    )


def _seasons(train: Interactions) -> tuple[Features, IntArray]:
    """Lifts of each period, shape (n_periods, n_items), and each person's period, shape (n_users,)."""
    if not len(train):
        return np.zeros((1, train.n_items), dtype=np.float32), np.zeros(train.n_users, dtype=np.int64)
    start, end = train.timestamps.min(), train.timestamps.max()
    length = max(SEASON_SECONDS * train.ticks_per_second, (int(end - start) // _MOST_PERIODS) + 1)
    periods = (train.timestamps - start) // length
    n_periods = int(periods.max()) + 1
    # One number per (period, item), row by row, so that one bincount makes the whole table.
    cells = periods * train.n_items + train.items
    counts = np.bincount(cells, minlength=n_periods * train.n_items).reshape(n_periods, train.n_items)
    # A period stands for itself and, by half, for the one before and the one after.
    around = counts.astype(np.float64)
    around[1:] += counts[:-1] / 2
    around[:-1] += counts[1:] / 2
    usual = np.outer(around.sum(axis=1) / len(train), counts.sum(axis=0))
    latest = np.zeros(train.n_users, dtype=np.int64)
    np.maximum.at(latest, train.users, periods)  # the latest period of each user's rows
    return np.log((around + _SEASON_PRIOR) / (usual + _SEASON_PRIOR)).astype(np.float32), latest
