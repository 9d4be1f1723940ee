"""Was the experiment carried out as planned? Tests whose alarm spoils every effect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import chdtrc

from groundlings.environments.arrays import BoolArray, IntArray

ALARM = 0.001
"""Below this p, groups are no longer believed to be as planned (Fabijan et al. 2019)."""


def sample_ratio_p_value(counts: Sequence[int], expected_shares: Sequence[float] | None = None) -> float:
    """p of the chi-square test that arms hold as many agents as planned (sample ratio mismatch).

    Fabijan et al. (2019), "Diagnosing sample ratio mismatch in online controlled experiments", KDD.

    Args:
        counts: Agents in each arm, assigned or completed.
        expected_shares: What was planned; equal shares if absent.
    """
    found = np.asarray(counts, dtype=np.float64)
    if found.sum() == 0:
        return 1.0
    shares = np.ones(len(found)) if expected_shares is None else np.asarray(expected_shares, dtype=np.float64)
    expected = found.sum() * shares / shares.sum()
    return float(chdtrc(len(found) - 1, ((found - expected) ** 2 / expected).sum()))


def attrition_p_value(arm: BoolArray, baseline: BoolArray) -> float:
    """p of "as many of the same agents got to the end in one arm as in the other", 1 where none differ.

    McNemar (1947), in the mid-p form that Fagerland, Lydersen and Laake (2013), "The McNemar test for binary
    matched-pairs data", find closest to its nominal level.

    Args:
        arm, baseline: Whether each agent got to the end, shape (n_agents,), same order.
    """
    only_arm, only_baseline = int((arm & ~baseline).sum()), int((baseline & ~arm).sum())
    fewer, discordant = min(only_arm, only_baseline), only_arm + only_baseline
    if discordant == 0:
        return 1.0
    from scipy.stats import binom

    below = 2 * float(binom.cdf(fewer, discordant, 0.5))
    return min(below - float(binom.pmf(fewer, discordant, 0.5)), 1.0)


def split_attrition_p_value(arm: tuple[int, int], baseline: tuple[int, int]) -> float:
    """As `attrition_p_value` for different agents in each arm: Fisher's exact test (Fisher 1934).

    Args:
        arm, baseline: Agents who got to the end, and all who came.
    """
    from scipy.stats import fisher_exact

    table = np.array([[done, came - done] for done, came in (arm, baseline)])
    return float(fisher_exact(table).pvalue)


def equal_shares_p_value(counts: IntArray) -> float:
    """p of Pearson's chi-square test that kinds have the same shares in every group, 1 where there is one group.

    Args:
        counts: Of each kind, shape (n_groups, n_kinds); no kind and no group without any.
    """
    found = counts.astype(np.float64)
    expected = found.sum(axis=1, keepdims=True) * found.sum(axis=0, keepdims=True) / found.sum()
    freedom = (found.shape[0] - 1) * (found.shape[1] - 1)
    return float(chdtrc(freedom, ((found - expected) ** 2 / expected).sum())) if freedom else 1.0
