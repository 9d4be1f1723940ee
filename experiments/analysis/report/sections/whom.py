"""For whom the arms differ: segments of the audience, and who gains and who loses."""

from __future__ import annotations

from functools import partial

import numpy as np

from groundlings.experiments.analysis.people.heat_map import heat_map
from groundlings.experiments.analysis.people.spread import Spread, spread_of
from groundlings.experiments.analysis.report import formatting, people_sentences
from groundlings.experiments.analysis.report.pictures import Panel, Picture
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.analysis.report.verdict_figures import draw_people

_DOT_PIXELS, _STRIP_PIXELS = 7.0, 168.0


def whom_section(material: Material) -> Section:
    """Segments and arms, users' own differences, and the distribution over users, where there is something to show."""
    comparison, metric = material.comparison, material.primary
    log = material.log
    spread = spread_of(
        material.outcomes, [arm.name for arm in comparison.arms], metric, log.agent_ids(), log.user_ids()
    )
    heat = heat_map(material.outcomes, comparison)
    context = {
        "heat": heat,
        "heat_lines": [] if heat is None else people_sentences.heat_lines(heat, metric),
        "spread": spread,
        "dot_step": _step(spread),
        "of_people": people_sentences,
    }
    return Section(context, tuple(_people(material)))


def _step(spread: Spread | None) -> float:
    """Pixels from one dot to the next one above it: no strip is taller than the page has room for."""
    return _DOT_PIXELS if spread is None else min(_DOT_PIXELS, _STRIP_PIXELS / spread.tallest)


def _people(material: Material) -> list[Picture]:
    """How agents are spread over the primary metric."""
    comparison, metric = material.comparison, material.primary
    values = {arm.name: arm.totals.values(metric) for arm in material.outcomes.arms}
    known = {name: found[~np.isnan(found)] for name, found in values.items()}
    if not any(map(len, known.values())):
        return []
    middle = "; ".join(
        f"{name} {formatting.decimal(float(np.median(found)), metric.decimals)}"
        for name, found in known.items()
        if len(found)
    )
    panel = Panel(
        f"Distribution of {metric.label.lower()} over users, by arm. Medians: {middle}.",
        partial(draw_people, values=values, metric=metric, style=material.style),
    )
    title = f"{comparison.run['experiment']}: {metric.label.lower()}, user by user"
    return [Picture("people", title, (panel,), columns=1, size=(5.2, 2.8))]
