"""From scores to yes and no: measures of one list per user, and thresholds chosen on other users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.experiments.labs.fidelity.lists import Lists

CANDIDATES = 400
"""Number of thresholds that are tried: quantiles of the validation users' scores."""

MEASURES = {
    "f1": "2 * hits / (items said yes to + real items), per user, 0 without a hit; mean over users.",
    "accuracy": "Share of the list classified correctly, per user; mean over users.",
    "auc": "P(a real item scores higher than another item), ties count half; mean over users.",
}
"""Measures of part 1 and what they are; F1 and accuracy have a threshold each, chosen on validation users."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Says yes from a threshold on.

    Attributes:
        scale: One of the scorer's scales.
        threshold: The lowest score that is a yes.
    """

    scale: str
    threshold: float


def measure(name: str, scores: FloatArray, lists: Lists, threshold: float) -> FloatArray:
    """One measure of each list, shape (n,), NaN for a user who was not asked about or has an empty list.

    Args:
        name: A key of `MEASURES`.
        scores: Shape as `lists.items`.
        lists: The lists.
        threshold: The lowest score that is a yes; not used for the AUC.
    """
    asked = _asked(scores, lists)
    yes = (scores >= threshold) & lists.listed
    return np.where(asked, list_auc(scores, lists) if name == "auc" else _decided(name, yes, lists), np.nan)


def choose_rule(name: str, scales: dict[str, FloatArray], lists: Lists, fixed: float | None) -> Rule:
    """The scale and threshold with the best mean measure on these users, who are not those examined.

    Args:
        name: A key of `MEASURES`.
        scales: Scores on each scale, shape as `lists.items`.
        lists: Lists of validation users.
        fixed: The threshold, if it is not to be chosen.
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
    """`measure` averaged over users, for each of many thresholds at once, shape (n_thresholds,).

    An item gets a yes from all thresholds up to its score. Counting items by that number and summing from above gives a
    user's number of yeses at every threshold.
    """
    asked = _asked(scores, lists)
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


def _asked(scores: FloatArray, lists: Lists) -> BoolArray:
    """Which users have a list, and a score of each of its items."""
    return np.asarray(lists.listed.any(axis=1) & ~np.isnan(np.where(lists.listed, scores, 0.0)).any(axis=1))


def _decided(name: str, yes: BoolArray, lists: Lists) -> FloatArray:
    hits = (yes & lists.positive).sum(axis=1)
    if name == "f1":
        return 2 * hits / np.maximum(yes.sum(axis=1) + lists.positive.sum(axis=1), 1)
    right = (yes == lists.positive) & lists.listed
    return right.sum(axis=1) / np.maximum(lists.listed.sum(axis=1), 1)
