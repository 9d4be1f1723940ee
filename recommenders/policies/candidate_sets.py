"""The candidates among which a policy chooses: the best unseen items of each user, as a retriever ranks them."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, IntArray, ItemArray
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.base import Recommender

_USERS_AT_ONCE = 4096


class CandidateSets:
    """Candidate sets of all users, asked for when they are first needed.

    Args:
        retriever: A fitted recommender.
        seen: What users must not be shown, shape (n_users, n_items).
        size: Candidates of a user at most.
        seed: Of the retriever's draws, where it draws.
    """

    def __init__(self, retriever: Recommender, seen: sp.csr_array, size: int, seed: int = 0) -> None:
        self._retriever, self._seen, self._seed = retriever, seen, seed
        self._found = np.full((seen.shape[0], size), NO_ITEM, dtype=np.int32)
        self._known = np.zeros(seen.shape[0], dtype=np.bool_)

    def of(self, users: IntArray) -> ItemArray:
        """Item numbers, the retriever's first choice first, `NO_ITEM` behind the last, shape (n, size)."""
        missing = np.unique(users[~self._known[users]])
        for first in range(0, len(missing), _USERS_AT_ONCE):
            some = missing[first : first + _USERS_AT_ONCE]
            request = RankingRequest(
                some, self._found.shape[1], sp.csr_array(self._seen[some]), Draws.for_sessions(self._seed, some, 0)
            )
            items = self._retriever.recommend(request).items
            self._found[some, : items.shape[1]] = items
            self._known[some] = True
        return self._found[users]
