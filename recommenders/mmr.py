"""A varied list: relevance traded against how much an item resembles what stands above it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import AsyncRecommender, fitted, hash_of
from groundlings.recommenders.wrapping import WrappingRecommender

_CELLS_AT_ONCE = 2**22


class MmrRecommender(WrappingRecommender):
    """Lists the items of another recommender so that neighbours differ in their categories.

    Maximal marginal relevance (Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking", SIGIR): the
    list is filled from the top, each place with the candidate of the highest

        (1 - variety) * relevance - variety * largest cosine of its categories with an item above.

    Relevance is 1 for the first of the inner list and falls evenly to 0 behind its last candidate, so that recommenders
    whose scores have other units are treated alike. Where two candidates tie, the inner list decides.

    Args:
        of: The recommender whose lists are made varied.
        variety: 0 = the inner list, 1 = categories alone.
        candidates: How many items of the inner list are candidates; never fewer than the list is to hold.
    """

    randomised = False

    def __init__(
        self,
        of: AsyncRecommender,
        variety: Annotated[float, Field(ge=0, le=1)] = 0.3,
        candidates: Annotated[int, Field(ge=1, le=10_000_000)] = 100,
    ) -> None:
        super().__init__(of)
        self.variety = variety
        self.candidates = candidates
        self._categories: FloatArray | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside, and read the categories of the items."""
        self.check_data(interactions, catalog)
        members = catalog.genre_matrix.astype(np.float64)
        lengths = np.sqrt(members.sum(axis=1, keepdims=True))
        self._categories = np.divide(members, lengths, out=np.zeros_like(members), where=lengths > 0)
        super().fit(interactions, catalog)

    def check_data(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """See `AsyncRecommender.check_data`: items have categories."""
        if not catalog.genre_names:
            raise ConfigError(
                "mmr varies the categories of items, and this catalogue has none; use another recommender"
            )

    def state(self) -> str:
        """What the recommender inside has learnt, and the categories."""
        return hash_of(np.frombuffer(self.of.state().encode(), dtype=np.uint8), fitted(self._categories, self))

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`."""
        return self._first(request, super().recommend(self._wider(request)))

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`."""
        return self._first(request, await super().rank(self._wider(request)))

    def mix(self, request: RankingRequest, inner: Ranking) -> Ranking:
        """See `WrappingRecommender.mix`: all candidates, in their new order."""
        categories = fitted(self._categories, self)
        wide = inner.items.shape[1]
        height = max(1, _CELLS_AT_ONCE // max(1, wide * categories.shape[1]))
        order = np.concatenate(
            [self._order(inner.items[first : first + height], categories) for first in range(0, len(request), height)]
        )
        rows = np.arange(len(request))[:, None]
        return Ranking.deterministic(inner.items[rows, order], inner.scores[rows, order])

    def _order(self, items: ItemArray, categories: FloatArray) -> IntArray:
        """Places of the inner lists in the new order, shape of `items`; empty places stay last."""
        n, wide = items.shape
        listed = items != NO_ITEM
        vectors = categories[np.where(listed, items, 0)]
        relevance = (1 - self.variety) * (1 - np.arange(wide) / wide)
        left = np.where(listed, 0.0, -np.inf)
        nearest = np.zeros((n, wide))
        order = np.empty((n, wide), dtype=np.int64)
        every = np.arange(n)
        for place in range(wide):
            best = (relevance - self.variety * nearest + left).argmax(axis=1)
            # Only empty places are left in this row: they follow in their order.
            done = np.isneginf(left[every, best])
            best[done] = place
            order[:, place] = best
            left[every, best] = -np.inf
            chosen = vectors[every, best]
            nearest = np.maximum(nearest, np.einsum("nwc,nc->nw", vectors, chosen))
        return order

    def _wider(self, request: RankingRequest) -> RankingRequest:
        return replace(request, size=max(request.size, self.candidates))

    def _first(self, request: RankingRequest, ranking: Ranking) -> Ranking:
        size = request.size
        return replace(
            ranking,
            items=ranking.items[:, :size],
            scores=ranking.scores[:, :size],
            propensities=ranking.propensities[:, :size],
            explored=ranking.explored[:, :size],
        )
