"""Bad news, and guardrails that held: what somebody has to know who has read who wins."""

from __future__ import annotations

from groundlings.experiments.analysis.answer.finding import contradicted, gain
from groundlings.experiments.analysis.answer.sizes import is_share
from groundlings.experiments.analysis.answer.values import News
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.comparison.real_behaviour import extrapolation_decides
from groundlings.experiments.analysis.metrics import Summary
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.report.formatting import count, signed

_MANY = 0.1
"""From this share of people left out on, it is told."""
_HEAVY = 0.25
"""From this share of all money on that 1 % of the people bring, it is told."""


def news_of(comparison: Comparison, summary: Summary, arm: ArmFindings, direction: int) -> tuple[News, ...]:
    """What there is to know of one arm, the worst first.

    Args:
        comparison: What was found.
        summary: Figures of the run.
        arm: The arm.
        direction: Of the primary metric.
    """
    found = [*_against(comparison, arm), *_losses(comparison, summary, arm), *_course(comparison, arm, direction)]
    found += _parts(comparison, arm, direction)
    found += _basis(comparison, arm)
    order = {"bad": 0, "warn": 1, "good": 2, "unknown": 3}
    return tuple(sorted(found, key=lambda each: order[each.state]))


def news_of_all(comparison: Comparison) -> tuple[News, ...]:
    """What there is to know of the whole run."""
    found = []
    if comparison.lost.lost:
        found.append(News("", "bad", f"not known: {comparison.lost.counted()}"))
    return tuple(found)


def _against(comparison: Comparison, arm: ArmFindings) -> list[News]:
    found = []
    if contradicted(arm) and arm.headline.clear:
        found.append(News(arm.name, "bad", "real people did the opposite"))
    elif contradicted(arm) and arm.real is not None and arm.real.decided_by is not None:
        # Nothing is clear here that real people could have done the opposite of.
        above = (arm.real.decided_by.difference.difference or 0.0) > 0
        found.append(
            News(
                arm.name,
                "warn",
                f"what real people chose puts it {'ahead of' if above else 'behind'} {comparison.baseline}",
            )
        )
    if arm.variants is not None and not arm.variants.same_sign:
        found.append(News(arm.name, "bad", "the sign changes between variants"))
    utility = None
    if comparison.objectives is not None:
        utility = next((each.utility for each in comparison.objectives.arms if each.name == arm.name), None)
    if utility is not None and utility.high is not None and utility.high < 0:
        found.append(News(arm.name, "bad", "worse when all objectives are weighed"))
    return found


def _losses(comparison: Comparison, summary: Summary, arm: ArmFindings) -> list[News]:
    """Guardrails as they stand, and other metrics that got clearly worse."""
    found = []
    for guard in arm.guardrails:
        metric = comparison.metrics[guard.metric]
        change = _change(metric, guard.effect.difference, summary)
        if guard.state == "harmed":
            found.append(News(arm.name, "bad", f"{metric.label.lower()} {change}, more than allowed"))
        elif guard.state == "unclear":
            found.append(News(arm.name, "warn", f"{metric.label.lower()} {change}, too large a loss not ruled out"))
    if arm.guardrails and all(guard.state == "held" for guard in arm.guardrails):
        many = len(arm.guardrails) > 1
        found.append(News(arm.name, "good", "guardrails held" if many else "guardrail held"))
    for each in arm.explored:
        metric, effect = comparison.metrics[each.metric], each.effect
        if metric.higher_is_better is None or each.adjusted_p is None or each.adjusted_p >= comparison.plan.alpha:
            continue
        if (effect.difference or 0.0) * (1 if metric.higher_is_better else -1) < 0:
            found.append(News(arm.name, "bad", f"{metric.label.lower()} {_change(metric, effect.difference, summary)}"))
    return found


def _change(metric: Metric, difference: float | None, summary: Summary) -> str:
    """A difference in per cent of the baseline's mean, or in the metric's unit where that has none."""
    base = summary.baseline.metrics[metric.name].mean
    if difference is None:
        return "n/a"
    if base is None or base <= 0:
        return f"{signed(100 * difference, 1)} points" if is_share(metric) else signed(difference, metric.decimals)
    share = 100 * difference / base
    return f"{signed(share, 0 if abs(share) >= 2 else 1)} %"


def _course(comparison: Comparison, arm: ArmFindings, direction: int) -> list[News]:
    """An effect that is clearly smaller on the last day than on the first."""
    change, metric = arm.novelty, comparison.metrics[comparison.plan.primary]
    if change is None or not change.excludes_zero or change.difference is None or not arm.headline.clear:
        return []
    better = gain(arm, direction) > 0
    if not better or change.difference * (direction or 1) > 0:
        return []
    size = (
        f"{signed(100 * change.difference, 1)} points"
        if is_share(metric)
        else signed(change.difference, metric.decimals)
    )
    return [News(arm.name, "bad", f"fades: {size} by day {len(arm.days)}")]


def _parts(comparison: Comparison, arm: ArmFindings, direction: int) -> list[News]:
    """The part of the audience that fares clearly worse although the arm is better."""
    if not arm.headline.clear or not direction or gain(arm, direction) <= 0 or arm.variants is not None:
        return []  # parts of the audience are of one run, and an answer may be that of several
    worse = [
        part
        for part in arm.segments
        if part.adjusted_p is not None
        and part.adjusted_p < comparison.plan.alpha
        and (part.effect.difference or 0.0) * direction < 0
    ]
    return [News(arm.name, "bad", f"worse for {part.attribute} {part.level}") for part in worse[:1]]


def _basis(comparison: Comparison, arm: ArmFindings) -> list[News]:
    """What the figure rests on, where that is little."""
    found = []
    effect, held_out = arm.headline.effect, comparison.held_out
    agents = int(comparison.run["agents"])
    came = int(comparison.run.get("came", agents))
    lacking = effect.excluded - (agents - came)  # who never came has a value of nothing
    if effect.difference is not None and came and lacking > _MANY * came:
        found.append(
            News(arm.name, "warn", f"{100 * lacking / came:.0f} % of the people have no value and are left out")
        )
    if extrapolation_decides(held_out, arm.name, comparison.metrics[comparison.plan.primary]):
        found.append(News(arm.name, "warn", "rests on items that people hardly pick"))
    for tail in comparison.tails if arm.variants is None else ():  # as parts of the audience, of one run
        if (tail.arm, tail.metric) == (arm.name, comparison.plan.primary) and (tail.top or 0.0) >= _HEAVY:
            who = "1 person brings" if tail.few == 1 else f"{count(tail.few)} people bring"
            found.append(News(arm.name, "warn", f"{who} {100 * (tail.top or 0.0):.0f} % of it"))
    return found
