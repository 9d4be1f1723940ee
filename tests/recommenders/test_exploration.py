"""Propensities are what they say: P(item at rank k | items at ranks < k, request)."""

from itertools import permutations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import Recommender, ScoringRecommender
from groundlings.recommenders.chances import chances_of
from groundlings.recommenders.contract import checkerboard, toy_catalog
from groundlings.recommenders.degraded import DegradedRecommender
from groundlings.recommenders.exploration import EpsilonSlots, PlackettLuce
from groundlings.recommenders.random_order import RandomOrderRecommender


class Fixed(ScoringRecommender):
    """The same scores for everybody."""

    def __init__(self, scores):
        self.scores = np.asarray(scores, dtype=float)

    def fit(self, interactions, catalog):
        raise AssertionError("not needed here")

    def score(self, users):
        return np.broadcast_to(self.scores, (len(users), len(self.scores)))


def request_for(seen, size: int, *, sessions: int = 1, day: int = 0) -> RankingRequest:
    agents = np.arange(sessions)
    matrix = sp.csr_array(np.broadcast_to(np.asarray(seen, dtype=float), (sessions, len(seen))))
    return RankingRequest(agents, size, matrix, Draws.for_sessions(11, agents, day))


SCORES = [2.0, 0.5, 1.0, 1.5, 0.0, 1.2]
SEEN = [0, 0, 0, 1, 0, 0]
UNSEEN = (0, 1, 2, 4, 5)
BEST = (0, 5, 2, 1, 4)  # the unseen items by score
SIZE = 3
EPSILON = 0.3
SHARE = 0.4
TEMPERATURE = 0.7


def epsilon_chance(item, earlier):
    nxt = next(best for best in BEST if best not in earlier)
    return (1 - EPSILON) * (item == nxt) + EPSILON / (len(UNSEEN) - len(earlier))


def degraded_chance(item, earlier):
    inner = BEST[:SIZE]
    pool = [other for other in UNSEEN if other not in inner and other not in earlier]
    if item == inner[len(earlier)]:
        return 1 - SHARE if pool else 1.0
    return SHARE / len(pool) if item in pool else 0.0


def plackett_luce_chance(item, earlier):
    weights = {other: np.exp(SCORES[other] / TEMPERATURE) for other in UNSEEN if other not in earlier}
    return weights[item] / sum(weights.values())


def random_chance(item, earlier):
    return 1 / (len(UNSEEN) - len(earlier))


def random_order() -> RandomOrderRecommender:
    recommender = RandomOrderRecommender()
    recommender.fit(checkerboard().take(np.zeros(0, dtype=np.int64)), range(len(SCORES)))
    return recommender


@pytest.mark.parametrize(
    ("recommender", "chance"),
    [
        (EpsilonSlots(Fixed(SCORES), EPSILON), epsilon_chance),
        (DegradedRecommender(Fixed(SCORES), SHARE), degraded_chance),
        (PlackettLuce(Fixed(SCORES), TEMPERATURE), plackett_luce_chance),
        (random_order(), random_chance),
    ],
    ids=["epsilon_slots", "degraded", "plackett_luce", "random_order"],
)
def test_logged_propensities_are_the_closed_form_and_the_frequencies(recommender, chance):
    sessions = 60_000
    request = request_for(SEEN, SIZE, sessions=sessions)
    ranking = recommender.recommend(request)
    ranking.check(request, len(SCORES))
    assert ranking.propensity_kind == "exact"
    lists, first, which, counts = np.unique(
        ranking.items, axis=0, return_index=True, return_inverse=True, return_counts=True
    )

    # Every session that was shown the same list logged the same chances, and they are the closed form.
    np.testing.assert_allclose(ranking.propensities, ranking.propensities[first][which], rtol=1e-12)
    for items, row in zip(lists, first, strict=True):
        expected = [chance(item, tuple(items[:rank])) for rank, item in enumerate(items)]
        np.testing.assert_allclose(ranking.propensities[row], expected, rtol=1e-12)

    # Lists occur as often as the product of their chances says, and no possible list is missing from the sum.
    possible = {
        items: np.prod([chance(item, items[:rank]) for rank, item in enumerate(items)])
        for items in permutations(UNSEEN, SIZE)
    }
    possible = {items: share for items, share in possible.items() if share > 0}
    assert sum(possible.values()) == pytest.approx(1)
    seen_counts = {tuple(map(int, items)): count for items, count in zip(lists, counts, strict=True)}
    assert set(seen_counts) <= set(possible)
    observed = [seen_counts.get(items, 0) for items in possible]
    assert stats.chisquare(observed, np.array(list(possible.values())) * sessions).pvalue > 0.001


