"""What everybody's training rows say for and against one person meeting one item: six named features.

None of them is the class of a recommender under test. `sequence` and the two tastes come from one count:
how often two items lie close together in somebody's history. Factorising its positive pointwise mutual
information gives item vectors as word embeddings are made (Levy and Goldberg 2014, "Neural word embedding as
implicit matrix factorization", NIPS; for items Barkan and Koenigstein 2016, "Item2vec"). Related to item kNN,
which also counts pairs: kNN takes them over whole histories, and knows no order and no recency.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg
from numpy.typing import NDArray

from environments.arrays import FloatArray, IntArray
from environments.catalog import Catalog
from environments.interactions import Interactions
from personas.profile import measure_genre_lifts

Features = NDArray[np.float32]

FEATURES = ("sequence", "recent_taste", "lasting_taste", "popularity", "standing", "genre")
"""Names and order of the features.

sequence: log of a smoothed P(this item lies within `WINDOW` steps of the person's latest items).
recent_taste: Cosine-like closeness of the item's vector to those of the person's latest items.
lasting_taste: The same over the whole history.
popularity: log(1 + people who met the item).
standing: Mean stars of the item, pulled towards the overall mean; constant without ratings.
genre: Mean log genre lift of the person over the item's genres; 0 without genres.
"""

WINDOW = 20
"""Two items of a history are neighbours when at most this many steps apart."""

DIMENSIONS = 64
"""Length of an item vector."""

SEQUENCE_HALF_LIFE = 10.0
"""Steps back in a history at which an item counts half for `sequence`."""

RECENT_HALF_LIFE = 5.0
"""The same for `recent_taste`."""

_FORGOTTEN = 1e-3
"""Items of less weight than this are left out of a recency-weighted history."""

_COUNT_PRIOR = 10.0
"""Neighbour counts that the smoothing of `sequence` and of the mutual information adds."""

_STARS_PRIOR = 5.0
"""Average ratings added to each item for `standing`."""


@dataclass(frozen=True)
class Evidence:
    """The features of every person and item, computed in rows on demand.

    Attributes:
        near: Neighbour counts, shape (n_items, n_items), symmetric, empty diagonal.
        vectors: Unit item vectors, shape (n_items, d); zero for an item without neighbours.
        latest, recent, whole: Histories as weights that sum to 1 a person, shape (n_users, n_items): by
            `SEQUENCE_HALF_LIFE`, by `RECENT_HALF_LIFE` and unweighted.
        popularity, standing: As in `FEATURES`, shape (n_items,).
        lifts: log genre lifts, shape (n_users, n_genres).
        genres: Membership, each item's row summing to 1 or 0, shape (n_items, n_genres).
    """

    near: sp.csr_array
    vectors: Features
    latest: sp.csr_array
    recent: sp.csr_array
    whole: sp.csr_array
    popularity: Features
    standing: Features
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
        shape = (len(users), self.n_items)
        yield self._sequence(users)
        for history in (self.recent, self.whole):
            yield (history[users] @ self.vectors) @ self.vectors.T
        yield np.broadcast_to(self.popularity, shape)
        yield np.broadcast_to(self.standing, shape)
        yield self.lifts[users] @ self.genres.T

    def pairs(self, users: IntArray, items: IntArray) -> FloatArray:
        """The features of some pairs, shape (n_pairs, n_features); pairs of one user should lie together."""
        people, rows = np.unique(users, return_inverse=True)
        result = np.empty((len(users), len(FEATURES)))
        for first in range(0, len(people), _CHUNK):
            here = (rows >= first) & (rows < first + _CHUNK)
            for number, column in enumerate(self.columns(people[first : first + _CHUNK])):
                result[here, number] = column[rows[here] - first, items[here]]
        return result

    def _sequence(self, users: IntArray) -> Features:
        """log of a mixture, over the latest items, of P(neighbour | item) smoothed towards the overall share."""
        degree = self.near.sum(axis=1)
        share = (degree + 1) / (degree + 1).sum()
        history = self.latest[users]
        weighted = history @ sp.diags_array((1 / (degree + _COUNT_PRIOR)).astype(np.float32))
        chance = (weighted @ self.near).toarray()
        unexplained = 1 - history @ (degree / (degree + _COUNT_PRIOR))
        return np.log(chance + np.outer(unexplained, share), dtype=np.float64).astype(np.float32)


_CHUNK = 512


def measure_evidence(train: Interactions, catalog: Catalog) -> Evidence:
    """Take the counts, factorise them, and weigh each person's history."""
    users, items, age = _histories(train)
    near = _neighbours(users, items, train.n_items)
    lifts = np.nan_to_num(measure_genre_lifts(train, catalog), nan=1.0)
    genres = catalog.genre_matrix.astype(np.float32)
    rated = train.take(~np.isnan(train.ratings))
    stars = np.bincount(rated.items, rated.ratings, minlength=train.n_items)
    given = np.bincount(rated.items, minlength=train.n_items)
    middle = rated.ratings.mean() if len(rated) else 0.0
    return Evidence(
        near=near,
        vectors=_vectors(near),
        latest=_weighted(users, items, 0.5 ** (age / SEQUENCE_HALF_LIFE), train),
        recent=_weighted(users, items, 0.5 ** (age / RECENT_HALF_LIFE), train),
        whole=_weighted(users, items, np.ones(len(age)), train),
        popularity=np.log1p(train.item_counts).astype(np.float32),
        standing=((stars + _STARS_PRIOR * middle) / (given + _STARS_PRIOR)).astype(np.float32),
        lifts=np.log(lifts).astype(np.float32),
        genres=genres / np.maximum(genres.sum(axis=1, keepdims=True), 1),
    )


def _histories(train: Interactions) -> tuple[IntArray, IntArray, IntArray]:
    """Users, items and age of each pair, oldest first within a user; age 0 is the latest item, ties by item number."""
    order = np.lexsort((train.items, train.timestamps, train.users))
    users, items = train.users[order], train.items[order].astype(np.int64)
    # An item met twice stands where it was met last.
    _, last = np.unique((users * train.n_items + items)[::-1], return_index=True)
    kept = np.sort(len(users) - 1 - last)
    users, items = users[kept], items[kept]
    ends = np.searchsorted(users, users, side="right")
    return users, items, ends - 1 - np.arange(len(users))


def _neighbours(users: IntArray, items: IntArray, n_items: int) -> sp.csr_array:
    """How often two items lie at most `WINDOW` steps apart, counted both ways."""
    shape = (n_items, n_items)
    total: Any = sp.csr_array(shape, dtype=np.float32)  # the stubs lose the shape in a sum
    for step in range(1, WINDOW + 1):
        together = users[:-step] == users[step:]
        earlier, later = items[:-step][together], items[step:][together]
        once = sp.csr_array((np.ones(len(earlier), dtype=np.float32), (earlier, later)), shape=shape)
        total = total + once + once.T
    return total


def _vectors(near: sp.csr_array) -> Features:
    """Leading eigenvectors of the positive pointwise mutual information, scaled and cut to unit length."""
    n_items = near.shape[0]
    counts = near.tocoo()
    degree = near.sum(axis=1).astype(np.float64)
    rows, columns = counts.coords
    lift = counts.data * degree.sum() / (degree[rows] * degree[columns])
    trust = counts.data / (counts.data + _COUNT_PRIOR)
    information = sp.csr_array((np.maximum(np.log(lift), 0) * trust, (rows, columns)), shape=near.shape)
    size = min(DIMENSIONS, n_items)
    if n_items <= 4 * DIMENSIONS:
        values, vectors = scipy.linalg.eigh(information.toarray())
    else:
        # A fixed start makes the iteration, and with it the whole model, repeatable.
        start = np.random.default_rng(0).standard_normal(n_items)
        values, vectors = scipy.sparse.linalg.eigsh(information, size, v0=start)
    leading = np.argsort(-values)[:size]
    scaled = vectors[:, leading] * np.sqrt(np.maximum(values[leading], 0))
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.divide(scaled, lengths, out=np.zeros_like(scaled), where=lengths > 1e-9).astype(np.float32)


def _weighted(users: IntArray, items: IntArray, weights: FloatArray, train: Interactions) -> sp.csr_array:
    """Histories whose weights sum to 1 a person; what is almost forgotten is left out."""
    kept = weights >= _FORGOTTEN
    users, items, weights = users[kept], items[kept], weights[kept]
    totals = np.bincount(users, weights, minlength=train.n_users)
    shares = (weights / totals[users]).astype(np.float32)
    return sp.csr_array((shares, (users, items)), shape=(train.n_users, train.n_items))
