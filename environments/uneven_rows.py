"""Rows of different lengths, one behind the other, as a sparse matrix stores them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray


def among_largest(values: NDArray[np.floating], bounds: NDArray[np.integer], most: int) -> tuple[IntArray, FloatArray]:
    """Places of the values that are at least the `most`-th largest of their row, and that value of each row.

    More than `most` of a row are found where some equal the last of them; all of a row that has no more values, with
    minus infinity as the value.

    Args:
        values: Shape (n,).
        bounds: Where each row begins, and where the last one ends, shape (n_rows + 1,).
        most: 1 or more.
    """
    counts = np.diff(bounds)
    long = np.flatnonzero(counts > most)
    moved, least = values.copy(), np.full(len(counts), -np.inf, dtype=values.dtype)
    found = []
    for first, last in zip(bounds[long].tolist(), bounds[long + 1].tolist(), strict=True):
        row = moved[first:last]
        row.partition(last - first - most)
        found.append(row[last - first - most])
    least[long] = found
    return np.flatnonzero(values >= np.repeat(least, counts)), least
