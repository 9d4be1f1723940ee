"""Users with the most similar histories, found once for each user by way of the users of each of their items.

An item lists its latest `MOST_RECENT` users, so that the work on a user grows with the user's history alone. Where no
item has more users than that (MovieLens-100K: 583), everybody is compared with everybody. Elsewhere the users of very
popular items are left out who met them long ago; such an item says little of what two users have in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray
from groundlings.environments.cores import in_two_threads
from groundlings.environments.interactions import Interactions
from groundlings.environments.sorting import order_of
from groundlings.personas.taste.many_users import MANY
from groundlings.personas.taste.sparse_rows import keep_largest, matrix_of, parts_of, scaled_columns

ALIKE = 100
"""How many of the most similar users each user has."""

ALIKE_OF_MANY = 50
"""The same where users are more than `MANY`."""

MOST_RECENT = 600
"""Users of an item who may be found similar by way of it."""

MOST_RECENT_OF_MANY = 60
"""The same where users are more than `MANY`: so many come after each other that the latest are many enough."""

_SHORT_HISTORY = 3.0
_CELLS_AT_ONCE = 4_000_000


class SimilarUsers:
    """The most similar users of each user, and how similar they are, computed when first asked about.

    Similarity is a cosine over items weighted by rarity; of equally similar users the first by number are taken.

    Attributes:
        width: How many each user has.

    Args:
        met: 1 for each pair that occurs, shape (n_users, n_items).
        recent: 1 for each of the latest users of each item, shape (n_items, n_users).
        rarity: Weight of an item: lower for more popular items, shape (n_items,).
        asked: Histories of others who are asked about and are nobody's similar users, shape (n_asked, n_items).
    """

    def __init__(
        self, met: sp.csr_array, recent: sp.csr_array, rarity: NDArray[np.float32], asked: sp.csr_array | None = None
    ) -> None:
        self._n_users = met.shape[0]
        self.width = ALIKE if self._n_users <= MANY else ALIKE_OF_MANY
        self._others = asked is not None
        weighted = scaled_columns(met, rarity)
        lengths = np.sqrt(weighted.multiply(weighted).sum(axis=1)) + _SHORT_HISTORY * rarity.mean()
        who_asks = met if asked is None else asked
        self._asked = weighted if asked is None else scaled_columns(asked, rarity)
        self._work: IntArray = who_asks @ np.diff(recent.indptr)
        size = self._asked.shape[0]
        self._users_in_order = _met_often_first(recent, who_asks)
        self._place = np.empty(self._n_users, dtype=np.int32)
        self._place[self._users_in_order] = np.arange(self._n_users, dtype=np.int32)
        factors = np.repeat(rarity, np.diff(recent.indptr))
        self._by_item = sp.csr_array((factors, self._place[recent.indices], recent.indptr), shape=recent.shape)
        self._length = lengths.astype(np.float32)[self._users_in_order]
        self._known = np.zeros(size, dtype=np.bool_)
        self._ahead: Future[None] | None = None
        # Memory is taken up as rows are written.
        self._users = np.empty((size, self.width), dtype=np.int32)
        self._weights = np.empty((size, self.width), dtype=np.float32)

    def of(self, users: IntArray) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Similar users, ascending, and their weights, which sum to 1 or 0, shape (n, width) each.

        Someone with fewer of them has the first user with weight 0 in the remaining places.
        """
        self.find(users)
        return self._users[users], self._weights[users]

    def find(self, users: IntArray) -> None:
        """Find those of some users, and keep them."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            ahead.result()
        if not self._known[users].all():
            self._find_missing(users, Event())

    @contextmanager
    def found_ahead(self, users: IntArray) -> Iterator[None]:
        """Until the context ends, find those of some users beside whatever else is done; who asks waits for all."""
        left = Event()
        with ThreadPoolExecutor(1) as beside:
            self._ahead = beside.submit(self._find_missing, users, left)
            try:
                yield
            finally:
                left.set()  # nobody waits for the rest if the context ends early

    def _find_missing(self, users: IntArray, left: Event) -> None:
        """Find those that are not known, unless it is left first."""
        wanted = np.zeros(len(self._known), dtype=np.bool_)
        wanted[users] = True
        missing = np.flatnonzero(wanted & ~self._known)
        if len(missing) and not self._known.flags.writeable:  # a copy, in memory that others share
            self._known, self._users, self._weights = self._known.copy(), self._users.copy(), self._weights.copy()
        parts = [missing[part] for part in parts_of(self._work[missing], _CELLS_AT_ONCE)]

        def find(part: IntArray) -> None:
            if not left.is_set():
                self._find(part)

        in_two_threads(find, parts)  # each user's are the same whoever finds them

    def rows(self, users: IntArray) -> sp.csr_array:
        """The weights as a sparse matrix, shape (n, n_users)."""
        others, weights = self.of(users)
        starts = np.arange(len(users) + 1) * self.width
        matrix = sp.csr_array((weights.ravel(), others.ravel(), starts), shape=(len(users), self._n_users))
        matrix.sum_duplicates()
        return matrix

    def _find(self, users: IntArray) -> None:
        likeness = sp.csr_array(self._asked[users] @ self._by_item)
        likeness.data /= self._length[likeness.indices]
        if not self._others:  # nobody is like themselves
            own = np.repeat(self._place[users], np.diff(likeness.indptr))
            likeness.data[likeness.indices == own] = 0
        nearest = keep_largest(likeness, self.width, numbers=self._users_in_order)
        nearest.eliminate_zeros()
        counts = np.diff(nearest.indptr)
        rows = np.repeat(np.arange(len(users)), counts)
        places = np.arange(nearest.nnz) - nearest.indptr[rows]
        weights = np.zeros((len(users), self.width), dtype=np.float32)
        weights[rows, places] = nearest.data
        others = np.zeros((len(users), self.width), dtype=np.int32)
        others[rows, places] = nearest.indices
        self._users[users] = others
        self._weights[users] = weights / np.maximum(weights.sum(axis=1, keepdims=True), np.float32(1e-9))
        self._known[users] = True


def _met_often_first(recent: sp.csr_array, asked: sp.csr_array) -> NDArray[np.int32]:
    """Users in the order in which a product holds them, shape (n_users,).

    Of very many users most are hardly ever met. Those who are, beside each other, fit into the cache of a processor.

    Args:
        recent: 1 for each of the latest users of each item, shape (n_items, n_users).
        asked: The histories that ask about them, shape (n_asked, n_items).
    """
    askers = np.bincount(asked.indices, minlength=recent.shape[0])
    met = np.bincount(recent.indices, np.repeat(askers, np.diff(recent.indptr)), minlength=recent.shape[1])
    return np.argsort(-met, kind="stable").astype(np.int32)


def latest_users(train: Interactions) -> sp.csr_array:
    """1 for each of the latest users of each item, shape (n_items, n_users); `MOST_RECENT` says how many.

    Of users with the same time the last by number are taken.
    """
    users, times = train.users, train.timestamps
    in_order = (times[1:] > times[:-1]) | ((times[1:] == times[:-1]) & (users[1:] >= users[:-1]))
    order = order_of(train.items) if in_order.all() else np.lexsort((users, times, train.items))
    users, items = users[order], train.items[order]
    later = np.cumsum(np.bincount(items, minlength=train.n_items))[items] - 1 - np.arange(len(items))
    kept = later < (MOST_RECENT if train.n_users <= MANY else MOST_RECENT_OF_MANY)
    users, items = users[kept], items[kept]
    ones = np.ones(len(users), dtype=np.float32)
    found = matrix_of(ones, items, users, (train.n_items, train.n_users))
    if train.met.nnz < len(train):
        found.sum_duplicates()
        found.data[:] = 1
    return found
