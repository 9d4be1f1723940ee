"""Fits what simulated people search by: how far they look down a page, when they stop, and how they go on.

Attractiveness is a function of the features of `features`, so that examination is not taken for what a ranking puts on
top. Of the two models whose examination is a table, people who are left out choose the likelier. The chains are not
among them: what satisfies in them is estimated per result, and a catalogue has no counterpart of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import stats

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.analysis.compare import CONFIDENCE
from groundlings.experiments.labs.search_sessions.clicks import INNER_FOLDS, RIDGE, STEPS
from groundlings.experiments.labs.search_sessions.features import Texts, others_of_results, result_features
from groundlings.experiments.labs.search_sessions.figures import Folds
from groundlings.experiments.labs.search_sessions.log import SearchLog
from groundlings.personas.click_models.chances import ByFeatures
from groundlings.personas.click_models.examination import PositionBased, UserBrowsing
from groundlings.personas.click_models.scores import log_likelihood
from groundlings.personas.search.fitted import Examined
from groundlings.personas.search.rules import SearchRules, stop_features
from groundlings.personas.taste.regression import centre_and_scale, fit_logistic

MODELS: Mapping[Examined, Callable[[], PositionBased]] = MappingProxyType(
    {
        "position_based": lambda: PositionBased(ByFeatures(RIDGE), STEPS),
        "user_browsing": lambda: UserBrowsing(ByFeatures(RIDGE), STEPS),
    }
)
"""Those of which one is chosen."""

RESAMPLES = 100
"""Samples of people for the intervals of a file."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What was fitted on some pages.

    Attributes:
        model: Name of the click model.
        rules: What decides.
        attractive: P(click | looked at) of every result of the log, shape (n_pages, depth).
        log_likelihood: Of each of `MODELS`, per result of people left out.
    """

    model: Examined
    rules: SearchRules
    attractive: FloatArray
    log_likelihood: Mapping[Examined, float]


class Fitting:
    """Fits rules on parts of a log.

    Args:
        log: The sessions.
        texts: Its texts.
        seed: Of the parts over which a model is chosen.
    """

    def __init__(self, log: SearchLog, texts: Texts, seed: int) -> None:
        self._log, self._seed = log, seed
        self._own = result_features(log, texts)
        before = np.cumsum(log.clicks.sum(axis=1)) - log.clicks.sum(axis=1)
        starts = np.arange(len(log)) - log.number
        self._stop_features = stop_features(log.number, log.clicks, before - before[starts])
        asked = [page.query for page in log.pages]
        self._another = np.array([row > 0 and asked[row] != asked[row - 1] for row in range(len(log))])

    def of(self, training: BoolArray) -> Fit:
        """The fit to some pages (shape (n_pages,)); the click model is chosen among their people."""
        likelihoods = {name: self._left_out(name, training) for name in MODELS}
        name = max(likelihoods, key=likelihoods.__getitem__)
        rules, attractive = self._rules(name, training, np.flatnonzero(training))
        return Fit(name, rules, attractive, likelihoods)

    def resampled(self, name: Examined) -> FloatArray:
        """`level` and the stop's weights for samples of people with replacement, shape (RESAMPLES, 7)."""
        log, chance = self._log, np.random.default_rng(self._seed)
        of_person = [np.flatnonzero(log.people == person) for person in range(log.n_people)]
        everybody = np.ones(len(log), dtype=np.bool_)
        found = np.empty((RESAMPLES, 1 + 1 + self._stop_features.shape[1]))
        for row in range(RESAMPLES):
            drawn = np.concatenate([of_person[each] for each in chance.integers(0, log.n_people, log.n_people)])
            rules, _ = self._rules(name, everybody, drawn)
            found[row] = rules.level, *rules.stop
        return found

    def went_on(self, training: BoolArray) -> tuple[int, int]:
        """Of pages that follow another: how many are of another query, and how many there are."""
        further = training & (self._log.number > 0)
        return int(self._another[further].sum()), int(further.sum())

    def _rules(self, name: Examined, training: BoolArray, rows: IntArray) -> tuple[SearchRules, FloatArray]:
        """From some rows, with repetitions; what others did is counted on the training pages."""
        log = self._log
        pages = log.result_pages(np.concatenate([self._own, others_of_results(log, training)], axis=2))
        model = MODELS[name]().fit(pages.take(rows), clicked_only=log.clicked_only)
        attractive = model.attractiveness.of(pages)
        level = float(attractive[rows][log.shown[rows]].mean())
        stop = _raw_logistic(self._stop_features[rows], log.last[rows].astype(np.float64))
        another, further = self.went_on(training)
        return SearchRules(model.examination, stop, level, (another + 0.5) / (further + 1)), attractive

    def _left_out(self, name: Examined, training: BoolArray) -> float:
        """Log-likelihood of clicks per result of people of the training part, each predicted from others of it."""
        log = self._log
        inner = Folds.draw(np.unique(log.people[training]), log.n_people, INNER_FOLDS, self._seed)

        def given(fitted: BoolArray, tested: BoolArray) -> FloatArray:
            pages = log.result_pages(np.concatenate([self._own, others_of_results(log, fitted)], axis=2))
            model = MODELS[name]().fit(pages.take(fitted), clicked_only=log.clicked_only)
            return model.conditional(pages.take(tested))

        chances = inner.cross_fitted(log.people, log.clicks.shape, given)
        there = log.shown & training[:, None]
        return float(log_likelihood(chances[there], log.clicks[there]).mean())


def _raw_logistic(features: FloatArray, labels: FloatArray) -> FloatArray:
    """Intercept and weights of features as they are, from a fit to standardised ones, shape (1 + n_features,)."""
    centre, scale = centre_and_scale(features)
    weights = fit_logistic((features - centre) / scale, labels, np.ones(len(labels)), ridge=RIDGE)
    raw = weights[1:] / scale
    return np.concatenate([[weights[0] - raw @ centre], raw])


def share_interval(happened: int, of: int) -> tuple[float, float]:
    """95 % interval of a share from counts, by Jeffreys' prior."""
    low, high = (
        float(stats.beta.ppf(end, happened + 0.5, of - happened + 0.5))
        for end in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    )
    return low, high
