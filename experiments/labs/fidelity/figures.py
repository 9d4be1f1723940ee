"""The pictures of the page: each function returns what draws one panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.report.palette import LIGHT
from groundlings.experiments.analysis.report.svg import Draw
from groundlings.experiments.labs.fidelity.calibration import Reliability
from groundlings.experiments.labs.fidelity.distances import mean_and_spread
from groundlings.experiments.labs.fidelity.distributions import StarTables
from groundlings.experiments.labs.fidelity.records import Record
from groundlings.experiments.labs.fidelity.system import Utilities

_STYLES: Mapping[str, tuple[str, str, Any]] = {  # colour, mark and dash: no single one of them must be seen
    "evidence mind": ("arm-1", "o", "-"),
    "real people": ("ink", "o", "-"),
    "popularity": ("arm-2", "s", "--"),
    "item kNN": ("arm-3", "^", "-."),
    "genre profile": ("arm-4", "D", (0, (1, 1.2))),
    "EASE": ("arm-5", "v", (0, (5, 1, 1, 1))),
    "list reader": ("arm-6", "P", (0, (3, 2))),
    "say yes": ("bound", "x", (0, (1, 2))),
    "items family": ("arm-6", "P", (0, (3, 2))),
    "people family": ("arm-7", "X", (0, (8, 2))),
    "popularity scorer": ("arm-2", "s", "--"),
    "genre profile scorer": ("arm-4", "D", (0, (1, 1.2))),
    "user+item bias, rounded": ("arm-2", "s", "--"),
    "own past stars, redrawn": ("arm-3", "^", "-."),
    "person's share": ("arm-2", "s", "--"),
    "item's share": ("arm-3", "^", "-."),
}
_SPARE = ("arm-6", "P", (0, (3, 2)))


def draw_ratios(records: Sequence[Record], negatives: str, metric: str, title: str) -> Draw:
    """A measure of every scorer against the number of negatives per real item; published figures as open marks."""

    def draw(axes: Any) -> None:
        _begin(axes, title, f"{metric.upper()}, mean over users, 95 % interval")
        ratios = sorted({_ratio(each) for each in records if _is_of(each, negatives, metric)})
        place = {ratio: number for number, ratio in enumerate(ratios)}
        published = dict.fromkeys(each.scorer for each in records if each.kind == "published")
        marks = {scorer: "*PdsX"[number % 5] for number, scorer in enumerate(published)}
        for scorer in dict.fromkeys(each.scorer for each in records if _is_of(each, negatives, metric)):
            if scorer.startswith("list reader:"):
                continue  # without all its ingredients: in the table
            own = [each for each in records if _is_of(each, negatives, metric) and each.scorer == scorer]
            own = sorted((each for each in own if each.value is not None), key=_ratio)
            x = [place[_ratio(each)] for each in own]
            values = [each.value or 0.0 for each in own]
            if own[0].kind == "published":
                name = scorer.partition(" (")[0].partition(",")[0] + (" re-run" if "re-run" in scorer else "")
                axes.plot(x, values, linestyle="", marker=marks[scorer], markersize=6, markerfacecolor="none",
                          markeredgecolor=LIGHT["bound"], label=f"{name}, published")  # fmt: skip
                continue
            colour, mark, dash = _STYLES.get(scorer, _SPARE)
            reach = _reach(own, np.array(values))
            axes.errorbar(x, values, yerr=reach, color=LIGHT[colour], marker=mark, linestyle=dash, markersize=4.5,
                          linewidth=1.5, elinewidth=1, label=scorer)  # fmt: skip
        axes.set_xticks(range(len(ratios)), [f"1:{ratio}" for ratio in ratios])
        _end(axes, "real items to negatives")

    return draw


def draw_reliability(curves: Sequence[Reliability], task: str, title: str) -> Draw:
    """Frequency against probability, with the diagonal of perfect calibration."""

    def draw(axes: Any) -> None:
        _begin(axes, title, "observed frequency by predicted probability")
        axes.plot([0, 1], [0, 1], color=LIGHT["muted"], linewidth=0.7, linestyle=(0, (2, 2)))
        for curve in (each for each in curves if each.task == task and len(np.unique(each.said)) > 2):
            colour, mark, dash = _STYLES.get(curve.scorer, _SPARE)
            axes.plot(curve.said, curve.happened, color=LIGHT[colour], marker=mark, linestyle=dash, markersize=4,
                      linewidth=1.4, label=curve.scorer)  # fmt: skip
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        _end(axes, "probability")

    return draw


def draw_stars(tables: StarTables) -> Draw:
    """Histograms of stars: real, of the mind, and of a point prediction."""
    shown = _shown_stars(tables)

    def draw(axes: Any) -> None:
        _begin(axes, "Stars", "share of ratings on the same held-out pairs")
        width = 0.8 / len(shown)
        for number, (name, table) in enumerate(shown.items()):
            colour = _STYLES.get(name, _SPARE)[0]
            x = np.arange(len(tables.values)) + (number - (len(shown) - 1) / 2) * width
            axes.bar(x, table.sum(axis=0) / table.sum(), width * 0.92, color=LIGHT[colour], label=name)
        axes.set_xticks(range(len(tables.values)), [f"{value:g}" for value in tables.values])
        _end(axes, "stars")

    return draw


def draw_people(tables: StarTables) -> Draw:
    """Distribution of users' mean stars: how much users differ."""
    shown = _shown_stars(tables)

    def draw(axes: Any) -> None:
        _begin(axes, "Users' mean stars", "share of users with at most this mean")
        for name, table in shown.items():
            colour, _, dash = _STYLES.get(name, _SPARE)
            means = np.sort(mean_and_spread(table, tables.values)[0])
            axes.plot(means, np.arange(1, len(means) + 1) / len(means), color=LIGHT[colour], linestyle=dash,
                      linewidth=1.6, label=name)  # fmt: skip
        _end(axes, "mean stars")

    return draw


