"""Standard errors and intervals that allow for rows of one person being alike.

Scores are summed by person before they are squared (Liang and Zeger 1986, "Longitudinal data analysis using generalized
linear models", Biometrika), scaled by people / (people - 1), and compared with the t distribution of people - 1 degrees
of freedom. Intervals of shares are Wilson's (1927) with the number of rows that as many independent ones would have
been (Korn and Graubard 1998, "Confidence intervals for proportions with small expected number of positive counts
estimated from survey data", Survey Methodology).
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from groundlings.environments.arrays import FloatArray, IntArray

_Z95 = 1.959963984540054


def quantile_of(people: int) -> float:
    """How many standard errors a 95 % interval reaches to each side; infinite for fewer than two people."""
    return float(stdtrit(people - 1, 0.975)) if people > 1 else float("inf")


def summed_by_person(scores: FloatArray, people: IntArray) -> FloatArray:
    """Each person's sum, shape (n_people,) or (n_people, n_columns).

    Args:
        scores: A row per exposure, shape (n,) or (n, n_columns).
        people: Whose each row is, 0 to n_people - 1, shape (n,).
    """
    if scores.ndim == 1:
        return np.bincount(people, scores).astype(np.float64)
    return np.column_stack([np.bincount(people, column) for column in scores.T])


def clustered(scores: FloatArray, people: IntArray) -> FloatArray:
    """Covariance of the total of scores that add up to about zero, shape (n_columns, n_columns).

    Args:
        scores: Shape (n, n_columns).
        people: Whose each row is, 0 to n_people - 1, shape (n,).
    """
    sums = summed_by_person(scores, people)
    n = len(sums)
    return sums.T @ sums * (n / max(n - 1, 1))


def mean_with_error(values: FloatArray, people: IntArray) -> tuple[float, float]:
    """Mean over rows, and its standard error, rows of one person being alike."""
    mean = float(values.mean())
    variance = clustered((values - mean)[:, None], people)[0, 0]
    return mean, float(np.sqrt(variance)) / len(values)


def share_interval(happened: FloatArray, people: IntArray) -> tuple[float, float, float]:
    """A share of rows and its 95 % interval: value, low, high.

    Args:
        happened: 1 or 0, shape (n,), at least one row.
        people: Whose each row is, 0 to n_people - 1, shape (n,).
    """
    return share_of_totals(np.bincount(people, happened).astype(np.float64), np.bincount(people).astype(np.float64))


def share_of_totals(happened: FloatArray, rows: FloatArray) -> tuple[float, float, float]:
    """The same from each person's totals, each shape (n_people,)."""
    n, people = float(rows.sum()), len(rows)
    share = float(happened.sum()) / n
    if people < 2:
        return share, 0.0, 1.0
    variance = float(((happened - share * rows) ** 2).sum()) * people / (people - 1) / n**2
    plain = share * (1 - share)
    # Rows of one person that look less alike than chance would have it are taken for independent; where all rows agree
    # nobody can see how alike they are, and each person counts once.
    design = max(1.0, n * variance / plain) if plain > 0 else n / people
    effective = n / design * (_Z95 / quantile_of(people)) ** 2
    centre = (share + _Z95**2 / (2 * effective)) / (1 + _Z95**2 / effective)
    reach = _Z95 / (1 + _Z95**2 / effective) * np.sqrt(plain / effective + _Z95**2 / (4 * effective**2))
    return share, max(0.0, float(centre - reach)), min(1.0, float(centre + reach))
