"""Item vectors from what the catalogue says of items, without a download: weighted words, reduced by an SVD."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.content import measure_content

_ERA = 10.0
"""Years between two anchors; an item between them belongs to both, to the nearer one more."""
_SPARE, _ROUNDS = 16, 4
"""Vectors beyond those that are kept, and power iterations, of the randomised SVD."""


def plain_vectors(catalog: Catalog, width: int) -> FloatArray:
    """A vector of each item, shape (n_items, at most `width`); zeros where nothing is known of an item.

    The singular vectors, times the singular values, of these columns side by side: categories, release years, values of
    text columns, and the words of titles and texts by rarity (tf-idf), as in latent semantic analysis (Deerwester et
    al. 1990).
    """
    content = measure_content(catalog)
    genres, eras = sp.csr_array(content.genres), _eras(content.years)
    described = [_values(column) for _, column in sorted(catalog.features.items()) if column.dtype.kind == "O"]
    of_an_era = [genres.multiply(eras[:, [era]]) for era in range(eras.shape[1])]
    parts = [genres, eras, *of_an_era, *described, content.titles, content.texts]
    return reduced(sp.csr_array(sp.hstack(parts, format="csr"), dtype=np.float64), width)


def _eras(years: FloatArray) -> sp.csr_array:
    """How much of each item belongs to each era, rows of length 1, or 0 where the year is unknown."""
    known = ~np.isnan(years)
    if not known.any():
        return sp.csr_array((len(years), 0))
    places = (years - years[known].min()) / _ERA
    anchors = np.arange(int(np.ceil(places[known].max())) + 1)
    share = np.nan_to_num(np.maximum(1 - np.abs(places[:, None] - anchors), 0))
    lengths = np.linalg.norm(share, axis=1, keepdims=True)
    return sp.csr_array(np.divide(share, lengths, out=share, where=lengths > 0))


def _values(column: np.ndarray) -> sp.csr_array:
    """Which of the values that several items have is each item's."""
    texts = np.array(["" if value is None else str(value) for value in column])
    names, codes, counts = np.unique(texts, return_inverse=True, return_counts=True)
    shared = (counts > 1) & (names != "")
    number = np.cumsum(shared) - 1
    rows = np.flatnonzero(shared[codes])
    cells = np.ones(len(rows)), (rows, number[codes[rows]])
    return sp.csr_array(cells, shape=(len(texts), int(shared.sum())))


def reduced(matrix: sp.csr_array, width: int) -> FloatArray:
    """The first left singular vectors times their values, by a randomised SVD (Halko et al. 2011) of a fixed seed."""
    kept = min(width, *matrix.shape)
    if not kept:
        return np.zeros((matrix.shape[0], 0))
    with threadpool_limits(1, "blas"):
        tries = min(kept + _SPARE, *matrix.shape)
        basis = matrix @ np.random.default_rng(0).standard_normal((matrix.shape[1], tries))
        for _ in range(_ROUNDS):
            basis = matrix @ (matrix.T @ np.linalg.qr(basis)[0])
        basis = np.linalg.qr(basis)[0]
        left, values, _ = np.linalg.svd(np.asarray((matrix.T @ basis).T), full_matrices=False)
        return np.asarray(basis @ left[:, :kept] * values[:kept])
