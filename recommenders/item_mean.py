"""Mean ratings: the items that those who rated them liked best, however few they were."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.base import fitted, hash_of
from groundlings.recommenders.candidates import Candidates, RetrievingRecommender, by_score
from groundlings.recommenders.rating_bias import rated_rows


class ItemMeanRecommender(RetrievingRecommender):
    """Items by their mean rating, drawn towards the mean of all ratings where an item has few (a Bayesian mean).

    The same list for all users except for items they have seen. An item without ratings has the overall mean. The
    damped mean is that of Funk (2006, "Netflix update: try this at home").

    Args:
        shrinkage: Number of average ratings added to every item.
    """

    def __init__(self, shrinkage: Annotated[float, Field(ge=0)] = 5.0) -> None:
        self.shrinkage = shrinkage
        self._means: FloatArray | None = None
        self._order = np.zeros(0, dtype=np.int64)

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """See `Recommender.fit`."""
        rated = rated_rows(interactions, "item_mean")
        middle = float(rated.ratings.mean()) if len(rated) else 0.0
        counts = np.bincount(rated.items, minlength=len(catalog))
        sums = np.bincount(rated.items, rated.ratings, minlength=len(catalog)) + self.shrinkage * middle
        self._means = np.divide(sums, counts + self.shrinkage, out=np.full(len(catalog), middle), where=counts > 0)
        self._order = by_score(self._means)

    def check_data(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """See `AsyncRecommender.check_data`: there are ratings."""
        rated_rows(interactions, "item_mean")

    def score(self, users: IntArray) -> FloatArray:
        """Damped means, shape (n, n_items)."""
        means = fitted(self._means, self)
        return np.broadcast_to(means, (len(users), len(means)))

    def candidates(self, users: IntArray, width: int) -> Candidates:
        """See `CandidateRecommender.candidates`; the same for everybody."""
        return Candidates.of_everybody(self._order, fitted(self._means, self), len(users), width)

    def state(self) -> str:
        """See `Recommender.state`."""
        return "" if self._means is None else hash_of(self._means)
