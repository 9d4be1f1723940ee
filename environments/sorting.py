"""Orders and sets of many whole numbers, by counting them or by sorting the numbers themselves, not their places."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, IntArray

_BITS = 63

_WORTH_COUNTING = 1 << 16
"""Numbers; the order of fewer is there before a sparse matrix of them is."""


def order_of(numbers: NDArray[np.integer]) -> IntArray:
    """Places by ascending number, equal ones in the order they have, as of a stable `argsort`, shape (n,).

    Many numbers of which none is larger than they are many (users or items of rows) are counted. Otherwise number and
    place are sorted as one integer where they fit into one.

    Args:
        numbers: From 0 on, shape (n,).
    """
    largest, place_bits = int(numbers.max(initial=0)), len(numbers).bit_length()
    if _WORTH_COUNTING <= len(numbers) < np.iinfo(np.int32).max and largest < len(numbers):
        return _counted_order(numbers.astype(np.int32), largest + 1)
    if largest.bit_length() + place_bits > _BITS:
        return np.argsort(numbers, kind="stable")
    packed = numbers.astype(np.int64)
    packed <<= place_bits
    packed |= np.arange(len(numbers))
    packed.sort()
    packed &= (1 << place_bits) - 1
    return packed


def _counted_order(numbers: NDArray[np.int32], n_numbers: int) -> IntArray:
    """As `order_of`: a sparse matrix with one cell per column, in the row of its number, is turned to rows."""
    places = np.arange(len(numbers) + 1, dtype=np.int32)
    cells = np.empty(len(numbers), dtype=np.bool_)  # nobody reads what they hold
    turned = sp.csc_array((cells, numbers, places), shape=(n_numbers, len(numbers))).tocsr()
    return turned.indices.astype(np.int64)


def order_of_two(first: NDArray[np.integer], second: NDArray[np.integer]) -> IntArray:
    """Places by the first number, then by the second, equal ones in the order they have, shape (n,); any numbers."""
    low, lower = (int(each.min(initial=0)) for each in (first, second))
    if max(int(first.max(initial=0)) - low, int(second.max(initial=0)) - lower) >= 1 << _BITS:
        return np.lexsort((second, first))
    order = order_of(second - lower)
    return order[order_of(first[order] - low)]


def pair_keys(first: NDArray[np.integer], second: NDArray[np.integer], n_second: int) -> tuple[IntArray, int]:
    """One number per pair, ascending by the first and then by the second, and the bits that the second takes of it.

    Args:
        first: Numbers from 0 on, shape (n,).
        second: From 0 to `n_second` - 1, shape (n,).
        n_second: How many there are.
    """
    bits = max(n_second - 1, 0).bit_length()
    keys = first.astype(np.int64)
    keys <<= bits
    keys |= second
    return keys, bits


def distinct(numbers: NDArray[np.integer]) -> IntArray:
    """Each number once, ascending; as `np.unique`, which takes several times as long where many are different."""
    found = np.sort(numbers)
    new = np.ones(len(found), dtype=np.bool_)
    np.not_equal(found[1:], found[:-1], out=new[1:])
    return found[new].astype(np.int64)


def are_among(numbers: IntArray, others: IntArray) -> BoolArray:
    """Whether each number is among others, shape (n,); both from 0 on. As `np.isin`, of many different ones.

    Looked up in ascending order, each is found near the one before it.
    """
    if not len(others):
        return np.zeros(len(numbers), dtype=np.bool_)
    order = order_of(numbers)
    ordered, others = numbers[order], np.sort(others)
    place = np.minimum(np.searchsorted(others, ordered), len(others) - 1)
    found = np.empty(len(numbers), dtype=np.bool_)
    found[order] = others[place] == ordered
    return found
