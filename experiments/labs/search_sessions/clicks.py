"""Clicks of people who were left out: predicted by rules, by the rank, by regressions and by every click model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.environments.random_streams import Draws
from groundlings.experiments.labs.search_sessions.baselines import ByRank, ByRankAndFeatures, Unexamined
from groundlings.experiments.labs.search_sessions.features import (
    Texts,
    others_of_results,
    result_features,
)
from groundlings.experiments.labs.search_sessions.figures import Figure, Folds, Predicted, Rows, f1_threshold
from groundlings.experiments.labs.search_sessions.log import SearchLog
from groundlings.personas.click_models.chances import ByDocument, ByFeatures, SlotChance
from groundlings.personas.click_models.model import ClickModel
from groundlings.personas.click_models.pages import ResultPages
from groundlings.personas.click_models.registry import CLICK_MODELS
from groundlings.personas.click_models.scores import log_likelihood, perplexity

RANK_ONLY = "rank only"
RIDGE = 20.0
"""Penalty of all regressions, in slots; chosen on half of the people of the sessions at hand."""

INNER_FOLDS = 3
"""Parts of the training people over which the threshold of a yes is chosen."""

STEPS = 20
"""Steps of expectation-maximisation; with 60, AUC changes by less than .001 by features, .003 per document."""

TOP = (1, 3, 4)


@dataclass(frozen=True, slots=True)
class ClickRow:
    """One predictor.

    Attributes:
        name: Its name.
        kind: `rule`, `baseline`, `by document` or `by features`.
        figures: See `figures.DEFINITIONS`; with `_gain`, against the rank alone.
        perplexity: Mean over ranks given the clicks above on the page; None for a rule.
        by_rank: The same per rank; None for a rank that no page has.
        log_likelihood: Per result, given the clicks above; None for a rule.
    """

    name: str
    kind: str
    figures: Mapping[str, Figure]
    perplexity: float | None = None
    by_rank: tuple[float | None, ...] = ()
    log_likelihood: float | None = None


@dataclass(frozen=True, slots=True)
class Predictor:
    """A click model to be fitted, and which features it is given.

    Attributes:
        kind: See `ClickRow`.
        build: Makes the model.
        others: Whether it is told what others did with a result.
    """

    kind: str
    build: Callable[[], ClickModel]
    others: bool = True


def predictors() -> dict[str, Predictor]:
    """All that are fitted, by name."""
    found = {
        RANK_ONLY: Predictor("baseline", lambda: Unexamined(ByRank())),
        "logistic, without others": Predictor("baseline", lambda: Unexamined(ByRankAndFeatures(RIDGE)), others=False),
        "logistic": Predictor("baseline", lambda: Unexamined(ByRankAndFeatures(RIDGE))),
    }
    for name, make in CLICK_MODELS.items():
        words = name.replace("_", " ")
        found[words] = Predictor("by document", partial(_stepped, make, ByDocument))
        found[f"{words}, features"] = Predictor("by features", partial(_stepped, make, partial(ByFeatures, RIDGE)))
    return found


def _stepped(make: Callable[[Callable[[], SlotChance]], ClickModel], chance: Callable[[], SlotChance]) -> ClickModel:
    model = make(chance)
    model.steps = min(model.steps, STEPS)
    return model


class ClickTrial:
    """Predicts the clicks of everybody from other people.

    Args:
        log: The sessions.
        texts: Its texts.
        folds: Who is left out together.
        seed: Of inner parts and of draws.
    """

    def __init__(self, log: SearchLog, texts: Texts, folds: Folds, seed: int) -> None:
        self._log, self._folds, self._seed = log, folds, seed
        self._own = result_features(log, texts)
        self._rows = Rows(log.clicks[log.shown], np.broadcast_to(log.people[:, None], log.shown.shape)[log.shown], seed)

    def rows(self) -> list[ClickRow]:
        """Every predictor with its figures."""
        log, shown = self._log, self._log.shown
        depth = np.arange(log.clicks.shape[1])
        rules = {"everything": np.ones_like(shown)} | {f"top {k}": np.broadcast_to(depth < k, shown.shape) for k in TOP}
        found = [ClickRow(name, "rule", self._rows.figures(Predicted(yes[shown]))) for name, yes in rules.items()]
        trivial: Predicted | None = None
        for name, predictor in predictors().items():
            chances, given, yes = self._predict(predictor)
            predicted = Predicted(yes[shown], chances[shown])
            by_rank = perplexity(given, log.clicks, shown)
            found.append(
                ClickRow(
                    name,
                    predictor.kind,
                    self._rows.figures(predicted, trivial),
                    float(np.nanmean(by_rank)),
                    tuple(None if np.isnan(each) else float(each) for each in by_rank),
                    float(log_likelihood(given[shown], log.clicks[shown]).mean()),
                )
            )
            trivial = trivial or predicted
        return found

    def simulated(self, name: str) -> BoolArray:
        """Clicks drawn on the real pages from a predictor fitted to other people, shape (n_pages, depth)."""
        predictor = predictors()[name]
        draws = Draws.for_sessions(self._seed, np.arange(len(self._log)), 0)

        def of(training: BoolArray, tested: BoolArray) -> FloatArray:
            pages = self._pages(predictor, training)
            model = self._fitted(predictor, pages.take(training))
            return model.simulate(pages.take(tested), draws.take(np.flatnonzero(tested))).astype(np.float64)

        return self._folds.cross_fitted(self._log.people, self._log.clicks.shape, of) == 1

    def _predict(self, predictor: Predictor) -> tuple[FloatArray, FloatArray, BoolArray]:
        """P(click) before any click, and given those above, and what is said to be clicked, shape (n_pages, depth)."""
        log = self._log

        def of(training: BoolArray, tested: BoolArray) -> FloatArray:
            pages = self._pages(predictor, training)
            model = self._fitted(predictor, pages.take(training))
            threshold = self._threshold(predictor, training)
            chances = model.click_probabilities(pages.take(tested))
            return np.stack([chances, model.conditional(pages.take(tested)), chances >= threshold], axis=2)

        found = self._folds.cross_fitted(log.people, (*log.clicks.shape, 3), of)
        return found[:, :, 0], found[:, :, 1], found[:, :, 2] == 1

    def _threshold(self, predictor: Predictor, training: BoolArray) -> float:
        """Chosen on the training people, each predicted from others of them."""
        log = self._log
        inner = Folds.draw(np.unique(log.people[training]), log.n_people, INNER_FOLDS, self._seed)

        def of(fitted: BoolArray, tested: BoolArray) -> FloatArray:
            pages = self._pages(predictor, fitted)
            return self._fitted(predictor, pages.take(fitted)).click_probabilities(pages.take(tested))

        chances = inner.cross_fitted(log.people, log.clicks.shape, of)
        there = log.shown & training[:, None]
        return f1_threshold(chances[there], log.clicks[there])

    def _fitted(self, predictor: Predictor, pages: ResultPages) -> ClickModel:
        return predictor.build().fit(pages, clicked_only=self._log.clicked_only)

    def _pages(self, predictor: Predictor, training: BoolArray) -> ResultPages:
        if predictor.kind == "by document":
            return self._log.result_pages()
        own = self._own
        if predictor.others:
            own = np.concatenate([own, others_of_results(self._log, training)], axis=2)
        return self._log.result_pages(own)
