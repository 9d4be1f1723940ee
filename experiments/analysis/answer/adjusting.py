"""That effects are adjusted, in which way, and what they are without: means beside them are as logged."""

from __future__ import annotations

from groundlings.experiments.analysis.answer.sentences import Words
from groundlings.experiments.analysis.answer.values import Size
from groundlings.experiments.analysis.compare import Estimate
from groundlings.experiments.analysis.comparison.effects import Logged
from groundlings.experiments.analysis.report.verdict_sentences import adjusts, not_adjusted

_NAMED = 4
"""Of so many recommenders, the best first, the effect as logged is told."""


def adjusted_note(words: Words) -> str:
    """How the effects on the primary metric are adjusted, and their sizes as logged; "" where they are as logged.

    Args:
        words: A comparison and what is said of it.
    """
    comparison, plan = words.comparison, words.comparison.plan
    how = []
    if adjusts(comparison):
        how.append("by a control variate, clicks less expected clicks, which takes luck out of them")
    if plan.primary in (plan.winsorise or {}):
        how.append("by capping the largest values")
    if not how:
        return not_adjusted(comparison)
    if comparison.preference is not None or any(arm.variants is not None for arm in comparison.arms):
        return ""
    arms = [arm for arm in comparison.arms if arm.headline.effect.difference is not None and not arm.headline.identical]
    arms.sort(key=lambda arm: -(words.finding.direction or 1) * (arm.headline.effect.difference or 0.0))
    logged = [(arm.name, arm.headline.logged) for arm in arms if arm.headline.logged is not None]
    if not logged:
        return ""
    base = f"{comparison.baseline} ({words.unit.level(logged[0][1].baseline)})"
    sizes = "; ".join(f"{name} {_as_logged(words, found)}" for name, found in logged[:_NAMED])
    rest = "; others under All results" if len(logged) > _NAMED else ""
    return (
        f"Effects are adjusted {' and '.join(how)}. As logged, without that, {words.label} against {base}: "
        f"{sizes}{rest}."
    )


def _as_logged(words: Words, found: Logged) -> str:
    """The mean of an arm and how far it is from the baseline's, with its interval, all as they were logged."""
    gap = found.lift if words.percent else found.effect
    middle = gap.mean if isinstance(gap, Estimate) else gap.difference
    return f"{words.unit.level(found.mean)} ({words.unit.spoken(Size(words.percent, middle, gap.low, gap.high))})"
