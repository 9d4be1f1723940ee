"""The content of an item, known without any interaction: genres, year, and the words of its title and text.

Two packages that never import each other need it: recommenders to rank a new item among old ones, personas to judge it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog

Similarities = NDArray[np.float32]

NEAR_YEARS, ERA_YEARS = 2.0, 10.0
"""Two items that came out this many years apart are alike by exp(-1/2): made for one season, made in one era."""

_COMMON = 0.1
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Content:
    """The items of a catalog as what they are like.

    Attributes:
        genres: Membership, each item's row of length 1 or 0, shape (n_items, n_genres).
        years: Release years, shape (n_items,), NaN where unknown.
        titles, texts: Words weighted by rarity (tf-idf), rows of length 1 or 0, shape (n_items, n_words).
    """

    genres: NDArray[np.float32]
    years: FloatArray
    titles: sp.csr_array
    texts: sp.csr_array

    def similarity(self, rows: IntArray, columns: IntArray) -> Similarities:
        """How alike items are, shape (len(rows), len(columns)), 0 where nothing is shared.

        The sum of six parts: genres (cosine), nearness in time at two scales (Gaussian), genres of one era (their
        product, twice), titles and texts (cosine). Each part is a kernel, so the sum is one.
        """
        genre = self.genres[rows] @ self.genres[columns].T
        apart = np.subtract.outer(self.years[rows], self.years[columns])
        near, era = (np.nan_to_num(np.exp(-((apart / width) ** 2) / 2)) for width in (NEAR_YEARS, ERA_YEARS))
        words = (self.titles[rows] @ self.titles[columns].T).toarray()
        words += (self.texts[rows] @ self.texts[columns].T).toarray()
        return np.asarray(genre + near + era + 2 * genre * era + words, dtype=np.float32)


def measure_content(catalog: Catalog) -> Content:
    """Read the catalog: title, year, genres, and the text column where there is one."""
    genres = catalog.genre_matrix.astype(np.float32)
    lengths = np.linalg.norm(genres, axis=1, keepdims=True)
    genres = np.divide(genres, lengths, out=genres, where=lengths > 0)
    return Content(
        genres, catalog.years, weigh_words(catalog.titles), weigh_words([text or "" for text in catalog.texts])
    )


def words_in(text: str) -> list[str]:
    """The words of a text in lower case, in their order."""
    return _WORD.findall(text.lower())


def telling_words(documents: Sequence[str]) -> tuple[list[list[str]], dict[str, int]]:
    """The words of each document that tell it from others, in lower case and the order of the text; how many have each.

    A word of one document says nothing of any other, and one of more than a tenth of all hardly anything: both are
    left out.
    """
    words = [list(dict.fromkeys(words_in(document))) for document in documents]
    counts = Counter(word for each in words for word in each)
    spread = {word: count for word, count in counts.items() if 2 <= count <= max(_COMMON * len(documents), 2)}
    return [[word for word in each if word in spread] for each in words], spread


def weigh_words(documents: Sequence[str]) -> sp.csr_array:
    """Words that tell documents from others (`telling_words`) by rarity, shape (n_documents, n_words), rows of length 1
    or 0."""
    words, spread = telling_words(documents)
    kept = sorted(spread)
    column = {word: number for number, word in enumerate(kept)}
    rows = [row for row, each in enumerate(words) for _ in each]
    columns = [column[word] for each in words for word in each]
    rarity = np.log(len(documents) / np.array([spread[word] for word in kept], dtype=np.float64))
    columns_of = np.array(columns, dtype=np.int64)
    values = rarity[columns_of].astype(np.float32)
    matrix = sp.csr_array((values, (np.array(rows, dtype=np.int64), columns_of)), shape=(len(documents), len(kept)))
    matrix.sort_indices()  # sums depend on the order, and that of the words in a text tells nothing
    lengths = np.sqrt(np.bincount(np.repeat(np.arange(len(documents)), np.diff(matrix.indptr)), matrix.data**2))
    lengths = np.pad(lengths, (0, len(documents) - len(lengths)))
    return sp.csr_array(sp.diags_array(1 / np.where(lengths > 0, lengths, 1)).astype(np.float32) @ matrix)
