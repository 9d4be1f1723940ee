"""From a policy's action to a page: which candidates it puts into the slots.

There are two kinds of action. A `slate` names candidates by their place in the candidate set, one per slot; place 0 is
the retriever's first choice. An `embedding` is a vector, and the page holds the candidates whose vectors have the
largest product with it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray, ItemArray
from groundlings.recommenders.policies.vectors import Vectors

ActionKind = Literal["slate", "embedding"]


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


def page_of_places(places: NDArray[np.integer], candidates: ItemArray, free: BoolArray) -> tuple[ItemArray, IntArray]:
    """The page that a slate names.

    A place that is named a second time, that holds no candidate or one that was shown before, puts nothing on the page;
    what stands behind it moves up.

    Args:
        places: Places in the candidate set, 0 to k - 1, one per slot, shape (n, slots).
        candidates: The candidate set, shape (n, k).
        free: See `free_candidates`.

    Returns:
        Items, `NO_ITEM` behind the last, shape (n, slots), and how many places of each row put nothing there.

    Raises:
        ValueError: A place is not in the candidate set.
    """
    n, slots = places.shape
    if ((places < 0) | (places >= candidates.shape[1])).any():
        raise ValueError(f"an action names places {places.min()} to {places.max()} of {candidates.shape[1]} candidates")
    legal = np.take_along_axis(free, places, axis=1)
    order = np.argsort(places, axis=1, kind="stable")
    ordered = np.take_along_axis(places, order, axis=1)
    again = np.zeros((n, slots), dtype=np.bool_)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    repeated = np.empty_like(again)
    np.put_along_axis(repeated, order, again, axis=1)
    legal &= ~repeated
    items = np.take_along_axis(candidates, places, axis=1)
    return _moved_up(items, legal), (~legal).sum(axis=1)


def page_of_vectors(wanted: Vectors, candidates: ItemArray, free: BoolArray, items: Vectors, slots: int) -> ItemArray:
    """The page whose items' vectors have the largest product with a vector, ties by the earlier candidate.

    Args:
        wanted: The action, shape (n, width).
        candidates: The candidate set, shape (n, k).
        free: See `free_candidates`.
        items: Vectors of all items, shape (n_items, width).
        slots: Slots of a page.

    Returns:
        Items, `NO_ITEM` behind the last, shape (n, slots).
    """
    likeness = np.einsum("nkw,nw->nk", items[candidates], wanted.astype(np.float32))
    likeness[~free] = -np.inf
    best = np.argsort(-likeness, axis=1, kind="stable")[:, :slots]
    page = np.full((len(candidates), slots), NO_ITEM, dtype=np.int32)
    page[:, : best.shape[1]] = np.where(
        np.take_along_axis(free, best, axis=1), np.take_along_axis(candidates, best, axis=1), NO_ITEM
    )
    return page


def _moved_up(items: ItemArray, legal: BoolArray) -> ItemArray:
    order = np.argsort(~legal, axis=1, kind="stable")
    moved = np.take_along_axis(np.where(legal, items, NO_ITEM), order, axis=1)
    return moved.astype(np.int32, copy=False)
