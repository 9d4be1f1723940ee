"""Predicted ratings from biases and a truncated singular value decomposition of what they leave."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy.sparse as sp
from pydantic import Field, NonNegativeInt
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.base import ScoringRecommender, fitted, hash_of
from groundlings.recommenders.latent import VectorLength
from groundlings.recommenders.rating_bias import fit_biases, rated_rows


class BiasSvdRecommender(ScoringRecommender):
    """Ranks by predicted rating: the item's bias and the inner product of two vectors.

    The vectors are the leading singular vectors of the residuals of user and item biases, unknown cells taken as 0
    (Sarwar et al. 2000, "Application of dimensionality reduction in recommender system"; Koren, Bell and Volinsky 2009,
    "Matrix factorization techniques", for the biases). A user without ratings gets the items' biases alone.

    Args:
        factors: Length of the vectors.
        damping: Number of average ratings added to every user and every item before their biases are taken.
        seed: Of the start of the decomposition.
    """

    def __init__(
        self, factors: VectorLength = 10, damping: Annotated[float, Field(ge=0)] = 5.0, seed: NonNegativeInt = 0
    ) -> None:
        self.factors = factors
        self.damping = damping
        self.seed = seed
        self._item_bias: FloatArray | None = None
        self._users = np.zeros((0, 0))
        self._items = np.zeros((0, 0))

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """See `Recommender.fit`."""
        rated = rated_rows(interactions, "bias_svd")
        biases = fit_biases(rated, self.damping)
        shape = (rated.n_users, rated.n_items)
        counts = sp.csr_array((np.ones(len(rated)), (rated.users, rated.items)), shape=shape)
        residuals = sp.csr_array((biases.residuals(rated), (rated.users, rated.items)), shape=shape)
        residuals.data /= counts.data  # both were summed over the ratings of a pair: its mean counts
        self._users, self._items = self._decompose(residuals)
        self._item_bias = biases.by_item

    def check_data(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """See `AsyncRecommender.check_data`: there are ratings."""
        rated_rows(interactions, "bias_svd")

    def _decompose(self, residuals: sp.csr_array) -> tuple[FloatArray, FloatArray]:
        """Vectors of users, shape (n_users, k), and of items, shape (k, n_items)."""
        from scipy.sparse.linalg import svds

        size = min(self.factors, *(length - 1 for length in residuals.shape))
        if size < 1 or not np.any(np.abs(residuals.data) > _NOTHING):
            return np.zeros((residuals.shape[0], 0)), np.zeros((0, residuals.shape[1]))
        start = np.random.default_rng(self.seed).normal(size=min(residuals.shape))
        with threadpool_limits(1, "blas"):
            left, strengths, right = svds(residuals, k=size, v0=start)
        return left * strengths, right

    def score(self, users: IntArray) -> FloatArray:
        """Predicted rating less what is the same for all items of a user, shape (n, n_items)."""
        bias = fitted(self._item_bias, self)
        # A sparse product, because it adds factor by factor in any batch.
        return np.asarray(sp.csr_array(self._users[users]) @ self._items) + bias

    def memory_bytes(self, interactions: Interactions) -> int:
        """The vectors, and those that the decomposition works with (twice as many)."""
        return 3 * 8 * self.factors * (interactions.n_users + interactions.n_items)

    def state(self) -> str:
        """See `Recommender.state`."""
        return "" if self._item_bias is None else hash_of(self._item_bias, self._users, self._items)


_NOTHING = 1e-9
"""Residuals below this are rounding: everybody gave the same rating."""
