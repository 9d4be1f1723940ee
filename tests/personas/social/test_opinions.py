"""Opinions move as the models say: against closed forms on made graphs, and at a grocer's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.ties import Ties
from groundlings.personas.population import build_population
from groundlings.personas.social.opinion_options import BoundedConfidence, DeGroot, FriedkinJohnsen
from groundlings.personas.social.opinions import (
    BoundedConfidenceOpinions,
    DeGrootOpinions,
    FriedkinJohnsenOpinions,
    Opinions,
    opinions_of,
)
from groundlings.personas.social.options import SmallWorld, SocialOptions
from groundlings.personas.social.word_of_mouth import WordOfMouth

AGENTS = 9
WITHOUT_LIKES = Interactions.of(
    np.zeros(0, dtype=int), np.zeros(0, dtype=int), None, np.zeros(0, dtype=int), n_users=AGENTS, n_items=3
)


def graph(seed: int) -> Ties:
    """A connected graph: a line, and some more ties."""
    first, second = np.random.default_rng(seed).integers(AGENTS, size=(2, 6))
    line = np.arange(AGENTS - 1)
    return Ties.of(np.r_[line, first[first != second]], np.r_[line + 1, second[first != second]], AGENTS)


def opinions(seed: int) -> FloatArray:
    return np.random.default_rng(seed).dirichlet([0.5] * 3, size=AGENTS)


def lived(found: Opinions, days: int) -> FloatArray:
    for _ in range(days):
        found.notice(WITHOUT_LIKES)
    return found.now


def weights(ties: Ties, trust: float) -> FloatArray:
    graph = ties.graph.toarray()
    return (1 - trust) * np.eye(AGENTS) + trust * graph / graph.sum(axis=1, keepdims=True)


@settings(max_examples=4)
@given(st.integers(0, 99), st.floats(0.2, 0.9))
def test_degroot_ends_in_the_consensus_of_the_left_eigenvector(seed: int, trust: float) -> None:
    ties, first = graph(seed), opinions(seed)
    found = lived(DeGrootOpinions(DeGroot(model="degroot", trust=trust, weight=1), first.copy(), np.eye(3), ties), 1500)
    values, vectors = np.linalg.eig(weights(ties, trust).T)
    left = np.real(vectors[:, np.argmax(np.real(values))])
    np.testing.assert_allclose(found, np.tile(left / left.sum() @ first, (AGENTS, 1)), atol=1e-6)


@settings(max_examples=8)
@given(st.integers(0, 99), st.floats(0.1, 1), st.floats(0, 0.95))
def test_friedkin_and_johnsen_end_in_their_fixed_point(seed: int, trust: float, susceptibility: float) -> None:
    ties, first = graph(seed), opinions(seed)
    options = FriedkinJohnsen(model="friedkin_johnsen", trust=trust, susceptibility=susceptibility, weight=1)
    found = lived(FriedkinJohnsenOpinions(options, first.copy(), np.eye(3), ties), 400)
    heard = susceptibility * weights(ties, trust)
    np.testing.assert_allclose(found, (1 - susceptibility) * np.linalg.solve(np.eye(AGENTS) - heard, first), atol=1e-6)


def test_bounded_confidence_ends_in_groups_that_do_not_hear_each_other():
    everybody = Ties.of(*np.triu_indices(AGENTS, 1), AGENTS)
    left = np.r_[np.linspace(0.0, 0.1, 4), np.linspace(0.6, 0.9, 5)]
    first = np.column_stack([left, 1 - left])
    options = BoundedConfidence(model="bounded_confidence", confidence=0.3, weight=1)
    found = lived(BoundedConfidenceOpinions(options, first.copy(), np.eye(2), everybody), 5)
    np.testing.assert_allclose(found[:, 0], np.repeat([0.05, 0.75], [4, 5]))
    once = BoundedConfidenceOpinions(options.model_copy(update={"confidence": 0.0}), first.copy(), np.eye(2), everybody)
    np.testing.assert_array_equal(lived(once, 3), first)


def test_whoever_has_no_opinion_says_and_hears_nothing():
    first = np.array([[1.0, 0.0], [np.nan, np.nan], [0.0, 1.0]])
    line = Ties.of(np.array([0, 1]), np.array([1, 2]), 3)
    for model in (
        DeGrootOpinions(DeGroot(model="degroot", trust=0.5, weight=1), first.copy(), np.eye(2), line),
        BoundedConfidenceOpinions(
            BoundedConfidence(model="bounded_confidence", confidence=1, weight=1), first.copy(), np.eye(2), line
        ),
    ):
        np.testing.assert_array_equal(lived(model, 2), first)
        assert not model.change(np.arange(3), np.array([[0, 1]] * 3)).any()


def test_a_day_of_likes_moves_an_opinion_and_gives_a_first_one():
    first = np.array([[1.0, 0.0], [np.nan, np.nan], [0.0, 1.0]])
    options = DeGroot(model="degroot", trust=0.0, weight=1, experience=0.25)
    found = DeGrootOpinions(
        options, first, np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]), Ties.of(*np.zeros((2, 0), int), 3)
    )
    users, items = np.array([0, 1, 2]), np.array([1, 1, 2])
    found.notice(Interactions.of(users, items, None, np.zeros(3, dtype=int), n_users=3, n_items=3))
    np.testing.assert_allclose(found.now, [[0.875, 0.125], [0.5, 0.5], [0.0, 1.0]])
    np.testing.assert_allclose(found.change(np.array([0]), np.array([[0, 1, 2]])), [[-0.125, 0.0, 0.0]])


@settings(max_examples=8)
@given(st.integers(0, 99), st.floats(0, 1))
def test_opinions_stay_shares_and_within_what_was_said(seed: int, confidence: float) -> None:
    first = opinions(seed)
    options = BoundedConfidence(model="bounded_confidence", confidence=confidence, weight=1)
    found = lived(BoundedConfidenceOpinions(options, first.copy(), np.eye(3), graph(seed)), 3)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found <= first.max(axis=0) + 1e-12).all()
    assert (found >= first.min(axis=0) - 1e-12).all()


def test_at_a_grocer_s_opinions_are_about_what_was_bought(repeat_shop):
    population = build_population(repeat_shop, repeat_shop.interactions, size="all", seed=1)
    options = SocialOptions(
        ties=SmallWorld(generator="watts_strogatz", neighbours=4), likes=0.0,
        opinions={"model": "degroot", "trust": 1.0, "weight": 1.0},
    )  # fmt: skip
    heard = WordOfMouth(options, population, Path())
    found = opinions_of(options, heard.ties, heard, population)
    user, bought = 5, population.train.take(population.train.users == 5)
    breads = np.mean([population.catalog.genres[item] == ("Bread",) for item in bought.items])
    assert found.now[user, population.catalog.genre_names.index("Bread")] == pytest.approx(breads)
    friends = heard.ties.graph[[user]].indices
    expected = found.now[friends].mean(axis=0)
    found.notice(population.train.take(np.zeros(0, dtype=int)))
    np.testing.assert_allclose(found.now[user], expected)


def test_opinions_about_items_without_categories_are_refused(repeat_shop):
    from dataclasses import replace

    bare = replace(repeat_shop, catalog=replace(repeat_shop.catalog, genres=((),) * len(repeat_shop.catalog)))
    population = build_population(bare, bare.interactions, size="all", seed=1)
    options = SocialOptions(
        ties=SmallWorld(generator="watts_strogatz", neighbours=4), likes=0.0,
        opinions={"model": "degroot", "trust": 1.0, "weight": 1.0},
    )  # fmt: skip
    heard = WordOfMouth(options, population, Path())
    with pytest.raises(ConfigError, match=r"mind\.social\.opinions: .* the catalogue has none"):
        opinions_of(options, heard.ties, heard, population)
