"""The bounds of an experiment: rank by what the audience secretly likes, best first or worst first.

No recommender in the world can do this. They are here because they bound what any other can reach with the same
audience. The preference is handed in by the composition root alone; nothing here can fetch it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.base import ScoringRecommender, fitted

Preference = Callable[[IntArray], FloatArray]
"""How much users (row numbers, shape (n,)) like every item, shape (n, n_items), finite, higher = more."""


class OracleRecommender(ScoringRecommender):
    """The items a person likes most: the upper bound. It sees the hidden preference."""

    sees_hidden_preference = True

    def __init__(self, preference: Preference) -> None:
        self._preference = preference
        self._n_items: int | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """Nothing is learnt: all is known."""
        self._n_items = len(catalog)

    def score(self, users: IntArray) -> FloatArray:
        """The preference itself."""
        expected = (len(users), fitted(self._n_items, self))
        liking = self._preference(users)
        if liking.shape != expected or not np.isfinite(liking).all():
            raise ValueError(f"preference of shape {liking.shape}; expected finite numbers of shape {expected}")
        return liking


class AntiOracleRecommender(OracleRecommender):
    """The items a person likes least: the lower bound. It sees the hidden preference."""

    def score(self, users: IntArray) -> FloatArray:
        """The preference, turned round."""
        return -super().score(users)
