"""How often each item has each word: what words of a query are looked up in."""

from __future__ import annotations

from collections import Counter

import numpy as np
import scipy.sparse as sp

from groundlings.environments.catalog import Catalog
from groundlings.environments.content import words_in


def count_words(catalog: Catalog) -> tuple[dict[str, int], sp.csr_array]:
    """The row of each word, and how often each item has it in title, categories and text, shape (n_words, n_items)."""
    counts = [
        Counter(words_in(" ".join((title, *genres, text or ""))))
        for title, genres, text in zip(catalog.titles, catalog.genres, catalog.texts, strict=True)
    ]
    places = {word: place for place, word in enumerate(sorted({word for each in counts for word in each}))}
    items = np.repeat(np.arange(len(counts)), [len(each) for each in counts])
    words = np.array([places[word] for each in counts for word in each], dtype=np.int64)
    often = np.array([count for each in counts for count in each.values()], dtype=np.float64)
    matrix = sp.csr_array((often, (words, items)), shape=(len(places), len(counts)))
    matrix.sort_indices()
    return places, matrix
