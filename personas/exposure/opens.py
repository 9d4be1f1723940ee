"""The likelihood of opens: P(open) = P(look | place) * P(open | looked at), fitted directly.

    log P(look) = known + look_design @ slopes          P(open | looked at) = logistic(design @ weights)

This is the position-based model of click logs (Craswell, Zoeter, Taylor and Ramsey 2008, "An experimental comparison of
click position-bias models", WSDM). Its likelihood has few parameters here, so it is maximised directly, by Fisher
scoring, and not by EM. Weights may have a normal prior. Covariances are clustered by person, and count the distance
that a prior may be off as much as the noise of the rows: H^-1 (J + Q) H^-1 with H the curvature, J the clustered scores
and Q the prior's precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit, logit

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.personas.exposure.intervals import clustered

_STEPS = 100
_HALVINGS = 30
_TOLERANCE = 1e-9
_MOST = 1 - 1e-9
_FARTHEST = 15.0
"""Log-odds; beyond, a chance is 0 or 1 for any log, and its curvature is lost in rounding."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Exposures as the likelihood takes them.

    Attributes:
        opened: 1 or 0, shape (n,).
        people: Whose each row is, 0 to n_people - 1, shape (n,).
        design: What P(open | looked at) rests on, the intercept's column of ones included, shape (n, n_weights).
        look_design: What log P(look) rests on, shape (n, n_slopes).
        known_look: Log P(look) that is known beforehand, shape (n,).
        counts: How much each row counts, shape (n,).
    """

    opened: FloatArray
    people: IntArray
    design: FloatArray
    look_design: FloatArray
    known_look: FloatArray
    counts: FloatArray

    @classmethod
    def of(
        cls,
        opened: FloatArray,
        people: IntArray,
        design: FloatArray | None = None,
        *,
        look_design: FloatArray | None = None,
        known_look: FloatArray | None = None,
        counts: FloatArray | None = None,
    ) -> Rows:
        """Rows whose design is an intercept, whose items are all looked at and which count alike, unless given."""
        n = len(opened)
        return cls(
            opened,
            people,
            np.ones((n, 1)) if design is None else design,
            np.zeros((n, 0)) if look_design is None else look_design,
            np.zeros(n) if known_look is None else known_look,
            np.ones(n) if counts is None else counts,
        )


@dataclass(frozen=True, slots=True)
class Prior:
    """Independent normal beliefs about the weights.

    Attributes:
        mean: Shape (n_weights,).
        precision: One over the variance, 0 where nothing is believed, shape (n_weights,).
    """

    mean: FloatArray
    precision: FloatArray


@dataclass(frozen=True, slots=True)
class OpenFit:
    """What was fitted.

    Attributes:
        slopes: Of log P(look), shape (n_slopes,).
        weights: Of the log-odds of opening what is looked at, shape (n_weights,).
        covariance: Of slopes and weights, in this order, shape (n_slopes + n_weights, same).
        curvature: Expected second derivatives of the loss, the prior's included, of the same shape.
    """

    slopes: FloatArray
    weights: FloatArray
    covariance: FloatArray
    curvature: FloatArray

    @property
    def errors(self) -> FloatArray:
        """Standard errors of slopes and weights, shape (n_slopes + n_weights,)."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0))


def fit_opens(rows: Rows, prior: Prior | None = None) -> OpenFit:
    """Slopes and weights of highest (posterior) likelihood.

    Args:
        rows: At least one opened and one not.
        prior: Of the weights; without one nothing is believed.
    """
    n_slopes, n_weights = rows.look_design.shape[1], rows.design.shape[1]
    mean, precision = np.zeros(n_slopes + n_weights), np.zeros(n_slopes + n_weights)
    if prior is not None:
        mean[n_slopes:], precision[n_slopes:] = prior.mean, prior.precision
    place = mean.copy()
    if prior is None:
        share = float(np.average(rows.opened, weights=rows.counts))
        seen = float(np.average(np.exp(rows.known_look), weights=rows.counts))
        place[n_slopes] = logit(np.clip(share / seen, 1e-6, 0.9))  # every design begins with the intercept

    def loss(parameters: FloatArray) -> float:
        away = parameters - mean
        return -_log_likelihood(rows, parameters) + float(precision @ away**2) / 2

    now = loss(place)
    for _ in range(_STEPS):
        scores, information = _derivatives(rows, place)
        curvature = information + np.diag(precision)
        step = np.linalg.pinv(curvature, hermitian=True) @ (scores.sum(axis=0) - precision * (place - mean))
        for _ in range(_HALVINGS):
            later = loss(place + step)
            if later <= now:
                break
            step = step / 2
        else:
            break
        place, moved, now = place + step, float(np.abs(step).max()), later
        if moved < _TOLERANCE or np.abs(place).max() > _FARTHEST:
            break
    scores, information = _derivatives(rows, place)
    curvature = information + np.diag(precision)
    bread = np.linalg.pinv(curvature, hermitian=True)
    covariance = bread @ (clustered(scores, rows.people) + np.diag(precision)) @ bread
    return OpenFit(place[:n_slopes], place[n_slopes:], covariance, curvature)


def chances(rows: Rows, slopes: FloatArray, weights: FloatArray) -> FloatArray:
    """P(open) of every row, shape (n,)."""
    look = rows.known_look + rows.look_design @ slopes
    return np.minimum(np.exp(look + log_expit(rows.design @ weights)), _MOST)


def _log_likelihood(rows: Rows, parameters: FloatArray) -> float:
    n_slopes = rows.look_design.shape[1]
    chance = chances(rows, parameters[:n_slopes], parameters[n_slopes:])
    told = np.where(rows.opened > 0, np.log(np.maximum(chance, 1e-300)), np.log1p(-chance))
    return float(rows.counts @ told)


def _derivatives(rows: Rows, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Each row's score, shape (n, n_parameters), and the expected information, shape (n_parameters, n_parameters)."""
    n_slopes = rows.look_design.shape[1]
    chance = chances(rows, parameters[:n_slopes], parameters[n_slopes:])
    odds = rows.design @ parameters[n_slopes:]
    # By how much log P(open) moves with each parameter.
    moves = np.column_stack([rows.look_design, rows.design * (1 - expit(odds))[:, None]])
    spread = rows.counts / (1 - chance)
    scores = moves * (spread * (rows.opened - chance))[:, None]
    return scores, (moves * (spread * chance)[:, None]).T @ moves
