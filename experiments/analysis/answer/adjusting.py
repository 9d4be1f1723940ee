"""That effects are adjusted, in which way, and what they are without: means beside them are as logged."""

from __future__ import annotations

from groundlings.experiments.analysis.answer.sentences import Words
from groundlings.experiments.analysis.answer.values import Size
from groundlings.experiments.analysis.comparison.effects import ArmFindings

_NAMED = 4
"""Of so many recommenders, the best first, the effect as logged is told."""


def adjusted_note(words: Words) -> str:
    """How the effects on the primary metric are adjusted, and their sizes as logged; "" where they are as logged.

    Args:
        words: A comparison and what is said of it.
    """
    comparison, plan = words.comparison, words.comparison.plan
    how = []
    if plan.take_out_luck:
        how.append("by a control variate, clicks less expected clicks, which takes luck out of them")
    if plan.primary in (plan.winsorise or {}):
        how.append("by capping the largest values")
    if not how or comparison.preference is not None or any(arm.variants is not None for arm in comparison.arms):
        return ""
    arms = [arm for arm in comparison.arms if arm.headline.effect.difference is not None and not arm.headline.identical]
    arms.sort(key=lambda arm: -(words.finding.direction or 1) * (arm.headline.effect.difference or 0.0))
    logged = [f"{arm.name} {said}" for arm in arms[:_NAMED] if (said := _as_logged(words, arm))]
    if not logged:
        return ""
    rest = "; others under All results" if len(arms) > _NAMED else ""
    return (
        f"Effects are adjusted {' and '.join(how)}. As logged, without that, {words.label} against {words.base}: "
        f"{'; '.join(logged)}{rest}."
    )


def _as_logged(words: Words, arm: ArmFindings) -> str:
    """The mean of an arm and how far it is from the baseline's, both as they were logged."""
    means = words.comparison.standing.means
    ours, theirs = means.get(arm.name), means.get(words.comparison.baseline)
    if ours is None or theirs is None or ours.mean is None or theirs.mean is None:
        return ""
    gap = ours.mean - theirs.mean
    size = Size(words.percent, gap / theirs.mean if words.percent else gap, None, None)
    return f"{words.mean(arm.name)} ({words.unit.middle(size)})"
