"""Pictures of a comparison: the effects, day by day, and part by part of the audience."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.compare import Difference
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.metrics import Metric
from groundlings.experiments.analysis.report.figures import (
    differences_reach,
    dodged,
    line,
    mark,
    short,
    title,
    whole_numbers,
)
from groundlings.experiments.analysis.report.formatting import signed
from groundlings.experiments.analysis.report.palette import LIGHT, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_INCHES = 0.21
_BINS = 31
_REAL_DECIMALS = 4


def draw_effects(axes: Axes, comparison: Comparison, metric: Metric, style: Mapping[str, Style]) -> None:
    """Effect and headline interval of each arm; the band holds effects too small to matter."""
    title(axes, f"{metric.label}: difference to {short(comparison.baseline)}", metric.unit)
    smallest = comparison.arms[0].headline.smallest
    if smallest:
        axes.axvspan(-smallest, smallest, color=LIGHT["rule"], alpha=0.5, linewidth=0, zorder=0)
    _zero(axes, vertical=True)
    for row, arm in enumerate(comparison.arms):
        _interval(axes, row, arm.headline.effect, style[arm.name], decimals=metric.decimals)
    axes.set_ylim(len(comparison.arms) - 0.5, -0.5)
    axes.set_yticks(range(len(comparison.arms)), [short(arm.name) for arm in comparison.arms])
    _rows(axes)


def draw_real(axes: Axes, comparison: Comparison, style: Mapping[str, Style]) -> None:
    """What real people did with the same arms: the difference on the strongest evidence of each, with its interval."""
    shown = {
        arm.name: arm.real.decided_by or arm.real.effects[0] for arm in comparison.arms if arm.real and arm.real.effects
    }
    first = next(iter(shown.values()))
    title(axes, f"Real behaviour: difference to {short(comparison.baseline)}", f"{first.source}, {first.metric}")
    _zero(axes, vertical=True)
    for row, arm in enumerate(comparison.arms):
        if arm.name in shown:
            _interval(axes, row, shown[arm.name].difference, style[arm.name], decimals=_REAL_DECIMALS)
    axes.set_ylim(len(comparison.arms) - 0.5, -0.5)
    axes.set_yticks(range(len(comparison.arms)), [short(arm.name) for arm in comparison.arms])
    _rows(axes)


def draw_daily(axes: Axes, comparison: Comparison, metric: Metric, style: Mapping[str, Style]) -> None:
    """The effect of each day alone."""
    title(axes, "Does it last?", f"{metric.label.lower()}, difference to {short(comparison.baseline)} by day")
    _zero(axes, vertical=False)
    drawn = {arm.name: arm for arm in comparison.arms}
    for name, (shift, look) in dodged(style, drawn).items():
        known = [(day, each) for day, each in enumerate(drawn[name].days, start=1) if each.difference is not None]
        axes.errorbar(
            [day + shift for day, _ in known],
            np.array([each.difference for _, each in known], dtype=np.float64),
            yerr=differences_reach([each for _, each in known]),
            label=short(name),
            **line(look),
        )
    whole_numbers(axes, "day")


def draw_segments(axes: Axes, arm: ArmFindings, metric: Metric, look: Style) -> None:
    """The effect on each part of the audience, attribute by attribute, and on everybody."""
    title(axes, short(arm.name), f"difference in {metric.label.lower()}")
    _zero(axes, vertical=True)
    rows: list[tuple[str, Difference | None, bool]] = [("everybody", arm.headline.effect, arm.headline.clear)]
    for attribute, segments in groupby(arm.segments, key=lambda segment: segment.attribute):
        rows.append((attribute, None, False))
        rows += [
            (f"{segment.level}", segment.effect, segment.adjusted_p is not None and segment.adjusted_p < 0.05)
            for segment in segments
        ]
    for row, (_, effect, clear) in enumerate(rows):
        if effect is not None:
            shown = Style(look.colour, look.marker, look.dash, hollow=not clear)
            _interval(axes, row, effect, shown, decimals=metric.decimals, size=4.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [short(name) for name, _, _ in rows])
    _rows(axes)
    axes.locator_params(axis="x", nbins=3)
    for label, (_, effect, _) in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if effect is None or effect is arm.headline.effect else "normal")
    axes.tick_params(axis="y", labelsize=8)


def draw_people(axes: Axes, values: Mapping[str, FloatArray], metric: Metric, style: Mapping[str, Style]) -> None:
    """How agents are spread over a metric: the share of them with at most so much, arm by arm."""
    title(axes, "How people differ", "share of people with at most this much")
    for name, look in style.items():
        known = np.sort(values[name][~np.isnan(values[name])]) if name in values else np.zeros(0)
        if len(known):
            shares = np.arange(1, len(known) + 1) / len(known)
            axes.step(
                known, shares, where="post", color=look.hex, linestyle=look.dash, linewidth=1.5, label=short(name)
            )
    axes.set_ylim(0, 1.03)
    axes.set_xlabel(printable(metric.label.lower()), fontsize=8.5, color=LIGHT["muted"])
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)


def draw_gaps(axes: Axes, gaps: FloatArray, name: str, metric: Metric, look: Style) -> None:
    """The agents' own differences to the baseline; the line is their mean, left of zero are those who lost."""
    title(axes, f"{short(name)}: who gains, who loses", "people, by their own difference")
    known = gaps[~np.isnan(gaps)]
    reach = float(np.quantile(np.abs(known), 0.995)) or 1.0
    edges = _bins(known, reach)
    counts, _ = np.histogram(np.clip(known, edges[0], edges[-1]), bins=edges)
    axes.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=look.hex, alpha=0.55, linewidth=0)
    _zero(axes, vertical=True)
    axes.axvline(float(known.mean()), color=look.hex, linewidth=1.6, linestyle=(0, (4, 2)))
    axes.set_xlabel(f"{printable(metric.label.lower())}, difference", fontsize=8.5, color=LIGHT["muted"])
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)


def _bins(values: FloatArray, reach: float) -> FloatArray:
    """Edges of equal bins, zero in the middle of one; where values come in steps, every bin holds as many steps."""
    distinct = np.unique(values.round(9))
    width = 2 * reach / _BINS
    if 1 < len(distinct) < len(values) / 4:
        step = float(np.diff(distinct).min())
        width = step * max(1, round(width / step))
    each_side = int(np.ceil(reach / width - 0.5))
    return np.asarray((np.arange(-each_side, each_side + 2) - 0.5) * width, dtype=np.float64)


def segments_height(comparison: Comparison) -> float:
    """Inches that a panel of segments needs."""
    rows = max(len(arm.segments) + len({segment.attribute for segment in arm.segments}) for arm in comparison.arms)
    return 1.0 + _ROW_INCHES * (rows + 1)


def _interval(axes: Axes, row: int, found: Difference, look: Style, *, decimals: int, size: float = 6.0) -> None:
    if found.difference is None:
        return
    shown = {**mark(look), "markersize": size, "elinewidth": 1.3}
    axes.errorbar([found.difference], [row], xerr=differences_reach([found]), **shown)
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
