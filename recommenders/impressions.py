"""Recommenders that learn from what they showed, and not from what was taken alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray, ItemArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.sorting import pair_keys
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.registry import parts_of


@dataclass(frozen=True, slots=True)
class Impressions:
    """What an arm showed on a day: each pair of a user and an item once, by user and then by item.

    Attributes:
        users, items: Row numbers, shape (n,).
        taken: Whether the user interacted with it that day in this arm, shape (n,).
    """

    users: IntArray
    items: ItemArray
    taken: BoolArray

    @classmethod
    def of(cls, users: IntArray, items: IntArray, interactions: Interactions) -> Impressions:
        """From what was shown, a row per impression in any order, and the day's interactions of the same arm."""
        n_items = interactions.n_items
        shown, bits = pair_keys(users, items, n_items)
        taken, _ = pair_keys(interactions.users, interactions.items, n_items)
        pairs = np.unique(shown)
        found = (pairs & ((1 << bits) - 1)).astype(np.int32)
        return cls((pairs >> bits).astype(np.int64), found, np.isin(pairs, taken))


@runtime_checkable
class LearnsFromImpressions(Protocol):
    """A recommender that is told what it showed: after each day, before `observe`, once it is fitted.

    A real system knows as much from its log. A run that is resumed tells it the days of its log.
    """

    def observe_impressions(self, impressions: Impressions) -> None:
        """Take note of a day's impressions in the recommender's own arm."""
        ...


def learners_in(recommender: AsyncRecommender) -> list[LearnsFromImpressions]:
    """The recommender, or those inside of it, that learn from impressions."""
    return [part for part in parts_of(recommender) if isinstance(part, LearnsFromImpressions)]
