"""The results, one record per (task, scorer, metric), and their verdicts.

A fixed rule gives the verdict:

    not supported  the claim does not hold: its interval touches zero, lies on the wrong side, or leaves the tolerance;
                   or its sign flips between variants
    indicative     the claim holds on held-out behaviour of users that nothing was fitted on, but the mind has not
                   passed the system gate, or was not examined there, or the figure misses its target
    validated      the claim holds, the target is met where there is one, and the same mind passed the system gate on
                   this data set (`partitions.gate`)

There are two kinds of claims. "Better than the best trivial scorer": the 95 % interval of the paired difference over
users excludes zero on the good side. "Within a tolerance": the whole 95 % interval of the figure lies in it. Only minds
have claims and verdicts; trivial scorers, real users and published figures are given for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import Difference, mean_interval, paired_difference, within

Verdict = Literal["validated", "indicative", "not supported"]
Kind = Literal["trivial", "reference", "reader", "mind", "real", "published"]
"""Of a row: a trivial scorer, a recommender for orientation, a list reader, a mind, real users, a published figure."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The figure that a row is compared with.

    Attributes:
        scorer: Whose figure it is: the best trivial scorer, or "real people".
        value: The figure.
        difference, low, high: The row less this figure, paired over users, with a 95 % interval; None where users
            cannot be paired.
    """

    scorer: str
    value: float
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    def known(self) -> Baseline | None:
        """The same without what is NaN; None where the figure itself is."""
        if np.isnan(self.value):
            return None
        gap = (None if each is None or np.isnan(each) else each for each in (self.difference, self.low, self.high))
        return Baseline(self.scorer, self.value, *gap)


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a figure, declared before it was measured.

    Attributes:
        low, high: The tolerance; None = open on that side.
        met: Whether the figure lies in it.
        surely: Whether its whole interval does.
    """

    low: float | None
    high: float | None
    met: bool
    surely: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One figure.

    Attributes:
        part: Which of the lab's eight parts.
        task, scorer, metric: What it is a figure of.
        kind: What kind of row the scorer is.
        value, low, high: The figure and its 95 % interval over users; None where there is none, also if given as NaN.
        n: Number of `unit` that it rests on.
        unit: "people", "pairs" or "recommenders".
        definition: What the metric is.
        baseline: What it is compared with.
        target: Its target.
        holds: Whether its claim holds, by the rule of this module; None without a claim.
        verdict: The verdict; None without a claim.
        words: The record as a sentence.
        source: The source of a published figure.
    """

    part: str
    task: str
    scorer: str
    metric: str
    kind: Kind
    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str
    definition: str
    baseline: Baseline | None = None
    target: Target | None = None
    holds: bool | None = None
    verdict: Verdict | None = None
    words: str = ""
    source: str | None = None

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            known = getattr(self, name)
            if known is not None and np.isnan(known):
                object.__setattr__(self, name, None)
        if self.baseline is not None:
            object.__setattr__(self, "baseline", self.baseline.known())

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def verdict(holds: bool | None, gate: bool, *, met: bool = True) -> Verdict | None:
    """The verdict on a claim.

    Args:
        holds: Whether the claim holds; None without a claim.
        gate: Whether the same mind passed the system gate.
        met: Whether the figure meets its target, where it has one.
    """
    if holds is None:
        return None
    if not holds:
        return "not supported"
    return "validated" if gate and met else "indicative"


_ROUNDING = 1e-12
"""An interval that is no wider is that of equal values."""


def is_better(difference: Difference, *, higher_is_better: bool) -> bool:
    """Whether the claim "better than the best trivial scorer" holds; not where no user differs from another.

    Args:
        difference: The row less that scorer, paired over users.
        higher_is_better: Which side is good.
    """
    low, high = difference.low, difference.high
    if low is None or high is None or high - low < _ROUNDING:
        return False
    return low > 0 if higher_is_better else high < 0


def without_flips(variants: Sequence[Record]) -> list[Record]:
    """Records of one claim in several variants; if the sign of the difference flips, it holds in none of them."""
    signs = {each.baseline.difference > 0 for each in variants if each.baseline and each.baseline.difference}
    return list(variants) if len(signs) < 2 else [replace(each, holds=False) for each in variants]


def is_within(low: float | None, high: float | None, tolerance: tuple[float | None, float | None]) -> bool:
    """Whether the claim "within a tolerance" holds: the whole interval lies in it. Without an interval it does not."""
    if low is None or high is None or np.isnan(low) or np.isnan(high):
        return False
    return (tolerance[0] is None or low >= tolerance[0]) and (tolerance[1] is None or high <= tolerance[1])


def target_of(record: Record, low: float | None = None, high: float | None = None) -> Record:
    """The record with a target; without an interval, `surely` equals `met`."""
    value = record.value
    met = value is not None and (low is None or value >= low) and (high is None or value <= high)
    surely = is_within(record.low, record.high, (low, high)) if record.low is not None else met
    return replace(record, target=Target(low, high, met, surely))


@dataclass(frozen=True, slots=True)
class Row:
    """One scorer's values of one metric.

    Attributes:
        scorer: Its name.
        kind: What kind of row it is.
        values: One per user, shape (n,), NaN for a user it was not asked about or has no value for.
    """

    scorer: str
    kind: Kind
    values: FloatArray


def compare_rows(
    part: str,
    task: str,
    metric: str,
    rows: Sequence[Row],
    *,
    definition: str,
    higher_is_better: bool,
    most: float | None = 1.0,
) -> list[Record]:
    """Records of all scorers on one metric, with the claim that minds are better than the best trivial scorer.

    The best trivial scorer is the one with the best mean over all users. A mind that was asked about a sample of users
    is compared with it on this sample.

    Args:
        part, task, metric, definition: Of the records.
        rows: The scorers.
        higher_is_better: Whether more of the metric is better.
        most: The largest value that the metric can have, None for no bound; the least is 0.
    """
    sign = 1.0 if higher_is_better else -1.0
    trivial = [row for row in rows if row.kind == "trivial" and not np.isnan(row.values).all()]
    best = max(trivial, key=lambda row: sign * float(np.nanmean(row.values))) if trivial else None
    records = []
    for row in rows:
        found = within(mean_interval(row.values), 0.0, most)
        baseline, holds = None, None
        if best is not None and row is not best:
            gap = paired_difference(row.values, best.values)
            shared = best.values[~np.isnan(row.values)]
            if gap.n:
                baseline = Baseline(best.scorer, float(np.nanmean(shared)), gap.difference, gap.low, gap.high)
            if row.kind == "mind":
                holds = is_better(gap, higher_is_better=higher_is_better)
        records.append(
            Record(
                part, task, row.scorer, metric, row.kind, found.mean, found.low, found.high, found.n, "people",
                definition, baseline, holds=holds,
            )
        )  # fmt: skip
    return records
