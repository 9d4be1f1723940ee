"""Large catalogues: lists made of candidates are those made of all scores, and take no row of all items."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError, NotFitted
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest, top_items
from groundlings.recommenders import parts
from groundlings.recommenders.als import AlsRecommender
from groundlings.recommenders.bpr import BprRecommender
from groundlings.recommenders.buy_again import BuyAgainRecommender
from groundlings.recommenders.candidates import DENSE_ITEMS, CandidateRecommender, Candidates, best_stored
from groundlings.recommenders.degraded import DegradedRecommender
from groundlings.recommenders.exploration import EpsilonSlots, PlackettLuce
from groundlings.recommenders.interleaving import TeamDraftRecommender
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.item_mean import ItemMeanRecommender
from groundlings.recommenders.liked_knn import LikedKnnRecommender
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.random_order import RandomOrderRecommender

USERS = 240
ITEMS = DENSE_ITEMS + 900
MADE = {
    "popular": PopularRecommender,
    "item_knn": ItemKnnRecommender,
    "item_knn of few": lambda: ItemKnnRecommender(neighbours=2, shrinkage=0.0, weighting="none"),
    "liked_knn": LikedKnnRecommender,
    "als": lambda: AlsRecommender(factors=8, iterations=3),
    "bpr": lambda: BprRecommender(factors=8, epochs=3),
    "buy_again": BuyAgainRecommender,
    "item_mean": ItemMeanRecommender,
}


def catalog_of(n_items: int) -> Catalog:
    names = tuple(f"i{item}" for item in range(n_items))
    return Catalog(item_ids=names, titles=names, years=np.full(n_items, np.nan), genres=((),) * n_items)


def histories(n_users: int, n_items: int, seed: int = 5) -> Interactions:
    """Popular items are met most, one user in ten has met nothing, and some have met a fifth of the catalogue."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 60, n_users)
    lengths[::10], lengths[3::40] = 0, n_items // 5
    users = np.repeat(np.arange(n_users), lengths)
    items = np.minimum(n_items * rng.random(len(users)) ** 3, n_items - 1).astype(np.int64)
    days = 86_400 * rng.integers(0, 90, len(users))
    stars = rng.integers(1, 6, len(users)).astype(float)
    return Interactions.of(users, items, stars, days, n_users=n_users, n_items=n_items).chronological()


@pytest.fixture(scope="module")
def history() -> Interactions:
    return histories(USERS, ITEMS)


def request_of(history: Interactions, size: int = 20, users: np.ndarray | None = None) -> RankingRequest:
    users = np.arange(history.n_users) if users is None else users
    return RankingRequest(users, size, history.met_by(users), Draws.for_sessions(1, users, 0))


@pytest.fixture(scope="module", params=MADE)
def fitted(request, history):
    recommender = MADE[request.param]()
    recommender.fit(history, catalog_of(ITEMS))
    return recommender


@pytest.mark.parametrize("size", [1, 20, 700])
def test_candidates_give_the_list_that_all_scores_give(fitted, history, size):
    request = request_of(history, size)
    found, expected = fitted.recommend(request), top_items(fitted.score(request.users), request)
    found.check(request, ITEMS)
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_candidates_of_a_user_do_not_depend_on_the_others(fitted):
    users = np.array([5, 10, 3, 77])
    together = fitted.candidates(users, 40)
    for place, user in enumerate(users):
        alone = fitted.candidates(np.array([user]), 40)
        np.testing.assert_array_equal(alone.items[0], together.items[place])
        np.testing.assert_array_equal(alone.scores[0], together.scores[place])


def test_fewer_candidates_are_the_first_of_more(fitted):
    users = np.arange(0, USERS, 9)
    few, many = fitted.candidates(users, 7), fitted.candidates(users, 600)
    np.testing.assert_array_equal(few.items, many.items[:, :7])


@pytest.mark.parametrize("kind", MADE)
def test_before_a_fit_there_are_no_candidates(kind, history):
    with pytest.raises(NotFitted):
        MADE[kind]().recommend(request_of(history))


def test_whoever_changes_scores_alone_is_asked_for_scores(history):
    class Unpopular(PopularRecommender):
        def score(self, users):
            return -super().score(users)

    recommender = Unpopular()
    recommender.fit(history, catalog_of(ITEMS))
    request = request_of(history)
    np.testing.assert_array_equal(
        recommender.recommend(request).items, top_items(recommender.score(request.users), request).items
    )


class Asked(CandidateRecommender):
    """Items in the order of their numbers; counts what it was asked for."""

    def __init__(self) -> None:
        self.cells = 0

    def fit(self, interactions, catalog):
        self.n_items = len(catalog)

    def candidates(self, users, width):
        self.cells += len(users) * width
        shape = len(users), min(width, self.n_items)
        items = np.broadcast_to(np.arange(shape[1], dtype=np.int32), shape)
        return Candidates(items, -items.astype(float))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda n: [[1]] * n, "its candidates are a list; expected Candidates"),
        (lambda n: Candidates(np.zeros((n, 2)), np.zeros((n, 2))), r"items of shape \(\d, 2\) \(float64\)"),
        (lambda _: Candidates(np.zeros((9, 2), int), np.zeros((9, 2))), r"a row for each of \d users"),
        (lambda n: Candidates(np.tile([3, 4], (n, 1)), np.tile([0.0, 1.0], (n, 1))), "expected the best first"),
        (lambda n: Candidates(np.tile([3, 4], (n, 1)), np.tile([1.0, np.nan], (n, 1))), "the score of item 4 is NaN"),
        (lambda n: Candidates([[3.5, 4.0]] * n, [[1.0, 0.0]] * n), r"items of shape \(\d, 2\) \(float64\)"),
        (lambda n: Candidates([[3, 4]] * n, [["b", "a"]] * n), r"scores of shape \(\d, 2\) \(<U1\)"),
    ],
)
def test_candidates_of_which_no_list_can_be_made_are_refused(answer, said, history):
    class Own(Asked):
        def candidates(self, users, width):
            return answer(len(users))

    with pytest.raises(ConfigError, match=f"recommender Own: .*{said}"):
        Own().recommend(request_of(history, users=np.arange(1, 5)))


