"""The pictures of the page: each function returns what draws one panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from groundlings.experiments.analysis.report.palette import LIGHT
from groundlings.experiments.analysis.report.svg import Draw
from groundlings.experiments.labs.fidelity.stage import MIND
from groundlings.experiments.labs.truth.audiences import FITTED_MIND
from groundlings.experiments.labs.truth.level import CHOSEN, REAL, SHARES
from groundlings.experiments.labs.truth.order import OTHER_HALF, Order
from groundlings.experiments.labs.truth.records import POOLED, TruthRecord
from groundlings.experiments.labs.truth.simulators import ITEM_MEAN, ITEM_RATE, POPULARITY

_STYLES: Mapping[str, tuple[str, str]] = {  # colour and mark: neither alone must be seen
    MIND: ("arm-1", "o"),
    FITTED_MIND: ("arm-5", "v"),
    OTHER_HALF: ("ink", "D"),
    REAL: ("ink", "D"),
    POPULARITY: ("arm-2", "s"),
    ITEM_MEAN: ("arm-3", "^"),
    ITEM_RATE: ("arm-4", "P"),
    CHOSEN: ("arm-2", "s"),
}
_SPARE = ("arm-6", "x")


def draw_order(order: Order, scorer: str) -> Draw:
    """Ranks by real like rates on the left, by a simulator on the right; crossing lines are pairs in wrong order."""
    counts = np.array(order.counts)
    names = [name for name, counted in zip(order.names, order.counts, strict=True) if counted]
    real, said = order.real[counts], order.simulated[scorer][counts]
    left, right = (np.argsort(np.argsort(-values, kind="stable")) for values in (real, said))
    colour = _STYLES.get(scorer, _SPARE)[0]

    def draw(axes: Any) -> None:
        _begin(axes, f"Order by the {scorer}", "real like rate on the left, likes per session on the right")
        for column, name in enumerate(names):
            ranks = left[column], right[column]
            axes.plot([0, 1], ranks, color=LIGHT[colour], linewidth=1.3, marker="o", markersize=3.5)
            texts = f"{name}  {real[column]:.3f}", f"{said[column]:.2f}  {name}"
            for x, side in enumerate(("right", "left")):
                axes.annotate(texts[x], (x, ranks[x]), xytext=(14 * x - 7, 0), textcoords="offset points", ha=side,
                              va="center", fontsize=7.5, color=LIGHT["ink"], annotation_clip=False)  # fmt: skip
        axes.set_xlim(-1.3, 2.3)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.axis("off")

    return draw


def draw_by_salt(records: Sequence[TruthRecord], task: str, metric: str, title: str) -> Draw:
    """A figure of every scorer in each partition, and pooled."""
    own = [each for each in records if (each.task, each.metric) == (task, metric) and each.scorer in _STYLES]
    salts = list(dict.fromkeys(each.salt for each in own if each.salt != POOLED))
    places = {salt: number for number, salt in enumerate([POOLED, *salts])}
    scorers = list(dict.fromkeys(each.scorer for each in own))

    def draw(axes: Any) -> None:
        _begin(axes, title, "95 % interval over people")
        for number, scorer in enumerate(scorers):
            colour, mark = _STYLES[scorer]
            shift = (number - (len(scorers) - 1) / 2) * 0.12
            of_scorer = [each for each in own if each.scorer == scorer and each.value is not None]
            values = np.array([each.value for each in of_scorer], dtype=np.float64)
            low = np.array([each.value if each.low is None else each.low for each in of_scorer], dtype=np.float64)
            high = np.array([each.value if each.high is None else each.high for each in of_scorer], dtype=np.float64)
            axes.errorbar(
                [places[each.salt] + shift for each in of_scorer], values, yerr=[values - low, high - values],
                color=LIGHT[colour], marker=mark, linestyle="", markersize=4.5, elinewidth=1, label=scorer,
            )  # fmt: skip
        axes.set_xticks(range(len(places)), list(places))
        axes.axhline(0, color=LIGHT["muted"], linewidth=0.7)
        _end(axes, "partition of the people")

    return draw


def draw_shares(records: Sequence[TruthRecord]) -> Draw:
    """Which ratings random items get: from real people, and as agents would give them."""
    own = [each for each in records if each.task == SHARES and each.salt == POOLED and each.value is not None]
    scorers, ratings = (list(dict.fromkeys(getattr(each, name) for each in own)) for name in ("scorer", "metric"))

    def draw(axes: Any) -> None:
        _begin(axes, "Ratings of random items", "share of ratings")
        width = 0.8 / max(len(scorers), 1)
        for number, scorer in enumerate(scorers):
            values = [each.value for each in own if each.scorer == scorer]
            x = np.arange(len(values)) + (number - (len(scorers) - 1) / 2) * width
            axes.bar(x, values, width * 0.92, color=LIGHT[_STYLES.get(scorer, _SPARE)[0]], label=scorer)
        axes.set_xticks(range(len(ratings)), [each.removeprefix("share of ") for each in ratings])
        _end(axes, "rating")

    return draw


def _begin(axes: Any, title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=LIGHT["ink"], pad=18)
    axes.annotate(unit, (0.0, 1.0), xycoords="axes fraction", xytext=(0, 6), textcoords="offset points", fontsize=8.5,
                  color=LIGHT["muted"], annotation_clip=False)  # fmt: skip


def _end(axes: Any, label: str) -> None:
    axes.set_xlabel(label, fontsize=8.5, color=LIGHT["muted"])
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False)
