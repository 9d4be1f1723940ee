"""The promises of a recommender as tests, to be inherited by the tests of your own.

    from groundlings.recommenders.contract import RecommenderContract

    class TestMine(RecommenderContract):
        personalised = True

        def build(self):
            return MyRecommender()

pytest then runs every `test_...` below on it, whether it answers at once (`Recommender`) or has to be waited for
(`AsyncRecommender`). Nothing here needs pytest to be imported.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import NotFitted
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest, top_items
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.candidates import RetrievingRecommender, ranking_of_candidates

TOY_SIZE = 20
"""Users and items of the toy world; the last user has no history."""

COLD_USER = TOY_SIZE - 1

TOY_QUERY = "item"
"""A word that all items of the toy world have."""


def toy_catalog() -> Catalog:
    """Items "i0", "i1", ...: half of them of the genre Even, half Odd."""
    return Catalog(
        item_ids=tuple(f"i{item}" for item in range(TOY_SIZE)),
        titles=tuple(f"Item {item}" for item in range(TOY_SIZE)),
        years=np.full(TOY_SIZE, np.nan),
        genres=tuple((("Even", "Odd")[item % 2],) for item in range(TOY_SIZE)),
    )


def toy_user_ids() -> tuple[str, ...]:
    """Users "u0", "u1", ..."""
    return tuple(f"u{user}" for user in range(TOY_SIZE))


def checkerboard(shift: int = 0) -> Interactions:
    """Even users have even items and odd users odd ones, each all but one: the item of their own number.

    So the right first item for user u is item u, as in the test data of the implicit library.

    Args:
        shift: With 1, even users meet odd items instead and miss the item after their own number.
    """
    users, items = np.divmod(np.arange(TOY_SIZE**2), TOY_SIZE)
    missed = (users + shift) % TOY_SIZE
    met = ((users + items + shift) % 2 == 0) & (items != missed) & (users != COLD_USER)
    users, items = users[met], items[met]
    return Interactions.of(
        users,
        items,
        np.full(len(users), 5.0),
        np.arange(len(users)),
        n_users=TOY_SIZE,
        n_items=TOY_SIZE,
    )


def toy_request(interactions: Interactions, users: IntArray, size: int, *, day: int = 0) -> RankingRequest:
    """What the simulator would ask for: users who have seen what they met."""
    seen = sp.csr_array(interactions.matrix[users])
    return RankingRequest(users, size, seen, Draws.for_sessions(1, users, day))


class RecommenderContract(ABC):
    """Inherit, write `build`, set what applies.

    Attributes:
        personalised: It learns from interactions, so that it must solve the checkerboard.
        learns: Its lists may differ after a fit on other data.
        knows_everybody: It can rank for users without a history; else it must say so with an error.
    """

    personalised = False
    learns = True
    knows_everybody = True

    @abstractmethod
    def build(self) -> AsyncRecommender:
        """A new, unfitted recommender of the toy world (`toy_catalog`, `toy_user_ids`)."""

    def fitted(self, shift: int = 0) -> AsyncRecommender:
        """One fitted on the checkerboard."""
        recommender = self.build()
        recommender.fit(checkerboard(shift), toy_catalog())
        return recommender

    def users(self) -> IntArray:
        """Everybody it can rank for."""
        return np.arange(TOY_SIZE if self.knows_everybody else COLD_USER, dtype=np.int64)

    def ask(self, recommender: AsyncRecommender, users: IntArray | None = None, size: int = 5, day: int = 0) -> Ranking:
        """A checked answer: shapes, nobody's seen items, none twice, no gaps, propensities in (0, 1]."""
        request = self.request(recommender, self.users() if users is None else users, size, day)
        ranking = asyncio.run(recommender.rank(request))
        ranking.check(request, TOY_SIZE)
        return ranking

    def request(self, recommender: AsyncRecommender, users: IntArray, size: int, day: int = 0) -> RankingRequest:
        """What it is asked: with a query that every item fits, where it lists nothing without one."""
        request = toy_request(checkerboard(), users, size, day=day)
        return replace(request, queries=(TOY_QUERY,) * len(users)) if recommender.needs_query else request

    def test_refuses_before_fit(self) -> None:
        """`NotFitted`, whatever is asked."""
        try:
            self.ask(self.build())
        except NotFitted:
            return
        raise AssertionError("a ranking must raise NotFitted before the first fit")

    def test_keeps_the_promises_of_a_ranking(self) -> None:
        """At every size, from one item to more than there are."""
        recommender = self.fitted()
        for size in (1, 5, TOY_SIZE + 3):
            self.ask(recommender, size=size)

    def test_lists_what_is_left_and_no_more(self) -> None:
        """Where fewer items are unseen than asked for, the list is short."""
        recommender = self.fitted()
        users = self.users()
        seen = np.ones((len(users), TOY_SIZE))
        seen[:, :2] = 0
        request = replace(self.request(recommender, users, 5), seen=sp.csr_array(seen))
        ranking = asyncio.run(recommender.rank(request))
        ranking.check(request, TOY_SIZE)
        assert np.all((ranking.items != NO_ITEM).sum(axis=1) <= 2), "an item was listed that must not be"

    def test_same_question_same_answer(self) -> None:
        """Being asked changes nothing, and two fits on the same data agree."""
        first, second = self.fitted(), self.fitted()
        answer = self.ask(first)
        for again in (self.ask(first), self.ask(second)):
            np.testing.assert_array_equal(again.items, answer.items)
            np.testing.assert_array_equal(again.propensities, answer.propensities)
        assert first.state() == second.state(), "the same fit must give the same state"

    def test_one_session_does_not_depend_on_the_others(self) -> None:
        """A user alone, in a crowd and in another order gets the same list."""
        recommender = self.fitted()
        users = self.users()
        together = self.ask(recommender)
        backwards = self.ask(recommender, users[::-1].copy())
        np.testing.assert_array_equal(backwards.items[::-1], together.items)
        for user in users:
            alone = self.ask(recommender, users[user : user + 1])
            np.testing.assert_array_equal(alone.items[0], together.items[user])
            np.testing.assert_allclose(alone.propensities[0], together.propensities[user], rtol=1e-12)

    def test_candidates_are_what_the_scores_say(self) -> None:
        """Where a recommender has both doors, a list is the same through either, ties included."""
        recommender = self.fitted()
        if not isinstance(recommender, RetrievingRecommender):
            return
        for size in (1, 5, TOY_SIZE):
            request = toy_request(checkerboard(), self.users(), size)
            found = ranking_of_candidates(recommender, request)
            expected = top_items(recommender.score(request.users), request)
            np.testing.assert_array_equal(found.items, expected.items)
            np.testing.assert_array_equal(found.scores, expected.scores)

    def test_only_fit_and_observe_change_the_state(self) -> None:
        """Ranking leaves the state alone."""
        recommender = self.fitted()
        before = recommender.state()
        self.ask(recommender)
        self.ask(recommender, day=1)
        assert recommender.state() == before, "ranking must not change what has been learnt"

    def test_refit_forgets(self) -> None:
        """Fitted on one history and then on another, it is as if it had known only the other."""
        recommender = self.fitted()
        before = recommender.state()
        recommender.fit(checkerboard(1), toy_catalog())
        fresh = self.fitted(1)
        assert recommender.state() == fresh.state(), "fit must forget what was learnt before"
        np.testing.assert_array_equal(self.ask(recommender).items, self.ask(fresh).items)
        if self.personalised:
            assert recommender.state() != before, "state must differ where something else has been learnt"

    def test_chance_is_declared(self) -> None:
        """`randomised` says whether propensities can differ from 1, and days differ only where it is True."""
        recommender = self.fitted()
        today, tomorrow = self.ask(recommender), self.ask(recommender, day=1)
        assert (today.propensity_kind != "deterministic") == recommender.randomised
        if not recommender.randomised:
            assert not today.explored.any()
            assert np.all(today.propensities == 1)
            np.testing.assert_array_equal(today.items, tomorrow.items)

    def test_a_user_without_history(self) -> None:
        """Gets a list, or an error that says so."""
        recommender = self.fitted()
        cold = np.array([COLD_USER])
        if self.knows_everybody:
            assert np.all(self.ask(recommender, cold).items != NO_ITEM), "an empty slot for a user without history"
            return
        message = ""
        try:
            self.ask(recommender, cold)
        except Exception as error:
            message = str(error)
        assert message, "it must raise an error that says what is missing, or rank and have knows_everybody = True"

    def test_solves_the_checkerboard(self) -> None:
        """The one item of its kind that is not in a user's history comes first."""
        if self.personalised:
            warm = np.arange(COLD_USER)
            first: ItemArray = self.ask(self.fitted(), warm, size=1).items[:, 0]
            np.testing.assert_array_equal(first, warm)
