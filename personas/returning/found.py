"""How the time until the next session goes with what was found in the last one, within people."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.errors import DataError
from groundlings.environments.words import plural
from groundlings.personas.exposure.intervals import clustered, quantile_of
from groundlings.personas.exposure.parameter import Parameter
from groundlings.personas.returning.estimate import ReturnEstimate, gaps_of, places_of
from groundlings.personas.returning.families import cumulative_hazard
from groundlings.personas.returning.history import ReturnHistory
from groundlings.personas.returning.likelihood import NODES, log_prior
from groundlings.personas.returning.presets import AFTER_SESSION

FEWEST = 200
"""Completed gaps of people with two or more, below which nothing is estimated."""

_LEAST = 1e-300
_MOST = 3.0
"""Of the coefficient: a hazard twenty times as high after a doubling is none that a history could tell."""


def found_effect(history: ReturnHistory, estimate: ReturnEstimate) -> Parameter:
    """The coefficient of log2(1 + interactions of the session) on the log hazard of coming back.

    The likelihood is that of the estimated gaps with the hazard of each multiplied by exp(coefficient * x), where x is
    the session's log2(1 + interactions) less the mean of its person, so that people who find more and come more often
    do not make it. Errors are added up by person. It is an association: a busy week may bring both.

    Args:
        history: Of people who may be fitted on.
        estimate: What was estimated on it.

    Raises:
        DataError: There are too few gaps of people with two or more.
    """
    place, people = places_of(history)
    whose = place[history.users]
    known = (whose >= 0) & (history.gaps > 0)
    whose, gaps, returned = whose[known], history.gaps[known], history.returned[known]
    doublings = np.log2(1.0 + history.found[known])
    rows = np.bincount(whose, minlength=people)
    away = doublings - (np.bincount(whose, doublings, people) / np.maximum(rows, 1))[whose]
    some = (rows >= 2)[whose]
    if int((returned & some).sum()) < FEWEST or not away[some].any():
        raise DataError(
            f"simulation.returns.after_session.found: history has {plural(int((returned & some).sum()), 'gap')} "
            "of people with "
            f"two or more, needed {FEWEST}, after sessions that differ in size; state a number, or write preset"
        )
    medians = _expected(history, estimate, place, people)[whose]
    before, step = _hazards(estimate, gaps, medians, returned)

    def scores(coefficient: float) -> FloatArray:
        raised = np.exp(coefficient * away)
        reached = step * raised
        back = np.where(returned, reached * np.exp(-reached) / np.maximum(-np.expm1(-reached), _LEAST), 0.0)
        score: FloatArray = away * (back - before * raised)
        return score

    def loss(coefficient: float) -> float:
        raised = np.exp(coefficient * away)
        back = np.where(returned, np.log(np.maximum(-np.expm1(-step * raised), _LEAST)), 0.0)
        return -float(np.sum(back - before * raised))

    from scipy.optimize import minimize_scalar  # takes longer to load than most commands have to do

    value = float(minimize_scalar(loss, bounds=(-_MOST, _MOST), method="bounded").x)
    slope = (scores(value + 1e-3).sum() - scores(value - 1e-3).sum()) / 2e-3
    variance = float(clustered(scores(value)[:, None], whose)[0, 0])
    error = float(np.sqrt(variance) / max(abs(slope), _LEAST))
    source = (
        f"{int((returned & some).sum()):,} gaps of {int((rows >= 2).sum()):,} people, within people; an association"
    )
    return Parameter.from_fit(
        value, error, quantile_of(int((rows >= 2).sum())), source, preset=AFTER_SESSION["found"].value
    )


def _expected(history: ReturnHistory, estimate: ReturnEstimate, place: IntArray, people: int) -> FloatArray:
    """Each person's mean log-median, given its own gaps, shape (n_people,)."""
    if estimate.spread is None:
        return np.full(people, np.log(estimate.median_days.value))
    churn = 0.0 if estimate.churn is None else estimate.churn.value
    by_node = gaps_of(history, place, people).by_node(estimate.family, estimate.shape_value, churn)
    by_node += log_prior(float(np.log(estimate.median_days.value)), estimate.spread.value)
    mean: FloatArray = np.exp(by_node - logsumexp(by_node, axis=1)[:, None]) @ NODES
    return mean


def _hazards(
    estimate: ReturnEstimate, gaps: IntArray, medians: FloatArray, returned: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Cumulative hazard of the days without a session, and of the day of the return (0 where there was none)."""
    days = gaps.astype(np.float64)
    until = cumulative_hazard(estimate.family, days, medians, estimate.shape_value)
    before = cumulative_hazard(estimate.family, days - 1, medians, estimate.shape_value)
    return np.where(returned, before, until), np.where(returned, until - before, 0.0)
