"""What chance a recommender gives to lists that another one has drawn: what off-policy estimators divide by."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, ItemArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.base import AsyncRecommender, Recommender


@runtime_checkable
class KnowsChances(Protocol):
    """A randomised recommender that can tell the chance of any list, its own or another one's."""

    def chances(self, request: RankingRequest, items: ItemArray) -> FloatArray:
        """P(this item at this rank | the items at the ranks before it, request), shape as `items`; 1 for `NO_ITEM`."""
        ...


def chances_of(recommender: AsyncRecommender, request: RankingRequest, items: ItemArray) -> FloatArray:
    """The chances that a fitted recommender gives to some lists; see `KnowsChances.chances`.

    One without randomness gives 1 to the item that it would list next, and 0 to all others.

    Args:
        recommender: Whose chances.
        request: One row per list.
        items: The lists, shape (n, size).

    Raises:
        ConfigError: It is randomised and does not know, or it has to be waited for.
    """
    if isinstance(recommender, KnowsChances):
        return recommender.chances(request, items)
    if recommender.randomised or not isinstance(recommender, Recommender):
        raise ConfigError(
            "the chances of its lists are not known; expected epsilon_slots, plackett_luce, or a recommender without "
            "randomness that need not be waited for"
        )
    own = recommender.recommend(request).items
    return np.where(is_next(own, items, request.seen.shape[1]) | (items == NO_ITEM), 1.0, 0.0)


def is_next(order: ItemArray, items: ItemArray, n_items: int) -> BoolArray:
    """Whether an item is the first of an order that stands at no rank before it, shape as `items`.

    Args:
        order: What comes first, `NO_ITEM` behind the last, shape (n, m).
        items: Lists, shape (n, size).
        n_items: Size of the catalogue.
    """
    n, size = items.shape
    taken = np.zeros((n, n_items), dtype=np.bool_)
    place = np.zeros(n, dtype=np.int64)
    padded = np.concatenate([order, np.full((n, 1), NO_ITEM, dtype=order.dtype)], axis=1)
    found = np.zeros(items.shape, dtype=np.bool_)
    rows = np.arange(n)
    for rank in range(size):
        best = first_left(padded, place, taken)
        found[:, rank] = (items[:, rank] == best) & (best != NO_ITEM)
        listed = items[:, rank] != NO_ITEM
        taken[rows[listed], items[listed, rank]] = True
    return found


def first_left(queue: ItemArray, place: np.ndarray[tuple[int], np.dtype[np.int64]], taken: BoolArray) -> ItemArray:
    """Move each row's place, in place, past the items of its queue that are taken; the items found there."""
    rows = np.arange(len(queue))
    while True:
        found: ItemArray = queue[rows, place]
        stale = (found != NO_ITEM) & taken[rows, found]
        if not stale.any():
            return found
        place[stale] += 1