@pytest.mark.parametrize("wrapper", [EpsilonSlots, DegradedRecommender])
def test_the_share_of_explored_slots_is_the_one_asked_for(wrapper):
    ranking = wrapper(Fixed(np.arange(100.0)), 0.25).recommend(request_for(np.zeros(100), 20, sessions=2_000))
    assert ranking.explored.mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / ranking.explored.size))
    assert np.isnan(ranking.scores[ranking.explored]).all()
    np.testing.assert_array_equal(ranking.scores[~ranking.explored], ranking.items[~ranking.explored])


def test_inverse_propensities_recover_another_policy():
    """What the log is for: the value of the anti-ranking, estimated from Plackett-Luce lists alone."""
    worth = np.array([0.1, 0.9, 0.4, 0.0, 0.8, 0.2])
    target = PlackettLuce(Fixed(-np.array(SCORES)), TEMPERATURE)
    logged = PlackettLuce(Fixed(SCORES), TEMPERATURE).recommend(request_for(SEEN, 2, sessions=200_000))
    wanted = target.recommend(request_for(SEEN, 2, sessions=200_000, day=1))
    weights = np.exp(-np.array(SCORES) / TEMPERATURE)
    left = weights[list(UNSEEN)].sum() - np.cumsum(
        np.concatenate([np.zeros((len(logged.items), 1)), weights[logged.items[:, :1]]], axis=1), axis=1
    )
    ratio = np.prod(weights[logged.items] / left / logged.propensities, axis=1)
    value = worth[logged.items].sum(axis=1)
    estimate, error = np.mean(ratio * value), np.std(ratio * value) / np.sqrt(len(value))
    assert estimate == pytest.approx(worth[wanted.items].sum(axis=1).mean(), abs=4 * error)
    assert np.mean(value) != pytest.approx(estimate, abs=0.2)


class ShortLists(Recommender):
    """Lists given beforehand, some of them short."""

    def __init__(self, items):
        self.items = np.asarray(items, dtype=np.int32)

    def fit(self, interactions, catalog):
        raise AssertionError("not needed here")

    def recommend(self, request):
        return Ranking.deterministic(self.items, np.zeros(self.items.shape))


@given(st.data(), st.sampled_from([EpsilonSlots, DegradedRecommender]), st.sampled_from([0.0, 0.3, 1.0]))
@settings(deadline=None)
def test_short_lists_and_small_catalogs_keep_the_promises(data, wrapper, share):
    n_items = data.draw(st.integers(1, 8))
    size = data.draw(st.integers(1, 9))
    seen = data.draw(hnp.arrays(np.bool_, (3, n_items)))
    width = min(size, n_items)
    lists = np.full((3, width), NO_ITEM, dtype=np.int32)
    for row in range(3):
        unseen = data.draw(st.permutations(np.flatnonzero(~seen[row]).tolist()))
        length = data.draw(st.integers(0, min(width, len(unseen))))
        lists[row, :length] = unseen[:length]
    users = np.arange(3)
    day = data.draw(st.integers(0, 50))
    request = RankingRequest(users, size, sp.csr_array(seen.astype(float)), Draws.for_sessions(3, users, day))
    ranking = wrapper(ShortLists(lists), share).recommend(request)
    ranking.check(request, n_items)
    np.testing.assert_array_equal(ranking.items != NO_ITEM, lists != NO_ITEM)
    if share == 0:
        np.testing.assert_array_equal(ranking.items, lists)
        assert np.all(ranking.propensities == 1)


