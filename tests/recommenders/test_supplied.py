"""Functions and trained objects as recommenders: what they answer is shown, and what cannot be shown is one error."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.contract import TOY_SIZE, checkerboard, toy_catalog, toy_request, toy_user_ids
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.supplied import (
    AsyncFunctionRecommender,
    FunctionRecommender,
    TrainedRecommender,
    check_answers,
)

ITEMS = [f"i{item}" for item in range(TOY_SIZE)]


def of(function) -> FunctionRecommender:
    return FunctionRecommender(function, name="arms['mine']", catalog=toy_catalog(), user_ids=toy_user_ids())


def request(seen: np.ndarray, size: int) -> RankingRequest:
    users = np.arange(len(seen))
    return RankingRequest(users, size, sp.csr_array(seen), Draws.for_sessions(1, users, 0))


def test_items_stand_in_the_order_of_the_answer_without_those_that_were_met():
    asked = toy_request(checkerboard(), np.array([0, 1]), 3)
    ranking = of(lambda user_ids, k: [ITEMS[:k] for _ in user_ids]).recommend(asked)
    ranking.check(asked, TOY_SIZE)
    assert ranking.items.tolist() == [[0, 1, 3], [0, 1, 2]]


def test_the_function_is_asked_by_the_ids_of_the_data_set_and_for_enough():
    seen = np.zeros((3, TOY_SIZE))
    seen[1, :2], seen[2, :12] = 1, 1
    heard = []

    def function(user_ids, k):
        heard.append((user_ids, k))
        return [ITEMS[:k] for _ in user_ids]

    ranking = of(function).recommend(request(seen, 3))
    assert heard == [(["u0"], 3), (["u1"], 6), (["u2"], TOY_SIZE)]
    assert ranking.items.tolist() == [[0, 1, 2], [2, 3, 4], [12, 13, 14]]


@given(
    seen=st.lists(st.lists(st.booleans(), min_size=TOY_SIZE, max_size=TOY_SIZE), min_size=1, max_size=8),
    size=st.integers(1, TOY_SIZE + 3),
)
def test_one_that_lists_k_items_always_fills_the_list(seen, size):
    asked = request(np.array(seen, dtype=float), size)
    ranking = of(lambda user_ids, k: [ITEMS[:k] for _ in user_ids]).recommend(asked)
    ranking.check(asked, TOY_SIZE)
    assert (ranking.items != NO_ITEM).sum(axis=1).tolist() == np.minimum(asked.unseen_counts(), size).tolist()
    for session in range(len(seen)):
        alone = request_of_one(asked, np.array(seen, float), session)
        again = of(lambda user_ids, k: [ITEMS[:k] for _ in user_ids]).recommend(alone)
        np.testing.assert_array_equal(again.items[0], ranking.items[session])


def request_of_one(asked: RankingRequest, seen: np.ndarray, session: int) -> RankingRequest:
    users = asked.users[session : session + 1]
    return RankingRequest(users, asked.size, sp.csr_array(seen[session : session + 1]), Draws.for_sessions(1, users, 0))


@pytest.mark.parametrize(
    "answer",
    [
        [["i3", "i1"], ["i2"]],
        (("i3", "i1"), ("i2",)),
        [np.array(["i3", "i1"]), np.array(["i2"], dtype=object)],
        iter([iter(["i3", "i1"]), iter(["i2"])]),
    ],
)
def test_lists_may_be_of_any_kind_and_length(answer):
    ranking = of(lambda user_ids, k: answer).recommend(request(np.zeros((2, TOY_SIZE)), 3))
    assert ranking.items.tolist() == [[3, 1, NO_ITEM], [2, NO_ITEM, NO_ITEM]]


def test_whole_numbers_stand_for_ids_that_are_numbers():
    catalog = toy_catalog()
    object.__setattr__(catalog, "item_ids", tuple(map(str, range(TOY_SIZE))))
    recommender = FunctionRecommender(
        lambda user_ids, k: np.array([[5, 2]] * len(user_ids)), name="mine", catalog=catalog, user_ids=toy_user_ids()
    )
    assert recommender.recommend(request(np.zeros((1, TOY_SIZE)), 2)).items.tolist() == [[5, 2]]


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        ([["i1", "nowhere"]], ["arms['mine']", "item 'nowhere' for user 'u0'", "ids of the data set's items"]),
        ([["i1", "i2", "i1"]], ["item 'i1' twice for user 'u0'", "once"]),
        ([["i1"], ["i2"]], ["more than 1 lists for 1 users", "one list per user"]),
        ([[]], ["nothing for user 'u0'"]),
        (["i1"], ["'i1' for user 'u0'", "a list of item ids"]),
        ("i1", ["returned str", "one list of item ids per user"]),
        (None, ["returned NoneType"]),
        ([[1.0]], ["1.0 (float)", "text or whole numbers"]),
        ([[None]], ["None (NoneType)"]),
        ([[True]], ["True (bool)"]),
    ],
)
def test_an_answer_that_cannot_be_shown_is_an_error_that_names_it(answer, parts):
    with pytest.raises(DataError) as error:
        of(lambda user_ids, k: answer).recommend(request(np.zeros((1, TOY_SIZE)), 3))
    for part in parts:
        assert part in str(error.value)


def test_an_error_of_the_function_comes_out_as_it_is():
    def broken(user_ids, k):
        raise KeyError("u0")

    with pytest.raises(KeyError, match="u0"):
        check_answers(of(broken), request(np.zeros((1, TOY_SIZE)), 3), TOY_SIZE, name="mine")


def test_an_async_function_is_awaited_and_lists_what_the_same_function_would_list():
    def answer(user_ids, k):
        return [ITEMS[:k] for _ in user_ids]

    async def awaited(user_ids, k):
        await asyncio.sleep(0)
        return answer(user_ids, k)

    async def unknown(user_ids, k):
        return [["i999"] for _ in user_ids]

    def slow(function) -> AsyncFunctionRecommender:
        return AsyncFunctionRecommender(function, name="mine", catalog=toy_catalog(), user_ids=toy_user_ids())

    asked = request(np.eye(TOY_SIZE)[:3], 3)
    np.testing.assert_array_equal(asyncio.run(slow(awaited).rank(asked)).items, of(answer).recommend(asked).items)
    with pytest.raises(DataError, match="mine: the function listed item 'i999'"):
        asyncio.run(slow(unknown).rank(asked))


def test_a_trained_object_stays_as_it_is():
    ease = EaseRecommender()
    ease.fit(checkerboard(), toy_catalog())
    trained, state = TrainedRecommender(ease, name="mine"), ease.state()
    trained.fit(checkerboard(1), toy_catalog())
    trained.observe(checkerboard(1))
    asked = toy_request(checkerboard(), np.arange(3), 2)
    assert ease.state() == trained.state() == state
    np.testing.assert_array_equal(asyncio.run(trained.rank(asked)).items, ease.recommend(asked).items)


def test_an_object_that_is_not_fitted_is_refused_with_what_to_do():
    with pytest.raises(ConfigError, match=r"arms\['mine'\]: this EaseRecommender is not fitted.*refitted"):
        TrainedRecommender(EaseRecommender(), name="arms['mine']")


def test_an_object_that_was_trained_on_other_data_is_found_out():
    ease = EaseRecommender()
    ease.fit(checkerboard(), toy_catalog())
    users = np.array([TOY_SIZE + 5])
    other = RankingRequest(users, 3, sp.csr_array((1, 30)), Draws.for_sessions(1, users, 0))
    with pytest.raises(ConfigError, match=r"mine: it cannot rank the 30 items.*Experiment\.training"):
        check_answers(TrainedRecommender(ease, name="mine"), other, 30, name="mine")


def test_whether_chance_and_hidden_preference_have_a_say_is_passed_on():
    ease = EaseRecommender()
    ease.fit(checkerboard(), toy_catalog())
    ease.randomised = ease.sees_hidden_preference = True
    trained = TrainedRecommender(ease, name="mine")
    assert (trained.randomised, trained.sees_hidden_preference) == (True, True)
