"""Rows of one user, one item and one moment: as where a basket holds two of a kind, or an export says a thing twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray

SameMoment = Literal["merge", "first", "last", "refuse"]


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """Rows by what they have in common; numbers of rows as they stand in the file.

    Attributes:
        order: All rows, those of one key side by side, in the order of the file.
        starts: Where each key begins in `order`, shape (n_keys,).
        first, last: The first and the last row of each key, in the order of the file's first rows, shape (n_keys,).
        stars: What the rows of each key say together, NaN where none of them says anything, in the order of `first`.
        again: Rows whose key an earlier row has, ascending.
        disputed: Those of them that give other stars than an earlier row, ascending.
    """

    order: IntArray
    starts: IntArray
    first: IntArray
    last: IntArray
    stars: FloatArray | None
    again: IntArray
    disputed: IntArray

    def sums(self, amounts: FloatArray) -> FloatArray:
        """The amounts of each key together, NaN where none of its rows has one, in the order of `first`."""
        ordered = amounts[self.order]
        known = np.add.reduceat((~np.isnan(ordered)).astype(np.int64), self.starts) > 0
        total = np.where(known, np.add.reduceat(np.nan_to_num(ordered), self.starts), np.nan)
        return total[np.argsort(self.order[self.starts])]

    def first_of(self, row: int) -> int:
        """The first row with the key of a row."""
        place = int(np.flatnonzero(self.order == row)[0])
        return int(self.order[self.starts[np.searchsorted(self.starts, place, side="right") - 1]])


def together(keys: Sequence[NDArray[np.integer]], stars: FloatArray | None) -> Together | None:
    """Which rows have one key; None where no two have.

    Args:
        keys: Columns that are equal in rows that belong together, shape (n,) each: users, items, and others.
        stars: Of each row, NaN where it gives none; None where no row gives any.
    """
    if _differ(keys[0], keys[1]):
        return None
    order = np.lexsort(tuple(keys)).astype(np.int64)  # stable: rows of one key keep the order of the file
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in keys])
    if new.all():
        return None
    starts = np.flatnonzero(new)
    first = order[starts]
    last = order[np.append(starts[1:], len(order)) - 1]
    by_file = np.argsort(first)
    said, disputed = None, np.zeros(0, dtype=np.int64)
    if stars is not None:
        sorted_stars = stars[order]
        key_of = np.cumsum(new) - 1
        earliest = _first_said(sorted_stars, starts, key_of)
        differs = ~np.isnan(sorted_stars) & (sorted_stars != earliest[key_of])
        disputed = np.sort(order[differs])
        said = earliest[by_file]
    return Together(order, starts, first[by_file], last[by_file], said, np.sort(order[~new]), disputed)


def _differ(users: NDArray[np.integer], items: NDArray[np.integer]) -> bool:
    """Whether no user met an item twice: one sort of pairs tells it of most data, and all keys take four."""
    pairs = users.astype(np.int64) * (int(items.max(initial=0)) + 1) + items
    pairs.sort()
    return not (pairs[1:] == pairs[:-1]).any()


def _first_said(stars: FloatArray, starts: IntArray, key_of: IntArray) -> FloatArray:
    """The first stars of each key that are any, NaN where none are, shape (n_keys,)."""
    found = np.full(len(starts), np.nan)
    rows = np.flatnonzero(~np.isnan(stars))[::-1]  # of several the earliest is written last
    found[key_of[rows]] = stars[rows]
    return found
