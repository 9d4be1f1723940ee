"""One recommender for the feed, and another one for the results of a search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groundlings.environments.ranking import PropensityKind, Ranking, RankingRequest
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.parts import joined
from groundlings.recommenders.wrapping import OuterRecommender

_KNOWN_LEAST: tuple[PropensityKind, ...] = ("deterministic", "exact", "estimated")


class FeedAndSearch(OuterRecommender):
    """Answers requests with a query by one recommender and all others by another one.

    Args:
        feed: Lists where nothing was asked for in words.
        search: Lists what fits a query.
    """

    reads_queries = True

    def __init__(self, feed: AsyncRecommender, search: AsyncRecommender) -> None:
        super().__init__(feed, search)
        self.feed, self.search = feed, search
        self.randomised = feed.randomised or search.randomised

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
