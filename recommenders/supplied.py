"""Recommenders that Python code hands over: functions, and objects that were trained elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError, DataError, NotFitted, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import AsyncRecommender, Recommender


class RankingFunction(Protocol):
    """A recommender as a function.

    def recommend(user_ids, k):
        return [model.top(user_id, k) for user_id in user_ids]
    """

    def __call__(self, user_ids: list[str], k: int, /) -> Iterable[Iterable[object]]:
        """For each user, in the order asked, up to `k` ids of items, the best first.

        Ids are those of the data set: text, or whole numbers where its ids are such. Items of the user's history may
        be among them: they are left out afterwards, and `k` is large enough for that.
        """
        ...


@runtime_checkable
class RecommendsIds(Protocol):
    """An object with such a function."""

    def recommend(self, user_ids: list[str], k: int, /) -> Iterable[Iterable[object]]:
        """See `RankingFunction`."""
        ...


class AsyncRankingFunction(Protocol):
    """The same of a function that awaits something, such as a server.

    async def recommend(user_ids, k):
        return [await client.top(user_id, k) for user_id in user_ids]
    """

    def __call__(self, user_ids: list[str], k: int, /) -> Awaitable[Iterable[Iterable[object]]]:
        """See `RankingFunction`."""
        ...


@dataclass(frozen=True, slots=True)
class _Question:
    """What a function is asked: a list of `k` items for each of some users, who have these sessions of the request."""

    sessions: IntArray
    user_ids: list[str]
    k: int


class _Asker:
    """Puts a request to a function as questions, and makes a ranking of its answers.

    Args:
        name: Whose the function is, for messages.
        catalog: The items that it may name.
        user_ids: The data set's own ids, in the order of user numbers.
    """

    def __init__(self, name: str, catalog: Catalog, user_ids: Sequence[str]) -> None:
        self._name = name
        self._catalog = catalog
        self._user_ids = tuple(user_ids)

    def questions(self, request: RankingRequest) -> list[_Question]:
        """One per length that is wanted, the shortest first."""
        lengths = request.lengths_with_seen()
        groups = [(np.flatnonzero(lengths == k), k) for k in np.unique(lengths).tolist()]
        return [
            _Question(sessions, [self._user_ids[user] for user in request.users[sessions]], k) for sessions, k in groups
        ]

    def ranking(self, request: RankingRequest, questions: Sequence[_Question], answers: Sequence[object]) -> Ranking:
        """The lists for all sessions without items of the users' histories.

        Raises:
            DataError: A list cannot be shown.
        """
        items = np.full((len(request), min(request.size, len(self._catalog))), NO_ITEM, dtype=np.int32)
        for question, answer in zip(questions, answers, strict=True):
            lists = self._lists(question.user_ids, answer)
            for session, listed in zip(question.sessions.tolist(), lists, strict=True):
                start, end = request.seen.indptr[session : session + 2]
                new = listed[~np.isin(listed, request.seen.indices[start:end])][: items.shape[1]]
                items[session, : len(new)] = new
        return Ranking.deterministic(items, np.full(items.shape, np.nan))

    def _lists(self, asked: Sequence[str], answer: object) -> list[IntArray]:
        """The answers for some users, as item numbers."""
        if not isinstance(answer, Iterable) or isinstance(answer, (str, bytes, dict)):
            raise self._fault(f"returned {type(answer).__name__}", "one list of item ids per user")
        lists = list(islice(answer, len(asked) + 1))  # whatever goes on for ever is refused as well
        if len(lists) != len(asked):
            many = f"{len(lists)}" if len(lists) < len(asked) else f"more than {len(asked)}"
            raise self._fault(f"returned {many} lists for {len(asked)} users", "one list per user")
        return [self._numbers(listed, user_id) for listed, user_id in zip(lists, asked, strict=True)]

    def _numbers(self, listed: object, user_id: str) -> IntArray:
        if not isinstance(listed, Iterable) or isinstance(listed, (str, bytes, dict)):
            raise self._fault(f"returned {shown(listed)} for user {shown(user_id)}", "a list of item ids")
        if isinstance(listed, (Set, Mapping)):
            raise self._fault(f"returned a {type(listed).__name__} for user {shown(user_id)}", "items in an order")
        # One more than there are items, so that a list without end is one in which an item stands twice.
        ids = [self._id(each, user_id) for each in islice(listed, len(self._catalog) + 1)]
        if not ids:
            raise self._fault(f"listed nothing for user {shown(user_id)}", "at least one item id")
        rows = self._catalog.rows(ids)
        if None in rows:
            unknown = ids[rows.index(None)]
            raise self._fault(f"listed item {shown(unknown)} for user {shown(user_id)}", "ids of the data set's items")
        if len(set(ids)) < len(ids):
            twice = next(each for place, each in enumerate(ids) if each in ids[:place])
            raise self._fault(f"listed item {shown(twice)} twice for user {shown(user_id)}", "each item once at most")
        return np.array(rows, dtype=np.int64)

    def _id(self, value: object, user_id: str) -> str:
        if isinstance(value, str):
            return str(value)
        if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
            return str(int(value))
        raise self._fault(
            f"listed {shown(value)} ({type(value).__name__}) for user {shown(user_id)}", "ids as text or whole numbers"
        )

    def _fault(self, found: str, expected: str) -> DataError:
        return DataError(f"{self._name}: the function {found}; expected {expected}")


class FunctionRecommender(Recommender):
    """Asks a function for item ids, and learns nothing.

    Items of a user's history are left out of the answer and not replaced. How many items a user's answer may have
    depends on that user alone. A user without any item, an item that the data set does not know or one that
    stands twice in an answer is an error.

    Args:
        answer: The function.
        name: Whose it is, for messages.
        catalog: The items that it may name.
        user_ids: The data set's own ids, in the order of user numbers.
    """

    def __init__(self, answer: RankingFunction, *, name: str, catalog: Catalog, user_ids: Sequence[str]) -> None:
        self.answer = answer
        self._asker = _Asker(name, catalog, user_ids)

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Nothing is learnt: the function knows what it knows."""

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`; raises `DataError` for an answer that cannot be shown."""
        questions = self._asker.questions(request)
        answers = [self.answer(list(each.user_ids), each.k) for each in questions]
        return self._asker.ranking(request, questions, answers)


class AsyncFunctionRecommender(AsyncRecommender):
    """Awaits the answer of an async function; all else is as of `FunctionRecommender`.

    Args:
        answer: The function.
        name: Whose it is, for messages.
        catalog: The items that it may name.
        user_ids: The data set's own ids, in the order of user numbers.
    """

    def __init__(self, answer: AsyncRankingFunction, *, name: str, catalog: Catalog, user_ids: Sequence[str]) -> None:
        self.answer = answer
        self._asker = _Asker(name, catalog, user_ids)

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Nothing is learnt: the function knows what it knows."""

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`; raises `DataError` for an answer that cannot be shown."""
        questions = self._asker.questions(request)
        answers = [await self.answer(list(each.user_ids), each.k) for each in questions]
        return self._asker.ranking(request, questions, answers)


class TrainedRecommender(AsyncRecommender):
    """Ranks by a recommender that was trained before: neither `fit` nor `observe` reaches it.

    Args:
        trained: That recommender.
        name: Whose it is, for messages.

    Raises:
        ConfigError: It says that it was not trained after all.
    """

    def __init__(self, trained: AsyncRecommender, *, name: str) -> None:
        if not _is_fitted(trained):
            raise ConfigError(
                f"{name}: this {type(trained).__name__} is not fitted, and an object is used as it is; fit it first, "
                "or hand over its class or groundlings.refitted(it), which the run fits itself"
            )
        self.trained = trained
        self.randomised = trained.randomised
        self.sees_hidden_preference = trained.sees_hidden_preference

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Nothing is learnt: it was trained before."""

    def check_users(self, users: IntArray) -> None:
        """Whether it can rank for them."""
        self.trained.check_users(users)

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`."""
        return await self.trained.rank(request)

    def state(self) -> str:
        """What it learnt."""
        return self.trained.state()


def _is_fitted(recommender: AsyncRecommender) -> bool:
    """Whether a recommender does not say the contrary when it is asked for no list at all."""
    if not isinstance(recommender, Recommender):
        return True  # it takes its time: asking it may cost money, and it will say so itself when it is asked
    nobody = np.zeros(0, dtype=np.int64)
    try:
        recommender.recommend(RankingRequest(nobody, 1, sp.csr_array((0, 1)), Draws.for_sessions(0, nobody, 0)))
    except NotFitted:
        return False
    except Exception:  # whatever it makes of nobody, it did not say that it is not fitted
        return True
    return True


def check_answers(recommender: AsyncRecommender, request: RankingRequest, n_items: int, *, name: str) -> None:
    """Ask for lists before a run does; one that takes its time is not asked, because that may cost money.

    Args:
        recommender: One that knows already what it will know in the run.
        request: For whom.
        n_items: How many items there are.
        name: Whose it is, for messages.

    Raises:
        ConfigError: A trained recommender breaks a promise of its kind, perhaps because it was trained on other data.
        DataError: A function's answer cannot be shown.
    """
    if isinstance(recommender, FunctionRecommender):
        recommender.recommend(request)
        return
    asked = recommender.trained if isinstance(recommender, TrainedRecommender) else recommender
    if not isinstance(asked, Recommender):
        return
    try:
        asked.recommend(request).check(request, n_items)
    except (ValueError, IndexError) as error:
        raise ConfigError(
            f"{name}: it cannot rank the {n_items:,} items of this data set ({error}); train it on what "
            "Experiment.training() gives"
        ) from error
