"""Items as short sequences of codes (semantic ids): what is alike begins alike.

A vector of each item is quantised level by level: the nearest of `n_codes` centres is the first code, what is left of
the vector after it is quantised again, and so on. Items whose codes are all equal are told apart by one code more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray, IntArray

_ROUNDS = 50
"""Of k-means at most; it stops where no item changes its centre."""
_CELLS_AT_ONCE = 2**22


@dataclass(frozen=True, slots=True)
class ItemCodes:
    """The codes of a catalogue's items, as tokens of one vocabulary in which each level has tokens of its own.

    Attributes:
        tokens: Of each item, level by level, the one that tells equal items apart last, shape (n_items, levels + 1).
        vocabulary: Number of tokens; this number fills up rows.
        shared: Items that share the codes of all levels with another one: those of a collision.
        explained: Share of the squared length of the item vectors that the centres of all levels explain; NaN where
            they are all zero.
    """

    tokens: IntArray
    vocabulary: int
    shared: int
    explained: float

    @property
    def depth(self) -> int:
        """Tokens of an item."""
        return self.tokens.shape[1]

    def rows(self, items: IntArray) -> IntArray:
        """Rows of items as rows of tokens; item number `n_items` fills up, and so does its token.

        Args:
            items: Shape (n, length).

        Returns:
            Shape (n, length * depth).
        """
        padded = np.concatenate([self.tokens, np.full((1, self.depth), self.vocabulary)])
        return padded[items].reshape(len(items), -1)

    def number_of(self) -> dict[tuple[int, ...], int]:
        """Tokens -> item number."""
        return {tuple(tokens): item for item, tokens in enumerate(self.tokens.tolist())}


def item_codes(vectors: FloatArray, levels: int, n_codes: int, seed: int) -> ItemCodes:
    """Codes by residual k-means; the same vectors and seed give the same codes.

    Args:
        vectors: Of each item, shape (n_items, width); rows of zeros stay as they are, others count by direction.
        levels: How often what is left is quantised.
        n_codes: Centres of a level at most; a level has no more than there are different rows.
        seed: Of the first centres.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    left = np.divide(vectors, lengths, out=np.zeros_like(vectors, dtype=np.float64), where=lengths > 0)
    whole = float((left**2).sum())
    rng = np.random.default_rng([seed, 2])
    columns: list[IntArray] = []
    with threadpool_limits(1, "blas"):
        for _ in range(levels):
            centres = k_means(left, n_codes, rng)
            nearest = _nearest(left, centres)
            columns.append(nearest)
            left = left - centres[nearest]
    codes = np.column_stack(columns)
    _, group, sizes = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    last = _place_in_group(group.ravel())
    tokens = np.column_stack([codes + n_codes * np.arange(levels), last + n_codes * levels])
    explained = 1 - float((left**2).sum()) / whole if whole else float("nan")
    vocabulary = n_codes * levels + int(last.max(initial=0)) + 1
    return ItemCodes(tokens.astype(np.int64), vocabulary, int(sizes[sizes > 1].sum()), explained)


def k_means(rows: FloatArray, n_centres: int, rng: np.random.Generator) -> FloatArray:
    """Centres by k-means++ (Arthur and Vassilvitskii 2007) and Lloyd's rounds, shape (at most n_centres, width).

    There are fewer centres where there are fewer different rows.
    """
    first = [int(rng.integers(len(rows)))]
    apart = ((rows - rows[first[0]]) ** 2).sum(axis=1)
    while len(first) < n_centres and apart.max() > _SAME:
        first.append(int(rng.choice(len(rows), p=apart / apart.sum())))
        apart = np.minimum(apart, ((rows - rows[first[-1]]) ** 2).sum(axis=1))
    centres = rows[first].copy()
    before = np.full(len(rows), -1)
    for _ in range(_ROUNDS):
        nearest = _nearest(rows, centres)
        if np.array_equal(nearest, before):
            break
        before = nearest
        counts = np.bincount(nearest, minlength=len(centres))
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, rows)
        met = counts > 0  # a centre that lost all of its rows stays where it is
        centres[met] = sums[met] / counts[met, None]
    return centres


_SAME = 1e-12
"""Squared distance below which rows are one."""


def _nearest(rows: FloatArray, centres: FloatArray) -> IntArray:
    """The centre nearest to each row, the first of several, shape (n,)."""
    lengths = (centres**2).sum(axis=1)
    found = np.empty(len(rows), dtype=np.int64)
    height = max(1, _CELLS_AT_ONCE // len(centres))
    for start in range(0, len(rows), height):
        part = slice(start, start + height)
        found[part] = (lengths - 2 * (rows[part] @ centres.T)).argmin(axis=1)
    return found


def _place_in_group(group: IntArray) -> IntArray:
    """How many rows of the same group stand before each row."""
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group)
    places = np.empty(len(group), dtype=np.int64)
    places[order] = np.arange(len(group)) - np.repeat(np.cumsum(counts) - counts, counts)
    return places
