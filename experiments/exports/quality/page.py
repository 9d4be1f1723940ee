"""What a synthetic log is worth, as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundlings.experiments.analysis.report.lab_page import render_lab_page
from groundlings.experiments.exports.quality.figures import Figure
from groundlings.experiments.exports.quality.measuring import ArmQuality, LogQuality
from groundlings.experiments.exports.quality.privacy import Beside
from groundlings.experiments.exports.quality.sentences import (
    LABELS,
    figure,
    privacy_rows,
    privacy_thoughts,
)
from groundlings.experiments.exports.quality.training import CUT, RECOMMENDERS, TARGET, TRIVIAL, Trained
from groundlings.experiments.exports.quality.uses import GUESSING, above, answer_of, cases, share, uses_of

PAGE_NAME = "quality.html"


@dataclass(frozen=True, slots=True)
class Meter:
    """One figure on a scale; places are shares of its width.

    Attributes:
        words: What was found.
        beside: What a reader needs beside it.
        place, low, high: Of the figure and of the ends of its interval; None where it is not known.
        mark: Of what it is to be held against; None where there is nothing.
        standing: How it stands to that.
        good: Whether it is as one would have it.
    """

    words: str
    beside: str
    place: float | None
    low: float | None
    high: float | None
    mark: float | None
    standing: str
    good: bool


def render_page(quality: LogQuality, facts: Mapping[str, Any]) -> str:
    """The page as text.

    Args:
        quality: What the log is worth.
        facts: The datasheet, as `datasheet.datasheet` gives it.
    """
    return render_lab_page(
        "groundlings.experiments.exports.quality",
        "quality.html.j2",
        {"uses": "What it is good for", "arms": "Every figure", "again": "Where it comes from"},
        {
            "lab_name": "synthetic log",
            "run_name": facts["experiment"],
            "question": "How near is this synthetic log to real rows?",
            "answer": answer_of(quality),
            "facts": facts,
            "quality": quality,
            "arms": {name: _arm(arm) for name, arm in quality.arms.items()},
            "target": TARGET,
            "cut": CUT,
        },
    )


def write_page(quality: LogQuality, facts: Mapping[str, Any], directory: Path) -> None:
    """Write the page into an export; arguments as of `render_page`."""
    (directory / PAGE_NAME).write_text(render_page(quality, facts), encoding="utf-8")


def _arm(arm: ArmQuality) -> dict[str, Any]:
    """What the template reads of one arm."""
    ratios = [arm.trained(name) for name in (*RECOMMENDERS, TRIVIAL)]
    ends = [end for row in ratios for end in (row.ratio.value, row.ratio.high) if end is not None]
    widest = max(1.1, *ends) if ends else 1.1
    return {
        "interactions": arm.interactions,
        "uses": uses_of(arm),
        "training": [_training(row, widest) for row in ratios],
        "whole": round(100 / widest, 1),
        "apart": _apart(arm),
        "members": _members(arm.privacy.membership),
        "rows": [_training_row(row) for row in arm.training],
        "distances": [(each.name, figure(each.synthetic), figure(each.floor)) for each in arm.distances],
        "privacy": privacy_rows(arm.privacy),
        "thoughts": [line.replace("**", "") for line in privacy_thoughts(arm.privacy)],
        "others": arm.privacy.others,
    }


def _training(row: Trained, widest: float) -> Meter:
    ratio, name = row.ratio, LABELS[row.recommender]
    if ratio.value is None:
        return Meter(f"{name}: n/a", ratio.missing, None, None, None, None, "", good=False)
    words = f"{name} learns {share(ratio)} of what real rows teach it"
    beside = f"nDCG@{CUT} {figure(row.synthetic, 4)}, trained on real rows {figure(row.real, 4)}"
    if row.recommender == TRIVIAL:
        words, standing, good = (
            f"The popularity list reaches {share(ratio)} of that of real rows",
            "for comparison",
            True,
        )
    elif ratio.value < TARGET:
        standing, good = "below the goal", False
    else:
        sure = ratio.low is None or ratio.low >= TARGET
        standing, good = ("reaches the goal" if sure else "reaches the goal, not by its whole interval"), True
    return Meter(
        words, beside, ratio.value / widest, _over(ratio.low, widest), _over(ratio.high, widest), TARGET / widest,
        standing, good,
    )  # fmt: skip


def _apart(arm: ArmQuality) -> list[Meter]:
    found = arm.told_apart
    named = (
        ("By items and their order, a classifier picks the real one in", found.items),
        ("With times and ratings as well, in", found.everything),
    )
    return [_auc(words, each, found.floor, "real from real in ", "can be told", "no better than real from real")
            for words, each in named]  # fmt: skip


def _members(found: Beside) -> Meter:
    return _auc(
        "Whoever knows a history guesses right whether it was used in",
        found.synthetic,
        found.real,
        "from held-out behaviour in ",
        "gives members away",
        "no better than from later behaviour",
    )


def _auc(words: str, found: Figure, floor: Figure, beside: str, told: str, alike: str) -> Meter:
    if found.value is None:
        return Meter(f"{words}: n/a", found.missing, None, None, None, None, "", good=False)
    bad = above(found, floor)
    return Meter(
        f"{words} {cases(found)}", f"{beside}{cases(floor)}; 50 is guessing", _beyond(found.value), _beyond(found.low),
        _beyond(found.high), _beyond(floor.value), told if bad else alike, not bad,
    )  # fmt: skip


def _over(value: float | None, widest: float) -> float | None:
    return None if value is None else max(0.0, value / widest)


def _beyond(auc: float | None) -> float | None:
    """Where an AUC stands between guessing and certainty."""
    return None if auc is None else min(1.0, max(0.0, (auc - GUESSING) / (1 - GUESSING)))


def _training_row(row: Trained) -> Sequence[str]:
    values = (row.real, row.synthetic)
    gains = (row.added, row.gain, row.merged_gain)
    return (
        LABELS[row.recommender], f"{row.metric}@{CUT}", *(figure(each, 4) for each in values), figure(row.ratio, 2),
        *(figure(each, 4) for each in gains),
    )  # fmt: skip
