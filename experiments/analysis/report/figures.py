"""The pictures: one panel a function, drawn on axes that are handed in."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.metrics import Metric, Summary
from groundlings.experiments.analysis.metrics.pages import Survival
from groundlings.experiments.analysis.report.palette import LIGHT, Style
from groundlings.experiments.analysis.report.svg import tell_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST_NAME = 20
_LETTERS_OF_LABEL, _LETTERS_OF_UNIT = 11, 16
"""An inch, of the two sizes of text above a panel."""
_ABOVE_AXES = 6 / 72
"""Inches between the axes and the unit."""
_LINE_OF_LABEL = 0.09
"""Height of a line's name, as a part of the height of a panel."""


def short(name: str) -> str:
    """An arm's name, cleaned and cut to what fits beside an axis."""
    name = printable(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def draw_metric(axes: Axes, summary: Summary, metric: Metric, style: Mapping[str, Style]) -> None:
    """Mean and 95 % interval of each arm, the first arm on top; a fine line marks the first arm's mean."""
    title(axes, metric.label, metric.unit)
    rows = len(summary.arms)
    anchor = summary.baseline.metrics[metric.name].mean
    if anchor is not None:
        axes.axvline(anchor, color=LIGHT["muted"], linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)
    for row, arm in enumerate(summary.arms):
        found = arm.metrics[metric.name]
        if found.mean is None:
            continue
        bar = axes.errorbar([found.mean], [row], xerr=reach([found]), **mark(style[arm.name]))
        tell_values(bar[0], [_value(arm.name, found, metric.decimals)])
        axes.annotate(
            f"{found.mean:.{metric.decimals}f}",
            (1.0, row),
            xycoords=("axes fraction", "data"),
            xytext=(7, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=9,
            color=LIGHT["ink"],
            annotation_clip=False,
        )
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks(range(rows), [short(arm.name) for arm in summary.arms])
    axes.tick_params(axis="y", length=0, labelcolor=LIGHT["ink"])
    axes.margins(x=0.12)
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="x", color=LIGHT["rule"], linewidth=0.7)


def _value(name: str, found: Estimate, decimals: int) -> str:
    """An arm's mean and interval in words."""
    ends = "" if found.low is None or found.high is None else f" [{found.low:.{decimals}f}, {found.high:.{decimals}f}]"
    return f"{short(name)}: {found.mean or 0.0:.{decimals}f}{ends}".replace("-", "\N{MINUS SIGN}")


def draw_survival(axes: Axes, curves: Mapping[str, Survival], style: Mapping[str, Style]) -> None:
    """Share of sessions that reach each page."""
    title(axes, "Who is still here?", "share of sessions that reach a page")
    for name, look in style.items():
        if name in curves:
            curve = curves[name]
            pages = np.arange(1, len(curve.share) + 1, dtype=np.float64)
            course(axes, pages, curve.share, curve.low, curve.high, name, look, lambda x, y: f"page {x:.0f}: {y:.1%}")
    axes.set_ylim(0, 1.03)
    whole_numbers(axes, "page")
    name_line_ends(axes)


def draw_positions(axes: Axes, clicks: Mapping[str, Sequence[Estimate]], style: Mapping[str, Style]) -> None:
    """Share of impressions opened, by slot of the page."""
    title(axes, "Where do clicks fall?", "share of impressions opened")
    for name, look in style.items():
        if name in clicks:
            known = [(slot, found) for slot, found in enumerate(clicks[name], start=1) if found.mean is not None]
            _estimates(axes, known, name, look, lambda x, y: f"slot {x:.0f}: {y:.1%}")
    axes.set_ylim(bottom=0)
    whole_numbers(axes, "slot of the page")
    name_line_ends(axes)


def draw_days(axes: Axes, summary: Summary, metric: Metric, style: Mapping[str, Style]) -> None:
    """Mean and interval of each arm, day by day."""
    title(axes, metric.label, metric.unit)
    for arm in summary.arms:
        known = [(day, each[metric.name]) for day, each in enumerate(arm.days, start=1) if each[metric.name].n]
        _estimates(axes, known, arm.name, style[arm.name], lambda x, y: f"day {x:.0f}: {y:.{metric.decimals}f}")
    whole_numbers(axes, "day")
    name_line_ends(axes)


def mark_days(axes: Axes, days: Sequence[int]) -> None:
    """A thin line at the beginning of each day (1 is the first) on which arms were changed."""
    for day in days:
        axes.axvline(day - 0.5, color=LIGHT["muted"], linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)


def draw_key(axes: Axes, look: Style) -> None:
    """An arm's line and mark alone, for a legend."""
    axes.plot([0, 1, 2], [0, 0, 0], **_mark_of_line(look), markevery=[1])
    axes.set_axis_off()


def title(axes: Axes, label: str, unit: str) -> None:
    """What a panel shows, and in which unit; of several lines, the first ones stand above the unit.

    No line is longer than the picture is wide; `svg.Drawing` moves those to the left that would reach over its edge.
    """
    from matplotlib.transforms import ScaledTranslation

    figure = axes.get_figure(root=True)
    assert figure is not None
    lines = _lines(unit, figure.get_figwidth() * _LETTERS_OF_UNIT)
    heading = "\n".join(_lines(label, figure.get_figwidth() * _LETTERS_OF_LABEL))
    pad = 18 + 11 * (len(lines) - 1)
    axes.set_title(heading, loc="left", fontsize=10.5, fontweight="bold", color=LIGHT["ink"], pad=pad).set_in_layout(
        False
    )
    axes.text(
        0.0,
        1.0,
        "\n".join(lines),
        transform=axes.transAxes + ScaledTranslation(0, _ABOVE_AXES, figure.dpi_scale_trans),
        fontsize=8.5,
        va="bottom" if len(lines) > 1 else "baseline",
        color=LIGHT["muted"],
    ).set_in_layout(False)


def _lines(text: str, width: float) -> list[str]:
    """The lines of a text, cleaned, each of at most so many letters."""
    return [part for line in text.split("\n") for part in textwrap.wrap(printable(line), int(width)) or [""]]


def reach(found: Sequence[Estimate]) -> FloatArray:
    """Distances from mean to the ends of the interval, shape (2, n), NaN where there is none."""
    ends = [(each.mean, each.low, each.high) for each in found]
    cells = np.array(ends, dtype=np.float64).reshape(-1, 3)
    return np.array([cells[:, 0] - cells[:, 1], cells[:, 2] - cells[:, 0]])


def differences_reach(found: Sequence[Difference]) -> FloatArray:
    """As `reach`, of differences."""
    cells = np.array([(each.difference, each.low, each.high) for each in found], dtype=np.float64).reshape(-1, 3)
    return np.array([cells[:, 0] - cells[:, 1], cells[:, 2] - cells[:, 0]])


def mark(look: Style) -> dict[str, Any]:
    """How matplotlib draws an arm's point and interval."""
    return {
        "fmt": look.marker,
        "color": look.hex,
        "markersize": 6.0,
        "markerfacecolor": LIGHT["paper"] if look.hollow else look.hex,
        "markeredgecolor": look.hex,
        "markeredgewidth": 1.3,
        "elinewidth": 1.6,
        "zorder": 3,
        "clip_on": False,
    }


def _mark_of_line(look: Style) -> dict[str, Any]:
    """How matplotlib draws an arm's line."""
    drawn = {name: value for name, value in mark(look).items() if name not in ("fmt", "elinewidth")}
    return {**drawn, "marker": look.marker, "linestyle": look.dash, "markersize": 4.5, "linewidth": 1.5}


def course(
    axes: Axes,
    places: FloatArray,
    values: FloatArray,
    low: FloatArray,
    high: FloatArray,
    name: str,
    look: Style,
    say: Callable[[float, float], str],
) -> None:
    """One arm's line with its intervals as a band: nothing is moved aside, so lines that agree lie on each other.

    Args:
        axes: Where to draw.
        places: Along the x axis, shape (n,).
        values, low, high: The line and the ends of its intervals, shape (n,) each, NaN where there is none.
        name: Of the arm; `name_line_ends` writes it beside the last point.
        look: How it is drawn.
        say: A point in words.
    """
    axes.fill_between(places, low, high, color=look.hex, alpha=0.12, linewidth=0, zorder=1)
    (line_drawn,) = axes.plot(places, values, **{**_mark_of_line(look), "label": f"_{name}"})
    known = [(float(x), float(y)) for x, y in zip(places, values, strict=True) if not np.isnan(y)]
    tell_values(line_drawn, [f"{short(name)}, {say(x, y)}" for x, y in known])


def _estimates(
    axes: Axes,
    known: Sequence[tuple[int, Estimate]],
    name: str,
    look: Style,
    say: Callable[[float, float], str],
) -> None:
    cells = np.array([(place, e.mean, e.low, e.high) for place, e in known], dtype=np.float64).reshape(-1, 4)
    course(axes, cells[:, 0], cells[:, 1], cells[:, 2], cells[:, 3], name, look, say)


_LEADER, _NAME = (1.0, 1.05), 1.08
"""Where along the axis the stroke from the end of a line to its name begins and ends, and where the name begins."""


def name_line_ends(axes: Axes) -> None:
    """Write each line's name beside its last point, one below the other where lines end alike."""
    low, high = axes.get_ylim()
    ends: list[tuple[float, str, Any]] = []
    for drawn in axes.get_lines():
        name, values = str(drawn.get_label()), np.asarray(drawn.get_ydata(), dtype=np.float64)
        known = values[~np.isnan(values)]
        if len(known) and name.startswith("_") and not name.startswith("_child"):
            ends.append(((float(known[-1]) - low) / ((high - low) or 1.0), short(name[1:]), drawn.get_color()))
    ends.sort(key=lambda end: end[0])
    places = _apart([end for end, _, _ in ends], min(_LINE_OF_LABEL, 1.0 / max(len(ends), 1)))
    for place, (end, name, colour) in zip(places, ends, strict=True):
        at = axes.transAxes
        # `Axes.annotate` draws the same stroke and clips it at the text by a search, which takes longer than drawing.
        axes.plot(_LEADER, (end, place), color=colour, linewidth=1.2, transform=at, clip_on=False, zorder=3)
        axes.text(_NAME, place, name, va="center", fontsize=8.5, color=LIGHT["ink"], transform=at)


def _apart(places: Sequence[float], least: float) -> list[float]:
    """Rising places, moved as little as keeps them the least distance from each other, within 0 and 1 if they fit."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + least) if moved else place)
    excess = max(moved[-1] - 1.0, 0.0) if moved else 0.0
    for number in reversed(range(len(moved))):
        ceiling = moved[number + 1] - least if number + 1 < len(moved) else moved[number] - excess
        moved[number] = min(moved[number], ceiling)
    return moved


def whole_numbers(axes: Axes, label: str) -> None:
    """Count along the x axis."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    axes.set_xlabel(label, fontsize=8.5, color=LIGHT["muted"])
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)


def whole_counts(axes: Axes) -> None:
    """Count along the y axis: there is no half a user."""
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
