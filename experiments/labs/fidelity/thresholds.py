"""From scores to yes and no: measures of one list a person, and thresholds chosen on other people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.experiments.labs.fidelity.lists import Lists

CANDIDATES = 400
"""Thresholds that are tried: so many quantiles of the validation people's scores."""

MEASURES = {
    "f1": "2 * hits / (items said yes to + real items), per person, 0 without a hit; mean over people.",
    "accuracy": "Share of the list judged rightly, per person; mean over people.",
    "auc": "Chance that a real item scores higher than another one of the list, ties half; mean over people.",
}
"""Measures of part 1 and what they are; F1 and accuracy have a threshold each, chosen on validation people."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Say yes from here on.

    Attributes:
        scale: On which of the scorer's scales.
        threshold: The lowest score that is a yes.
    """

    scale: str
    threshold: float


def measure(name: str, scores: FloatArray, lists: Lists, threshold: float) -> FloatArray:
    """One measure of each list, shape (n,), NaN for a person that was not asked about.

    Args:
        name: A key of `MEASURES`.
        scores: Shape as `lists.items`.
        lists: The lists.
        threshold: The lowest score that is a yes; the AUC has no use for it.
    """
    asked = ~np.isnan(np.where(lists.listed, scores, 0.0)).any(axis=1)
    yes = (scores >= threshold) & lists.listed
    return np.where(asked, list_auc(scores, lists) if name == "auc" else _decided(name, yes, lists), np.nan)


def choose_rule(name: str, scales: dict[str, FloatArray], lists: Lists, fixed: float | None) -> Rule:
    """The scale and threshold with the best mean measure on these people, who are not the ones examined.

    Args:
        name: A key of `MEASURES`.
        scales: Scores on each scale, shape as `lists.items`.
        lists: Lists of validation people.
        fixed: A threshold that must not be chosen.
    """
    if fixed is not None:
        return Rule(next(iter(scales)), fixed)
    best, found = Rule(next(iter(scales)), -np.inf), -np.inf
    for scale, scores in scales.items():
        known = scores[lists.listed & ~np.isnan(scores)]
        if not len(known):
            continue
        candidates = np.unique(np.append(np.quantile(known, np.linspace(0, 1, CANDIDATES)), known.max() + 1))
        if name == "auc":
            values = np.array([np.nanmean(measure(name, scores, lists, candidates[0]))])
        else:
            values = _means(name, scores, lists, candidates)
        if values.max() > found:
            best, found = Rule(scale, float(candidates[values.argmax()])), float(values.max())
    return best


def list_auc(scores: FloatArray, lists: Lists) -> FloatArray:
    """Area under the ROC curve of each list (Mann and Whitney 1947), NaN without both kinds of items."""
    ranks = rankdata(np.where(lists.listed, scores, np.inf), axis=1)
    positives = lists.positive.sum(axis=1)
    negatives = lists.listed.sum(axis=1) - positives
    wins = (ranks * lists.positive).sum(axis=1) - positives * (positives + 1) / 2
    pairs = positives * negatives
    return np.divide(wins, pairs, out=np.full(len(wins), np.nan), where=pairs > 0)


def _means(name: str, scores: FloatArray, lists: Lists, thresholds: FloatArray) -> FloatArray:
    """`measure` averaged over people, for each of many thresholds at once, shape (n_thresholds,).

    An item gets a yes from all thresholds up to its score, so that counting items by how many that are and adding up
    from above gives the yeses of a person at every threshold.
    """
    asked = ~np.isnan(np.where(lists.listed, scores, 0.0)).any(axis=1)
    listed, positive = lists.listed[asked], lists.positive[asked]
    n, width = len(listed), len(thresholds) + 1
    reached = np.searchsorted(thresholds, np.where(listed, scores[asked], -np.inf), side="right")
    cells = np.arange(n)[:, None] * width + reached

    def yeses(which: BoolArray) -> FloatArray:
        counts = np.bincount(cells[which], minlength=n * width).reshape(n, width)
        return np.asarray(np.cumsum(counts[:, ::-1], axis=1)[:, ::-1][:, 1:], dtype=np.float64)

    hits, said = yeses(positive), yeses(listed)
    real, size = positive.sum(axis=1, keepdims=True), listed.sum(axis=1, keepdims=True)
    if name == "f1":
        return np.asarray((2 * hits / np.maximum(said + real, 1)).mean(axis=0))
    return np.asarray(((size - said - real + 2 * hits) / size).mean(axis=0))


def _decided(name: str, yes: BoolArray, lists: Lists) -> FloatArray:
    hits = (yes & lists.positive).sum(axis=1)
    if name == "f1":
        return 2 * hits / np.maximum(yes.sum(axis=1) + lists.positive.sum(axis=1), 1)
    right = (yes == lists.positive) & lists.listed
    return right.sum(axis=1) / lists.listed.sum(axis=1)
