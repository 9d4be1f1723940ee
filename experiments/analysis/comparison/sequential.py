"""Looking more than once without fooling oneself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

TUNED_FOR = 1000
"""Agents at which confidence sequences are narrowest; a constant, because it may not depend on what was seen."""

_NODES = 401


def spent_alpha(share: float, alpha: float = 0.05) -> float:
    """How much alpha, both sides together, may be gone when this share (0 to 1) of the information is in.

    The O'Brien-Fleming-like spending function of Lan and DeMets (1983), "Discrete sequential boundaries for clinical
    trials", Biometrika 70: next to nothing early, nearly everything at the end.
    """
    return float(4 * ndtr(-(ndtri(1 - alpha / 4) / math.sqrt(share))))


def boundaries(looks: Sequence[int], alpha: float = 0.05) -> tuple[float, ...]:
    """|z| that must be exceeded at each look, so that all looks together raise false alarms at rate alpha.

    By the recursion of Armitage, McPherson and Rowe (1969), "Repeated significance tests on accumulating data", JRSS A
    132, on Gauss-Legendre nodes: the score's density among the trials not yet stopped is carried from look to look.

    Args:
        looks: Agents at each look, ascending; the last is the most there will ever be.
        alpha: Two-sided, of all looks together.
    """
    from scipy.optimize import brentq

    shares = [look / looks[-1] for look in looks]
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    found: list[float] = []
    here, density, spent, before = np.zeros(1), np.ones(1), 0.0, 0.0
    for share in shares:
        step, allowed = math.sqrt(share - before), spent_alpha(share, alpha) - spent
        root = math.sqrt(share)

        def stopped(z: float, here=here, density=density, step=step, root=root) -> float:  # type: ignore[no-untyped-def]
            tails = ndtr(-((z * root - here) / step)) + ndtr((-z * root - here) / step)
            return float((density * tails).sum())

        z = float(brentq(lambda z, stopped=stopped, allowed=allowed: stopped(z) - allowed, 0.0, 40.0))
        edge = z * root
        places = edge * nodes
        distances = (places[:, None] - here) / step
        normal = np.exp(-(distances**2) / 2) / math.sqrt(2 * math.pi)
        density = (density * normal / step).sum(axis=1) * edge * weights
        here, spent, before = places, spent_alpha(share, alpha), share
        found.append(z)
    return tuple(found)


def sequence_reach(n: int, tuned_for: int = TUNED_FOR, alpha: float = 0.05) -> float:
    """Half the width of the asymptotic confidence sequence after n agents, in standard errors of the mean.

    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), "Time-uniform central limit theory and asymptotic confidence
    sequences", Annals of Statistics 52, theorem 2.2: with rho as below, mean -/+ reach * sd / sqrt(n) covers the truth
    at all n at once, so one may look after every agent and stop when one likes.

    Args:
        n: Agents so far.
        tuned_for: Agents at which the sequence is to be narrowest; it must be chosen beforehand.
        alpha: One minus the coverage.
    """
    rate = -2 * math.log(alpha)
    rho_squared = (rate + math.log(rate + 1)) / tuned_for
    growth = n * rho_squared + 1
    return math.sqrt(2 * growth / (n * rho_squared) * math.log(math.sqrt(growth) / alpha))
