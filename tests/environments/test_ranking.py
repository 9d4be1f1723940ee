import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest, top_items


def request_for(seen, size: int) -> RankingRequest:
    users = np.arange(len(seen))
    return RankingRequest(users, size, sp.csr_array(np.asarray(seen, dtype=float)), Draws.for_sessions(0, users, 0))


def by_sorting_everything(scores, seen, size):
    """The plainest way: one stable sort of every row, hidden items cut off."""
    lists = np.full((len(scores), min(size, scores.shape[1])), NO_ITEM, dtype=np.int32)
    for row, (values, hidden) in enumerate(zip(scores, seen, strict=True)):
        order = np.argsort(-values, kind="stable")
        order = order[~hidden[order] & ~np.isneginf(values[order])][:size]
        lists[row, : len(order)] = order
    return lists


few_values = st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 1.0, 2.0, 1e300, np.inf])
any_values = st.floats(allow_nan=False)


@st.composite
def questions(draw):
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 30)))
    scores = draw(hnp.arrays(np.float64, shape, elements=draw(st.sampled_from([few_values, any_values]))))
    seen = draw(hnp.arrays(np.bool_, shape))
    return scores, seen, draw(st.integers(1, shape[1] + 3))


@given(questions())
def test_top_items_is_the_full_stable_sort(question):
    scores, seen, size = question
    request = request_for(seen, size)
    ranking = top_items(scores, request)
    ranking.check(request, scores.shape[1])
    expected = by_sorting_everything(scores, seen, size)
    np.testing.assert_array_equal(ranking.items, expected)
    rows, ranks = np.nonzero(expected != NO_ITEM)
    np.testing.assert_array_equal(ranking.scores[rows, ranks], scores[rows, expected[rows, ranks]])
    assert np.isnan(ranking.scores[expected == NO_ITEM]).all()


@pytest.mark.parametrize("n_items", [7, 3_000])
@pytest.mark.parametrize("values", [3, 10**9])
def test_top_items_agrees_over_many_blocks(n_items, values):
    """Enough rows that several blocks are needed, and a last block that is not full."""
    rng = np.random.default_rng(5)
    scores = rng.integers(0, values, (150, n_items)).astype(float)
    seen = rng.random(scores.shape) < 0.1
    ranking = top_items(scores, request_for(seen, 6))
    np.testing.assert_array_equal(ranking.items, by_sorting_everything(scores, seen, 6))


def among_many(name):
    """Scores of 12 sessions and 3,000 items, enough of both that whole groups of items are passed by."""
    scores = np.random.default_rng(6).random((12, 3_000))
    match name:
        case "few may be listed":
            scores[scores < 0.998] = -np.inf
        case "the best sellers come first":
            scores = -np.sort(-scores)
        case "the best share a group":
            scores[:, :: 3_000 // 16] += 1
        case "one session's are all alike":
            scores[7] = 0.5
    return scores


@pytest.mark.parametrize(
    "name",
    ["few may be listed", "the best sellers come first", "the best share a group", "one session's are all alike"],
)
def test_the_best_of_many_items_are_found_wherever_they_lie(name):
    scores = among_many(name)
    seen = np.random.default_rng(7).random(scores.shape) < 0.1
    ranking = top_items(scores, request_for(seen, 30))
    np.testing.assert_array_equal(ranking.items, by_sorting_everything(scores, seen, 30))


@pytest.mark.parametrize("item", [0, 2_999])
def test_a_score_that_is_no_number_is_found_among_many(item):
    scores = among_many("any")
    scores[3, item] = np.nan
    with pytest.raises(ValueError, match=f"the score of item {item} is NaN"):
        top_items(scores, request_for(np.zeros(scores.shape), 30))


def test_top_items_leaves_its_argument_alone():
    scores = np.arange(6.0).reshape(1, 6)
    top_items(scores, request_for([[0, 0, 0, 0, 0, 1]], 2))
    np.testing.assert_array_equal(scores, [[0, 1, 2, 3, 4, 5]])


def test_top_items_takes_narrow_and_broadcast_scores():
    scores = np.broadcast_to(np.array([1, 3, 2], dtype=np.float32), (2, 3))
    ranking = top_items(scores, request_for(np.zeros((2, 3)), 2))
    np.testing.assert_array_equal(ranking.items, [[1, 2], [1, 2]])


def test_a_stored_zero_still_means_seen():
    seen = sp.csr_array((np.array([0.0]), np.array([1]), np.array([0, 1])), shape=(1, 3))
    request = RankingRequest(np.array([0]), 3, seen, Draws.for_sessions(0, np.array([0]), 0))
    np.testing.assert_array_equal(top_items(np.array([[1.0, 9.0, 2.0]]), request).items, [[2, 0, NO_ITEM]])
    np.testing.assert_array_equal(request.unseen_counts(), [2])


def test_unseen_counts_count_an_item_once():
    seen = sp.csr_array((np.ones(3), np.array([1, 1, 2]), np.array([0, 3, 3])), shape=(2, 4))
    users = np.arange(2)
    counts = RankingRequest(users, 3, seen, Draws.for_sessions(0, users, 0)).unseen_counts()
    np.testing.assert_array_equal(counts, [2, 4])


def test_a_score_that_is_no_number_is_refused():
    scores = np.array([[1.0, np.nan, 3.0, 4.0]])
    with pytest.raises(ValueError, match="score of item 1 is NaN"):
        top_items(scores, request_for(np.zeros((1, 4)), 2))
    hidden = top_items(scores, request_for([[0, 1, 0, 0]], 2))
    np.testing.assert_array_equal(hidden.items, [[3, 2]])


def test_nobody_asks_nobody_is_answered():
    ranking = top_items(np.zeros((0, 5)), request_for(np.zeros((0, 5)), 3))
    assert ranking.items.shape == (0, 3)


GOOD = np.array([[3, 1, NO_ITEM], [0, 2, 4]], dtype=np.int32)
SEEN = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]])


