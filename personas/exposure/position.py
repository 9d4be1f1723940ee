"""How attention falls over the places of a layout, and how often an item is opened once it is looked at.

Where the policy is random, or its propensities are known, the items at every place are the same on average, so places
alone explain how P(open) falls: P(open | place k) = level * k ** -exponent (Joachims, Swaminathan and Schnabel 2017,
"Unbiased learning-to-rank with biased feedback", WSDM). Propensities weigh rows by their inverse, normalised.

Where a recommender chose, an item's rows at different places are compared with each other (intervention harvesting:
Agarwal, Zaitsev, Wang, Li, Najork and Joachims 2019, "Estimating position bias without intrusive interventions", WSDM).
Each item has a rate of its own, which drops out when its number of opens is given: a conditional Poisson likelihood,
whose estimates need no more than the right mean. Features that a caller hands over are held constant, because a
recommender that knows its people puts an item first for those who want it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, expit

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.exposures import Shape
from groundlings.personas.exposure.intervals import clustered, quantile_of
from groundlings.personas.exposure.opens import Rows, fit_opens
from groundlings.personas.exposure.parameter import Parameter
from groundlings.personas.exposure.presets import LEVEL

MOST_PLACES = 30
"""Of the free curve; places further down count for the exponent only."""

_STEPS = 50
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Curve:
    """Log P(look) of places, relative to the first.

    Attributes:
        places: With opens, ascending; the first of them is the reference, shape (n,).
        logs: 0 for the reference, shape (n,).
        covariance: Of the logs of all but the reference, shape (n - 1, n - 1).
        people: Whose rows they rest on.
    """

    places: IntArray
    logs: FloatArray
    covariance: FloatArray
    people: int

    def p_value(self, exponent: float | None) -> float | None:
        """Of the hypothesis that attention falls as k ** -exponent, by Wald's test; None where it cannot be tested.

        Args:
            exponent: None for whichever fits best: whether such a curve fits at all.
        """
        falls = -np.log(self.places[1:] / self.places[0])
        degrees = len(falls) - (exponent is None)
        if degrees < 1 or self.people < 5 * len(falls):
            return None
        if np.linalg.matrix_rank(self.covariance, hermitian=True) < len(falls):
            return None  # too few people's opens: places differ in fewer ways than there are places
        inverse = np.linalg.pinv(self.covariance, hermitian=True)
        if exponent is None:
            exponent = float(falls @ inverse @ self.logs[1:] / (falls @ inverse @ falls))
        away = self.logs[1:] - exponent * falls
        return float(chdtrc(degrees, away @ inverse @ away))


@dataclass(frozen=True, slots=True)
class Examination:
    """What was fitted.

    Attributes:
        exponent: Of k ** -exponent, and its standard error.
        error: Its standard error.
        level: P(open | looked at), None where it is not told.
        curve: Free of any shape.
        people: Whose rows were read.
    """

    exponent: float
    error: float
    level: Parameter | None
    curve: Curve
    people: int


def places_of(positions: IntArray, shape: Shape, columns: int | None) -> IntArray:
    """What attention falls over, from 1, shape (n,): positions of a list, rows of a grid, 1 in a flat layout.

    Args:
        positions: From 1.
        shape: Of the layout.
        columns: Of a grid.
    """
    if shape == "flat":
        return np.ones_like(positions)
    return positions if columns is None else (positions - 1) // columns + 1


def fit_randomised(opened: FloatArray, places: IntArray, people: IntArray, counts: FloatArray) -> Examination:
    """Exponent, level and free curve where every place has the same items on average.

    Args:
        opened: 1 or 0, shape (n,).
        places: From 1, shape (n,).
        people: Whose each row is, 0 to n_people - 1, shape (n,).
        counts: Inverse propensities, or ones, shape (n,).
    """
    n_people = int(people.max()) + 1
    rows = Rows.of(opened, people, look_design=-np.log(places)[:, None].astype(np.float64), counts=counts)
    fit = fit_opens(rows)
    level = Parameter.from_fit(
        float(fit.weights[0]),
        float(fit.errors[1]),
        quantile_of(n_people),
        _LEVEL_SOURCE,
        preset=LEVEL.value,
        scale=_chance,
    )
    return Examination(
        float(fit.slopes[0]), float(fit.errors[0]), level, _free_curve(opened, places, people, counts), n_people
    )


def fit_level(opened: FloatArray, people: IntArray, counts: FloatArray, known_look: FloatArray) -> Parameter:
    """P(open | looked at) where P(look) is known, with counts as in `fit_randomised`."""
    fit = fit_opens(Rows.of(opened, people, counts=counts, known_look=known_look))
    return Parameter.from_fit(
        float(fit.weights[0]),
        float(fit.errors[0]),
        quantile_of(int(people.max()) + 1),
        _LEVEL_SOURCE,
        preset=LEVEL.value,
        scale=_chance,
    )


def fit_harvested(
    opened: FloatArray, places: IntArray, people: IntArray, items: IntArray, features: FloatArray
) -> Examination:
    """Exponent and free curve from rows of the same item at different places.

    Args:
        opened: 1 or 0, shape (n,).
        places: From 1, shape (n,).
        people: Whose each row is, 0 to n_people - 1, shape (n,).
        items: Shape (n,).
        features: What else tells how much a row's person wants the item, shape (n, n_features); held constant.
    """
    items = np.unique(items, return_inverse=True)[1].astype(np.int64)
    n_people = int(people.max()) + 1
    falls = -np.log(places)[:, None].astype(np.float64)
    exponent, covariance = _within_items(opened, people, items, np.column_stack([falls, features]))
    kept = _opened_places(opened, places)
    steps = np.column_stack([places == place for place in kept[1:]]).astype(np.float64)
    few = np.isin(places, kept)
    logs, spread = _within_items(opened[few], people[few], items[few], np.column_stack([steps, features])[few])
    n = len(kept) - 1
    curve = Curve(kept, np.r_[0.0, logs[:n]], spread[:n, :n], n_people)
    return Examination(float(exponent[0]), float(np.sqrt(covariance[0, 0])), None, curve, n_people)


_LEVEL_SOURCE = "mean over shown items, looking taken out; clustered by person"


def _chance(odds: float) -> float:
    return float(expit(odds))


def _opened_places(opened: FloatArray, places: IntArray) -> IntArray:
    """The first `MOST_PLACES` places at which anything was opened, shape (n,)."""
    return np.unique(places[opened > 0])[:MOST_PLACES]


def _free_curve(opened: FloatArray, places: IntArray, people: IntArray, counts: FloatArray) -> Curve:
    """Rates by place, relative to the first, and the covariance of their logs by the delta method."""
    kept = _opened_places(opened, places)
    n_people = int(people.max()) + 1
    influence = np.zeros((n_people, len(kept)))
    rates = np.zeros(len(kept))
    for number, place in enumerate(kept.tolist()):
        here = places == place
        weights = counts[here]
        rates[number] = np.average(opened[here], weights=weights)
        away = weights * (opened[here] - rates[number]) / (weights.sum() * rates[number])
        influence[:, number] = np.bincount(people[here], away, minlength=n_people)
    relative = influence[:, 1:] - influence[:, :1]
    covariance = clustered(relative, np.arange(n_people))
    return Curve(kept, np.log(rates / rates[0]), covariance, n_people)


def _within_items(
    opened: FloatArray, people: IntArray, items: IntArray, design: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Coefficients of log P(open) given each item's number of opens, and their covariance clustered by person."""
    totals = np.bincount(items, opened).astype(np.float64)
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        mean, centred = _expected(totals, items, design, weights)
        bread = np.linalg.pinv((centred * mean[:, None]).T @ centred, hermitian=True)
        step = bread @ ((opened - mean) @ centred)
        weights = weights + np.clip(step, -2, 2)
        if np.abs(step).max() < _TOLERANCE:
            break
    mean, centred = _expected(totals, items, design, weights)
    bread = np.linalg.pinv((centred * mean[:, None]).T @ centred, hermitian=True)
    return weights, bread @ clustered(centred * (opened - mean)[:, None], people) @ bread


def _expected(
    totals: FloatArray, items: IntArray, design: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Expected opens of each row given its item's total, and the design less its mean under them."""
    size = np.exp(design @ weights)
    share = size / np.bincount(items, size)[items]
    means = np.column_stack([np.bincount(items, share * column) for column in design.T])
    return totals[items] * share, design - means[items]
