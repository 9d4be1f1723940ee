"""The protocol of recommenders: one class, two required methods.

Most recommenders give every item a score; they subclass `ScoringRecommender` and write `fit` and `score`.
Whoever finds the best items of a large catalogue without that subclasses `candidates.CandidateRecommender`.
Whoever builds lists in another way subclasses `Recommender` and writes `fit` and `recommend`.
Whoever must wait for something, such as a language model, subclasses `AsyncRecommender` and writes `fit` and `rank`.

A recommender learns from logged behaviour alone. It is handed row numbers of users, never a persona, and this
package cannot import `personas`: the agents' hidden preferences cannot leak into the rankings.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError, NotFitted, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest, top_items

if TYPE_CHECKING:
    from groundlings.recommenders.learning import Lessons

Learnt = TypeVar("Learnt")


class AsyncRecommender(ABC):
    """Ranks items for users; `rank` may await a language model, a server or a search index.

    The simulator calls `fit` once before the first day with the training part of the real history, `rank`
    many times during a day, `observe` after each day, and `fit` again after every `simulation.refit_every`
    days with the real history followed by all simulated interactions of this arm (`synthetic` is True there).
    An environment asks once per session, per page or per query, and many requests may be open at a time.

    Between two fits `rank` must not change the recommender: the same request has the same answer. All randomness
    comes from `request.draws`. It must not list an item of `request.seen`. The list of one session does not depend
    on which other sessions share the request.

    `contract.RecommenderContract` checks these promises.

    Attributes:
        randomised: Whether lists are drawn at random, so that their propensities are not all 1.
        sees_hidden_preference: Whether it ranks by the agents' hidden preferences. Only bounds of an experiment
            may (`oracle`, `anti_oracle`, and what is built on them); every report marks them.
        presents: Whether its lists have notes (`Ranking.notes`). Whoever changes lists knows nothing of notes, so it
            may not be inside of another recommender.
        reads_queries: Whether a list depends on what was asked for in words (`RankingRequest.queries`).
        needs_query: Whether it lists items for a query alone, so that it cannot make a feed.
        converses: Whether it says something with each list (`Ranking.replies`), which no other may be around either.
    """

    randomised: bool = False
    sees_hidden_preference: bool = False
    presents: bool = False
    reads_queries: bool = False
    needs_query: bool = False
    converses: bool = False

    @abstractmethod
    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Learn from all given interactions, replacing what was learnt before."""

    @abstractmethod
    async def rank(self, request: RankingRequest) -> Ranking:
        """Rank for every session of the request; raises `NotFitted` before the first `fit`.

        Calls to a language model go into `Ranking.calls`: they are logged, recorded and replayed under the arm's name.
        A question that the server refuses for good raises `UnanswerablePrompt`: catch it and say what is shown without
        an answer, because a list, unlike a reply of an agent, cannot be lost.
        """

    def memory_bytes(self, interactions: Interactions) -> int:  # noqa: ARG002 - most take little
        """The most memory that `fit` takes on these interactions, in bytes, where it grows beyond the data itself.

        Asked before the first day: a run that needs more than there is does not start.
        """
        return 0

    def check_users(self, users: IntArray) -> None:  # noqa: B027 - most can rank for anybody
        """Raise `DataError` where some users (row numbers) cannot be ranked for; asked before the first day."""

    def check_data(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: B027 - most can learn from any
        """Raise `DataError` or `ConfigError` where `fit` would: data lack what it learns from, or an option names it.

        Asked before the first day, by `groundlings check` as well, of recommenders inside of others, too.
        """

    def calls_per_list(self) -> Mapping[str, int]:
        """Prompt -> questions that a language model is asked for one list at most; {} where it is asked none.

        Asked before the first day, by `groundlings check` as well. Questions of recommenders inside are theirs to say:
        each is taken to be asked for one list.
        """
        return {}

    def calls_to_learn(self, users: int) -> Mapping[str, int]:  # noqa: ARG002 - most recommenders ask nothing
        """Prompt -> questions that one `learn_by_asking` takes at most, after a fit or a day; {} where it takes none.

        Args:
            users: How many users lists are made for.
        """
        return {}

    def observe(self, interactions: Interactions) -> None:  # noqa: B027 - most recommenders learn in `fit` only
        """Take note of simulated interactions after their day, maybe in several parts (for those that learn daily)."""

    async def learn_by_asking(self, lessons: Lessons) -> None:  # noqa: B027 - most recommenders learn in `fit` alone
        """Learn further by asking a language model, through `lessons.ask`.

        Awaited after `fit`, and after `observe` where lists follow that rest on it; not handed on to recommenders
        inside of this one, which are asked to learn before it. What is asked depends on what was fitted and observed
        and on `lessons.root` alone: the same question is answered from the log of an interrupted run.
        """

    def state(self) -> str:
        """The policy version: a short hash of all that has been learnt; the same state gives the same rankings."""
        return ""


def state_of(recommender: AsyncRecommender) -> str:
    """What a recommender says of its state; raises `ConfigError` where that is no text that a log can hold."""
    said: object = recommender.state()
    try:
        text = said.encode().decode() if isinstance(said, str) else None
    except UnicodeEncodeError:
        text = None
    if text is not None:
        return text
    raise ConfigError(f"recommender {type(recommender).__name__}: its state is {shown(said)}; expected a text, a hash")


class Recommender(AsyncRecommender):
    """A synchronous recommender. Subclasses write `fit` and `recommend`."""

    @abstractmethod
    def recommend(self, request: RankingRequest) -> Ranking:
        """Rank for every session of the request; raises `NotFitted` before the first `fit`."""

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`."""
        return self.recommend(request)


class ScoringRecommender(Recommender):
    """A recommender that lists the unseen items of highest score. Subclasses write `fit` and `score`.

    That is the simple door, for catalogues of some ten thousand items: each session costs a score for every item.
    `candidates.RetrievingRecommender` is the same with a second door for large ones.

    Example:

        class MostClicked(ScoringRecommender):
            def fit(self, interactions, catalog):
                self.counts = interactions.item_counts

            def score(self, users):
                return np.tile(self.counts.astype(float), (len(users), 1))
    """

    @abstractmethod
    def score(self, users: IntArray) -> FloatArray:
        """Scores of all items for some users, shape (n, n_items), higher = earlier in the list."""

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`; scores are asked for some users at a time where items are many."""
        height = max(1, _SCORES_AT_ONCE // max(1, request.seen.shape[1]))
        if len(request) <= height:
            return self._by_scores(request)
        starts = range(0, len(request), height)
        parts = [self._by_scores(part_of(request, slice(first, first + height))) for first in starts]
        return Ranking.deterministic(
            np.concatenate([part.items for part in parts]), np.concatenate([part.scores for part in parts])
        )

    def _by_scores(self, request: RankingRequest) -> Ranking:
        scores, expected = np.asarray(self.score(request.users)), (len(request), request.seen.shape[1])
        whose = f"recommender {type(self).__name__}"
        if scores.shape != expected or scores.dtype.kind not in "biufO":
            raise ConfigError(
                f"{whose}: its scores have the shape {scores.shape} ({scores.dtype}); expected a number for each of "
                f"{expected[0]} users and {expected[1]} items"
            )
        try:
            return top_items(scores, request)
        except (ValueError, TypeError) as fault:  # NaN, or objects that are no numbers
            raise ConfigError(f"{whose}: {fault}") from None


_SCORES_AT_ONCE = 2**25
"""Users times items: 256 MiB of float64."""


def part_of(request: RankingRequest, rows: IntArray | slice) -> RankingRequest:
    """The users of some sessions and what they have seen, as scores need it; all else is that of the whole request."""
    return replace(request, users=request.users[rows], seen=sp.csr_array(request.seen[rows]))


@runtime_checkable
class FoldsIn(Protocol):
    """A recommender that can score cold-start items from their first interactions, without a refit.

    Nothing that was learnt changes, so the scores of all other items stay the same.
    """

    def score_new(self, users: IntArray, takers: sp.csr_array) -> FloatArray:
        """Scores of new items for some users, on the scale of `ScoringRecommender.score`, shape (n, n_new).

        Args:
            users: Row numbers of users, shape (n,).
            takers: Users who interacted with each new item, 1.0 per pair, shape (n_users, n_new).

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
