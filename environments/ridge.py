"""Weighted ridge regression with an intercept, in closed form.

Recommenders map texts to vectors with it, labs reproduce the answers of a language model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray


@dataclass(frozen=True)
class Ridge:
    """A fitted regression.

    Attributes:
        centre: Weighted mean of the inputs, shape (n_inputs,).
        mean: That of the targets, shape of one target.
        slopes: Shape (n_inputs,) or (n_inputs, n_outputs).
    """

    centre: FloatArray
    mean: FloatArray
    slopes: FloatArray

    def predict(self, inputs: FloatArray) -> FloatArray:
        """Targets of other rows, for inputs of shape (..., n_inputs)."""
        return np.asarray(self.mean + (inputs - self.centre) @ self.slopes)


def fit_ridge(inputs: FloatArray, targets: FloatArray, weights: FloatArray, ridge: float) -> Ridge:
    """The regression that fits best.

    Args:
        inputs: Shape (n, n_inputs).
        targets: Shape (n,) or (n, n_outputs).
        weights: Of each row, at least 0, shape (n,); nothing is learnt from a row of weight 0.
        ridge: Penalty on squared coefficients, in weighted mean squared lengths of an input.
    """
    flat = np.zeros((inputs.shape[1], *targets.shape[1:]))
    total = weights.sum()
    if not total:
        return Ridge(np.zeros(inputs.shape[1]), np.zeros(targets.shape[1:]), flat)
    centre, mean = weights @ inputs / total, weights @ targets / total
    apart = inputs - centre
    weighted = apart * weights[:, None]
    gram = weighted.T @ apart
    spread = np.trace(gram) / total
    if not spread:  # all inputs are alike
        return Ridge(centre, mean, flat)
    gram[np.diag_indices_from(gram)] += ridge * spread
    return Ridge(centre, mean, np.linalg.solve(gram, weighted.T @ (targets - mean)))
