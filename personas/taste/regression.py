"""The two small regressions of the taste model, written out: logistic, and ordinal with given thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr

from groundlings.environments.arrays import FloatArray, IntArray

_NEWTON_STEPS = 50
_TOLERANCE = 1e-8
_LEAST = 1e-12
_CONSTANT = 1e-9


def centre_and_scale(features: FloatArray, weights: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each feature, shape (n_features,) each; 1 for one that does not vary.

    Args:
        features: Shape (n, n_features).
        weights: How much each row counts, shape (n,); all alike if absent.
    """
    if weights is None:
        centre, scale = features.mean(axis=0), features.std(axis=0)
    else:
        centre = np.average(features, axis=0, weights=weights)
        scale = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=weights))
    return centre, np.where(scale > _CONSTANT, scale, 1.0)


def fit_logistic(
    features: FloatArray,
    labels: FloatArray,
    weights: FloatArray,
    *,
    ridge: float,
    offset: FloatArray | float = 0.0,
) -> FloatArray:
    """Intercept and one weight a feature, by Newton's method, shape (1 + n_features,).

    Args:
        features: Standardised, shape (n, n_features).
        labels: 0 or 1, shape (n,).
        weights: How much each row counts, shape (n,).
        ridge: Penalty on the squared weights, in rows; the intercept is free.
        offset: Log-odds that are known already, shape (n,) or a number.
    """
    design = np.column_stack([np.ones(len(features)), features])
    penalty = np.full(design.shape[1], ridge)
    penalty[0] = _TOLERANCE
    solution = np.zeros(design.shape[1])
    solution[0] = -float(np.mean(offset))  # Newton's steps go astray from where every chance is near 0 or 1
    for _ in range(_NEWTON_STEPS):
        chance = expit(design @ solution + offset)
        gradient = design.T @ (weights * (chance - labels)) + penalty * solution
        curvature = (design * (weights * chance * (1 - chance))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        solution -= step
        if np.abs(step).max() < _TOLERANCE:
            break
    return solution


@dataclass(frozen=True)
class OrdinalFit:
    """P(category <= k) = normal_cdf(stretch * threshold_k + shift - features @ weights)."""

    stretch: float
    shift: float
    weights: FloatArray

    def scores(self, features: FloatArray, thresholds: FloatArray, categories: IntArray) -> FloatArray:
        """E[hidden standard normal part | category] of each row, shape (n,)."""
        place = (self.shift - features @ self.weights)[:, None]
        edges = np.pad(self.stretch * thresholds + place, ((0, 0), (1, 1)), constant_values=((0, 0), (-np.inf, np.inf)))
        rows = np.arange(len(categories))
        bottom, top = edges[rows, categories], edges[rows, categories + 1]
        return (_normal_density(bottom) - _normal_density(top)) / np.maximum(ndtr(top) - ndtr(bottom), _LEAST)


def fit_ordinal(
    features: FloatArray, thresholds: FloatArray, categories: IntArray, *, prior: OrdinalFit, ridge: float
) -> OrdinalFit:
    """Ordered probit regression whose thresholds are known up to a stretch and a shift.

    Args:
        features: Shape (n, n_features).
        thresholds: Each row's own inner thresholds, ascending, shape (n, n_categories - 1).
        categories: 0 to n_categories - 1, shape (n,).
        prior: What is believed without data; the penalty pulls towards it.
        ridge: Penalty on squared distances from the prior, in rows.
    """
    n = len(features)
    edges = np.pad(thresholds, ((0, 0), (1, 1)), constant_values=0.0)
    rows = np.arange(n)
    lower, upper = edges[rows, categories], edges[rows, categories + 1]
    first, last = categories == 0, categories == thresholds.shape[1]
    believed = np.concatenate([[prior.stretch, prior.shift], prior.weights])

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        stretch, shift, weights = parameters[0], parameters[1], parameters[2:]
        place = shift - features @ weights
        top, bottom = stretch * upper + place, stretch * lower + place
        chance = np.where(last, 1.0, ndtr(top)) - np.where(first, 0.0, ndtr(bottom))
        chance = np.maximum(chance, _LEAST)
        top_slope = np.where(last, 0.0, _normal_density(top)) / chance
        bottom_slope = np.where(first, 0.0, _normal_density(bottom)) / chance
        slope = top_slope - bottom_slope
        gradient = -np.concatenate(
            [[(top_slope * upper - bottom_slope * lower).sum(), slope.sum()], -(features.T @ slope)]
        )
        away = parameters - believed
        return float(-np.log(chance).sum() + ridge * away @ away / 2), gradient + ridge * away

    from scipy.optimize import minimize

    bounds = [(0.1, 10.0)] + [(None, None)] * (1 + features.shape[1])
    found = minimize(loss, believed, jac=True, method="L-BFGS-B", bounds=bounds).x
    return OrdinalFit(float(found[0]), float(found[1]), found[2:])


def _normal_density(values: FloatArray) -> FloatArray:
    return np.exp(-(values**2) / 2) / np.sqrt(2 * np.pi)
