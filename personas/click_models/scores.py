"""How well probabilities of clicks predict them: likelihood and perplexity."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.personas.click_models.chances import LEAST


def log_likelihood(chances: FloatArray, clicks: BoolArray) -> FloatArray:
    """Natural logarithm of the chance of what happened, shape as given.

    Chances count as at least 1e-6 and at most 1 less 1e-6: the cascade model holds a second click to be impossible.
    """
    within = np.clip(chances, LEAST, 1 - LEAST)
    return np.log(np.where(clicks, within, 1 - within))


def perplexity(chances: FloatArray, clicks: BoolArray, shown: BoolArray) -> FloatArray:
    """Of each rank, 1 for certainty and 2 for a coin, shape (depth,); NaN for a rank that no page has.

    The mean over ranks is the perplexity of a model (Dupret and Piwowarski 2008). All arguments have shape (n_pages,
    depth).
    """
    total = np.where(shown, log_likelihood(chances, clicks), 0.0).sum(axis=0)
    count = shown.sum(axis=0)
    mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return np.exp(-mean)
