"""Click models: what each predicts, draws and recovers; parameters are found again in logs drawn from known ones."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.random_streams import Draws
from groundlings.personas.click_models.chains import Bayesian, Cascade, DependentClick, SimplifiedBayesian
from groundlings.personas.click_models.chances import ByDocument, ByFeatures
from groundlings.personas.click_models.examination import PositionBased, UserBrowsing
from groundlings.personas.click_models.pages import ResultPages
from groundlings.personas.click_models.registry import CLICK_MODELS
from groundlings.personas.click_models.scores import log_likelihood, perplexity

LIKED = np.array([0.15, 0.3, 0.45, 0.6, 0.75, 0.2, 0.5, 0.35])
SATISFIES = np.array([0.8, 0.2, 0.5, 0.3, 0.6, 0.4, 0.7, 0.25])
DEPTH = 4


def pages(n: int, seed: int = 0, depth: int = DEPTH) -> ResultPages:
    """Random documents in random order, a fifth of the pages a rank shorter; nothing clicked."""
    chance = np.random.default_rng(seed)
    documents = chance.permuted(np.tile(np.arange(len(LIKED)), (n, 1)), axis=1)[:, :depth]
    documents[::5, -1] = NO_ITEM
    features = np.log(LIKED / (1 - LIKED))[documents][:, :, None]
    return ResultPages(documents, np.zeros(documents.shape, dtype=np.bool_), features)


def known_chance(values) -> ByDocument:
    shown = ResultPages(np.arange(len(values))[None, :], np.zeros((1, len(values)), dtype=np.bool_))
    chance = ByDocument(prior=0.0)
    chance.fit(shown, values[None, :], np.ones((1, len(values))))
    return chance


def known(name: str):
    """A model with stated parameters."""
    model = CLICK_MODELS[name](lambda: known_chance(LIKED))
    if isinstance(model, UserBrowsing):
        model.examination = np.array([[1, 1, 1, 1], [0.7, 0.9, 1, 1], [0.4, 0.5, 0.8, 1], [0.2, 0.3, 0.5, 0.7]])
    elif isinstance(model, PositionBased):
        model.examination = np.array([[1.0], [0.7], [0.45], [0.3]])
    elif isinstance(model, DependentClick):
        model.after_click = np.array([0.8, 0.6, 0.4, 0.3])
    elif isinstance(model, SimplifiedBayesian):
        model.satisfaction = known_chance(SATISFIES)
        model.perseverance = 0.7 if isinstance(model, Bayesian) else 1.0
    return model


def drawn(name: str, n: int) -> ResultPages:
    shown = pages(n)
    return shown.clicked(known(name).simulate(shown, Draws.for_sessions(1, np.arange(n), 0)))


@pytest.mark.parametrize("name", CLICK_MODELS)
def test_a_model_is_a_distribution_of_clicks(name):
    shown, model = pages(1, depth=3), known(name)
    every = [np.array([given]) for given in product([False, True], repeat=3) if not given[2]]  # the page has two
    chances = np.array(
        [np.exp(log_likelihood(model.conditional(shown.clicked(c)), c)[shown.shown].sum()) for c in every]
    )
    assert chances.sum() == pytest.approx(1, abs=1e-4)
    marginal = sum(chance * clicks for chance, clicks in zip(chances, every, strict=True))
    assert marginal == pytest.approx(model.click_probabilities(shown), abs=1e-4)


@pytest.mark.parametrize("name", CLICK_MODELS)
def test_what_is_drawn_has_the_rates_that_are_predicted_and_nothing_is_drawn_for_empty_slots(name):
    log = drawn(name, 4000)
    assert log.clicks.mean(axis=0) == pytest.approx(known(name).click_probabilities(log).mean(axis=0), abs=0.02)
    assert not log.clicks[~log.shown].any()


@pytest.mark.parametrize("name", CLICK_MODELS)
def test_later_clicks_say_nothing_of_earlier_ones(name):
    log, model = drawn(name, 50), known(name)
    changed = log.clicks.copy()
    changed[:, 2] = ~changed[:, 2]
    assert np.array_equal(model.conditional(log)[:, :3], model.conditional(log.clicked(changed & log.shown))[:, :3])


@pytest.mark.parametrize("name", CLICK_MODELS)
def test_known_parameters_are_found_again(name):
    log = drawn(name, 8000)
    model, truth = CLICK_MODELS[name](ByDocument).fit(log), known(name)
    one = ResultPages(np.arange(len(LIKED))[None, :], np.zeros((1, len(LIKED)), dtype=np.bool_))
    assert model.attractiveness.of(one)[0] == pytest.approx(LIKED, abs=0.04)
    if isinstance(model, PositionBased):
        reached = np.tril(np.ones((DEPTH, DEPTH))).astype(bool) if isinstance(model, UserBrowsing) else [True] * DEPTH
        assert model.examination[reached] == pytest.approx(truth.examination[reached], abs=0.08)
    if isinstance(model, DependentClick):
        assert model.after_click[:-1] == pytest.approx(truth.after_click[:-1], abs=0.06)
    if isinstance(model, SimplifiedBayesian):
        assert model.perseverance == pytest.approx(truth.perseverance, abs=0.03)
        assert np.abs(model.satisfaction.of(one)[0] - SATISFIES).mean() < 0.07


@pytest.mark.parametrize("name", CLICK_MODELS)
def test_by_features_the_log_odds_of_attractiveness_are_found_again(name):
    log = drawn(name, 1500)
    model = CLICK_MODELS[name](lambda: ByFeatures(ridge=0.0))
    model.steps = min(model.steps, 15)
    model.fit(log)
    assert model.attractiveness.of(log)[log.shown] == pytest.approx(LIKED[log.documents[log.shown]], abs=0.08)


@pytest.mark.parametrize("chance", [ByDocument, ByFeatures])
def test_of_a_log_without_clicks_every_chance_is_known_and_nobody_is_satisfied(chance):
    model = Bayesian(chance(), chance())
    log = pages(20)
    model.fit(log)
    assert model.satisfaction.of(log).max() < 0.01
    assert np.isfinite(model.conditional(log)[log.shown]).all()


@pytest.mark.parametrize("name", [name for name in CLICK_MODELS if name != "cascade"])
def test_each_step_makes_the_log_likelier(name):
    log = drawn(name, 2000)

    def likelihood(steps: int) -> float:
        model = CLICK_MODELS[name](lambda: ByDocument(prior=1e-9))
        model.steps = steps
        return log_likelihood(model.fit(log).conditional(log), log.clicks)[log.shown].sum()

    found = [likelihood(steps) for steps in (0, 1, 5, 20)]
    assert found == sorted(found)
    assert found[-1] >= log_likelihood(known(name).conditional(log), log.clicks)[log.shown].sum() - 25


@pytest.mark.parametrize("name", CLICK_MODELS)
def test_given_a_click_on_the_page_a_model_is_a_distribution_of_such_clicks(name):
    shown, model = pages(1, depth=3), known(name)
    model.clicked_only = True
    every = [np.array([given]) for given in product([False, True], repeat=3) if not given[2]]
    given = [np.exp(log_likelihood(model.conditional(shown.clicked(c)), c)[shown.shown].sum()) for c in every]
    assert given[0] == pytest.approx(0, abs=1e-5), "a page without a click cannot be"
    assert sum(given) == pytest.approx(1, abs=1e-4)
    marginal = sum(chance * clicks for chance, clicks in zip(given, every, strict=True))
    assert marginal == pytest.approx(model.click_probabilities(shown), abs=1e-4)


@pytest.mark.parametrize("name", CLICK_MODELS)
def test_a_log_of_clicked_pages_alone_is_as_likely_as_by_the_known_parameters(name):
    log = drawn(name, 3000)
    clicked = log.take(log.clicks.any(axis=1))
    assert len(clicked) < 0.95 * len(log)
    model, unaware, truth = CLICK_MODELS[name](ByDocument), CLICK_MODELS[name](ByDocument), known(name)
    model.fit(clicked, clicked_only=True)
    unaware.fit(clicked)
    unaware.clicked_only = truth.clicked_only = True
    found, without, expected = (
        log_likelihood(each.conditional(clicked), clicked.clicks)[clicked.shown].sum()
        for each in (model, unaware, truth)
    )
    assert found > expected - 8
    assert found > without + 1
    assert model.simulate(clicked, Draws.for_sessions(2, np.arange(len(clicked)), 0)).any(axis=1).all()


def test_the_cascade_counts_down_to_the_first_click():
    log = ResultPages(np.array([[0, 1, 2], [1, 0, 2]]), np.array([[False, True, True], [False, False, False]]))
    model = Cascade(ByDocument(prior=0.0)).fit(log)
    assert model.attractiveness.of(log)[0] == pytest.approx([0, 1 / 2, 0], abs=1e-5)
    assert model.conditional(log)[0, 2] == 0, "nothing follows a click"


def test_a_document_that_was_never_shown_has_the_share_of_all():
    chance = known_chance(LIKED)
    assert chance.of(ResultPages(np.array([[99]]), np.array([[False]]))) == pytest.approx(LIKED.mean())


def test_perplexity_by_hand():
    chances, clicks = np.array([[0.5, 0.2], [0.5, 0.8]]), np.array([[True, False], [False, True]])
    found = perplexity(chances, clicks, np.array([[True, True], [True, True]]))
    assert found == pytest.approx([2, 1 / 0.8])
    assert np.isnan(perplexity(chances, clicks, np.zeros((2, 2), dtype=bool))).all()


@pytest.mark.parametrize(
    ("documents", "clicks", "complaint"),
    [
        ([[0, 1]], [[True]], "expected one shape"),
        ([[NO_ITEM, 1]], [[False, False]], "below an empty rank"),
        ([[0, NO_ITEM]], [[False, True]], "click on an empty rank"),
    ],
)
def test_pages_that_cannot_be_are_refused(documents, clicks, complaint):
    with pytest.raises(ValueError, match=complaint):
        ResultPages(np.array(documents), np.array(clicks))


@pytest.mark.parametrize("name", ["position_based", "user_browsing", "dependent_click"])
def test_pages_longer_than_the_log_are_refused(name):
    with pytest.raises(ValueError, match="found 5 ranks; expected at most 4"):
        known(name).click_probabilities(pages(3, depth=5))
