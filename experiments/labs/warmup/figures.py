"""The pictures of the page: each function returns what draws one panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.report.figures import title
from groundlings.experiments.analysis.report.palette import LIGHT
from groundlings.experiments.analysis.report.svg import Draw
from groundlings.experiments.labs.warmup.records import Claim, Record, find
from groundlings.experiments.labs.warmup.sentences import name_of

STYLES: Mapping[str, tuple[str, str, Any]] = {  # colour, mark and dash: no single one of them must be seen
    "audience": ("arm-1", "o", "-"),
    "content_knn": ("arm-2", "s", "--"),
    "random_n": ("arm-3", "^", "-."),
    "most_active_n": ("arm-4", "D", (0, (1, 1.2))),
    "filter_only": ("arm-5", "v", (0, (5, 1, 1, 1))),
    "none": ("bound", "x", (0, (1, 2))),
    "oracle_n": ("ink", "P", (0, (8, 2))),
    "judgement": ("arm-6", "X", (0, (3, 2))),
}


def draw_volumes(records: Sequence[Record], recommender: str, setting: str, metric: str, label: str) -> Draw:
    """One figure of every arm against the number of interactions per item."""

    def draw(axes: Any) -> None:
        title(axes, label, f"{metric.upper() if metric == 'ndcg' else metric}, mean over seeds, 95 % over items")
        own = [
            record for record in records
            if record.key.setting == setting and record.key.metric == metric and record.key.how == "folded in"
            and record.key.recommender == recommender and record.key.arm in STYLES
        ]  # fmt: skip
        volumes = sorted({record.key.volume for record in own})
        place = {volume: number for number, volume in enumerate(volumes)}
        arms = [arm for arm in STYLES if any(record.key.arm == arm for record in own)]
        for arm in arms:
            colour, mark, dash = STYLES[arm]
            points = sorted((record for record in own if record.key.arm == arm), key=lambda each: each.key.volume)
            axes.errorbar(
                [place[point.key.volume] for point in points], [point.value for point in points],
                yerr=_reach(points), color=LIGHT[colour], marker=mark, linestyle=dash, markersize=4.5, linewidth=1.5,
                elinewidth=1, label=name_of(arm),
            )  # fmt: skip
        axes.set_xticks(range(len(volumes)), [str(volume) for volume in volumes])
        _from_zero(axes, own)
        _end(axes, "interactions per item")

    return draw


def draw_gains(gains: FloatArray) -> Draw:
    """Shares of new items that gain and lose, and the cumulated gain, items with the largest gain first."""

    def draw(axes: Any) -> None:
        title(axes, "Gain by item", "cumulated share of the gain over random users")
        ordered = np.sort(gains)[::-1]
        share = np.cumsum(ordered) / ordered.sum() if ordered.sum() else np.zeros(len(ordered))
        x = np.arange(1, len(ordered) + 1) / len(ordered)
        axes.plot(x, share, color=LIGHT["arm-1"], linewidth=1.5)
        axes.axhline(1, color=LIGHT["muted"], linewidth=0.7, linestyle=(0, (2, 2)))
        better, worse = float((gains > 0).mean()), float((gains < 0).mean())
        axes.annotate(f"{100 * better:.0f} % of items gain, {100 * worse:.0f} % lose", (0.98, 0.06),
                      xycoords="axes fraction", ha="right", fontsize=8.5, color=LIGHT["ink"])  # fmt: skip
        axes.set_ylim(bottom=0)
        _end(axes, "share of the new items, largest gain first")

    return draw


def draw_recommenders(records: Sequence[Record], volume: int, recommenders: Sequence[str]) -> Draw:
    """NDCG on new items of every arm, with each recommender."""

    def draw(axes: Any) -> None:
        title(axes, "With other recommenders", "NDCG on new items, 95 % over items")
        arms = list(STYLES)
        for step, arm in zip(np.linspace(-0.24, 0.24, len(arms)), arms, strict=True):
            found = [
                find(records, arm=arm, volume=volume, setting="cold", metric="ndcg", recommender=name, how="folded in")
                for name in recommenders
            ]
            known = [(place, record) for place, record in enumerate(found) if record is not None]
            colour, mark, _ = STYLES[arm]
            axes.errorbar(
                [place + step for place, _ in known], [record.value for _, record in known],
                yerr=_reach([record for _, record in known]), color=LIGHT[colour], marker=mark, linestyle="",
                markersize=4.5, elinewidth=1, label=name_of(arm),
            )  # fmt: skip
        axes.set_xticks(range(len(recommenders)), recommenders)
        axes.set_ylim(bottom=0)
        _end(axes, "")

    return draw


def draw_leads(claims: Sequence[Claim]) -> Draw:
    """The difference between the audience and each other arm, with the intervals over seeds and over items."""

    def draw(axes: Any) -> None:
        title(axes, "Lead over other arms", "NDCG, new items; dark: over seeds, grey: items")
        axes.axvline(0, color=LIGHT["muted"], linewidth=0.7, linestyle=(0, (2, 2)))
        for row, claim in enumerate(claims):
            ends = (
                (claim.seeds_low, claim.seeds_high, -0.12, "ink"),
                (claim.items_low, claim.items_high, 0.12, "bound"),
            )
            for low, high, shift, colour in ends:
                if claim.value is not None and low is not None and high is not None:
                    reach = [[claim.value - low], [high - claim.value]]
                    axes.errorbar([claim.value], [row + shift], xerr=reach, marker="o", color=LIGHT[colour],
                                  markersize=4, elinewidth=1.4)  # fmt: skip
        axes.set_yticks(range(len(claims)), [name_of(claim.against) for claim in claims])
        axes.set_ylim(len(claims) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0, labelcolor=LIGHT["ink"])
        axes.grid(axis="x", color=LIGHT["rule"], linewidth=0.7)

    return draw


def draw_key(arm: str) -> Draw:
    """An arm's line and mark alone, for the one legend above all pictures."""

    def draw(axes: Any) -> None:
        colour, mark, dash = STYLES[arm]
        axes.plot([0, 1, 2], [0, 0, 0], color=LIGHT[colour], marker=mark, linestyle=dash, markersize=4.5, markevery=[1])
        axes.set_axis_off()

    return draw


def _from_zero(axes: Any, records: Sequence[Record]) -> None:
    """A y axis from zero that holds every interval whole."""
    axes.set_ylim(0, 1.05 * max((record.high or record.value for record in records), default=1.0) or 1.0)


def _reach(points: Sequence[Record]) -> FloatArray:
    """Distances to the ends of the intervals, shape (2, n)."""
    values = np.array([point.value for point in points])
    low = np.array([point.value if point.low is None else point.low for point in points])
    high = np.array([point.value if point.high is None else point.high for point in points])
    return np.maximum(np.array([values - low, high - values]), 0)


def _end(axes: Any, label: str) -> None:
    axes.set_xlabel(label, fontsize=8.5, color=LIGHT["muted"])
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)
