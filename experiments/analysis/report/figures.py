"""The pictures: one panel a function, drawn on axes that are handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.metrics import Metric, Summary
from groundlings.experiments.analysis.metrics.pages import Survival
from groundlings.experiments.analysis.report.palette import LIGHT, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST_NAME = 20


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
        axes.errorbar([found.mean], [row], xerr=reach([found]), **mark(style[arm.name]))
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


def draw_survival(axes: Axes, curves: Mapping[str, Survival], style: Mapping[str, Style]) -> None:
    """Share of sessions that reach each page."""
    title(axes, "Who is still here?", "share of sessions that reach a page")
    for name, (shift, look) in dodged(style, curves).items():
        curve = curves[name]
        pages = np.arange(1, len(curve.share) + 1) + shift
        reach = np.array([curve.share - curve.low, curve.high - curve.share])
        axes.errorbar(pages, curve.share, yerr=reach, label=short(name), **line(look))
    axes.set_ylim(0, 1.03)
    whole_numbers(axes, "page")


def draw_positions(axes: Axes, clicks: Mapping[str, Sequence[Estimate]], style: Mapping[str, Style]) -> None:
    """Share of impressions opened, by slot of the page."""
    title(axes, "Where do clicks fall?", "share of impressions opened")
    for name, (shift, look) in dodged(style, clicks).items():
        known = [(slot, found) for slot, found in enumerate(clicks[name], start=1) if found.mean is not None]
        axes.errorbar(
            [slot + shift for slot, _ in known],
            means([found for _, found in known]),
            yerr=reach([found for _, found in known]),
            label=short(name),
            **line(look),
        )
    axes.set_ylim(bottom=0)
    whole_numbers(axes, "slot of the page")


def draw_days(axes: Axes, summary: Summary, metric: Metric, style: Mapping[str, Style]) -> None:
    """Mean and interval of each arm, day by day."""
    title(axes, metric.label, metric.unit)
    for name, (shift, look) in dodged(style, style).items():
        (arm,) = (arm for arm in summary.arms if arm.name == name)
        known = [(day, each[metric.name]) for day, each in enumerate(arm.days, start=1) if each[metric.name].n]
        axes.errorbar(
            [day + shift for day, _ in known],
            means([found for _, found in known]),
            yerr=reach([found for _, found in known]),
            label=short(name),
            **line(look),
        )
    whole_numbers(axes, "day")


def draw_key(axes: Axes, look: Style) -> None:
    """An arm's line and mark alone, for a legend."""
    axes.errorbar([0, 1, 2], [0, 0, 0], **{**line(look), "markevery": [1]})
    axes.set_axis_off()


def title(axes: Axes, label: str, unit: str) -> None:
    """What a panel shows, and in which unit."""
    axes.set_title(printable(label), loc="left", fontsize=10.5, fontweight="bold", color=LIGHT["ink"], pad=18)
    axes.annotate(
        printable(unit),
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, 6),
        textcoords="offset points",
        fontsize=8.5,
        color=LIGHT["muted"],
        annotation_clip=False,
    )


def means(found: Sequence[Estimate]) -> FloatArray:
    """Means, shape (n,), NaN where there is none."""
    return np.array([each.mean for each in found], dtype=np.float64)


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


def line(look: Style) -> dict[str, Any]:
    """How matplotlib draws an arm's line."""
    return {**mark(look), "fmt": "", "marker": look.marker, "linestyle": look.dash, "markersize": 4.5,
            "linewidth": 1.5, "elinewidth": 1.0}  # fmt: skip


def dodged(style: Mapping[str, Style], drawn: Mapping[str, Any]) -> dict[str, tuple[float, Style]]:
    """Arms in order with a small step aside each, so that their intervals do not hide one another."""
    names = [name for name in style if name in drawn]
    steps = np.linspace(-0.5, 0.5, len(names)) * min(0.06 * len(names), 0.3) if len(names) > 1 else np.zeros(1)
    return {name: (float(step), style[name]) for name, step in zip(names, steps, strict=False)}


def whole_numbers(axes: Axes, label: str) -> None:
    """Count along the x axis."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    axes.set_xlabel(label, fontsize=8.5, color=LIGHT["muted"])
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)
