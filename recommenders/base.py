"""The door for recommenders: one class, two required methods.

Most recommenders give every item a score; they subclass `ScoringRecommender` and write `fit` and `score`.
Whoever builds lists in another way subclasses `Recommender` and writes `fit` and `recommend`.
Whoever must wait for something, such as a language model, subclasses `AsyncRecommender` and writes `fit` and `rank`.

A recommender learns from logged behaviour alone. It is handed row numbers of users, never a persona, and this
package cannot import `personas`: what an audience secretly likes cannot leak into what it is shown.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import NotFitted
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest, top_items

Learnt = TypeVar("Learnt")


class AsyncRecommender(ABC):
    """Ranks items for users, and may take its time: `rank` may await a language model, a server, a search index.

    The simulator calls `fit` once before the first day with the training part of the real history, `rank`
    many times during a day, `observe` after each day, and `fit` again after every `simulation.refit_every`
    days with the real history followed by all simulated interactions of this arm (`synthetic` is True there).
    An environment asks once per visit, per page or per query, and many requests may be open at a time.

    Between two fits a recommender must not change by being asked: the same request has the same answer.
    All chance comes from `request.draws`. It must not list an item of `request.seen`. What one visit is
    answered does not depend on which other visits share the request.

    `contract.RecommenderContract` checks these promises.

    Attributes:
        randomised: Whether chance has a say in the lists, so that their propensities are not all 1.
        sees_hidden_preference: Whether it ranks by what the audience secretly likes. Only bounds of an experiment
            may (`oracle`, `anti_oracle`, and what is built on them); every report marks them.
    """

    randomised: bool = False
    sees_hidden_preference: bool = False

    @abstractmethod
    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Learn from everything known now, forgetting what was learnt before."""

    @abstractmethod
    async def rank(self, request: RankingRequest) -> Ranking:
        """Rank for every visit of the request; raises `NotFitted` before the first `fit`.

        Calls to a language model go into `Ranking.calls`: they are logged, recorded and replayed under the arm's name.
        """

    def observe(self, interactions: Interactions) -> None:  # noqa: B027 - most recommenders learn in `fit` only
        """Take note of simulated interactions after their day, maybe in several parts (for those that learn daily)."""

    def state(self) -> str:
        """A short hash of all that has been learnt: the same state gives the same rankings."""
        return ""


class Recommender(AsyncRecommender):
    """A recommender that answers at once: most of them. Subclasses write `fit` and `recommend`."""

    @abstractmethod
    def recommend(self, request: RankingRequest) -> Ranking:
        """Rank for every visit of the request; raises `NotFitted` before the first `fit`."""

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`."""
        return self.recommend(request)


class ScoringRecommender(Recommender):
    """A recommender whose list is the items of highest score that the user has not seen."""

    @abstractmethod
    def score(self, users: IntArray) -> FloatArray:
        """Scores of all items for some users, shape (n, n_items), higher = earlier in the list."""

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`."""
        return top_items(self.score(request.users), request)


@runtime_checkable
class FoldsIn(Protocol):
    """A recommender that, once fitted, can score items it was not fitted with from the few people who met them.

    Nothing that was learnt changes, so the scores of all other items stay what they were.
    """

    def score_new(self, users: IntArray, takers: sp.csr_array) -> FloatArray:
        """Scores of new items for some users, on the scale of `ScoringRecommender.score`, shape (n, n_new).

        Args:
            users: Row numbers of users, shape (n,).
            takers: Who met each new item, 1.0 for each pair, shape (n_users, n_new).

        Raises:
            NotFitted: `fit` was not called before.
        """
        ...


def fitted(learnt: Learnt | None, recommender: AsyncRecommender) -> Learnt:
    """What `fit` left behind, or `NotFitted`."""
    if learnt is None:
        raise NotFitted(f"{type(recommender).__name__}.recommend was called before fit")
    return learnt


def hash_of(*arrays: NDArray[Any]) -> str:
    """A short hash over arrays, their shapes and types included, for `Recommender.state`."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
