"""Which items lie close together in people's histories, and what comes after what.

Two counts carry three features: how often one item comes after another, at most `AHEAD` steps later, and how often
two are at most `WINDOW` steps apart, whichever comes first. Factorising the positive pointwise mutual information of
the second gives item vectors as word embeddings are made (Levy and Goldberg 2014, "Neural word embedding as implicit
matrix factorization", NIPS; for items Barkan and Koenigstein 2016, "Item2vec").
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import Interactions

WINDOW = 60
"""Two items of a history are neighbours when at most this many steps apart."""

AHEAD = 20
"""An item of a history follows another when it comes at most this many steps later."""

DIMENSIONS = 64
"""Length of an item vector."""

COUNT_PRIOR = 10.0
"""Neighbour counts that smoothing adds."""

_FORGOTTEN = 1e-3
_PAIRS_AT_ONCE = 5_000_000


def histories(train: Interactions) -> tuple[IntArray, IntArray, IntArray]:
    """Users, items and age of each pair, oldest first within a user.

    Age 0 is the latest item; ties in time are broken by the order of rows. An item met twice stands where it was last.
    """
    order = np.lexsort((train.timestamps, train.users))
    users, items = train.users[order], train.items[order].astype(np.int64)
    _, last = np.unique((users * train.n_items + items)[::-1], return_index=True)
    kept = np.sort(len(users) - 1 - last)
    users, items = users[kept], items[kept]
    ends = np.searchsorted(users, users, side="right")
    return users, items, ends - 1 - np.arange(len(users))


def weigh(users: IntArray, items: IntArray, weights: FloatArray, train: Interactions) -> sp.csr_array:
    """Histories whose weights sum to 1 a person, shape (n_users, n_items); what is almost forgotten is left out."""
    kept = weights >= _FORGOTTEN
    users, items, weights = users[kept], items[kept], weights[kept]
    totals = np.bincount(users, weights, minlength=train.n_users)
    shares = (weights / totals[users]).astype(np.float32)
    return sp.csr_array((shares, (users, items)), shape=(train.n_users, train.n_items))


def count_neighbours(users: IntArray, items: IntArray, n_items: int) -> sp.csr_array:
    """How often two items lie at most `WINDOW` steps apart, shape (n_items, n_items), symmetric."""
    following = count_following(users, items, n_items, WINDOW)
    return following + following.T


def count_following(users: IntArray, items: IntArray, n_items: int, steps: int = AHEAD) -> sp.csr_array:
    """How often the item of a column comes at most `steps` after that of a row, shape (n_items, n_items)."""
    total: Any = sp.csr_array((n_items, n_items), dtype=np.float32)  # the stubs lose the shape in a sum
    waiting: list[tuple[IntArray, IntArray]] = []
    for step in range(1, steps + 1):
        together = users[:-step] == users[step:]
        waiting.append((items[:-step][together], items[step:][together]))
        if step == steps or sum(len(earlier) for earlier, _ in waiting) > _PAIRS_AT_ONCE:
            earlier, later = (np.concatenate(side) for side in zip(*waiting, strict=True))
            ones = np.ones(len(earlier), dtype=np.float32)
            total = total + sp.csr_array((ones, (earlier, later)), shape=(n_items, n_items))
            waiting = []
    return total


def associate(near: sp.csr_array) -> sp.csr_array:
    """log((count + prior) / (count if items were independent + prior)) of items that are ever near, same shape."""
    counts, expected = _expected(near)
    values = np.log((counts.data + COUNT_PRIOR) / (expected + COUNT_PRIOR)).astype(np.float32)
    rows, columns = counts.coords
    return sp.csr_array((values, (rows, columns)), shape=near.shape)


def embed(near: sp.csr_array) -> NDArray[np.float32]:
    """Unit item vectors, shape (n_items, d): leading eigenvectors of the positive pointwise mutual information.

    Rare pairs are trusted less: the information is multiplied by count / (count + prior). An item without
    neighbours has the vector 0.
    """
    n_items = near.shape[0]
    counts, expected = _expected(near)
    trust = counts.data / (counts.data + COUNT_PRIOR)
    information: FloatArray = np.maximum(np.log(counts.data / expected), 0) * trust
    rows, columns = counts.coords
    matrix = sp.csr_array((information, (rows, columns)), shape=near.shape)
    size = min(DIMENSIONS, n_items)
    if n_items <= 4 * DIMENSIONS:
        values, vectors = scipy.linalg.eigh(matrix.toarray())
    else:
        # A fixed start makes the iteration, and with it the whole model, repeatable.
        start = np.random.default_rng(0).standard_normal(n_items)
        values, vectors = scipy.sparse.linalg.eigsh(matrix, size, v0=start)
    leading = np.argsort(-values)[:size]
    scaled = vectors[:, leading] * np.sqrt(np.maximum(values[leading], 0))
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.divide(scaled, lengths, out=np.zeros_like(scaled), where=lengths > 1e-9).astype(np.float32)


def _expected(near: sp.csr_array) -> tuple[sp.coo_array, FloatArray]:
    """The stored counts, and what each would be if items were independent."""
    counts = near.tocoo()
    degree = near.sum(axis=1).astype(np.float64)
    rows, columns = counts.coords
    return counts, degree[rows] * degree[columns] / max(degree.sum(), 1.0)