@given(
    hnp.arrays(np.float64, (2, 7), elements=st.sampled_from([-np.inf, -1e5, 0.0, 1.0, 1e5])),
    hnp.arrays(np.bool_, (2, 7)),
    st.integers(1, 9),
    st.sampled_from([1e-3, 1.0, 1e6]),
)
@settings(deadline=None)
def test_plackett_luce_keeps_the_promises_at_any_scale(scores, seen, size, temperature):
    class Given(Fixed):
        def score(self, users):
            return scores[users]

    users = np.arange(2)
    request = RankingRequest(users, size, sp.csr_array(seen.astype(float)), Draws.for_sessions(3, users, 0))
    ranking = PlackettLuce(Given(()), temperature).recommend(request)
    ranking.check(request, 7)
    candidates = (~seen & ~np.isneginf(scores)).sum(axis=1)
    np.testing.assert_array_equal((ranking.items != NO_ITEM).sum(axis=1), np.minimum(candidates, size))


def test_a_cold_plackett_luce_is_the_inner_list_and_a_hot_one_is_random():
    request = request_for(SEEN, SIZE, sessions=2_000)
    cold = PlackettLuce(Fixed(SCORES), 1e-3).recommend(request)
    np.testing.assert_array_equal(cold.items, [BEST[:SIZE]] * 2_000)
    assert not cold.explored.any()
    np.testing.assert_allclose(cold.propensities, 1)
    hot = PlackettLuce(Fixed(SCORES), 1e6).recommend(request)
    np.testing.assert_allclose(hot.propensities, [[1 / 5, 1 / 4, 1 / 3]] * 2_000, rtol=1e-4)


def test_plackett_luce_marks_the_slots_where_a_better_item_was_left():
    ranking = PlackettLuce(Fixed(SCORES), TEMPERATURE).recommend(request_for(SEEN, SIZE, sessions=300))
    for items, explored in zip(ranking.items, ranking.explored, strict=True):
        for rank, item in enumerate(items):
            left = [other for other in BEST if other not in items[:rank]]
            assert explored[rank] == (item != left[0])


@pytest.mark.parametrize("make", [lambda: PlackettLuce(Fixed(SCORES), TEMPERATURE), random_order])
def test_an_item_that_goes_leaves_the_order_of_the_others(make):
    """Each item has a lot of its own, so two arms that share items share their draws."""
    before = make().recommend(request_for(SEEN, 6, sessions=200)).items
    after = make().recommend(request_for([1, 0, 0, 1, 0, 0], 6, sessions=200)).items
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[(one != 0) & (one != NO_ITEM)], other[other != NO_ITEM])


def test_a_longer_epsilon_list_begins_with_the_shorter_one():
    recommender = EpsilonSlots(Fixed(np.arange(50.0)), 0.5)
    long = recommender.recommend(request_for(np.zeros(50), 20, sessions=100))
    short = recommender.recommend(request_for(np.zeros(50), 8, sessions=100))
    np.testing.assert_array_equal(long.items[:, :8], short.items)
    np.testing.assert_array_equal(long.propensities[:, :8], short.propensities)


def test_a_larger_dose_replaces_what_a_smaller_one_did_and_more():
    request = request_for(np.zeros(50), 10, sessions=300)
    small, large = (
        DegradedRecommender(Fixed(np.arange(50.0)), share).recommend(request).explored for share in (0.2, 0.6)
    )
    assert np.all(large[small])
    assert large.sum() > small.sum()


def test_the_full_dose_leaves_nothing_of_the_list_while_the_pool_lasts():
    ranking = DegradedRecommender(Fixed(np.arange(7.0)), 1.0).recommend(request_for(np.zeros(7), 4))
    assert set(ranking.items[0, :3]) == {0, 1, 2}
    np.testing.assert_allclose(ranking.propensities, [[1 / 3, 1 / 2, 1, 1]])
    np.testing.assert_array_equal(ranking.explored, [[True, True, True, False]])
    assert ranking.items[0, 3] == 3


