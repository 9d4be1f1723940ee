"""Figures with one number per user, and intervals and floors for figures of whole samples of users.

A figure of a sample is computed from a table with one row per user, so that users can be resampled, left out or
compared with other users without reading single ratings again. The unit is always the user, because rows of one user
depend on each other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy import stats

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.compare import CONFIDENCE

HALVES = 200
"""Number of pairs of disjoint samples of real users per floor."""

GROUPS = 40
"""Number of groups of users that the jackknife leaves out in turn."""

Interval = tuple[float | None, float | None]


def mean_by_person(users: IntArray, values: FloatArray, people: IntArray) -> FloatArray:
    """Mean of the values of each user, shape as `people` (ascending), NaN for a user without any."""
    place = np.searchsorted(people, users)
    counts = np.bincount(place, minlength=len(people))
    sums = np.bincount(place, values, minlength=len(people))
    return np.divide(sums, counts, out=np.full(len(people), np.nan), where=counts > 0)


def rows_by_person(users: IntArray) -> list[IntArray]:
    """The rows of each user who occurs, users ascending."""
    order = np.argsort(users, kind="stable")
    _, starts = np.unique(users[order], return_index=True)
    return [np.asarray(rows, dtype=np.int64) for rows in np.split(order, starts[1:])]


def counts_by_person(users: IntArray, columns: IntArray, people: IntArray, width: int) -> sp.csr_array:
    """How often each column occurs with each user, shape (n_people, width); `people` ascending."""
    cells = (np.ones(len(users)), (np.searchsorted(people, users), columns))
    return sp.csr_array(cells, shape=(len(people), width))


def bootstrap(
    statistic: Callable[[IntArray], float],
    n: int,
    times: int,
    chance: np.random.Generator,
    *,
    least: float = -np.inf,
    most: float = np.inf,
) -> Interval:
    """Ends of the bootstrap interval over users (Efron 1979), None where there is none.

    There is none, too, where more resamples have no figure than an interval leaves out: those that have one hold the
    few users that it rests on, and would agree on it.

    It is the percentile interval, shifted by the bootstrap's estimate of its bias: resampling adds noise, which always
    increases a distance, so the plain interval of a small distance can lie above the distance itself.

    Args:
        statistic: The figure of some users, given as row numbers, with repetitions.
        n: Number of users.
        times: Number of resamples.
        chance: Random numbers.
        least, most: Bounds of the figure.
    """
    if n < 2:
        return None, None
    values = np.array([statistic(chance.integers(0, n, n)) for _ in range(times)])
    known = values[~np.isnan(values)]
    whole = statistic(np.arange(n))
    if np.isnan(whole) or times - len(known) > (1 - CONFIDENCE) * times:
        return None, None
    ends = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) + whole - known.mean()
    low, high = np.clip(ends, least, most)
    return min(float(low), whole), max(float(high), whole)


def ratio_of(figure: float, real: float) -> float:
    """A figure over the real one; NaN where that is 0, so that nothing is a multiple of it."""
    return figure / real if real else float("nan")


def in_digits(real: float, digits: str) -> str:
    """A real figure in a definition, "n/a" where it is not known."""
    return "n/a" if np.isnan(real) else f"{real:{digits}}"


def jackknife(statistic: Callable[[IntArray], float], n: int, chance: np.random.Generator) -> Interval:
    """Ends of the delete-a-group jackknife interval over users (Quenouille 1956, Tukey 1958), with Student's t.

    For figures that repeated users would distort, such as the concentration of choices. There are none where no group
    makes a difference.
    """
    groups = min(GROUPS, n)
    if groups < 2:
        return None, None
    parts = np.array_split(chance.permutation(n), groups)
    whole = statistic(np.arange(n))
    values = np.array([statistic(np.sort(np.concatenate(parts[:k] + parts[k + 1 :]))) for k in range(groups)])
    error = np.sqrt((groups - 1) / groups * ((values - values.mean()) ** 2).sum())
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, groups - 1)) * float(error)
    return (None, None) if np.isnan(reach) or not reach else (whole - reach, whole + reach)


def floor(
    distance: Callable[[IntArray, IntArray], float], n_all: int, n_sample: int, chance: np.random.Generator
) -> tuple[float, float, int]:
    """The distance between two samples of real users: mean, 95 % quantile, and users per sample.

    Args:
        distance: Between two samples, given as row numbers.
        n_all: Number of real users.
        n_sample: Users per sample; half of all if there are too few for two such samples.
        chance: Random numbers.
    """
    size = min(n_sample, n_all // 2)
    values = []
    for _ in range(HALVES):
        order = chance.permutation(n_all)
        values.append(distance(order[:size], order[n_all - size :]))
    return float(np.mean(values)), float(np.quantile(values, 0.95)), size
