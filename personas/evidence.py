"""What everybody's training rows say for and against one person meeting one item: seven named features.

None of them is the class of a recommender under test (popularity, which every audience follows, apart), but some
are relatives, and a report should say so: `sequence` and `association` count pairs of items as item kNN does, over
neighbouring steps instead of whole histories and weighed by recency; `recent_taste` factorises as ALS and BPR do,
pairs of items instead of people and items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from environments.arrays import FloatArray, IntArray
from environments.catalog import Catalog
from environments.interactions import Interactions
from personas.co_occurrence import COUNT_PRIOR, associate, count_neighbours, embed, histories, weigh
from personas.profile import measure_genre_lifts

Features = NDArray[np.float32]

FEATURES = ("sequence", "association", "recent_taste", "people", "season", "popularity", "genre")
"""Names and order of the features.

sequence: log of a smoothed P(the item is a neighbour of the person's latest items), see `personas.co_occurrence`.
association: How much more often than by chance it is one, in logs, averaged over the latest items.
recent_taste: Cosine-like closeness of the item's vector to those of the latest items.
people: log of the share of the `ALIKE` people of most similar history that met the item.
season: log of how much more than usual the item was met by everybody around the time of the person's latest item.
popularity: log(1 + people who met the item).
genre: Mean log genre lift of the person over the item's genres; 0 without genres.
"""

SEQUENCE_HALF_LIFE = 10.0
"""Steps back in a history at which an item counts half, for `sequence`."""

RECENT_HALF_LIFE = 5.0
"""The same for `association` and `recent_taste`."""

ALIKE = 100
"""People whose histories speak for a person in `people`."""

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
        near: Neighbour counts, shape (n_items, n_items).
        associations: See `associate`, shape (n_items, n_items).
        vectors: Unit item vectors, shape (n_items, d).
        latest, recent: Histories as weights that sum to 1 a person, by `SEQUENCE_HALF_LIFE` and by
            `RECENT_HALF_LIFE`, shape (n_users, n_items).
        met: 1 for each pair that occurs, shape (n_users, n_items).
        rarity: What an item says of how alike two people are: less the more people met it, shape (n_items,).
        season: The feature by period, shape (n_periods, n_items).
        period: Of each person's latest item, shape (n_users,).
        popularity: The feature, shape (n_items,).
        lifts: log genre lifts, shape (n_users, n_genres).
        genres: Membership, each item's row summing to 1 or 0, shape (n_items, n_genres).
    """

    near: sp.csr_array
    associations: sp.csr_array
    vectors: Features
    latest: sp.csr_array
    recent: sp.csr_array
    met: sp.csr_array
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

    def columns(self, users: IntArray) -> Iterator[Features]:
        """Each feature of all items for some users, shape (n, n_items), in the order of `FEATURES`."""
        recent = self.recent[users]
        yield self._sequence(users)
        yield (recent @ self.associations).toarray()
        yield (recent @ self.vectors) @ self.vectors.T
        yield self._people(users)
        yield self.season[self.period[users]]
        yield np.broadcast_to(self.popularity, (len(users), self.n_items))
        yield self.lifts[users] @ self.genres.T

    def pairs(self, users: IntArray, items: IntArray) -> FloatArray:
        """The features of some pairs, shape (n_pairs, n_features)."""
        people, rows = np.unique(users, return_inverse=True)
        result = np.empty((len(users), len(FEATURES)))
        for first in range(0, len(people), _CHUNK):
            here = np.flatnonzero((rows >= first) & (rows < first + _CHUNK))
            for number, column in enumerate(self.columns(people[first : first + _CHUNK])):
                result[here, number] = column[rows[here] - first, items[here]]
        return result

    def _sequence(self, users: IntArray) -> Features:
        """log of a mixture, over the latest items, of P(neighbour | item) smoothed towards the overall share."""
        degree = self.near.sum(axis=1)
        share = (degree + 1) / (degree + 1).sum()
        history = self.latest[users]
        weighted = history @ sp.diags_array((1 / (degree + COUNT_PRIOR)).astype(np.float32))
        unexplained = 1 - history @ (degree / (degree + COUNT_PRIOR))
        return np.log((weighted @ self.near).toarray() + np.outer(unexplained, share)).astype(np.float32)

    def _people(self, users: IntArray) -> Features:
        """See `FEATURES`: likeness is a cosine over items weighted by rarity, and nobody is like themselves."""
        weighted = self.met @ sp.diags_array(self.rarity)
        length = np.sqrt((weighted * weighted).sum(axis=1)) + _SHORT_HISTORY * self.rarity.mean()
        likeness = (weighted[users] @ weighted.T).toarray() / length
        likeness[np.arange(len(users)), users] = 0
        if self.n_users > ALIKE:
            last = np.partition(likeness, -ALIKE, axis=1)[:, -ALIKE]
            likeness[likeness < last[:, None]] = 0
        likeness /= np.maximum(likeness.sum(axis=1, keepdims=True), 1e-9)
        return np.log((sp.csr_array(likeness) @ self.met).toarray() + _SHARE_FLOOR).astype(np.float32)


def measure_evidence(train: Interactions, catalog: Catalog) -> Evidence:
    """Take the counts, factorise them, and weigh each person's history."""
    users, items, age = histories(train)
    near = count_neighbours(users, items, train.n_items)
    season, period = _seasons(train)
    lifts = np.nan_to_num(measure_genre_lifts(train, catalog), nan=1.0)
    genres = catalog.genre_matrix.astype(np.float32)
    return Evidence(
        near=near,
        associations=associate(near),
        vectors=embed(near),
        latest=weigh(users, items, 0.5 ** (age / SEQUENCE_HALF_LIFE), train),
        recent=weigh(users, items, 0.5 ** (age / RECENT_HALF_LIFE), train),
        met=train.matrix.astype(np.float32),
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
    length = max(SEASON_SECONDS, (int(end - start) // _MOST_PERIODS) + 1)
    periods = (train.timestamps - start) // length
    n_periods = int(periods.max()) + 1
    cells = periods * train.n_items + train.items
    counts = np.bincount(cells, minlength=n_periods * train.n_items).reshape(n_periods, train.n_items)
    # A period stands for itself and, by half, for the one before and the one after.
    around = counts.astype(np.float64)
    around[1:] += counts[:-1] / 2
    around[:-1] += counts[1:] / 2
    usual = np.outer(around.sum(axis=1) / len(train), counts.sum(axis=0))
    latest = np.zeros(train.n_users, dtype=np.int64)
    np.maximum.at(latest, train.users, periods)
    return np.log((around + _SEASON_PRIOR) / (usual + _SEASON_PRIOR)).astype(np.float32), latest
