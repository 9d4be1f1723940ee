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
    course,
    differences_reach,
    mark,
    name_line_ends,
    short,
    title,
    whole_counts,
    whole_numbers,
)
from groundlings.experiments.analysis.report.formatting import signed
from groundlings.experiments.analysis.report.palette import LIGHT, Style
from groundlings.experiments.analysis.report.svg import tell_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_INCHES = 0.21
_BINS = 31
_MOST_STEPS = 400
_REAL_DECIMALS = 4


def draw_effects(axes: Axes, comparison: Comparison, metric: Metric, style: Mapping[str, Style]) -> None:
    """Effect and headline interval of each arm; the band holds effects too small to matter."""
    title(axes, f"{metric.label}: difference to {short(comparison.baseline)}", metric.unit)
    smallest = comparison.arms[0].headline.smallest
    if smallest:
        axes.axvspan(-smallest, smallest, color=LIGHT["rule"], alpha=0.5, linewidth=0, zorder=0)
    _zero(axes, vertical=True)
    for row, arm in enumerate(comparison.arms):
        _interval(axes, row, arm.headline.effect, style[arm.name], short(arm.name), decimals=metric.decimals)
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
            _interval(axes, row, shown[arm.name].difference, style[arm.name], short(arm.name), decimals=_REAL_DECIMALS)
    axes.set_ylim(len(comparison.arms) - 0.5, -0.5)
    axes.set_yticks(range(len(comparison.arms)), [short(arm.name) for arm in comparison.arms])
    _rows(axes)


def draw_daily(axes: Axes, comparison: Comparison, metric: Metric, style: Mapping[str, Style]) -> None:
    """The effect of each day alone."""
    title(axes, "Does it last?", f"{metric.label.lower()}, difference to {short(comparison.baseline)} by day")
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


def draw_segments(axes: Axes, arm: ArmFindings, metric: Metric, look: Style, span: tuple[float, float]) -> None:
    """The effect on each part of the audience, attribute by attribute, and on everybody.

    Args:
        axes: Where to draw.
        arm: The arm.
        metric: The primary metric.
        look: How the arm is drawn.
        span: Ends of the x axis, the same for every arm: panels side by side are compared by place.
    """
    title(axes, short(arm.name), f"difference in {metric.label.lower()}")
    _zero(axes, vertical=True)
    rows: list[tuple[str, Difference | None, bool]] = [("everybody", arm.headline.effect, arm.headline.clear)]
    for attribute, segments in groupby(arm.segments, key=lambda segment: segment.attribute):
        rows.append((attribute, None, False))
        rows += [
            (f"{segment.level}", segment.effect, segment.adjusted_p is not None and segment.adjusted_p < 0.05)
            for segment in segments
        ]
    for row, (label, effect, clear) in enumerate(rows):
        if effect is not None:
            shown = Style(look.colour, look.marker, look.dash, hollow=not clear)
            _interval(axes, row, effect, shown, label, decimals=metric.decimals, size=4.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [short(name) for name, _, _ in rows])
    _rows(axes)
    axes.set_xlim(*span)
    axes.locator_params(axis="x", nbins=3)
    for tick, (_, effect, _) in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if effect is None or effect is arm.headline.effect else "normal")
    axes.tick_params(axis="y", labelsize=8)


def segments_span(comparison: Comparison) -> tuple[float, float]:
    """Ends of an x axis that holds the intervals of all segments of all arms."""
    effects = [arm.headline.effect for arm in comparison.arms]
    effects += [segment.effect for arm in comparison.arms for segment in arm.segments]
    ends = [end for effect in effects for end in (effect.low, effect.high, effect.difference, 0.0) if end is not None]
    low, high = min(ends), max(ends)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


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


def draw_gaps(
    axes: Axes, gaps: Mapping[str, FloatArray], name: str, metric: Metric, better: int, style: Mapping[str, Style]
) -> None:
    """The agents' own differences to the baseline: worse, the same and better, and the mean as a dashed line.

    Args:
        axes: Where to draw.
        gaps: Of every arm, shape (n_agents,) each, NaN where an agent has none: all arms have one pair of axes.
        name: The arm that is drawn.
        metric: What it is a difference in.
        better: 1 where more is better, -1 where less is, 0 where neither.
        style: How arms are drawn.
    """
    title(axes, f"{short(name)}: who gains, who loses", "users, by their own difference")
    known = {arm: found[~np.isnan(found)] for arm, found in gaps.items()}
    edges = _bins(np.concatenate(list(known.values())))
    counts = {arm: np.histogram(np.clip(found, edges[0], edges[-1]), bins=edges)[0] for arm, found in known.items()}
    middles = (edges[:-1] + edges[1:]) / 2
    same = np.abs(middles) < np.diff(edges) / 2
    colours = np.where(same, LIGHT["bound"], np.where(better * middles < 0, LIGHT["arm-2"], LIGHT["arm-1"]))
    bars = axes.bar(edges[:-1], counts[name], width=np.diff(edges), align="edge", color=colours, alpha=0.7, linewidth=0)
    for bar in bars:
        bar.set_edgecolor("none")
    _zero(axes, vertical=True)
    look = style[name]
    axes.axvline(float(known[name].mean()), color=look.hex, linewidth=1.6, linestyle=(0, (4, 2)))
    axes.set_ylim(0, 1.06 * max(int(found.max()) for found in counts.values()))
    axes.set_xlabel(f"{printable(metric.label.lower())}, difference", fontsize=8.5, color=LIGHT["muted"])
    whole_counts(axes)
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)


def _bins(values: FloatArray) -> FloatArray:
    """Edges of equal bins, zero in the middle of one; where values come in steps, every bin holds as many steps.

    They hold 99 of 100 values and no more, so that neither half of the axis stands empty for a few.
    """
    low, high = (float(end) for end in np.quantile(values, (0.005, 0.995)))
    low, high = min(low, 0.0), max(high, 0.0)
    distinct = np.unique(values.round(9))
    width = (high - low) / _BINS or 1.0
    if 1 < len(distinct) < len(values) / 4:
        step = float(np.diff(distinct).min())
        width = step * max(1, round(width / step))
    below, above = (int(np.ceil(abs(end) / width - 0.5)) for end in (low, high))
    return np.asarray((np.arange(-below, above + 2) - 0.5) * width, dtype=np.float64)


def segments_height(comparison: Comparison) -> float:
    """Inches that a panel of segments needs."""
    rows = max(len(arm.segments) + len({segment.attribute for segment in arm.segments}) for arm in comparison.arms)
    return 1.0 + _ROW_INCHES * (rows + 1)


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
