"""What recommenders that list items for a query, and for nothing else, have in common."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest, top_items
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.parts import joined, parts_of


class QueryRecommender(Recommender):
    """Lists the unseen items that fit a query best. Subclasses write `index` and `match`.

    Items that do not fit are not listed, so a list may be short or empty. It depends on the query and on what was seen,
    and on nothing else of a person.
    """

    reads_queries = needs_query = True

    @abstractmethod
    def index(self, catalog: Catalog) -> None:
        """Read the items, replacing what was read before."""

    @abstractmethod
    def match(self, query: str) -> FloatArray:
        """How well each item fits, shape (n_items,), 0 or less where it does not; raises `NotFitted` before `index`."""

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - texts are all it knows
        """See `Recommender.fit`; nothing is learnt from interactions."""
        self.index(catalog)

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`; raises `ConfigError` for a session without a query."""
        if request.queries is None or None in request.queries:
            self.match("")
            raise ConfigError(
                f"{type(self).__name__} lists items for a query, and was asked without one; use it in an environment "
                "whose pages are all results, or as `search` of feed_and_search, whose `feed` makes the other pages"
            )
        queries: list[str] = [query for query in request.queries if query is not None]
        fits = {query: self.match(query) for query in dict.fromkeys(queries)}
        parts = []
        for rows in parts_of(len(request), request.seen.shape[1]):
            scores = np.array([fits[queries[row]] for row in rows.tolist()]).reshape(len(rows), request.seen.shape[1])
            scores[scores <= 0] = -np.inf
            parts.append(top_items(scores, request if len(rows) == len(request) else request.take(rows)))
        return joined(parts)
