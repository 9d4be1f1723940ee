"""The area under the ROC curve for many weights of the same rows."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import FloatArray


class RankedRows:
    """Rows in the order of a prediction, so that AUC takes one pass for each choice of weights."""

    def __init__(self, happened: FloatArray, chance: FloatArray) -> None:
        self._order = np.argsort(chance, kind="stable")
        self._happened = happened[self._order]
        ordered = chance[self._order]
        self._ties = np.r_[0, np.flatnonzero(ordered[1:] > ordered[:-1]) + 1]

    def auc(self, counts: FloatArray) -> float:
        """P(a row where it happened has the higher prediction), ties counting half.

        Args:
            counts: How much each row counts, shape (n,).
        """
        ordered = counts[self._order]
        yes = np.add.reduceat(ordered * self._happened, self._ties)
        no = np.add.reduceat(ordered * (1 - self._happened), self._ties)
        below = np.cumsum(no) - no
        return float((yes * (below + no / 2)).sum() / (yes.sum() * no.sum()))
