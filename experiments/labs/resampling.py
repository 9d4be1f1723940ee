"""Figures and their intervals over people, for one partition of the people and pooled over several.

A figure is a function of weights of people: all 1 for the figure itself, and counts of a multinomial draw for one
resample (the bootstrap of Efron 1979). The same resamples serve every figure, so two figures of one examination are
compared pairwise, and the partitions of one resample share their people, as they do in the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import cast

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.memory import available_memory, spelt
from groundlings.experiments.analysis.compare import CONFIDENCE, Estimate, within_one

Interval = tuple[float | None, float | None]

FEWEST_TIMES, MOST_TIMES = 100, 10_000
"""Resamples that may be asked for: the ends of an interval are the third value from either side of 100, and of one
resample they are the figure itself."""

_BYTES = 16
"""Of a weight while it is drawn: the count, and the number that it becomes."""


def check_times(times: int) -> None:
    """Raise `ConfigError` where so many resamples give no interval, or take for ever."""
    if not FEWEST_TIMES <= times <= MOST_TIMES:
        raise ConfigError(f"times: found {times:,} resamples; expected {FEWEST_TIMES} to {MOST_TIMES:,}")


@dataclass(frozen=True)
class Resamples:
    """Weights of people.

    Attributes:
        weights: Shape (1 + times, n_people); the first row is all 1.
    """

    weights: FloatArray

    @classmethod
    def draw(cls, n_people: int, times: int, chance: np.random.Generator) -> Resamples:
        """New resamples; none of fewer than two people, who say nothing of how people differ.

        Raises:
            DataError: They do not fit into memory.
        """
        if n_people < 2:
            return cls(np.ones((1, n_people)))
        needed, there = _BYTES * times * n_people, available_memory()
        if there.bytes is not None and needed > there.bytes:
            raise DataError(
                f"intervals: {times:,} resamples of {n_people:,} people take {spelt(needed)}, and {spelt(there.bytes)} "
                f"are left ({there.limit}); ask for fewer resamples, or give fewer people"
            )
        counts = chance.multinomial(n_people, np.full(n_people, 1 / n_people), size=times)
        return cls(np.vstack([np.ones(n_people), counts]))

    def ratio(self, above: FloatArray, below: FloatArray, who: BoolArray) -> FloatArray:
        """Sum of one column over the sum of another, of some people; NaN where the second is 0.

        The resamples are NaN as well where the second column has one person alone: every resample that holds this
        person gives the same figure, and that is no interval of width zero.

        Args:
            above, below: One value per person, shape (n_people,) or (n_people, k).
            who: Which people count, shape (n_people,).

        Returns:
            Shape (1 + times,) or (1 + times, k).
        """
        weights = self.weights[:, who]
        total, size = weights @ above[who], weights @ below[who]
        found = np.divide(total, size, out=np.full(size.shape, np.nan), where=size > 0)
        return alone_without_interval(found, np.count_nonzero(below[who], axis=0) < 2)

    def mean(self, values: FloatArray, who: BoolArray) -> FloatArray:
        """Mean over some people of a value per person, people without one (NaN) left out."""
        return self.ratio(np.nan_to_num(values), (~np.isnan(values)).astype(np.float64), who)


def alone_without_interval(resampled: FloatArray, alone: BoolArray | np.bool_ | bool) -> FloatArray:
    """A figure with its resamples taken out where it rests on one person alone, or one pair.

    Args:
        resampled: The figure and its resamples, shape (1 + times,) or (1 + times, k).
        alone: Whether it does, for each of the k.
    """
    return np.concatenate([resampled[:1], np.where(alone, np.nan, resampled[1:])])


def pooled(partitions: Sequence[FloatArray]) -> FloatArray:
    """The mean over partitions, resample by resample, shape (1 + times,)."""
    known = np.array(partitions)
    counts = (~np.isnan(known)).sum(axis=0)
    return np.divide(np.nansum(known, axis=0), counts, out=np.full(known.shape[1:], np.nan), where=counts > 0)


def pooled_alike(rows: Sequence[Sequence[FloatArray]]) -> list[FloatArray]:
    """The mean over partitions of each of some rows that are compared with each other, shape (1 + times,) each.

    A partition in which no row has a figure is left out of all of them; a row that lacks a figure where another has
    one has no mean, which would be one over other people.
    """
    known = np.array([[not np.isnan(partition[0]) for partition in row] for row in rows])
    shared = known.any(axis=0)
    return [
        pooled(row) if there[shared].all() else np.full(len(row[0]), np.nan)
        for row, there in zip(rows, known, strict=True)
    ]


def interval(
    resampled: FloatArray, least: float = -np.inf, most: float = np.inf, share_of: int | None = None
) -> Interval:
    """Ends of the interval of a figure: percentiles, shifted by the bootstrap's estimate of its bias.

    There is none where more resamples have no figure than an interval leaves out: those that have one hold the few
    people that it rests on, and would agree on it.

    Args:
        resampled: The figure and its resamples, shape (1 + times,).
        least, most: Bounds of the figure.
        share_of: Of how many people it is a share: where nobody has it, or everybody, all resamples agree, and the
            interval is Wilson's of so many (`within_one`).
    """
    value, known = float(resampled[0]), resampled[1:][~np.isnan(resampled[1:])]
    times = len(resampled) - 1
    if np.isnan(value) or not len(known) or times - len(known) > (1 - CONFIDENCE) * times:
        return None, None
    ends = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) + value - known.mean()
    low, high = np.clip(ends, least, most)
    if share_of and low == high and value in (0.0, 1.0):
        found = within_one(Estimate(value, 0.0, value, value, share_of, 0))
        low, high = cast("float", found.low), cast("float", found.high)
    return min(float(low), value), max(float(high), value)


def kendall(real: FloatArray, simulated: FloatArray) -> FloatArray:
    """Kendall's tau-b of each row's columns, shape (n,); NaN where either has no order at all.

    Args:
        real, simulated: Shape (n, k); a column that is NaN in either is in no pair.
    """
    first, second = np.array(list(combinations(range(real.shape[1]), 2)), dtype=np.int64).reshape(-1, 2).T
    signs = [np.sign(each[:, first] - each[:, second]) for each in (real, simulated)]
    there = ~np.isnan(signs[0]) & ~np.isnan(signs[1])
    x, y = (np.where(there, each, 0.0) for each in signs)
    untied = np.sqrt(np.abs(x).sum(axis=1) * np.abs(y).sum(axis=1))
    return np.divide((x * y).sum(axis=1), untied, out=np.full(len(x), np.nan), where=untied > 0)


def kendall_of_figures(real: FloatArray, simulated: FloatArray) -> FloatArray:
    """Kendall's tau-b of figures, and its resamples, shape (1 + times,).

    Resamples without an order tell of no tau. Where they are more than an interval leaves out, the order rests on very
    few people, and those resamples that hold them would agree on it: then there is no interval.
    """
    taus = kendall(real, simulated)
    return alone_without_interval(taus, np.isnan(taus[1:]).sum() > (1 - CONFIDENCE) * (len(taus) - 1))


def sign_agreement(real: FloatArray, simulated: FloatArray, pairs: Sequence[tuple[int, int]]) -> FloatArray:
    """Share of some pairs of columns that both put in the same order, shape (n,); NaN without a pair."""
    if not pairs:
        return np.full(len(real), np.nan)
    first, second = np.array(pairs).T
    return np.asarray(
        ((real[:, first] - real[:, second]) * (simulated[:, first] - simulated[:, second]) > 0).mean(axis=1)
    )


def really_different(rates: FloatArray) -> list[tuple[int, int]]:
    """Pairs of columns whose difference has a 95 % interval without zero, not corrected for their number.

    Args:
        rates: A figure of each column and its resamples, shape (1 + times, k).
    """
    found = []
    for first, second in combinations(range(rates.shape[1]), 2):
        low, high = interval(rates[:, first] - rates[:, second])
        if low is not None and high is not None and (low > 0 or high < 0):
            found.append((first, second))
    return found


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its 95 % interval over people; ends are None where there is none."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(
        cls, resampled: FloatArray, least: float = -np.inf, most: float = np.inf, share_of: int | None = None
    ) -> Figure:
        """From the figure and its resamples, shape (1 + times,), as `interval`."""
        return cls(float(resampled[0]), *interval(resampled, least, most, share_of))
