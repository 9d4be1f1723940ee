"""BM25: items by the words of a query that they have, rare words first."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from groundlings.environments.arrays import FloatArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.content import words_in
from groundlings.recommenders.base import fitted, hash_of
from groundlings.recommenders.search.item_words import count_words
from groundlings.recommenders.search.queried import QueryRecommender


class Bm25(QueryRecommender):
    """Ranks by BM25 over the words of titles, categories and texts (Robertson and Zaragoza 2009).

        score = sum over the words of the query: idf * n * (k1 + 1) / (n + k1 * (1 - b + b * length / mean length))

    n is how often the item's words hold the word, and idf = log(1 + (N - df + 0.5) / (df + 0.5)), which is above 0 for
    every word. The terms are computed once, at the fit (as in BM25S: Lù 2024), so that a query is a sum of rows. A
    word counts as often as the query has it.

    Args:
        k1: How much a repeated word adds; 0 = nothing.
        b: How much long items are marked down; 0 = not at all, 1 = in proportion.
    """

    def __init__(self, k1: Annotated[float, Field(ge=0)] = 1.2, b: Annotated[float, Field(ge=0, le=1)] = 0.75) -> None:
        self.k1, self.b = k1, b
        self._places: dict[str, int] = {}
        self._terms: sp.csr_array | None = None

    def index(self, catalog: Catalog) -> None:
        """See `QueryRecommender.index`."""
        self._places, counts = count_words(catalog)
        spread, lengths = np.diff(counts.indptr), np.asarray(counts.sum(axis=0))
        rarity = np.log1p((len(catalog) - spread + 0.5) / (spread + 0.5))
        pivot = 1 - self.b + self.b * lengths / max(lengths.mean(), 1.0)
        often = counts.data
        weights = np.repeat(rarity, spread) * often * (self.k1 + 1) / (often + self.k1 * pivot[counts.indices])
        self._terms = sp.csr_array((weights, counts.indices, counts.indptr), shape=counts.shape)

    def match(self, query: str) -> FloatArray:
        """See `QueryRecommender.match`."""
        terms = fitted(self._terms, self)
        scores: FloatArray = np.zeros(terms.shape[1])
        for word in words_in(query):
            if word in self._places:
                row = slice(*terms.indptr[self._places[word] : self._places[word] + 2])
                scores[terms.indices[row]] += terms.data[row]
        return scores

    def state(self) -> str:
        """See `Recommender.state`."""
        if self._terms is None:
            return ""
        words = np.frombuffer("\n".join(self._places).encode(), dtype=np.uint8)
        return hash_of(words, self._terms.indptr, self._terms.indices, self._terms.data)