def ranking_of(items, **changes) -> Ranking:
    items = np.asarray(items, dtype=np.int32)
    columns = {
        "scores": np.zeros(items.shape),
        "propensities": np.ones(items.shape),
        "explored": np.zeros(items.shape, dtype=bool),
        **changes,
    }
    return Ranking(items, **columns)


def test_check_accepts_what_is_right():
    ranking_of(GOOD).check(request_for(SEEN, 3), 5)
    ranking_of(GOOD, propensities=np.full(GOOD.shape, 0.2)).check(request_for(SEEN, 3), 5)


@pytest.mark.parametrize(
    ("ranking", "complaint"),
    [
        (ranking_of(GOOD[:1]), "shape"),
        (ranking_of(np.array([[3, 1, 2, 4], [0, 2, 4, 3]])), "shape"),
        (ranking_of(GOOD, scores=np.zeros((2, 2))), "ranking.scores has another shape"),
        (ranking_of(GOOD, explored=np.zeros((1, 3), dtype=bool)), "ranking.explored has another shape"),
        (ranking_of([[3, NO_ITEM, 1], [0, 2, 4]]), "no gaps"),
        (ranking_of([[3, 1, -7], [0, 2, 4]]), "outside"),
        (ranking_of([[3, 1, 5], [0, 2, 4]]), "outside"),
        (ranking_of([[3, 1, 3], [0, 2, 4]]), "twice"),
        (ranking_of([[3, 1, 2], [0, 1, 4]]), "request.seen"),
        (ranking_of(GOOD, propensities=np.zeros(GOOD.shape)), "propensities"),
        (ranking_of(GOOD, propensities=np.full(GOOD.shape, 1.01)), "propensities"),
        (ranking_of(GOOD, propensities=np.full(GOOD.shape, np.nan)), "propensities"),
    ],
)
def test_check_names_the_broken_promise(ranking, complaint):
    with pytest.raises(ValueError, match=complaint):
        ranking.check(request_for(SEEN, 3), 5)


def test_a_part_of_a_request_is_what_some_sessions_ask_for():
    users = np.array([4, 2, 7])
    request = RankingRequest(
        users,
        2,
        sp.csr_array(np.eye(3, 5)),
        Draws.for_sessions(1, users, 0),
        page=2,
        shown=np.array([[0, 1], [1, NO_ITEM], [2, 3]], dtype=np.int32),
        queries=("a", None, "c"),
        sim_time=9,
        first=1,
    )
    part = request.take(np.array([2, 0]))
    assert part.users.tolist() == [7, 4]
    assert part.seen.toarray().tolist() == [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0]]
    assert part.draws.who.tolist() == request.draws.who[[2, 0]].tolist()
    assert part.shown.tolist() == [[2, 3], [0, 1]]
    assert part.queries == ("c", "a")
    assert (part.size, part.page, part.sim_time, part.first) == (2, 2, 9, 1)


@pytest.mark.parametrize("each", [False, True])
def test_a_request_without_some_items_lists_what_is_left(each):
    users = np.arange(2)
    request = RankingRequest(users, 5, sp.csr_array(np.eye(2, 5)), Draws.for_sessions(1, users, 0))
    hidden = np.array([False, False, True, True, False])
    narrower = request.without(np.stack([hidden, ~hidden]) if each else hidden)
    assert narrower.unseen_counts().tolist() == [2, 2]
    listed = top_items(np.zeros((2, 5)), narrower).items
    assert [row[row != NO_ITEM].tolist() for row in listed] == ([[1, 4], [2, 3]] if each else [[1, 4], [0, 4]])
