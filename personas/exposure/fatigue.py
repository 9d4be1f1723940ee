"""Repeat fatigue: an item that was shown before and not opened since is opened less often.

    log-odds of opening = ... + weight * log2(1 + times shown since it was last opened)

The weight is that of a calibration of exposures (`groundlings calibrate --exposures`), where its log could tell it.
Times are counted over the simulated days before today: on one day nothing is shown twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.personas.exposure.calibration import ExposureCalibration


class RepeatFatigue:
    """Counts what each agent of an arm was shown without opening it.

    Args:
        weight: Log-odds per log2(1 + times shown).
        n_items: Size of the catalog.
    """

    def __init__(self, weight: float, n_items: int) -> None:
        self.weight = weight
        self._n_items = n_items
        self._keys = np.zeros(0, dtype=np.int64)
        self._times = np.zeros(0, dtype=np.int64)

    @classmethod
    def of(cls, exposures: ExposureCalibration | None, n_items: int) -> RepeatFatigue | None:
        """That of a calibration; None where it could not tell."""
        if exposures is None or not exposures.repeat.fitted:
            return None
        return cls(exposures.repeat.value, n_items)

    def notice(self, shown: tuple[IntArray, IntArray], opened: tuple[IntArray, IntArray]) -> None:
        """Count a day: users and items of everything shown, and of what was opened of it."""
        today = np.unique(shown[0] * self._n_items + shown[1])
        keys = np.union1d(self._keys, today)
        times = np.isin(keys, today, assume_unique=True).astype(np.int64)
        times[np.searchsorted(keys, self._keys)] += self._times
        left = ~np.isin(keys, opened[0] * self._n_items + opened[1])
        self._keys, self._times = keys[left], times[left]

    def log_odds(self, users: IntArray, items: NDArray[np.integer]) -> FloatArray:
        """What it adds for each of some items, shape (n, m) as `items`; `users` of shape (n,)."""
        keys = users[:, None] * self._n_items + items
        if not len(self._keys):
            return np.zeros(keys.shape)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        times = np.where(self._keys[place] == keys, self._times[place], 0)
        return np.asarray(self.weight * np.log2(1 + times), dtype=np.float64)
