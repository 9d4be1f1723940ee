"""Several objectives, and what money rests on, in words; terminal and page say the same."""

from __future__ import annotations

from groundlings.experiments.analysis.compare import Difference
from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.comparison.money import Tail
from groundlings.experiments.analysis.comparison.objective_effects import (
    ArmObjectives,
    Front,
    ObjectiveEffect,
    Objectives,
)
from groundlings.experiments.analysis.report.formatting import NOTHING, count, decimal, plural, share, signed
from groundlings.experiments.analysis.report.verdict_sentences import bounds, p_text

UTILITY_DECIMALS = 4

_UNITS = {
    "units": "weights are prices per unit of each metric",
    "relative": "weights are the worth of a change by the whole mean of {baseline}",
}
_FRONT: tuple[tuple[Front, str], ...] = (
    ("on the front", "on the Pareto front"),
    ("dominated", "dominated"),
    ("cannot be told", "cannot be told apart from it"),
)


def declared(comparison: Comparison, found: Objectives) -> str:
    """What was declared, in sentences."""
    parts = []
    for name, role in found.roles.items():
        weight = found.weights[name]
        way = "more is better" if found.signs[name] > 0 else "less is better"
        worth = "" if weight is None else f", weight {weight:g}"
        parts.append(f"{comparison.metrics[name].label.lower()} ({role}, {way}{worth})")
    unit = "" if found.unit is None else f" Utility: {_UNITS[found.unit].format(baseline=comparison.baseline)}."
    return f"Objectives: {'; '.join(parts)}.{unit}{winsorised(comparison)}"


def winsorised(comparison: Comparison) -> str:
    """Which metrics the plan winsorises, "" where none."""
    told = ", ".join(
        f"{comparison.metrics[name].label.lower()} at its {100 * quantile:g} % quantile"
        for name, quantile in (comparison.plan.winsorise or {}).items()
    )
    return f" Winsorised: {told} of all arms' agents; the results table is not." if told else ""


def front(found: Objectives) -> str:
    """Which arms are on the Pareto front, in one sentence."""
    parts = []
    for state, words in _FRONT:
        names = [
            f"{arm.name} (by {', '.join(arm.dominated_by)})" if arm.dominated_by else arm.name
            for arm in found.arms
            if arm.front == state
        ]
        if names:
            parts.append(f"{words}: {', '.join(names)}")
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]}."


def front_basis(found: Objectives, comparison: Comparison) -> str:
    """What the front rests on, in a sentence."""
    names = ", ".join(comparison.metrics[name].label.lower() for name in found.weighed)
    return (
        f"The front is about {names}. An arm is dominated only where the intervals of all these differences say so "
        f"({100 * found.confidence:.2f} % each, so that all of them hold together); means alone do not decide."
    )


def effect(found: ObjectiveEffect, comparison: Comparison) -> str:
    """An arm's effect on an objective; the mean of the first arm."""
    metric = comparison.metrics[found.metric]
    if found.effect is None:
        return decimal(found.mean.mean, metric.decimals)
    return f"{signed(found.effect.difference, metric.decimals)} {bounds(found.effect, metric)}".rstrip()


def utility(found: Difference | None) -> str:
    """The effect on the weighted utility, with its interval."""
    if found is None or found.difference is None:
        return NOTHING
    return f"{signed(found.difference, UTILITY_DECIMALS)} {utility_interval(found)}".rstrip()


def utility_interval(found: Difference) -> str:
    """The interval of an effect on the utility and its p value, "" where there is none."""
    if found.low is None or found.high is None:
        return ""
    p_value = "" if found.p_value is None else f", p {p_text(found.p_value)}"
    return f"[{signed(found.low, UTILITY_DECIMALS)}, {signed(found.high, UTILITY_DECIMALS)}]{p_value}"


def standing(arm: ArmObjectives) -> str:
    """How an arm stands to the front."""
    return f"dominated by {', '.join(arm.dominated_by)}" if arm.dominated_by else arm.front


def spoken(comparison: Comparison, found: Objectives) -> str:
    """The picture in words, for those who do not see it."""
    arms = "; ".join(
        f"{arm.name} {', '.join(effect(each, comparison) for each in arm.effects if each.metric in found.weighed)}"
        for arm in found.arms
    )
    names = ", ".join(comparison.metrics[name].label.lower() for name in found.weighed)
    return f"Difference to {comparison.baseline} on {names}: {arms}. {front(found)}"


def money(tail: Tail, comparison: Comparison) -> str:
    """What a mean of money rests on, in a clause."""
    label = comparison.metrics[tail.metric].label.lower()
    most = "1 agent with most carries" if tail.few == 1 else f"{count(tail.few)} agents with most carry"
    carried = "" if tail.top is None else f"; the {most} {100 * tail.top:.0f} % of it"
    said = (
        f"{tail.arm}: {label} rests on {plural(tail.agents, 'agent')}, {count(tail.payers)} of them above zero{carried}"
    )
    unknown = tail.purchases - tail.priced
    said += f"; {share(unknown, tail.purchases)} of {plural(tail.purchases, 'purchase')} without a known price"
    if "cost" in comparison.metrics[tail.metric].needs:
        said += f", {share(tail.purchases - tail.costed, tail.purchases)} without a known cost"
    if tail.cap is not None:
        said += f"; {plural(tail.capped, 'agent')} set to {tail.cap:.4g}"
    return said
