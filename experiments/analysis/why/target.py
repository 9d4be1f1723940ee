"""What an effect is measured in, as a chain of steps: only a count of items is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundlings.environments.shop_actions import PAID, PURCHASE
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.why.steps import CLICKS, LIKES, Step

_LAST_STEP = {"likes_per_session": LIKES, "view_ratio": CLICKS, "revenue_per_session": PURCHASE}
"""Metrics that are a chain of steps, and the step that each counts."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is divided into parts.

    Attributes:
        metric: The primary metric; "" where something else stands in for it.
        label: In words, "Likes per session".
        unit: Of its values: "likes per session".
        decimals: How many a report prints.
        steps: From what is shown to what is counted, in the order of happening.
        per_impression: Whether counts are divided by impressions and not by sessions.
        higher_is_better: As of the metric.
        missing: Why the primary metric has no such form, "" where it has.
    """

    metric: str
    label: str
    unit: str
    decimals: int
    steps: tuple[str, ...]
    per_impression: bool = False
    higher_is_better: bool | None = True
    missing: str = ""

    @property
    def base(self) -> str:
        """Which rows of the log count: those of "whole" sessions, or of impressions with "known" outcome."""
        return "known" if self.per_impression else "whole"


def target_of(metric: Metric, steps: Sequence[Step], *, together: bool, unpriced: int) -> Target:
    """The chain of steps of the primary metric, or of the last step where the metric is none.

    Args:
        metric: The primary one.
        steps: What could be done in the run.
        together: Whether two arms drafted their lists together.
        unpriced: Purchases whose price is not known.
    """
    by_name = {step.name: step for step in steps}
    last = _LAST_STEP.get(metric.name, "")
    missing = _missing(metric, last if last in by_name else "", together=together, unpriced=unpriced)
    if missing:
        name = next(step.name for step in reversed(steps) if not step.missing)
        verb = by_name[name].label.lower()
        return Target(
            "", f"Items {verb} per session", f"items {verb} per session", 2, _chain(by_name, name), missing=missing
        )
    chain = _chain(by_name, last)
    if metric.money:
        chain = (*chain, PAID)
    return Target(
        metric.name, metric.label, metric.unit, metric.decimals, chain, metric.name == "view_ratio",
        metric.higher_is_better,
    )  # fmt: skip


def _missing(metric: Metric, last: str, *, together: bool, unpriced: int) -> str:
    if together:
        return "two arms drafted these lists together, so what became of the picks of each is compared"
    if not last:
        return f"{metric.label.lower()} is no count of items, so it is no product of such steps"
    if metric.money and unpriced:
        return f"the price of {unpriced:,} purchases is not known"
    return ""


def _chain(steps: dict[str, Step], last: str) -> tuple[str, ...]:
    """The steps that lead to one, the first first; a step that is not known is no part of it."""
    found = [last]
    while steps[found[0]].of:
        found.insert(0, steps[found[0]].of)
    return tuple(found)
