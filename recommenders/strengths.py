"""How strongly each user chose each item, where quantities, play times or repeats are to count."""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy.sparse as sp

from groundlings.environments.interactions import Interactions

Weights = Literal["none", "log"]
"""Whether a pair counts once, or by what was bought, played or repeated."""


def strengths(interactions: Interactions) -> sp.csr_array:
    """Strength of each pair, shape (n_users, n_items), with the pairs of `Interactions.matrix`.

        strength = 1 + log(1 + amount / usual)

    amount is the weight of all rows of the pair together (quantity, play time), or their number where the data give no
    weights; usual is the median weight of a row, or 1. A row of unknown weight counts as a usual one. This is the
    confidence of Hu, Koren and Volinsky 2008, "Collaborative filtering for implicit feedback datasets", equation 6,
    with alpha 1.
    """
    chosen = interactions.chosen()
    amounts = np.ones(len(chosen))
    if chosen.weights is not None and (known := ~np.isnan(chosen.weights)).any():
        usual = float(np.median(chosen.weights[known])) or 1.0
        amounts = np.where(known, chosen.weights, usual) / usual
    summed = sp.csr_array((amounts, (chosen.users, chosen.items)), shape=(chosen.n_users, chosen.n_items))
    summed.data[:] = 1 + np.log1p(summed.data)
    return summed
