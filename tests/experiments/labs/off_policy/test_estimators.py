"""Estimators that claim to be unbiased find what a policy gets, in a world whose every chance is known."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.off_policy.estimators import ESTIMATORS, ClickModel, estimates, slot_chances
from groundlings.experiments.labs.off_policy.logged import LoggedLists
from groundlings.recommenders.exploration import EpsilonSlots, PlackettLuce
from groundlings.recommenders.popular import PopularRecommender

N, ITEMS, SLOTS = 3_000, 5, 2
APPEAL = np.array([0.1, 0.5, 0.2, 0.7, 0.3])
"""P(click) of each item wherever it stands."""


@pytest.fixture(scope="module")
def history():
    """Items 0 to 4 are known to 5, 4, 3, 2 and 1 of the last users; nobody else knows any."""
    pairs = [(N + user, item) for item in range(ITEMS) for user in range(ITEMS - item)]
    users, items = np.array(pairs).T
    return Interactions.of(users, items, None, np.arange(len(users)), n_users=N + ITEMS, n_items=ITEMS)


@pytest.fixture(scope="module")
def policy(history):
    """Makes a fitted policy; at a high temperature it shows what few know as often as what many know."""

    def made(temperature=None, epsilon=None):
        inner = PopularRecommender()
        found = PlackettLuce(inner, temperature) if temperature else EpsilonSlots(inner, epsilon or 0)
        found.fit(history, Catalog(tuple("abcde"), tuple("ABCDE"), np.full(ITEMS, np.nan), ((),) * ITEMS))
        return found

    return made


@pytest.fixture(scope="module")
def log_of(history):
    """Lets a policy show one page to everybody, who clicks by the appeal of its items alone."""

    def logged(policy, pages=1, seed=1):
        nothing = np.zeros((N, SLOTS * pages))
        lists = LoggedLists(
            np.arange(N), nothing.astype(np.int32), nothing, nothing, SLOTS, history.take(np.zeros(0, int)).matrix, seed
        )
        found = policy.recommend(lists.request())
        clicks = np.random.default_rng(seed).uniform(size=found.items.shape) < APPEAL[found.items]
        return LoggedLists(lists.users, found.items, found.propensities, clicks.astype(float), SLOTS, lists.seen, seed)

    return logged


def value_of(policy, logged):
    """Expected clicks of what the policy draws, over many draws."""
    drawn = [policy.recommend(logged.request(500 + number)).items for number in range(10)]
    return float(np.mean([APPEAL[items].sum(axis=1) for items in drawn]))


def tried(policy, logged, logging):
    halves = np.arange(N) % 2 == 0
    return estimates(logged, policy, slot_chances(logged, logging), halves)


def within(found, truth):
    """How many standard errors a mean is away from the truth."""
    return abs(found.numerator.mean() - truth) / (found.numerator.std() / np.sqrt(N))


@pytest.fixture(scope="module", params=[{"temperature": 1.0}, {"temperature": 9.0}, {"epsilon": 0.5}], ids=str)
def found_and_true(request, policy, log_of):
    """What all estimators find of a policy on the log of another one, and what it gets."""
    logging, asked = policy(temperature=3.0), policy(**request.param)
    logged = log_of(logging)
    truth = value_of(asked, logged)
    assert abs(value_of(logging, logged) - truth) > 0.02, "the two policies differ"
    return tried(asked, logged, logging), truth


@pytest.mark.parametrize("name", ["ips", "cascade", "doubly_robust", "item_position", "pseudo_inverse"])
def test_an_unbiased_estimator_finds_what_the_policy_gets(found_and_true, name):
    found, truth = found_and_true
    # Slots of Plackett-Luce depend on each other, which the pseudo-inverse leaves out: it is close and no more.
    assert within(found[name], truth) < (12 if name == "pseudo_inverse" else 4)
    assert found[name].of(np.ones(N, dtype=bool)) == pytest.approx(truth, abs=0.08)


def test_the_same_policy_needs_no_correction(policy, log_of):
    logging = policy(temperature=3.0)
    logged = log_of(logging)
    found = tried(logging, logged, logging)
    mean = logged.clicks.sum(axis=1).mean()
    everybody = np.ones(N, dtype=bool)
    for name in ("on_policy", "ips", "snips", "cascade", "item_position"):
        assert found[name].of(everybody) == pytest.approx(mean, rel=0.02), name


def test_a_policy_that_the_log_never_followed_has_no_figure_where_weights_are_divided_by(policy, log_of):
    logging, asked = policy(temperature=0.2), policy(temperature=3.0)
    logged = log_of(logging)
    found = tried(asked, logged, logging)
    nobody = np.zeros(N, dtype=bool)
    assert np.isnan(found["snips"].of(nobody))
    assert set(found) == set(ESTIMATORS)


def test_later_pages_have_no_pseudo_inverse_and_a_click_rests_on_the_pages_before_it(policy, log_of):
    logging, asked = policy(temperature=3.0), policy(temperature=1.0)
    logged = log_of(logging, pages=2)
    found = tried(asked, logged, logging)
    assert "pseudo_inverse" not in found
    truth = value_of(asked, logged)
    for name in ("ips", "cascade", "doubly_robust"):
        assert within(found[name], truth) < 4, name


def test_the_chances_of_a_slot_are_those_of_its_item_whatever_stands_before_it(policy, log_of):
    logging = policy(temperature=3.0)
    logged = log_of(logging)
    chances = slot_chances(logged, logging)
    for slot in range(SLOTS):
        for item in range(ITEMS):
            shown = logged.items[:, slot] == item
            assert chances[shown, slot].mean() == pytest.approx(shown.mean(), abs=0.02)


def test_the_model_multiplies_what_a_rank_and_an_item_bring(policy, log_of):
    logged = log_of(policy(temperature=9.0))
    model = ClickModel.fit(logged, np.ones(N, dtype=bool))
    assert (np.argsort(model.items) == np.argsort(APPEAL)).all()
    expected = APPEAL[logged.items].sum(axis=1)
    assert model.of_pages(logged.items, 0).mean() == pytest.approx(expected.mean(), abs=0.02)
