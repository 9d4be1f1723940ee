"""A recommender made worse on purpose, by a known dose: what measures quality must fall with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.ranking import Ranking, RankingRequest, top_items
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.wrapping import WrappingRecommender


class DegradedRecommender(WrappingRecommender):
    """Replaces a share of the slots of another recommender by random unseen items.

    Each slot is replaced with probability `share`. The item that stood there is lost, not moved down, and the
    new one is drawn uniformly from the pool: unseen items that the inner list does not hold and no earlier slot
    took. The slots replaced at a small share are also replaced at every larger one, so doses can be compared session
    by session.

    P(item at rank k | items at ranks < k, request) is
        1 - share               for the item the inner list has at rank k,
        share / left in pool    for an item of the pool that stands at no rank < k,
        0                       for any other;
    where the pool is empty the inner item stays with probability 1. `explored` marks the replaced slots; they
    have no score.

    Args:
        of: The recommender to make worse.
        share: How many of its slots are replaced, 0 = none, 1 = all.
    """

    def __init__(self, of: AsyncRecommender, share: Annotated[float, Field(ge=0, le=1)]) -> None:
        super().__init__(of)
        self.share = share

    def mix(self, request: RankingRequest, inner: Ranking) -> Ranking:
        """See `WrappingRecommender.mix`."""
        sessions, size = inner.items.shape
        n_items = request.seen.shape[1]
        listed = inner.items != NO_ITEM
        rows = np.broadcast_to(np.arange(sessions)[:, None], inner.items.shape)

        lots = request.draws.uniform("degraded_item", np.arange(n_items)[None])
        lots[rows[listed], inner.items[listed]] = -np.inf
        pool = top_items(lots, replace(request, size=size)).items
        pool_sizes = request.unseen_counts() - listed.sum(axis=1)

        chosen = listed & (request.draws.uniform("degraded_slot", np.arange(size)[None]) < self.share)
        drawn_before = np.cumsum(chosen, axis=1) - chosen
        left = pool_sizes[:, None] - drawn_before
        replaced = chosen & (left > 0)
        fresh = pool[rows, np.minimum(drawn_before, pool.shape[1] - 1)]
        kept = np.where(left > 0, 1 - self.share, 1.0)
        return Ranking(
            items=np.where(replaced, fresh, inner.items),
            scores=np.where(replaced, np.nan, inner.scores),
            propensities=np.where(replaced, self.share / np.maximum(left, 1), np.where(listed, kept, 1.0)),
            explored=replaced,
            propensity_kind="exact",
        )
