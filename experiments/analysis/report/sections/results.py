"""All results: every metric of every arm, the effects, and several objectives where a plan declares them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.metrics import ArmSummary, Metric, Summary
from groundlings.experiments.analysis.report import formatting, objective_sentences, real_sentences, verdict_sentences
from groundlings.experiments.analysis.report.figures import draw_metric
from groundlings.experiments.analysis.report.objective_figures import draw_pareto
from groundlings.experiments.analysis.report.pairs import pairs
from groundlings.experiments.analysis.report.palette import Style
from groundlings.experiments.analysis.report.pictures import Panel, Picture
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.analysis.report.social_sentences import social_lines, spillover_lines
from groundlings.experiments.analysis.report.sparkline import sparkline
from groundlings.experiments.analysis.report.verdict_figures import draw_effects, draw_real

_MANY = 0.1
"""From this share of people left out on, a difference comes with a warning."""


def results_section(material: Material) -> Section:
    """The table of all metrics, with the effects, the metrics and several objectives drawn."""
    summary, comparison, style = material.summary, material.comparison, material.style
    return Section(
        {
            "sparks": (sparks := _sparks(summary, style)),
            "courses_known": any(any(of_arm.values()) for of_arm in sparks.values()),
            "tally": _tally(summary),
            "selective": _selective(summary),
            "most_left_out": _MANY * summary.run["agents"],
            "against_means": partial(_against_means, summary),
            "pairs": pairs(material),
            "social_lines": social_lines(material.run_dir),
            "spillover_lines": spillover_lines(comparison),
        },
        (*_effects(material), *_pareto(comparison, style), *_metrics(summary, style)),
    )


def _against_means(summary: Summary, arm: ArmSummary, metric: Metric) -> bool:
    """Whether a difference has the other sign than the two means that stand in the table: it is of other agents."""
    difference = arm.differences[metric.name].difference
    ours, theirs = arm.metrics[metric.name].mean, summary.baseline.metrics[metric.name].mean
    return None not in (difference, ours, theirs) and (difference or 0.0) * ((ours or 0.0) - (theirs or 0.0)) < 0


def _effects(material: Material) -> list[Picture]:
    """The effects, and beside them those on real people; nothing where no arm competes."""
    comparison, metric, style = material.comparison, material.primary, material.style
    arms = comparison.arms
    if not any(arm.headline.effect.difference is not None for arm in arms):
        return []
    spoken = " ".join(verdict_sentences.sentence(comparison, arm) for arm in arms)
    panels = [Panel(spoken, partial(draw_effects, comparison=comparison, metric=metric, style=style))]
    if any(arm.real is not None and arm.real.effects for arm in arms):
        real = partial(draw_real, comparison=comparison, style=style)
        panels.append(Panel(real_sentences.spoken(comparison), real))
    title = f"{comparison.run['experiment']}: {metric.label.lower()} against {comparison.baseline}"
    return [Picture("effects", title, tuple(panels), columns=len(panels), size=(4.4, 1.3 + 0.3 * max(len(arms), 4)))]


def _pareto(comparison: Comparison, style: Mapping[str, Style]) -> list[Picture]:
    """Where the arms stand on the first objective and each of the others; nothing with fewer than two."""
    found = comparison.objectives
    if found is None or len(found.weighed) < 2:
        return []
    first, *others = (comparison.metrics[name] for name in found.weighed)
    panels = tuple(
        Panel(
            objective_sentences.spoken(comparison, found),
            partial(draw_pareto, found=found, across=other, up=first, baseline=comparison.baseline, style=style),
        )
        for other in others
    )
    title = f"{comparison.run['experiment']}: several objectives against {comparison.baseline}"
    return [Picture("pareto", title, panels, columns=min(2, len(panels)), size=(4.4, 3.4))]


def _sparks(summary: Summary, style: Mapping[str, Style]) -> dict[str, dict[str, str]]:
    """Arm -> metric -> its course over the days; all arms on one scale."""
    found: dict[str, dict[str, str]] = {arm.name: {} for arm in summary.arms}
    for metric in summary.metrics:
        courses = {arm.name: [day[metric.name].mean for day in arm.days] for arm in summary.arms}
        known = [value for course in courses.values() for value in course if value is not None]
        for name, course in courses.items():
            shown = ", ".join(formatting.decimal(value, metric.decimals) for value in course)
            scale = (min(known), max(known)) if known else (0.0, 1.0)
            found[name][metric.name] = sparkline(course, f"By day: {shown}", scale, style[name].colour)
    return found


def _metrics(summary: Summary, style: Mapping[str, Style]) -> list[Picture]:
    """Every metric of every arm, the arms below each other; nothing with a single arm, which has nothing beside it."""
    if len(summary.arms) < 2:
        return []
    panels = tuple(
        Panel(formatting.spoken(summary, metric), partial(draw_metric, summary=summary, metric=metric, style=style))
        for metric in summary.metrics
    )
    title = f"{summary.run['experiment']}: mean over agents and 95 % interval"
    return [Picture("metrics", title, panels, columns=3, size=(3.6, 1.05 + 0.27 * max(len(summary.arms), 2)))]


def _tally(summary: Summary) -> dict[str, int]:
    """How many differences between competitors there are, how many of them exclude zero, and how many bounds."""
    found = [each for arm in summary.arms if not arm.bound for each in arm.differences.values()]
    competing = [each for each in found if each.low is not None]
    return {
        "differences": len(competing),
        "exclude_zero": sum(each.excludes_zero for each in competing),
        "bounds": sum(arm.bound for arm in summary.arms),
    }


def _selective(summary: Summary) -> dict[str, float]:
    """Label of each metric that many people lack -> the largest share left out of a difference."""
    rivals = [arm.differences for arm in summary.arms[1:] if not arm.bound and arm.counts.sessions]
    left_out = {
        metric.label: max((each[metric.name].excluded for each in rivals), default=0) for metric in summary.metrics
    }
    agents = max(summary.run["agents"], 1)
    return {label: number / agents for label, number in left_out.items() if number > _MANY * agents}
