"""The Pareto picture: the arms' effects on two objectives, and the front that their means make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.compare import Difference
from groundlings.experiments.analysis.comparison.objective_effects import ArmObjectives, Objectives
from groundlings.experiments.analysis.metrics import Metric
from groundlings.experiments.analysis.report.figures import differences_reach, mark, short, title
from groundlings.experiments.analysis.report.palette import LIGHT, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_pareto(
    axes: Axes, found: Objectives, across: Metric, up: Metric, baseline: str, style: Mapping[str, Style]
) -> None:
    """Each arm's difference to the first one on two objectives, with its intervals; better is to the right and above.

    A hollow mark is an arm that is dominated; the line joins the arms whose means no other arm's exceed on both.
    """
    title(axes, f"{up.label} and {across.label.lower()}", f"difference to {short(baseline)}; better is up and right")
    for zero in (axes.axvline, axes.axhline):
        zero(0, color=LIGHT["rule"], linewidth=0.8, zorder=1)
    places = {}
    for arm in found.arms:
        sides = [_effect(arm, metric.name) for metric in (across, up)]
        if any(side.difference is None for side in sides):
            continue
        x, y = (side.difference or 0.0 for side in sides)
        places[arm.name] = (x, y)
        look = style[arm.name]
        shown = Style(look.colour, look.marker, look.dash, hollow=arm.front == "dominated")
        reaches = [differences_reach([side]) if side.low is not None else None for side in sides]
        axes.errorbar([x], [y], xerr=reaches[0], yerr=reaches[1], label=short(arm.name), **mark(shown))
        axes.annotate(
            short(arm.name), (x, y), xytext=(6, 6), textcoords="offset points", fontsize=9, color=LIGHT["ink"],
            annotation_clip=False,
        )  # fmt: skip
    signs = (found.signs[across.name], found.signs[up.name])
    best = sorted(_best(places, signs))
    axes.plot([x for x, _ in best], [y for _, y in best], color=LIGHT["muted"], linewidth=1.0, linestyle=(0, (2, 2)),
              zorder=2)  # fmt: skip
    if signs[0] < 0:
        axes.invert_xaxis()
    if signs[1] < 0:
        axes.invert_yaxis()
    axes.set_xlabel(printable(f"{across.label.lower()} ({across.unit})"), fontsize=8.5, color=LIGHT["muted"])
    axes.set_ylabel(printable(up.unit), fontsize=8.5, color=LIGHT["muted"])
    axes.margins(0.18)
    axes.locator_params(nbins=5)
    axes.grid(color=LIGHT["rule"], linewidth=0.5)


def _effect(arm: ArmObjectives, metric: str) -> Difference:
    """To the first arm, which differs from itself by nothing."""
    (found,) = (each for each in arm.effects if each.metric == metric)
    return found.effect or Difference(0.0, None, None, None, None, found.mean.n, 0)


def _best(places: Mapping[str, tuple[float, float]], signs: tuple[int, int]) -> list[tuple[float, float]]:
    """The places that no other one exceeds on both objectives."""
    good = {name: np.array(place) * signs for name, place in places.items()}
    return [
        place
        for name, place in places.items()
        if not any((good[other] >= good[name]).all() and (good[other] > good[name]).any() for other in places)
    ]