def test_candidates_may_be_lists_and_minus_infinity_hides_an_item_as_among_all_scores(history):
    class Own(Asked):
        def candidates(self, users, width):
            return Candidates([[3, 4, 5]] * len(users), [[2.0, 1.0, -np.inf]] * len(users))

    request = request_of(history, users=np.arange(1, 5))
    listed = Own().recommend(request).items
    assert set(listed[listed != NO_ITEM].tolist()) <= {3, 4}
    assert (listed == 3).any()


def test_what_is_asked_for_grows_with_histories_and_not_with_the_catalogue():
    cells = []
    for n_items in (1_000, 8_000):
        history = histories(50, 1_000)
        wider = Interactions.of(history.users, history.items, None, history.timestamps, n_users=50, n_items=n_items)
        recommender = Asked()
        recommender.fit(wider, catalog_of(n_items))
        request = request_of(wider, 10)
        recommender.recommend(request).check(request, n_items)
        cells.append(recommender.cells)
        most = 2 * (10 + np.diff(request.seen.indptr))
        assert recommender.cells <= most.sum()
    assert cells[0] == pytest.approx(cells[1], rel=0.05)  # of 1,000 items the widest lists are cut off


@pytest.mark.parametrize("kind", ["popular", "item_knn", "als"])
def test_a_large_catalogue_takes_no_row_of_scores_for_each_session(kind):
    n_users, n_items = 3_000, 20_000
    rng = np.random.default_rng(2)
    users = np.repeat(np.arange(n_users), 8)
    items = np.minimum(n_items * rng.random(len(users)) ** 2, n_items - 1).astype(np.int64)
    history = Interactions.of(users, items, None, np.arange(len(users)), n_users=n_users, n_items=n_items)
    recommender = {**MADE, "als": lambda: AlsRecommender(factors=2, iterations=1)}[kind]()
    recommender.fit(history, catalog_of(n_items))
    request = request_of(history, 10)
    tracemalloc.start()
    try:
        ranking = recommender.recommend(request)
        ranking.check(request, n_items)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * n_users * n_items / 4


sparse_scores = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0])
)


@given(sparse_scores, st.integers(1, 14), st.booleans())
def test_the_best_stored_scores_are_the_best_of_all(scores, width, stores_zeros):
    stored = sp.csr_array(scores)
    if stores_zeros:
        rows, items = np.indices(scores.shape).reshape(2, -1)
        stored = sp.csr_array((scores.ravel(), (rows, items)), shape=scores.shape)
    found = best_stored(stored, width)
    users = np.arange(len(scores))
    nothing = sp.csr_array(scores.shape)
    expected = top_items(scores, RankingRequest(users, width, nothing, Draws.for_sessions(0, users, 0)))
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_array_equal(found.scores, expected.scores)


@given(
    hnp.arrays(np.bool_, st.tuples(st.integers(1, 5), st.integers(1, 9))), st.integers(1, 6), st.data(), st.booleans()
)
def test_what_was_seen_is_looked_up_as_it_is_stored(seen, size, data, twice):
    items = data.draw(hnp.arrays(np.int32, (len(seen), size), elements=st.integers(-1, seen.shape[1] - 1)))
    rows, columns = np.nonzero(seen)
    order = np.random.default_rng(0).permutation(len(rows))
    if twice:
        order = np.concatenate([order, order])
    counts = np.bincount(rows[order], minlength=len(seen))
    by_row = order[np.argsort(rows[order], kind="stable")]
    stored = sp.csr_array((np.zeros(len(order)), columns[by_row], np.append(0, np.cumsum(counts))), shape=seen.shape)
    users = np.arange(len(seen))
    request = RankingRequest(users, size, stored, Draws.for_sessions(0, users, 0))
    expected = np.take_along_axis(seen, np.maximum(items, 0).astype(np.int64), axis=1) & (items >= 0)
    np.testing.assert_array_equal(request.was_seen(items), expected)


@pytest.mark.parametrize(
    "build",
    [
        lambda: EpsilonSlots(PopularRecommender(), 0.4),
        lambda: DegradedRecommender(PopularRecommender(), 0.4),
        lambda: PlackettLuce(PopularRecommender(), 3.0),
        RandomOrderRecommender,
        lambda: TeamDraftRecommender(PopularRecommender(), ItemKnnRecommender()),
    ],
)
def test_chance_is_the_same_in_parts_of_a_request(build, monkeypatch):
    import asyncio

    history = histories(30, 400)
    recommender = build()
    recommender.fit(history, catalog_of(400))
    request = request_of(history, 8)
    whole = asyncio.run(recommender.rank(request))
    monkeypatch.setattr(parts, "CELLS_AT_ONCE", 400 * 7)
    cut = asyncio.run(recommender.rank(request))
    cut.check(request, 400)
    for name in ("items", "scores", "propensities", "explored"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name))