@pytest.mark.parametrize(
    "wrap",
    [
        lambda of: EpsilonSlots(of, 0.1),
        lambda of: DegradedRecommender(of, 0.1),
        lambda of: PlackettLuce(of, 1.0),
    ],
)
def test_chance_upon_chance_is_refused(wrap):
    with pytest.raises(ConfigError, match="RandomOrderRecommender draws lots already"):
        wrap(RandomOrderRecommender())


def test_undeclared_chance_is_found_out():
    class Sly(RandomOrderRecommender):
        randomised = False

    sly = Sly()
    sly.fit(checkerboard(), toy_catalog())
    with pytest.raises(ValueError, match="Sly draws lots but does not say so"):
        DegradedRecommender(sly, 0.1).recommend(request_for(np.zeros(20), 3))


def test_plackett_luce_needs_scores():
    with pytest.raises(ConfigError, match="ShortLists has none"):
        PlackettLuce(ShortLists([[0]]), 1.0)


def test_wrappers_pass_on_what_happens():
    class Notebook(Fixed):
        def __init__(self):
            super().__init__([1.0, 2.0])
            self.heard = []

        def fit(self, interactions, catalog):
            self.heard.append("fit")

        def observe(self, interactions):
            self.heard.append("observe")

        def state(self):
            return "-".join(self.heard)

    inner = Notebook()
    wrapper = EpsilonSlots(inner, 0.1)
    wrapper.fit(checkerboard(), toy_catalog())
    wrapper.observe(checkerboard())
    assert inner.heard == ["fit", "observe"]
    assert wrapper.state() == "fit-observe"


def test_another_day_is_another_list():
    recommender = EpsilonSlots(Fixed(np.arange(50.0)), 0.5)
    days = [recommender.recommend(request_for(np.zeros(50), 20, day=day)).items for day in (0, 1)]
    assert not np.array_equal(*days)


@pytest.mark.parametrize(
    "made", [lambda inner: EpsilonSlots(inner, EPSILON), lambda inner: PlackettLuce(inner, TEMPERATURE)]
)
def test_the_chances_of_a_list_that_was_drawn_are_those_that_were_logged(made):
    policy, request = made(Fixed(SCORES)), request_for(SEEN, SIZE, sessions=200)
    ranking = policy.recommend(request)
    assert chances_of(policy, request, ranking.items) == pytest.approx(ranking.propensities)


@pytest.mark.parametrize("chance", [epsilon_chance, None], ids=["epsilon", "plackett_luce"])
def test_the_chances_of_any_list_are_those_of_its_policy(chance):
    lists = np.array(list(permutations(UNSEEN, SIZE)), dtype=np.int32)
    policy = EpsilonSlots(Fixed(SCORES), EPSILON) if chance else PlackettLuce(Fixed(SCORES), TEMPERATURE)
    found = chances_of(policy, request_for(SEEN, SIZE, sessions=len(lists)), lists)
    assert found.prod(axis=1).sum() == pytest.approx(1)
    if chance:
        expected = [[chance(item, each[:rank]) for rank, item in enumerate(each)] for each in lists.tolist()]
        assert found == pytest.approx(np.array(expected))


def test_a_policy_without_chance_gives_all_of_it_to_the_next_best_item():
    lists = np.array([[0, 5, 2], [5, 0, 2], [0, 2, 5], [0, 5, NO_ITEM]], dtype=np.int32)
    found = chances_of(Fixed(SCORES), request_for(SEEN, SIZE, sessions=4), lists)
    assert found.tolist() == [[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]


def test_what_cannot_be_listed_has_no_chance():
    seen_item, policy = SEEN.index(1), PlackettLuce(Fixed(SCORES), TEMPERATURE)
    found = chances_of(policy, request_for(SEEN, SIZE), np.array([[0, seen_item, 2]], dtype=np.int32))
    assert found[0, 0] > 0
    assert found[0, 1] == 0


def test_a_policy_that_does_not_tell_its_chances_is_refused():
    request = request_for(SEEN, SIZE)
    with pytest.raises(ConfigError, match=r"^the chances of its lists are not known"):
        chances_of(RandomOrderRecommender(), request, np.zeros((1, SIZE), dtype=np.int32))
