"""From a policy's action to a page: which candidates it puts into the slots.

There are two kinds of action. A `slate` names candidates by their place in the candidate set, one per slot; place 0 is
the retriever's first choice. An `embedding` is a vector, and the page holds the candidates whose vectors have the
largest product with it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray, ItemArray
from groundlings.environments.errors import ConfigError, shown
from groundlings.recommenders.policies.vectors import Vectors

ActionKind = Literal["slate", "embedding"]

_NONE = np.iinfo(np.int64).min


def checked_actions(
    actions: ArrayLike, kind: ActionKind, shape: tuple[int, int], candidates: int, hint: str = ""
) -> NDArray[Any]:
    """The actions of a policy, one row per session.

    Args:
        actions: What it gave; of one number per session, a row may be that number.
        kind: What an action is.
        shape: Sessions, and slots of a page or width of a vector.
        candidates: Size of the candidate set.
        hint: What to do where the shape is another one.

    Raises:
        ConfigError: They are no places of the candidate set, or no vectors of numbers from -1 to 1, of this shape: what
            they would show is left to chance.
    """
    expected = f"whole numbers from 0 to {candidates - 1}" if kind == "slate" else "numbers from -1 to 1"
    expected = f"expected {expected} of shape {shape} (action: {kind})"
    try:
        found = np.asarray(actions)
    except ValueError:  # rows of different lengths
        raise ConfigError(f"actions: found {shown(actions)}, {expected}") from None
    kinds = "iu" if kind == "slate" else "iuf"
    if found.dtype.kind not in kinds or found.shape not in {shape, shape[: 1 if shape[1] == 1 else 2]}:
        raise ConfigError(f"actions: found shape {found.shape} of {found.dtype}, {expected}{hint}")
    low, high = (0, candidates - 1) if kind == "slate" else (-1, 1)
    if found.size and not (found.min() >= low and found.max() <= high):  # NaN is neither
        raise ConfigError(
            f"actions: found numbers from {found.min():g} to {found.max():g}, {expected}"
            + ("; a policy that gives NaN has diverged" if np.isnan(found.min()) else "")
        )
    return found.reshape(shape)


def free_candidates(candidates: ItemArray, shown: ItemArray) -> BoolArray:
    """Which candidates may be put on the next page: the action mask.

    Args:
        candidates: Item numbers, `NO_ITEM` behind the last, shape (n, k).
        shown: What the session was shown before, shape (n, m).

    Returns:
        Shape (n, k).
    """
    free = candidates != NO_ITEM
    for column in shown.T:  # a column at a time: n x k x m comparisons at once would be large
        if (column != NO_ITEM).any():
            free &= candidates != column[:, None]
    return free


def named_places(places: NDArray[np.integer], free: BoolArray) -> tuple[IntArray, IntArray]:
    """The candidates that a slate puts on the page.

    A place that is named a second time, that holds no candidate or one that was shown before, puts nothing on the page.
    What stands behind it moves up, and the slots at the end are filled with the first places that are still free.

    Args:
        places: Places in the candidate set, 0 to k - 1, one per slot, shape (n, slots).
        free: See `free_candidates`.

    Returns:
        Places, -1 behind the last where too few are free, shape (n, slots), and how many of each row put nothing there.
    """
    legal = np.take_along_axis(free, places, axis=1)
    order = np.argsort(places, axis=1, kind="stable")
    ordered = np.take_along_axis(places, order, axis=1)
    again = np.zeros(places.shape, dtype=np.bool_)
    # In the order of places, one that equals the place before it is named again.
    np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    legal &= ~again
    up = np.argsort(~legal, axis=1, kind="stable")
    kept = np.where(np.take_along_axis(legal, up, axis=1), np.take_along_axis(places, up, axis=1), -1)
    unused = (~legal).sum(axis=1)
    short = np.flatnonzero(unused)
    kept[short] = _filled(kept[short], free[short])
    return kept.astype(np.int64, copy=False), unused


def _filled(places: IntArray, free: BoolArray) -> IntArray:
    """Places with the first free ones, which they do not name, in the slots behind their last."""
    slots = places.shape[1]
    left = without_places(free, places)
    others = np.argsort(~left, axis=1, kind="stable")[:, :slots]
    # Slot s of a row that names m places gets the (s - m)-th of the others.
    number = np.arange(slots) - (places >= 0).sum(axis=1, keepdims=True)
    fillers = np.take_along_axis(others, np.minimum(np.maximum(number, 0), others.shape[1] - 1), axis=1)
    fits = np.take_along_axis(left, fillers, axis=1) & (number < others.shape[1])
    return np.where(places >= 0, places, np.where(fits, fillers, -1))


def nearest_places(wanted: Vectors, candidates: ItemArray, free: BoolArray, items: Vectors, slots: int) -> IntArray:
    """The candidates whose vectors have the largest product with a vector, ties by the earlier candidate.

    Args:
        wanted: The action, shape (n, width).
        candidates: The candidate set, shape (n, k).
        free: See `free_candidates`.
        items: Vectors of all items, shape (n_items, width).
        slots: Slots of a page.

    Returns:
        Places in the candidate set, -1 behind the last, shape (n, slots).
    """
    # `take` gathers rows in half the time of an index; the last of the items stands where there is no candidate.
    vectors = np.take(items, candidates, axis=0, mode="wrap")
    keys = _in_order(np.einsum("nkw,nw->nk", vectors, wanted.astype(np.float32)))
    keys[~free] = _NONE
    keys.sort(axis=1)
    best = keys[:, : -slots - 1 : -1]
    return np.where(best == _NONE, -1, candidates.shape[1] - 1 - (best & 0xFFFFFFFF))


def _in_order(values: Vectors) -> IntArray:
    """Whole numbers in the order of values, of equal ones the first the largest; the lower half says which it is.

    NumPy sorts whole numbers in a quarter of the time in which it finds a stable order of others.
    """
    bits = (values + np.float32(0)).view(np.int32)  # minus zero equals zero
    ascending = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # the bits of negative numbers run the other way
    return (ascending.astype(np.int64) << 32) | np.arange(values.shape[1])[::-1]


def items_at(places: IntArray, candidates: ItemArray) -> ItemArray:
    """The items at places of the candidate set, `NO_ITEM` for -1, in the shape of the places."""
    return np.where(places >= 0, np.take_along_axis(candidates, np.maximum(places, 0), axis=1), NO_ITEM)


def without_places(free: BoolArray, places: IntArray) -> BoolArray:
    """The action mask once the candidates at some places are on the page, shape (n, k)."""
    rows, slots = np.nonzero(places >= 0)
    left = free.copy()
    left[rows, places[rows, slots]] = False
    return left
