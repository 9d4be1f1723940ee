"""How far two groups of people are from each other in a figure that is a share or a mean over their rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Counted:
    """Shares or means with what is added up of each person.

    Attributes:
        above, below: Numerators and denominators of each person, shape (n_people, k).
    """

    above: FloatArray
    below: FloatArray

    @classmethod
    def of(
        cls, people: IntArray, above: FloatArray | BoolArray, below: FloatArray | BoolArray, n_people: int
    ) -> Counted:
        """From rows of people (shape (n,)), with numerators and denominators of shape (n, k)."""
        sums = np.zeros((2, n_people, above.shape[1]))
        np.add.at(sums[0], people, above)
        np.add.at(sums[1], people, below)
        return cls(sums[0], sums[1])

    def values(self, who: IntArray | None = None) -> FloatArray:
        """Of some people together, of all if absent, shape (k,); NaN where nothing is counted."""
        above, below = (each if who is None else each[who] for each in (self.above, self.below))
        total, size = above.sum(axis=0), below.sum(axis=0)
        return np.divide(total, size, out=np.full(len(total), np.nan), where=size > 0)


def between(first: Counted, second: Counted, *, shares: bool = False) -> Callable[[IntArray, IntArray], float]:
    """The distance of some people's figures from others', given as row numbers.

    Args:
        first, second: Of the one group and of the other.
        shares: Whether the figures are shares of one whole: then it is half of the sum of the differences (total
            variation), else their mean.
    """

    def of(some: IntArray, others: IntArray) -> float:
        differences = np.abs(first.values(some) - second.values(others))
        return float(np.nansum(differences) / 2) if shares else float(np.nanmean(differences))

    return of


def known(values: FloatArray) -> tuple[float | None, ...]:
    """Plain numbers, None for what is not known."""
    return tuple(None if np.isnan(value) else float(value) for value in values)
