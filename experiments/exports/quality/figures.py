"""One measured figure with its interval, or the reason why there is none; and the area under the curve."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.random_streams import name_key
from groundlings.experiments.analysis.compare import CONFIDENCE, Difference, Estimate

RESAMPLES = 200
"""Bootstrap resamples of users per interval."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure about users.

    Attributes:
        value: None where it cannot be measured.
        low, high: Ends of the 95 % interval over users, None where there is none.
        n: Users that it rests on.
        missing: Why there is no value, "" where there is one.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    missing: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, `missing` only where there is no value."""
        content = asdict(self)
        return content if self.missing else {name: content[name] for name in ("value", "low", "high", "n")}


def absent(reason: str, n: int = 0) -> Figure:
    """No value, for a reason."""
    return Figure(n=n, missing=reason)


def of_estimate(found: Estimate | Difference, reason: str = "no user has a value", plus: float = 0.0) -> Figure:
    """A mean, ratio or difference as a figure.

    Args:
        found: What was estimated.
        reason: Why nothing was, where nothing was.
        plus: Is added to the value and to both ends: 1 makes a ratio of a relative lift.
    """
    value = found.difference if isinstance(found, Difference) else found.mean
    if value is None:
        return absent(reason, found.n)
    low, high = (None if end is None else end + plus for end in (found.low, found.high))
    return Figure(value + plus, low, high, found.n)


def share(yes: BoolArray) -> Figure:
    """The share of users, with Wilson's interval (Wilson 1927), which holds for shares of 0 and 1 as well."""
    n = len(yes)
    if not n:
        return absent("no user has a value")
    value, z = float(yes.mean()), float(ndtri((1 + CONFIDENCE) / 2))
    middle = (value + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low, high = float(middle - reach), float(middle + reach)
    return Figure(value, max(0.0, min(low, value)), min(1.0, max(high, value)), n)  # rounding may cross 0 and 1


def chance(seed: int, *purpose: object) -> np.random.Generator:
    """Random numbers for a purpose; the same for the same seed."""
    return np.random.default_rng(name_key("log quality", seed, *purpose))


def auc(positive: FloatArray, negative: FloatArray) -> float:
    """P(a positive one scores higher than a negative one), ties counting half: 0.5 = they cannot be told apart."""
    from scipy.stats import rankdata  # takes longer to load than a small export to write

    ranks = rankdata(np.concatenate([positive, negative]))
    n, m = len(positive), len(negative)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def auc_figure(scores: FloatArray, labels: BoolArray, users: IntArray, random: np.random.Generator) -> Figure:
    """The AUC with its bootstrap interval over users: the two rows of one user are drawn together.

    Args:
        scores: One per row, shape (n,).
        labels: Which rows are positive, shape (n,).
        users: Whose row it is, shape (n,).
        random: For the resamples.
    """
    people, place = np.unique(users, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(people) + 1))
    values = []
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(people), len(people))
        lengths = starts[drawn + 1] - starts[drawn]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows = order[np.repeat(starts[drawn], lengths) + within]
        if labels[rows].any() and not labels[rows].all():
            values.append(auc(scores[rows][labels[rows]], scores[rows][~labels[rows]]))
    value = auc(scores[labels], scores[~labels])
    if not values:
        return Figure(value, n=len(people))
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Figure(value, min(float(low), value), max(float(high), value), len(people))
