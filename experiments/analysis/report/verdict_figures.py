"""Pictures of a comparison: the effects, day by day, and part by part of the audience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.compare import Difference
from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.metrics import Metric
from groundlings.experiments.analysis.report.figures import (
    course,
    differences_reach,
    mark,
    name_line_ends,
    short,
    title,
    whole_numbers,
)
from groundlings.experiments.analysis.report.formatting import finer, signed
from groundlings.experiments.analysis.report.palette import LIGHT, Style
from groundlings.experiments.analysis.report.svg import tell_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_STEPS = 400
_REAL_DECIMALS = 4


def draw_effects(axes: Axes, comparison: Comparison, metric: Metric, style: Mapping[str, Style]) -> None:
    """Effect and headline interval of each arm; the band holds effects too small to matter."""
    title(axes, metric.label, f"difference to {short(comparison.baseline)},\n{metric.unit}")
    smallest = comparison.arms[0].headline.smallest
    if smallest:
        axes.axvspan(-smallest, smallest, color=LIGHT["rule"], alpha=0.5, linewidth=0, zorder=0)
    rows = [(arm.name, arm.headline.effect, style[arm.name]) for arm in comparison.arms]
    draw_differences(axes, rows, finer(metric, (effect.difference for _, effect, _ in rows)).decimals)


def draw_real(axes: Axes, comparison: Comparison, style: Mapping[str, Style]) -> None:
    """What real people did with the same arms: the difference on the strongest evidence of each, with its interval."""
    shown = {
        arm.name: arm.real.decided_by or arm.real.effects[0] for arm in comparison.arms if arm.real and arm.real.effects
    }
    first = next(iter(shown.values()))
    title(axes, "Real behaviour", f"difference to {short(comparison.baseline)},\n{first.source}, {first.metric}")
    effects = [(arm.name, shown[arm.name].difference if arm.name in shown else None) for arm in comparison.arms]
    draw_differences(axes, [(name, effect, style[name]) for name, effect in effects], _REAL_DECIMALS)


def draw_differences(axes: Axes, rows: Sequence[tuple[str, Difference | None, Style]], decimals: int) -> None:
    """A row for each name, difference and look, beside zero; a row of its own, empty, for None."""
    _zero(axes, vertical=True)
    for row, (name, found, look) in enumerate(rows):
        if found is not None:
            _interval(axes, row, found, look, short(name), decimals=decimals)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [short(name) for name, *_ in rows])
    _rows(axes)


def draw_titled_differences(
    axes: Axes, label: str, unit: str, rows: Sequence[tuple[str, Difference | None, Style]], decimals: int
) -> None:
    """See `draw_differences`; under a title."""
    title(axes, label, unit)
    draw_differences(axes, rows, decimals)


def draw_daily(axes: Axes, comparison: Comparison, metric: Metric, style: Mapping[str, Style]) -> None:
    """The effect of each day alone."""
    title(axes, "Does it last?", f"difference to {short(comparison.baseline)} by day,\n{metric.label.lower()}")
    _zero(axes, vertical=False)
    for arm in comparison.arms:
        known = [(day, each) for day, each in enumerate(arm.days, start=1) if each.difference is not None]
        cells = np.array([(day, e.difference, e.low, e.high) for day, e in known], dtype=np.float64).reshape(-1, 4)
        course(
            axes, cells[:, 0], cells[:, 1], cells[:, 2], cells[:, 3], arm.name, style[arm.name],
            lambda x, y: f"day {x:.0f}: {signed(y, metric.decimals)}",
        )  # fmt: skip
    whole_numbers(axes, "day")
    name_line_ends(axes)


def draw_people(axes: Axes, values: Mapping[str, FloatArray], metric: Metric, style: Mapping[str, Style]) -> None:
    """How agents are spread over a metric: the share of them with at most so much, arm by arm."""
    title(axes, "How people differ", "share of people with at most this much")
    for name, look in style.items():
        known = np.sort(values[name][~np.isnan(values[name])]) if name in values else np.zeros(0)
        if len(known):
            # A step per user would make the page of a million users of hundreds of megabytes; the eye sees 400.
            shares = np.linspace(0, 1, min(len(known), _MOST_STEPS) + 1)[1:]
            steps = known[np.ceil(shares * len(known)).astype(np.int64) - 1]
            axes.step(
                steps, shares, where="post", color=look.hex, linestyle=look.dash, linewidth=1.5, label=short(name)
            )
    axes.set_ylim(0, 1.03)
    axes.set_xlabel(printable(metric.label.lower()), fontsize=8.5, color=LIGHT["muted"])
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)


def _interval(
    axes: Axes, row: int, found: Difference, look: Style, label: str, *, decimals: int, size: float = 6.0
) -> None:
    if found.difference is None:
        return
    shown = {**mark(look), "markersize": size, "elinewidth": 1.3}
    bar = axes.errorbar([found.difference], [row], xerr=differences_reach([found]), **shown)
    ends = "" if found.low is None else f" [{signed(found.low, decimals)}, {signed(found.high, decimals)}]"
    tell_values(bar[0], [f"{label}: {signed(found.difference, decimals)}{ends}, n = {found.n:,}"])
    axes.annotate(
        signed(found.difference, decimals),
        (1.0, row),
        xycoords=("axes fraction", "data"),
        xytext=(7, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=9 if size > 5 else 8,
        color=LIGHT["ink"],
        annotation_clip=False,
    )


def _zero(axes: Axes, *, vertical: bool) -> None:
    draw = axes.axvline if vertical else axes.axhline
    draw(0, color=LIGHT["muted"], linewidth=0.8, zorder=1)


def _rows(axes: Axes) -> None:
    axes.tick_params(axis="y", length=0, labelcolor=LIGHT["ink"])
    axes.margins(x=0.12)
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="x", color=LIGHT["rule"], linewidth=0.7)
