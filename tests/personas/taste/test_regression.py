import numpy as np
from scipy.special import expit, ndtri

from groundlings.personas.taste.regression import OrdinalFit, fit_logistic, fit_ordinal


def test_logistic_finds_the_weights_that_made_the_data():
    chance = np.random.default_rng(0)
    features = chance.standard_normal((20_000, 2))
    truth = np.array([-0.5, 1.5, -1.0])
    labels = (chance.random(20_000) < expit(truth[0] + features @ truth[1:])).astype(float)
    found = fit_logistic(features, labels, np.ones(20_000), ridge=1.0)
    assert np.allclose(found, truth, atol=0.08)


def test_logistic_stays_finite_when_the_labels_can_be_told_apart():
    features = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    found = fit_logistic(features, np.array([0.0, 0, 1, 1]), np.ones(4), ridge=1.0)
    assert np.all(np.isfinite(found))
    assert found[1] > 0


def test_ordinal_finds_the_weights_that_made_the_data():
    chance = np.random.default_rng(1)
    n = 20_000
    features = chance.standard_normal((n, 2))
    thresholds = np.broadcast_to(ndtri([0.1, 0.4, 0.8]), (n, 3))
    liking = features @ [0.7, -0.3] + chance.standard_normal(n)
    categories = (liking[:, None] > 1.2 * thresholds + 0.25).sum(axis=1)
    prior = OrdinalFit(1.0, 0.0, np.zeros(2))
    found = fit_ordinal(features, thresholds, categories, prior=prior, ridge=1.0)
    assert np.allclose([found.stretch, found.shift, *found.weights], [1.2, 0.25, 0.7, -0.3], atol=0.05)


def test_ordinal_without_data_is_what_was_believed():
    prior = OrdinalFit(1.1, 0.2, np.array([0.5]))
    found = fit_ordinal(np.zeros((0, 1)), np.zeros((0, 4)), np.zeros(0, dtype=int), prior=prior, ridge=1.0)
    assert (found.stretch, found.shift, found.weights.tolist()) == (1.1, 0.2, [0.5])
