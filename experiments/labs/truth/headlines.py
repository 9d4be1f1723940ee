"""The pooled headline records, for the terminal and the top of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundlings.experiments.labs.truth.level import LIKES, REAL
from groundlings.experiments.labs.truth.order import OTHER_HALF, PART
from groundlings.experiments.labs.truth.ratings import TASK
from groundlings.experiments.labs.truth.records import POOLED, TruthRecord
from groundlings.experiments.labs.truth.sessions import HEADLINES

_LABELS = {
    (TASK, "mae", "(median)"): "Ratings of random items, MAE of the median",
    (TASK, "rmse", "(mean)"): "Ratings of random items, RMSE of the mean",
    (TASK, "like auc", ""): "Likes within a person, AUC",
    (LIKES, "mean P(like)", ""): "Mean P(like) of random items",
    (LIKES, "relative error", ""): "Its relative error",
}
"""By task, metric and the end of the scorer's name: of two predictions of one mind, the one that the error is for."""


@dataclass(frozen=True, slots=True)
class Headline:
    """A row of the table.

    Attributes:
        label: The name of the figure.
        record: A mind's figure.
        beside: What it is compared with, real people included.
    """

    label: str
    record: TruthRecord
    beside: str


def headlines(records: Sequence[TruthRecord]) -> list[Headline]:
    """The minds' headline figures, those without exposures first."""
    rows = []
    pooled = [each for each in records if each.salt == POOLED]
    for record in pooled:
        end = record.scorer.rpartition(" (")[2] if record.scorer.endswith(")") else ""
        label = _LABELS.get((record.task, record.metric, f"({end}" if end else "")) or _of_order(record)
        if record.kind == "mind" and label:
            rows.append(Headline(label, record, _beside(record, pooled)))
    order = list(dict.fromkeys(row.label for row in rows))
    return sorted(rows, key=lambda row: order.index(row.label))


def _of_order(record: TruthRecord) -> str | None:
    if record.part != PART or not record.task.startswith("order of") or not record.task.endswith(HEADLINES[0]):
        return None
    tau = record.metric == "kendall tau"
    return "Order of recommenders, Kendall's tau" if tau else "Really different pairs, sign agreement"


def _beside(record: TruthRecord, pooled: Sequence[TruthRecord]) -> str:
    parts = [] if record.baseline is None else [f"{record.baseline.value:.3f} {record.baseline.scorer}"]
    for other in pooled:
        same = (other.task, other.metric) == (record.task, record.metric)
        if same and other.scorer in (OTHER_HALF, REAL) and other.value is not None:
            parts.append(f"{other.value:.3f} {other.scorer}")
    return "; ".join(parts)
