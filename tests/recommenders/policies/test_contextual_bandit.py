"""The bandit keeps the contract, learns from what it showed, and tells how likely its slots were."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.contract import RecommenderContract, checkerboard, toy_catalog
from groundlings.recommenders.degraded import DegradedRecommender
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.exploration import EpsilonSlots
from groundlings.recommenders.impressions import Impressions, learners_in
from groundlings.recommenders.policies.contextual_bandit import ContextualBandit
from groundlings.recommenders.policies.policy import ActingRecommender
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.registry import RecommenderContext, build_recommender

N_USERS, N_ITEMS = 20, 20


class TestThompson(RecommenderContract):
    def build(self):
        return ContextualBandit(EaseRecommender(), width=3)


class TestUcb(RecommenderContract):
    def build(self):
        return ContextualBandit(EaseRecommender(), explore="ucb", width=3)


class TestMyopic(RecommenderContract):
    personalised = True

    def build(self):
        return ContextualBandit(EaseRecommender(), explore="none", width=3)


def built(**options):
    bandit = ContextualBandit(PopularRecommender(), width=4, candidates=N_ITEMS, **options)
    bandit.fit(checkerboard(), toy_catalog())
    return bandit


def asked(n, size=N_ITEMS):
    """A request of one user, n times over: their draws differ, and nothing was seen."""
    seen = sp.csr_array((n, N_ITEMS))
    return RankingRequest(np.zeros(n, dtype=np.int64), size, seen, Draws.for_sessions(3, np.arange(n), 0))


def a_day(taken):
    """Everybody was shown everything, and took some items."""
    users, items = np.divmod(np.arange(N_USERS * N_ITEMS), N_ITEMS)
    chosen = np.isin(items, taken)
    done = Interactions.of(users[chosen], items[chosen], None, users[chosen], n_users=N_USERS, n_items=N_ITEMS)
    return Impressions.of(users, items, done)


@pytest.mark.parametrize("explore", ["thompson", "ucb", "none"])
def test_what_users_take_comes_first_and_what_they_leave_falls_back(explore):
    bandit = built(explore=explore)
    even = np.arange(0, N_ITEMS, 2)
    for _ in range(20):
        bandit.observe_impressions(a_day(even))
    items = bandit.recommend(asked(1, size=10)).items[0]
    assert set(items.tolist()) == set(even.tolist())


def test_exploration_ends_as_more_is_known():
    bandit = built(noise=1.0)
    before = bandit.recommend(asked(50)).explored.mean()
    for _ in range(50):
        bandit.observe_impressions(a_day([3]))
    assert bandit.recommend(asked(50)).explored.mean() < before


def test_it_begins_with_the_order_of_its_retriever():
    bandit = built(explore="none")
    expected = PopularRecommender()
    expected.fit(checkerboard(), toy_catalog())
    np.testing.assert_array_equal(bandit.recommend(asked(1)).items, expected.recommend(asked(1)).items)


def test_propensities_of_the_first_slot_are_how_often_each_item_comes_first():
    bandit, n = built(noise=0.3, samples=2_000), 4_000
    ranking = bandit.recommend(asked(n, size=1))
    for item in np.unique(ranking.items):
        share = (ranking.items == item).mean()
        told = ranking.propensities[ranking.items == item][0]
        assert abs(share - told) < 5 * np.sqrt(share * (1 - share) * (1 / n + 1 / 2_000)) + 1 / 2_000


def test_what_was_learnt_outlives_a_refit_and_the_order_of_a_day_does_not_matter():
    first, second = built(), built()
    day = a_day([1, 2])
    first.observe_impressions(day)
    half = np.arange(len(day.users)) % 2 == 0
    taken = Interactions.of(
        day.users[day.taken], day.items[day.taken], None, day.users[day.taken], n_users=N_USERS, n_items=N_ITEMS
    )
    mixed = np.concatenate([np.flatnonzero(~half), np.flatnonzero(half)[::-1], np.flatnonzero(half)[:3]])
    second.observe_impressions(Impressions.of(day.users[mixed], day.items[mixed].astype(np.int64), taken))
    assert first.state() == second.state()
    ranking = first.recommend(asked(3)).items
    first.fit(checkerboard(), toy_catalog())
    np.testing.assert_array_equal(first.recommend(asked(3)).items, ranking)


def test_a_bandit_inside_another_recommender_is_found():
    bandit = ContextualBandit(PopularRecommender(), explore="ucb")
    assert learners_in(EpsilonSlots(bandit, 0.1)) == [bandit]
    assert learners_in(PopularRecommender()) == []


def test_its_retriever_must_give_scores():
    with pytest.raises(ConfigError, match="scores items"):
        ContextualBandit(DegradedRecommender(PopularRecommender(), share=0.1))


@pytest.mark.parametrize("option", [{"ridge": 1e-17}, {"ridge": 1e-320}, {"trust": 1e308}, {"noise": 1e308}], ids=str)
def test_options_that_floats_cannot_hold_are_refused_by_name(option):
    """They ended in a singular matrix, or in a ranking with gaps after the first day."""
    (name,) = option
    here = RecommenderContext(toy_catalog(), (), Path())
    with pytest.raises(ConfigError, match=name):
        build_recommender("contextual_bandit", {"retriever": {"recommender": "popular"}, **option}, here)


@pytest.mark.parametrize("option", [{"ridge": 1e-6}, {"ridge": 1e9}, {"trust": 1000.0}, {"noise": 1000.0}], ids=str)
@pytest.mark.parametrize("explore", ["thompson", "ucb"])
def test_the_bounds_of_options_can_be_ranked_with(option, explore):
    bandit = built(explore=explore, **option)
    for _ in range(3):
        bandit.observe_impressions(a_day([2, 5]))
    assert sorted(bandit.recommend(asked(1)).items[0].tolist()) == list(range(N_ITEMS))


def test_memory_counts_the_draws_of_a_session():
    few, many = (ContextualBandit(PopularRecommender(), candidates=10_000, samples=each) for each in (1, 10_000))
    assert many.memory_bytes(checkerboard()) - few.memory_bytes(checkerboard()) > 8 * 9_000 * 10_000


@pytest.mark.parametrize("outer", [ContextualBandit, partial(ActingRecommender, None)], ids=["bandit", "policy"])
def test_whom_the_retriever_cannot_rank_for_is_said_before_the_first_day(outer):
    class Choosy(PopularRecommender):
        def check_users(self, users):
            raise ConfigError("found no PyTorch")

    with pytest.raises(ConfigError, match="found no PyTorch"):
        outer(Choosy()).check_users(np.arange(3))
