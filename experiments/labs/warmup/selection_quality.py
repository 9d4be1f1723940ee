"""How well an arm chooses, before any recommender learns from it: did the chosen really take the item?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Choice:
    """Shares over items that somebody in their pool really took.

    Attributes:
        enrichment: Of the chosen, how many more took the item than of the whole pool: 1 = as by chance; None without
            such an item.
        auc: P(someone of the pool who took the item is ranked before someone who did not), mean over items; None for an
            arm that ranks nobody.
        items: How many items these are.
    """

    enrichment: float | None
    auc: float | None
    items: int


def judge_choice(chosen: IntArray, took: BoolArray, inside: BoolArray, order: FloatArray | None) -> Choice:
    """Hold choices against what the panel really did.

    Args:
        chosen: Rows of the panel, shape (n_items, volume).
        took: Who really took the item, shape (n_panel, n_items).
        inside: The pools, same shape.
        order: How the arm ranks the panel for each item, same shape, higher = sooner; None where it does not.
    """
    within = took & inside
    judged = np.flatnonzero(within.any(axis=0) & (inside & ~took).any(axis=0))
    rates = within[:, judged].sum(axis=0) / inside[:, judged].sum(axis=0)
    found = np.take_along_axis(took, chosen.T, axis=0)[:, judged].mean(axis=0)
    auc = None
    if order is not None and len(judged):
        auc = float(np.mean([_auc(order[inside[:, item], item], took[inside[:, item], item]) for item in judged]))
    enrichment = float(found.sum() / rates.sum()) if len(judged) else None
    return Choice(enrichment, auc, len(judged))


def _auc(order: FloatArray, took: BoolArray) -> float:
    """Mann and Whitney's statistic as a share of all pairs, ties counting half."""
    positives = int(took.sum())
    ranks = rankdata(order)[took].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * (len(took) - positives)))
