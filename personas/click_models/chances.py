"""The chance of one thing at each result, attractiveness or satisfaction: per document, or by features.

A click model's fit says how often the thing is expected to have happened at each slot, and with what weight the slot
counts; both forms take the same two arrays, so that every model has a version for logs in which few documents repeat.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.special import expit, logit

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.personas.click_models.pages import ResultPages
from groundlings.personas.taste.regression import centre_and_scale, fit_logistic

LEAST = 1e-6
"""Chances are kept so far from 0 and 1, so that no log has a likelihood of 0."""


class SlotChance(Protocol):
    """The chance of one thing at each result."""

    def fit(self, pages: ResultPages, happened: FloatArray, weights: FloatArray) -> None:
        """Maximise the expected likelihood.

        Args:
            pages: The log.
            happened: How often it is expected to have happened, 0 to `weights`, shape (n_pages, depth).
            weights: How much each slot counts; 0 for an empty one.
        """
        ...

    def of(self, pages: ResultPages) -> FloatArray:
        """The chance at each slot, 0 at empty ones, shape (n_pages, depth)."""
        ...


class ByDocument:
    """A share per document, drawn towards the share of all.

    Args:
        prior: Slots at the overall share that every document is given; one that was never shown has that share.
    """

    def __init__(self, prior: float = 1.0) -> None:
        self._prior = prior
        self._shares = np.zeros(0)
        self._overall = 0.5

    def fit(self, pages: ResultPages, happened: FloatArray, weights: FloatArray) -> None:
        """See `SlotChance.fit`."""
        shown = pages.shown
        self._overall = float(happened[shown].sum() / max(weights[shown].sum(), LEAST))
        above = np.bincount(pages.documents[shown], happened[shown])
        below = np.bincount(pages.documents[shown], weights[shown])
        self._shares = _inside((above + self._prior * self._overall) / (below + self._prior))

    def of(self, pages: ResultPages) -> FloatArray:
        """See `SlotChance.of`."""
        known = np.append(self._shares, _inside(np.array([self._overall])))
        number: IntArray = np.where(pages.documents < len(self._shares), pages.documents, len(self._shares))
        return np.where(pages.shown, known[number], 0.0)


class ByFeatures:
    """A logistic function of the features of a result on its page.

    Args:
        ridge: Penalty on the squared weights of standardised features, in slots.
    """

    def __init__(self, ridge: float = 10.0) -> None:
        self._ridge = ridge
        self._centre, self._scale = np.zeros(0), np.ones(0)
        self.weights = np.zeros(1)
        """Intercept and one weight per standardised feature."""

    def fit(self, pages: ResultPages, happened: FloatArray, weights: FloatArray) -> None:
        """See `SlotChance.fit`."""
        counts = pages.shown & (weights > 0)
        features = _features(pages)[counts]
        if not len(features):  # of nothing, as `ByDocument` has it: it never happened
            self._centre, self._scale = np.zeros(features.shape[1]), np.ones(features.shape[1])
            self.weights = np.append(logit(LEAST), self._centre)
            return
        self._centre, self._scale = centre_and_scale(features)
        labels = happened[counts] / weights[counts]
        self.weights = fit_logistic((features - self._centre) / self._scale, labels, weights[counts], ridge=self._ridge)

    def of(self, pages: ResultPages) -> FloatArray:
        """See `SlotChance.of`."""
        standardised = (_features(pages) - self._centre) / self._scale
        return np.where(pages.shown, _inside(expit(self.weights[0] + standardised @ self.weights[1:])), 0.0)


def _features(pages: ResultPages) -> FloatArray:
    if pages.features is None:
        raise ValueError("features: found none; expected a feature of each result for a chance by features")
    return pages.features


def _inside(chances: FloatArray) -> FloatArray:
    return np.clip(chances, LEAST, 1 - LEAST)
