"""Weights of a choice between two items, with their uncertainty over people.

A person takes the first item of a pair with probability logistic(w . d), d being the differences of its features: the
conditional logit of McFadden (1974) for two alternatives. What a pair has in common, such as the person, drops out.
"""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray

_PRIOR = 0.01
"""Precision of the prior on weights of features of spread 1, around 0: next to nothing, and enough for a few pairs."""

_LONGEST_STEP, _STEPS, _NEAR = 1.0, 100, 1e-8
_PART = 50


def choice_weights(differences: FloatArray, users: IntArray, resamples: FloatArray) -> FloatArray:
    """The weights that make the choices most likely, for each resample of people.

    Args:
        differences: Features of the taken item less those of the other, shape (n_pairs, n_features).
        users: Whose each pair is, shape (n_pairs,).
        resamples: How often each user counts, shape (n_resamples, n_users).

    Returns:
        Shape (n_resamples, n_features), per unit of each feature.
    """
    spread = np.sqrt((differences**2).mean(axis=0))
    spread[spread == 0] = 1.0
    scaled = differences / spread
    parts = [_newton(scaled, resamples[first : first + _PART, users]) for first in range(0, len(resamples), _PART)]
    return np.vstack(parts) / spread


def _newton(differences: FloatArray, times: FloatArray) -> FloatArray:
    """Newton's steps for all resamples together; none is longer than `_LONGEST_STEP`, so that none overshoots far."""
    n_features = differences.shape[1]
    products = (differences[:, :, None] * differences[:, None, :]).reshape(len(differences), -1)
    weights = np.zeros((len(times), n_features))
    for _ in range(_STEPS):
        wrong = 1 / (1 + np.exp(np.clip(weights @ differences.T, -500, 500)))
        gradient = (times * wrong) @ differences - _PRIOR * weights
        curvature = ((times * wrong * (1 - wrong)) @ products).reshape(-1, n_features, n_features)
        step = np.linalg.solve(curvature + _PRIOR * np.eye(n_features), gradient[:, :, None])[:, :, 0]
        length = np.abs(step).max(axis=1, keepdims=True)
        weights += step * np.minimum(1, _LONGEST_STEP / np.maximum(length, _NEAR))
        if length.max() < _NEAR:
            return weights
    raise ArithmeticError(f"the weights of choices did not settle in {_STEPS} steps")
