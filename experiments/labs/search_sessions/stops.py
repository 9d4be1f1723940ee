"""Whether a person stops after a page of results: predicted by rules and regressions for people who were left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.special import expit

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.experiments.labs.search_sessions.clicks import INNER_FOLDS, RIDGE
from groundlings.experiments.labs.search_sessions.features import PAGE_FEATURES, Texts, others_of_pages, page_features
from groundlings.experiments.labs.search_sessions.figures import Figure, Folds, Predicted, Rows, f1_threshold
from groundlings.experiments.labs.search_sessions.log import SearchLog
from groundlings.personas.taste.regression import centre_and_scale, fit_logistic

ALWAYS = "always stop"
SIMPLE = "logistic of page number and clicks"
_SIMPLE = ("number", "clicks", "clicks_before")

PageFeatures: TypeAlias = Callable[[BoolArray], FloatArray]
"""From the training pages, shape (n_pages,), to features of every page, shape (n_pages, n_features)."""


@dataclass(frozen=True, slots=True)
class StopRow:
    """One predictor of stops; figures as in `ClickRow`, gains against the logistic of page number and clicks."""

    name: str
    kind: str
    figures: Mapping[str, Figure]


def stop_rows(log: SearchLog, texts: Texts, folds: Folds, seed: int) -> list[StopRow]:
    """Every predictor with its figures; a row is a page, and it happened if the page is its session's last."""
    rows = Rows(log.last, log.people, seed)
    clicked = np.asarray(log.clicks.any(axis=1))
    rules: dict[str, BoolArray] = {
        ALWAYS: np.ones(len(log), dtype=np.bool_),
        "stop after a page with a click": clicked,
        "stop from the second page on": np.asarray(log.number >= 1),
    }
    found = [StopRow(name, "rule", rows.figures(Predicted(yes))) for name, yes in rules.items()]
    own = page_features(log, texts)
    simple = own[:, [PAGE_FEATURES.index(name) for name in _SIMPLE]]
    features: dict[str, PageFeatures] = {
        SIMPLE: lambda _: simple,
        "logistic, without others": lambda _: own,
        "logistic": lambda training: np.column_stack([own, others_of_pages(log, texts, training)]),
    }
    trivial: Predicted | None = None
    for name, of in features.items():
        predicted = _predicted(log, folds, of, seed)
        found.append(StopRow(name, "baseline" if name == SIMPLE else "by features", rows.figures(predicted, trivial)))
        trivial = trivial or predicted
    return found


def _predicted(log: SearchLog, folds: Folds, features: PageFeatures, seed: int) -> Predicted:
    """P(stop) of every page, and what is said to be the last, from other people."""

    def chances(training: BoolArray, tested: BoolArray) -> FloatArray:
        known = features(training)
        centre, scale = centre_and_scale(known[training])
        standard = (known - centre) / scale
        labels = log.last[training].astype(np.float64)
        weights = fit_logistic(standard[training], labels, np.ones(len(labels)), ridge=RIDGE)
        return np.asarray(expit(weights[0] + standard[tested] @ weights[1:]))

    def of(training: BoolArray, tested: BoolArray) -> FloatArray:
        inner = Folds.draw(np.unique(log.people[training]), log.n_people, INNER_FOLDS, seed)
        held = inner.cross_fitted(log.people, log.last.shape, chances)[training]
        found = chances(training, tested)
        return np.column_stack([found, found >= f1_threshold(held, log.last[training])])

    found = folds.cross_fitted(log.people, (len(log), 2), of)
    return Predicted(found[:, 1] == 1, found[:, 0])
