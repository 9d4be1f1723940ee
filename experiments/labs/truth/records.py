"""The results, one record per task, scorer, metric and partition, and the verdicts of the pooled ones.

A fixed rule gives the verdict of a mind:

    not supported                    the claim does not hold
    indicative                       it holds, but the mind did not pass the gate of random exposure, or the figure
                                     misses its target
    validated under random exposure  it holds, the target is met, and the same mind passed the gate

The claim of an error or an AUC is that it is better than the best trivial scorer: the 95 % interval of the paired
difference excludes zero on the good side. The claim of an order is that the low end of its interval lies above the best
trivial simulator and above chance. The claim of a level is that its whole interval lies within the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.labs.fidelity.records import Baseline, Kind, Record, is_within, target_of
from groundlings.experiments.labs.fidelity.sentences import sentence
from groundlings.experiments.labs.resampling import interval, pooled_alike
from groundlings.experiments.labs.truth.config import FEWEST_SALTS

POOLED = "pooled"
"""The partition of a record that is the mean over all of them."""

VALIDATED = "validated under random exposure"
GATE_TAU, GATE_SIGN = 0.8, 0.9
"""What the gate asks of the order by likes per session."""

Claim = Literal["better", "above", "within"]


@dataclass(frozen=True, slots=True)
class TruthRecord(Record):
    """One figure.

    Attributes:
        salt: The partition of the people, or `POOLED`.
        exposures: Whether anything of the row was fitted on exposures: "none", or "of other people".
    """

    salt: str = POOLED
    exposures: str = "none"

    @property
    def said(self) -> str:
        """The verdict in the words of this lab, "" without one."""
        return VALIDATED if self.verdict == "validated" else self.verdict or ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**super(TruthRecord, self).as_dict(), "verdict": self.said or None}


@dataclass(frozen=True)
class Row:
    """A scorer's values of one metric.

    Attributes:
        scorer: Its name.
        kind: What kind of row it is.
        values: For each partition the figure and its resamples, shape (1 + times,) each.
        fitted: Whether it was fitted on exposures of people who are not judged.
        target: The tolerance of a mind's figure, declared beforehand.
    """

    scorer: str
    kind: Kind
    values: Sequence[FloatArray]
    fitted: bool = False
    target: tuple[float | None, float | None] | None = None


@dataclass(frozen=True)
class Metric:
    """A metric of one task.

    Attributes:
        part, task, name: As in the records.
        definition: What it is.
        claim: The kind of claim that minds have; None without one.
        higher_is_better: Which side is good.
        n: What each partition's figure rests on, and their mean for the pooled figure.
        unit: Of `n`.
        bounds: Least and most that it can be.
        chance: What guessing reaches; an order has to be above that, too.
    """

    part: str
    task: str
    name: str
    definition: str
    claim: Claim | None
    higher_is_better: bool
    n: Sequence[int]
    unit: str
    bounds: tuple[float, float] = (-np.inf, np.inf)
    chance: float = -np.inf


def compare(metric: Metric, rows: Sequence[Row], salts: Sequence[str]) -> list[TruthRecord]:
    """Records of all rows: the pooled figures with claims, then those of each partition without."""
    records = _records(
        metric, rows, pooled_alike([row.values for row in rows]), POOLED, round(float(np.mean(metric.n)))
    )
    for number, salt in enumerate(salts):
        values = [row.values[number] for row in rows]
        of_salt = _records(metric, rows, values, salt, metric.n[number])
        records += [replace(each, holds=None) for each in of_salt]
    return records


def _records(metric: Metric, rows: Sequence[Row], values: Sequence[FloatArray], salt: str, n: int) -> list[TruthRecord]:
    records = []
    for row, own in zip(rows, values, strict=True):
        low, high = interval(own, *metric.bounds)
        value = None if np.isnan(own[0]) else float(own[0])
        record = TruthRecord(
            metric.part, metric.task, row.scorer, metric.name, row.kind, value, low, high, n, metric.unit,
            metric.definition, salt=salt, exposures="of other people" if row.fitted else "none",
        )  # fmt: skip
        best = _best(metric, row, rows, values)
        if best is not None:
            difference = own - values[best]
            least, most = interval(difference)
            gap = None if np.isnan(difference[0]) else float(difference[0])
            record = replace(record, baseline=Baseline(rows[best].scorer, float(values[best][0]), gap, least, most))
        if row.kind == "mind":
            record = replace(record, holds=_holds(metric, record, row))
            if row.target is not None:
                record = target_of(record, *row.target)  # type: ignore[assignment]
        records.append(record)
    return records


def _best(metric: Metric, row: Row, rows: Sequence[Row], values: Sequence[FloatArray]) -> int | None:
    """The best trivial row that had no more to be fitted on than a row; None for trivial rows themselves."""
    if row.kind == "trivial":
        return None
    rivals = [
        number
        for number, other in enumerate(rows)
        if other.kind == "trivial" and (row.fitted or not other.fitted) and not np.isnan(values[number][0])
    ]
    sign = 1.0 if metric.higher_is_better else -1.0
    return max(rivals, key=lambda number: sign * float(values[number][0])) if rivals else None


def _holds(metric: Metric, record: TruthRecord, row: Row) -> bool | None:
    """Whether a mind's claim holds; see the module."""
    if metric.claim is None:
        return None
    if metric.claim == "within":
        return None if row.target is None else is_within(record.low, record.high, row.target)
    baseline = record.baseline
    if baseline is None:
        return None
    if metric.claim == "above":
        return record.low is not None and record.low > max(baseline.value, metric.chance)
    end = baseline.low if metric.higher_is_better else baseline.high
    return end is not None and (end > 0 if metric.higher_is_better else end < 0)


def gate(records: Sequence[TruthRecord], scorer: str, task: str, n_salts: int) -> bool:
    """Whether a mind passes the gate of random exposure on this data set.

    It needs all of: five partitions at least; a pooled tau of at least .8 and a pooled sign agreement of at least .9,
    both of the order by likes per session; and the low ends of both intervals above the best trivial simulator.
    """
    own = {each.metric: each for each in records if (each.scorer, each.task, each.salt) == (scorer, task, POOLED)}
    tau, sign = own.get("kendall tau"), own.get("sign agreement")
    if tau is None or sign is None or tau.value is None or sign.value is None:
        return False
    above = bool(tau.holds) and bool(sign.holds)
    return n_salts >= FEWEST_SALTS and tau.value >= GATE_TAU and sign.value >= GATE_SIGN and above


def judged(record: TruthRecord, passed: bool) -> TruthRecord:
    """A record with its verdict and sentence.

    Args:
        record: With its claim.
        passed: Whether its scorer passed the gate.
    """
    if record.holds is not None:
        met = record.target is None or record.target.met
        word: Literal["validated", "indicative", "not supported"] = "indicative" if record.holds else "not supported"
        record = replace(record, verdict="validated" if record.holds and met and passed else word)
    said = sentence(record)
    return replace(record, words=said.replace("validated.", f"{VALIDATED}.") if record.verdict == "validated" else said)
