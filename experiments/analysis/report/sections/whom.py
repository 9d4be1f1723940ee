"""For whom the arms differ: segments of the audience, and who gains and who loses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from groundlings.experiments.analysis.people.heat_map import HeatMap, heat_map
from groundlings.experiments.analysis.people.spread import Axis, Dot, Spread, spread_of
from groundlings.experiments.analysis.report import formatting, people_sentences
from groundlings.experiments.analysis.report.pictures import Panel, Picture
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.analysis.report.verdict_figures import draw_people

_DOT_PIXELS, _STRIP_PIXELS, _NARROW_PIXELS = 8.0, 168.0, 280.0


@dataclass(frozen=True, slots=True)
class Stack:
    """How dots of one column stand: so many beside each other as have room on a phone, then row by row.

    Attributes:
        axis: On which they stand.
        rows: Of the fullest column.
        step: Pixels from one row to the next; no strip is taller than the page has room for.
    """

    axis: Axis
    rows: int
    step: float

    def place(self, dot: Dot) -> str:
        """Where a dot stands: its column, its height, and how far it is beside the middle of the column, as a style."""
        across = _across(self.axis, dot.column)
        row, slot = divmod(dot.level, across)
        aside = (slot - (across - 1) / 2) * _DOT_PIXELS
        left = f"left:{100 * self.axis.middle(dot.column):.2f}%"
        return f"{left};bottom:{row * self.step:.1f}px" + (f";--x:{aside:g}px" if aside else "")


def whom_section(material: Material) -> Section:
    """Segments and arms, users' own differences, and the distribution over users, where there is something to show."""
    comparison, metric = material.comparison, material.primary
    log = material.log
    spread = spread_of(
        material.outcomes, [arm.name for arm in comparison.arms], metric, log.agent_ids(), log.user_ids()
    )
    places = [] if spread is None else sorted({dot.place for arm in spread.arms for dot in arm.dots})
    heat = heat_map(material.outcomes, comparison, places)
    fine = formatting.finer(metric, () if heat is None else (cell.effect.difference for cell in heat.everybody))
    context = {
        "heat": heat,
        "heat_lines": [] if heat is None else people_sentences.heat_lines(heat, fine),
        "heat_metric": fine,
        "spread": spread,
        "segments_of": {} if heat is None else _segments(heat, places),
        "stack": None if spread is None else _stack(spread),
        "of_people": people_sentences,
    }
    return Section(context, tuple(_people(material)))


def _segments(heat: HeatMap, places: Sequence[int]) -> dict[int, str]:
    """Place of a user in the log -> the user's row in each table of the page, "-" for none: what the script filters by.

    Of the users who are dots alone: however many people a run has, the page holds as many of them.
    """
    tables = [table.members for table in (*heat.single, *heat.pairs)]
    return {
        place: " ".join("-" if members[number] < 0 else str(members[number]) for members in tables)
        for number, place in enumerate(places)
    }


def _stack(spread: Spread) -> Stack:
    rows = max(1 + dot.level // _across(spread.axis, dot.column) for arm in spread.arms for dot in arm.dots)
    return Stack(spread.axis, rows, min(_DOT_PIXELS, _STRIP_PIXELS / rows))


def _across(axis: Axis, column: int) -> int:
    """Dots that stand side by side in a column."""
    widths = axis.room if column == axis.below else 1
    return max(1, int(_NARROW_PIXELS * widths / (axis.places * _DOT_PIXELS)))


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
