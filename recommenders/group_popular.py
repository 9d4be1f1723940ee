"""Popularity among users who said the same of themselves."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.recommenders.base import ScoringRecommender, fitted, hash_of
from groundlings.recommenders.demographics import check_attributes, groups_of


class GroupPopularRecommender(ScoringRecommender):
    """Items by the share of a user's demographic group that has them (Pazzani 1999, demographic filtering).

    A group is everybody with the same value of one attribute; with several attributes the mean of the shares counts.
    The share of a small group is drawn towards the share of all users. Users of whom nothing is known get the share of
    all, so where no user has an attribute the lists are those of `popular`.

    Args:
        attributes: Which attributes make groups; all with at most 20 values if absent.
        shrinkage: Number of average users added to every group.
    """

    def __init__(
        self,
        attributes: list[str] | None = None,
        shrinkage: Annotated[float, Field(ge=0)] = 10.0,
        demographics: People | None = None,
    ) -> None:
        check_attributes(demographics, attributes)
        self.attributes = attributes
        self.shrinkage = shrinkage
        self.demographics = demographics
        self._shares: FloatArray | None = None
        self._parts = sp.csr_array((0, 0))

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """Count the users of each item in each group."""
        members = groups_of(self.demographics, interactions.n_users, self.attributes).members
        of_all = interactions.item_counts / max(interactions.n_users, 1)
        counts = (members.T @ interactions.matrix).toarray()
        sizes = np.asarray(members.sum(axis=0))[:, None]
        shares = (counts + self.shrinkage * of_all) / np.maximum(sizes + self.shrinkage, 1)
        self._shares = np.vstack([shares, of_all])
        known = np.diff(members.indptr)
        parts = sp.hstack([members, sp.csr_array((known == 0).astype(np.float64)[:, None])])
        self._parts = sp.csr_array(sp.diags_array(1 / np.maximum(known, 1)) @ parts)

    def score(self, users: IntArray) -> FloatArray:
        """Shares, shape (n, n_items)."""
        shares = fitted(self._shares, self)
        return np.asarray(self._parts[users] @ shares)

    def memory_bytes(self, interactions: Interactions) -> int:
        """The share of each item in each group, and the counts."""
        groups = groups_of(self.demographics, interactions.n_users, self.attributes)
        return 2 * 8 * (len(groups.names) + 1) * interactions.n_items

    def state(self) -> str:
        """See `Recommender.state`."""
        if self._shares is None:
            return ""
        return hash_of(self._shares, self._parts.indptr, self._parts.indices, self._parts.data)
