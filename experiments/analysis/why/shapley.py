"""Shares of a difference between two sums of products: how much of it each factor carries.

The Shapley value (Shapley 1953, "A value for n-person games"; for index numbers Albrecht, François and Schoors 2002, "A
Shapley decomposition of carbon emissions without residuals", Energy Policy 30): what a factor changes when it is
exchanged, averaged over all orders in which the factors can be exchanged. The shares add up to the difference exactly,
do not depend on an order that somebody chose, and are defined where a factor is zero, which logarithms (LMDI) are not.
"""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np

from groundlings.environments.arrays import FloatArray


def shapley(ours: FloatArray, theirs: FloatArray) -> FloatArray:
    """What each factor adds to  sum(prod(ours)) - sum(prod(theirs)),  shape (n_factors, ...).

    Args:
        ours, theirs: Factors, shape (n_factors, ..., n_terms): products over the first axis, sums over the last.
    """
    n = len(ours)
    whole = {chosen: _value(ours, theirs, chosen) for size in range(n + 1) for chosen in combinations(range(n), size)}
    shares = []
    for factor in range(n):
        others = [place for place in range(n) if place != factor]
        share = np.zeros(whole[()].shape)
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for chosen in combinations(others, size):
                with_factor = tuple(sorted((*chosen, factor)))
                share = share + weight * (whole[with_factor] - whole[chosen])
        shares.append(share)
    return np.stack(shares)


def _value(ours: FloatArray, theirs: FloatArray, chosen: tuple[int, ...]) -> FloatArray:
    """The sum of products with the chosen factors from one side and the rest from the other."""
    factors = [ours[place] if place in chosen else theirs[place] for place in range(len(ours))]
    return np.asarray(np.prod(np.stack(factors), axis=0).sum(axis=-1), dtype=np.float64)
