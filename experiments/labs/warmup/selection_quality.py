"""Quality of a selection before any recommender learns from it: did these users really interact with the item?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class SelectionQuality:
    """Measured over the items that some user of their pool really interacted with.

    Attributes:
        enrichment: The share of users who really interacted with the item, among the selected divided by among the
            pool; 1 = no better than random. None without such an item.
        auc: P(a user of the pool who interacted with the item is ranked before one who did not), mean over items. None
            for an arm that does not rank users.
        items: Number of these items.
    """

    enrichment: float | None
    auc: float | None
    items: int


def measure_selection(
    chosen: IntArray, interacted: BoolArray, inside: BoolArray, order: FloatArray | None
) -> SelectionQuality:
    """Compare a selection with the real interactions of the panel.

    Args:
        chosen: Rows of the panel, shape (n_items, volume).
        interacted: Whether each user really interacted with each item, shape (n_panel, n_items).
        inside: The pools, same shape.
        order: The arm's score of each user for each item, same shape, higher = earlier; None where it has none.
    """
    within = interacted & inside
    judged = np.flatnonzero(within.any(axis=0) & (inside & ~interacted).any(axis=0))
    rates = within[:, judged].sum(axis=0) / inside[:, judged].sum(axis=0)
    found = np.take_along_axis(interacted, chosen.T, axis=0)[:, judged].mean(axis=0)
    auc = None
    if order is not None and len(judged):
        auc = float(np.mean([_auc(order[inside[:, item], item], interacted[inside[:, item], item]) for item in judged]))
    enrichment = float(found.sum() / rates.sum()) if len(judged) else None
    return SelectionQuality(enrichment, auc, len(judged))


def _auc(order: FloatArray, interacted: BoolArray) -> float:
    """Mann and Whitney's statistic as a share of all pairs, ties counting half."""
    positives = int(interacted.sum())
    ranks = rankdata(order)[interacted].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * (len(interacted) - positives)))
