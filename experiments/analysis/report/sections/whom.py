"""For whom the arms differ: segments of the audience, and how agents are spread."""

from __future__ import annotations

from functools import partial

import numpy as np

from groundlings.experiments.analysis.report import formatting, verdict_sentences
from groundlings.experiments.analysis.report.pictures import Panel, Picture
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.analysis.report.verdict_figures import (
    draw_gaps,
    draw_people,
    draw_segments,
    segments_height,
    segments_span,
)


def whom_section(material: Material) -> Section:
    """The effect by segment, the distribution over agents, and who gained, where there is something to show."""
    return Section(pictures=(*_segments(material), *_people(material)))


def _segments(material: Material) -> list[Picture]:
    comparison, metric, style = material.comparison, material.primary, material.style
    arms = comparison.arms
    if not any(arm.segments for arm in arms) or all(arm.headline.effect.difference is None for arm in arms):
        return []
    span = segments_span(comparison)
    panels = tuple(
        Panel(
            f"{arm.name}: {verdict_sentences.segments(arm, metric, comparison.plan.alpha)}.",
            partial(draw_segments, arm=arm, metric=metric, look=style[arm.name], span=span),
        )
        for arm in arms
    )
    title = (
        f"{comparison.run['experiment']}: {metric.label.lower()} against {comparison.baseline}, "
        "part by part of the audience"
    )
    return [Picture("segments", title, panels, min(3, len(panels)), (3.6, segments_height(comparison)))]


def _people(material: Material) -> list[Picture]:
    """How agents are spread over the primary metric, and, where the same agents were in both arms, who gained."""
    comparison, metric, style = material.comparison, material.primary, material.style
    values = {arm.name: arm.totals.values(metric) for arm in material.outcomes.arms}
    known = {name: found[~np.isnan(found)] for name, found in values.items()}
    if not any(map(len, known.values())):
        return []
    middle = "; ".join(
        f"{name} {formatting.decimal(float(np.median(found)), metric.decimals)}"
        for name, found in known.items()
        if len(found)
    )
    panels = [
        Panel(
            f"Distribution of {metric.label.lower()} over people, by arm. Medians: {middle}.",
            partial(draw_people, values=values, metric=metric, style=style),
        )
    ]
    base = values[comparison.baseline]
    gaps = {arm.name: values[arm.name] - base for arm in comparison.arms if arm.harm is not None}
    better = {True: 1, False: -1, None: 0}[metric.higher_is_better]
    panels += [
        Panel(
            f"{arm.name}: {verdict_sentences.harm(arm, metric.higher_is_better)}.",
            partial(draw_gaps, gaps=gaps, name=arm.name, metric=metric, better=better, style=style),
        )
        for arm in comparison.arms
        if arm.harm is not None
    ]
    title = f"{comparison.run['experiment']}: {metric.label.lower()}, person by person"
    return [Picture("people", title, tuple(panels), columns=min(2, len(panels)), size=(4.4, 2.6))]
