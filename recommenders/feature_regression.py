"""Predicted ratings from what is known of users and items, without any collaborative part."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy.sparse as sp
from pydantic import Field, PositiveFloat
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.recommenders.base import ScoringRecommender, fitted, hash_of
from groundlings.recommenders.demographics import groups_of
from groundlings.recommenders.rating_bias import fit_biases, rated_rows


class FeatureRegressionRecommender(ScoringRecommender):
    """Ranks by predicted rating: biases, and a ridge regression on products of user and item features.

    Features of items are their genres (or categories), of users the values of their attributes
    (`recommenders.demographics`). Each pair of one of either is a regressor of what the biases leave, as in pairwise
    regression (Park and Chu 2009, "Pairwise preference regression for cold-start recommendation"). Where nothing is
    known of users, the genres alone are regressors.

    Args:
        regularisation: The ridge penalty.
        damping: Number of average ratings added to every user and every item before their biases are taken.
        most_features: How many features of items, and of users, are used: the most frequent ones.
    """

    def __init__(
        self,
        regularisation: PositiveFloat = 10.0,
        damping: Annotated[float, Field(ge=0)] = 5.0,
        most_features: Annotated[int, Field(ge=1, le=1_000_000)] = 50,
        demographics: People | None = None,
    ) -> None:
        self.regularisation = regularisation
        self.damping = damping
        self.most_features = most_features
        self.demographics = demographics
        self._item_bias: FloatArray | None = None
        self._known = sp.csr_array((0, 0))
        self._worth = np.zeros((0, 0))

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """See `Recommender.fit`."""
        rated = rated_rows(interactions, "feature_regression")
        biases = fit_biases(rated, self.damping)
        groups = groups_of(self.demographics, rated.n_users).members
        everybody = sp.csr_array(np.ones((rated.n_users, 1)))
        self._known = sp.csr_array(sp.hstack([everybody, self._frequent(groups)]))
        genres = self._frequent(sp.csr_array(catalog.genre_matrix.astype(np.float64)))
        with threadpool_limits(1, "blas"):
            weights = self._regress(self._known[rated.users], genres[rated.items], biases.residuals(rated))
        self._worth = np.asarray(genres @ weights.T).T
        self._item_bias = biases.by_item

    def _frequent(self, features: sp.csr_array) -> sp.csr_array:
        """The columns with the most rows, in their order."""
        counts = np.asarray(features.sum(axis=0))
        return sp.csr_array(features[:, np.sort(np.argsort(-counts, kind="stable")[: self.most_features])])

    def check_data(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """See `AsyncRecommender.check_data`: there are ratings."""
        rated_rows(interactions, "feature_regression")

    def _regress(self, users: sp.csr_array, items: sp.csr_array, target: FloatArray) -> FloatArray:
        """Ridge weights of each user feature with each item feature, shape (n_user_features, n_item_features)."""
        shape = users.shape[1], items.shape[1]
        if not len(target) or not shape[1]:
            return np.zeros(shape)
        columns = sp.csc_array(users)
        each = [sp.diags_array(columns[:, [number]].toarray()[:, 0]) @ items for number in range(shape[0])]
        regressors = sp.csr_array(sp.hstack(each))
        gram = (regressors.T @ regressors).toarray()
        gram[np.diag_indices_from(gram)] += self.regularisation
        return np.asarray(np.linalg.solve(gram, regressors.T @ target)).reshape(shape)

    def score(self, users: IntArray) -> FloatArray:
        """Predicted rating less what is the same for all items of a user, shape (n, n_items)."""
        bias = fitted(self._item_bias, self)
        # A sparse product, so that a user's scores do not depend on who is asked with them.
        return np.asarray(self._known[users] @ self._worth) + bias

    def memory_bytes(self, interactions: Interactions) -> int:
        """The matrix of the regression and its copy, and the worth of each item to each user feature."""
        features = self.most_features + 1
        return 8 * (2 * (features * self.most_features) ** 2 + features * interactions.n_items)

    def state(self) -> str:
        """See `Recommender.state`."""
        if self._item_bias is None:
            return ""
        known = self._known
        return hash_of(self._item_bias, self._worth, known.indptr, known.indices, known.data)
