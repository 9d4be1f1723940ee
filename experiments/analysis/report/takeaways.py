"""What a figure over time says, in the words that stand above it as its title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.pages import Survival
from groundlings.experiments.analysis.report.formatting import decimal, plural
from groundlings.experiments.analysis.report.verdict_sentences import primary
from groundlings.experiments.analysis.retention import RetentionPoint

_ONE = {
    "fade": "fades",
    "grow": "grows",
    "catch up": "catches up",
    "fall behind": "falls behind",
    "rise": "rises",
    "fall": "falls",
}
"""What differences do -> the same of one arm."""
_NAMED = 3
"""As many arms are named; more are counted."""


def daily_takeaway(comparison: Comparison) -> str:
    """Which arms keep their lead over the days and which fade: "als keeps its lead; item_knn fades by 0.38"."""
    metric = primary(comparison)
    moving: dict[str, list[str]] = {}
    steady: dict[str, list[str]] = {}
    for arm in comparison.arms:
        if arm.novelty is None or arm.novelty.difference is None:
            continue
        if arm.novelty.excludes_zero:
            verb, size = _change(arm, metric)
            moving.setdefault(verb, []).append(f"{arm.name} by {size}" if size else arm.name)
        else:
            steady.setdefault(_standing(arm, metric), []).append(arm.name)
    said = [f"{listed(names)} {_verb(kind, len(names))}" for kind, names in steady.items() if kind]
    for verb, names in moving.items():
        if len(names) == 1:
            name, _, size = names[0].rpartition(" by ")
            said.append(f"{name} {_ONE[verb]} by {size}")
        else:
            said.append(f"{listed(names)} {verb}")
    if not said:
        return f"{metric.label} by day: no arm's difference to {comparison.baseline} changes clearly"
    return "; ".join(said)


def survival_takeaway(curves: Mapping[str, Survival], *, some_empty: bool = False) -> str:
    """Between which arms the share of sessions that reach the last page differs most, if their intervals are apart.

    Those of arms that the same agents lived in may overlap although the difference is clear, so no word says that
    sessions are alike.

    Args:
        curves: Of the sessions that were shown something.
        some_empty: Whether others were shown nothing.
    """
    reached = {name: float(curve.share[-1]) for name, curve in curves.items() if not np.isnan(curve.share[-1])}
    pages = max((len(curve.share) for curve in curves.values()), default=0)
    if len(reached) < 2 or pages < 2:
        return "How long sessions are, and where clicks fall"
    longest, shortest = max(reached, key=lambda name: reached[name]), min(reached, key=lambda name: reached[name])
    most, least = _percent(reached[longest]), _percent(reached[shortest])
    sessions = "sessions that were shown something" if some_empty else "sessions"
    if curves[longest].low[-1] <= curves[shortest].high[-1]:
        shares = most if most == least else f"{least} to {most}"
        return f"{shares} of the {sessions} reach page {pages}; the arms' intervals overlap"
    return f"More {sessions} reach page {pages} with {longest} ({most}) than with {shortest} ({least})"


def retention_takeaway(curves: Mapping[str, Sequence[RetentionPoint]]) -> str:
    """Who brings users back, on the last day that enough users could be seen on."""
    last = {name: curve[-1] for name, curve in curves.items() if curve and curve[-1].day > 0}
    shares = {name: point.back.value for name, point in last.items() if point.back.value is not None}
    if not shares:
        return "Who comes back"
    day = max(point.day for point in last.values())
    clear = [
        (name, point.difference.difference)
        for name, point in last.items()
        if point.difference is not None and point.difference.excludes_zero and point.difference.difference is not None
    ]
    if clear:
        name, gap = max(clear, key=lambda each: abs(each[1]))
        more = "more" if gap > 0 else "fewer"
        return f"{name} brings {abs(100 * gap):.1f} in 100 users {more} back on day {day} than {next(iter(curves))}"
    middle = " to ".join(dict.fromkeys((_percent(min(shares.values())), _percent(max(shares.values())))))
    return f"{middle} of users are back on day {day}; no arm differs clearly"


def listed(names: Sequence[str]) -> str:
    """Names joined by commas and "and"; of many the first few and how many more."""
    if len(names) > _NAMED + 1:
        names = [*names[:_NAMED], plural(len(names) - _NAMED, "more arm")]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _change(arm: ArmFindings, metric: Metric) -> tuple[str, str]:
    """What becomes of an arm's difference from the first day to the last, and by how much."""
    gap = 0.0 if arm.novelty is None else arm.novelty.difference or 0.0
    last = arm.days[-1].difference if arm.days else None
    size = decimal(abs(gap), metric.decimals)
    if metric.higher_is_better is None or last is None:
        return ("rise" if gap > 0 else "fall"), size
    good = 1 if metric.higher_is_better else -1
    first, last, gain = good * (last - gap), good * last, good * gap
    if gain > 0:
        return ("grow" if first >= 0 else "catch up"), size
    return ("fade" if last >= 0 else "fall behind"), size


def _standing(arm: ArmFindings, metric: Metric) -> str:
    effect = arm.headline.effect.difference
    if not arm.headline.clear or effect is None:
        return ""
    if metric.higher_is_better is None:
        return "difference"
    return "lead" if (effect > 0) == metric.higher_is_better else "behind"


def _verb(kind: str, number: int) -> str:
    one = number == 1
    return {
        "lead": "keeps its lead" if one else "keep their lead",
        "behind": "stays behind" if one else "stay behind",
        "difference": "keeps its difference" if one else "keep their difference",
    }[kind]
