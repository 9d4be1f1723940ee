"""One recommender for the feed, and another one for the results of a search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import PropensityKind, Ranking, RankingRequest
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.parts import joined

_KNOWN_LEAST: tuple[PropensityKind, ...] = ("deterministic", "exact", "estimated")


class FeedAndSearch(AsyncRecommender):
    """Answers requests with a query by one recommender and all others by another one.

    Args:
        feed: Lists where nothing was asked for in words.
        search: Lists what fits a query.
    """

    reads_queries = True

    def __init__(self, feed: AsyncRecommender, search: AsyncRecommender) -> None:
        self.feed, self.search = feed, search
        self.randomised = feed.randomised or search.randomised
        self.sees_hidden_preference = feed.sees_hidden_preference or search.sees_hidden_preference

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit both."""
        self.feed.fit(interactions, catalog)
        self.search.fit(interactions, catalog)

    def memory_bytes(self, interactions: Interactions) -> int:
        """What both take."""
        return self.feed.memory_bytes(interactions) + self.search.memory_bytes(interactions)

    def check_users(self, users: IntArray) -> None:
        """Whether both can rank for them."""
        self.feed.check_users(users)
        self.search.check_users(users)

    def observe(self, interactions: Interactions) -> None:
        """Tell both."""
        self.feed.observe(interactions)
        self.search.observe(interactions)

    def state(self) -> str:
        """What both have learnt."""
        return f"{self.feed.state()}+{self.search.state()}"

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`."""
        queries = request.queries or (None,) * len(request)
        asks = np.array([query is not None for query in queries], dtype=np.bool_)
        if asks.all() and len(request):
            return await self.search.rank(request)
        if not asks.any():
            return await self.feed.rank(replace(request, queries=None))
        rows = np.flatnonzero(~asks), np.flatnonzero(asks)
        listed = await self.feed.rank(replace(request.take(rows[0]), queries=None))
        found = await self.search.rank(request.take(rows[1]))
        order = np.argsort(np.concatenate(rows), kind="stable")
        calls = [
            replace(call, row=int(own[call.row]))
            for own, part in zip(rows, (listed, found), strict=True)
            for call in part.calls
        ]
        kind = max(listed.propensity_kind, found.propensity_kind, key=_KNOWN_LEAST.index)
        return replace(joined([listed, found]).take(order), propensity_kind=kind, calls=tuple(calls))