def draw_order(utilities: Utilities, simulator: str) -> Draw:
    """Ranks by real behaviour on the left, by the simulator on the right; crossing lines are pairs in wrong order."""
    real, simulated = utilities.real.mean(axis=0), utilities.simulated[simulator].mean(axis=0)
    left, right = (np.argsort(np.argsort(-values, kind="stable")) for values in (real, simulated))
    colour, _, dash = _STYLES.get(simulator, _SPARE)

    def draw(axes: Any) -> None:
        _begin(axes, f"Order by the {simulator}", "real nDCG@10 on the left, expected clicks per session on the right")
        for column, name in enumerate(utilities.names):
            ranks = left[column], right[column]
            axes.plot([0, 1], ranks, color=LIGHT[colour], linestyle=dash, linewidth=1.3, marker="o", markersize=3.5)
            texts = f"{name}  {real[column]:.3f}", f"{simulated[column]:.2f}  {name}"
            for x, side in enumerate(("right", "left")):
                axes.annotate(texts[x], (x, ranks[x]), xytext=(14 * x - 7, 0), textcoords="offset points", ha=side,
                              va="center", fontsize=7.5, color=LIGHT["ink"], annotation_clip=False)  # fmt: skip
        axes.set_xlim(-1.1, 2.1)
        axes.set_ylim(len(real) - 0.5, -0.5)
        axes.axis("off")

    return draw


def draw_series(records: Sequence[Record], task: str, prefix: str, title: str, unit: str, label: str) -> Draw:
    """A series of figures of one probe, in the order of the records."""
    own = [each for each in records if each.task == task and each.metric.startswith(prefix) and each.value is not None]

    def draw(axes: Any) -> None:
        _begin(axes, title, unit)
        values = np.array([each.value for each in own], dtype=np.float64)
        reach = _reach(own, values)
        axes.errorbar(
            range(len(own)), values, yerr=reach, color=LIGHT["arm-1"], marker="o", markersize=4.5, linewidth=1.5
        )
        names = [
            each.metric.removeprefix(prefix).strip(", ").removeprefix("page ").removesuffix(" random") for each in own
        ]
        axes.set_xticks(range(len(own)), names)
        axes.set_ylim(bottom=0)
        _end(axes, label, legend=False)

    return draw


def _shown_stars(tables: StarTables) -> dict[str, FloatArray]:
    """Real users, the minds, and the best-known point prediction."""
    rows = {name: table for name, (kind, table) in tables.rows.items() if kind == "mind"}
    return {"real people": tables.real, **rows, "user+item bias, rounded": tables.rows["user+item bias, rounded"][1]}


def _reach(own: Sequence[Record], values: FloatArray) -> FloatArray:
    ends = [(each.low, each.high) for each in own]
    low = [value if end[0] is None else end[0] for end, value in zip(ends, values, strict=True)]
    high = [value if end[1] is None else end[1] for end, value in zip(ends, values, strict=True)]
    return np.array([values - low, high - values])


def _is_of(record: Record, negatives: str, metric: str) -> bool:
    return record.part == "interaction" and record.metric == metric and record.task.startswith(f"{negatives} 1:")


def _ratio(record: Record) -> int:
    return int(record.task.rpartition(":")[2])


def _begin(axes: Any, title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=LIGHT["ink"], pad=18)
    axes.annotate(unit, (0.0, 1.0), xycoords="axes fraction", xytext=(0, 6), textcoords="offset points", fontsize=8.5,
                  color=LIGHT["muted"], annotation_clip=False)  # fmt: skip


def _end(axes: Any, label: str, legend: bool = True) -> None:
    axes.set_xlabel(label, fontsize=8.5, color=LIGHT["muted"])
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)
    if legend:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, fontsize=8, handlelength=2.4)
