"""Search by vectors: items whose words occur with those of the query, whether or not they share one."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.content import words_in
from groundlings.recommenders.base import fitted, hash_of
from groundlings.recommenders.latent import VectorLength
from groundlings.recommenders.search.item_words import count_words
from groundlings.recommenders.search.queried import QueryRecommender
from groundlings.recommenders.text_vectors import reduced


class TextSearch(QueryRecommender):
    """Ranks by the cosine of the query's vector and each item's: latent semantic analysis (Deerwester et al. 1990).

    An item is its words by rarity (tf * log(1 + N / df), a row of length 1), reduced by an SVD; a query is folded into
    the same space. Items at a right angle or beyond do not fit, and a query without a known word fits none. A subclass
    that writes `index` and `match` has other vectors, such as those of a language model.

    Args:
        width: Numbers of a vector at most.
    """

    def __init__(self, width: VectorLength = 64) -> None:
        self.width = width
        self._places: dict[str, int] = {}
        self._words = np.zeros((0, 0))
        self._items: FloatArray | None = None

    def index(self, catalog: Catalog) -> None:
        """See `QueryRecommender.index`."""
        self._places, counts = count_words(catalog)
        rarity = np.log1p(len(catalog) / np.diff(counts.indptr))
        weighed = sp.csr_array((sp.diags_array(rarity) @ counts).T)
        lengths = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)))
        weighed = sp.csr_array(sp.diags_array(1 / np.where(lengths > 0, lengths, 1)) @ weighed)
        items = reduced(weighed, self.width)
        strength = (items**2).sum(axis=0)  # the squared singular values: items = X V, so V = X^T items / strength
        with threadpool_limits(1, "blas"):
            axes = (weighed.T @ items) / np.where(strength > 0, strength, 1)
        self._words = rarity[:, None] * axes
        self._items = _of_length_1(items)

    def match(self, query: str) -> FloatArray:
        """See `QueryRecommender.match`."""
        items = fitted(self._items, self)
        rows = [self._places[word] for word in words_in(query) if word in self._places]
        vector = _of_length_1(self._words[rows].sum(axis=0, keepdims=True))[0]
        # Not a product of BLAS, whose threads are not worth their start for one query.
        return np.round(np.einsum("ij,j->i", items, vector), _DIGITS)

    def state(self) -> str:
        """See `Recommender.state`."""
        return "" if self._items is None else hash_of(self._items, self._words)


_DIGITS = 9
"""Of a cosine that counts: rounding of a sum neither makes an item fit nor breaks a tie."""


def _of_length_1(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros(vectors.shape), where=lengths > 0)
