"""Every order equally likely: the lower end of most comparisons, and the cleanest log to estimate from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest, top_items
from groundlings.recommenders.base import Recommender, fitted
from groundlings.recommenders.parts import joined, parts_of


class RandomOrderRecommender(Recommender):
    """Unseen items in uniformly random order, drawn anew for each session.

    Each item draws a lot of its own, so the order of the items that are left does not change when one goes.
    P(item at rank k | items at ranks < k, request) = 1 / (number of unseen items - (k - 1)), ranks from 1.
    """

    randomised = True

    def __init__(self) -> None:
        self._n_items: int | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """Note how many items there are; nothing else is learnt."""
        self._n_items = len(catalog)

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`."""
        n_items = fitted(self._n_items, self)
        parts = list(parts_of(len(request), n_items))
        each = [request] if len(parts) == 1 else [request.take(rows) for rows in parts]
        ranking = joined(
            [top_items(some.draws.uniform("random_order", np.arange(n_items)[None]), some) for some in each]
        )
        listed = ranking.items != NO_ITEM
        left = request.unseen_counts()[:, None] - np.arange(ranking.items.shape[1])
        return replace(
            ranking,
            scores=np.full(listed.shape, np.nan),
            propensities=np.where(listed, 1 / np.maximum(left, 1), 1.0),
            explored=listed,
            propensity_kind="exact",
        )
