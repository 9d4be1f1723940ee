"""What each run of a matrix found, beside what all of them say together, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import chdtrc

from groundlings.experiments.analysis.answer.finding import find
from groundlings.experiments.analysis.answer.sentences import Words, words_of
from groundlings.experiments.analysis.answer.sizes import size_of
from groundlings.experiments.analysis.answer.values import Reading, Size
from groundlings.experiments.analysis.compare import Difference
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison, Variants

Vote = Literal["clearly agrees", "agrees", "disagrees", "clearly disagrees"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A recommender in one run.

    Attributes:
        run: By what the run differs, in words.
        size, change, interval: Its effect against the baseline, with the 95 % interval over the agents of that run;
            as numbers and as people read them.
        reading: How that is to be read, of that run alone.
        vote: Whether its effect has the sign of the mean of all runs, and whether its interval excludes zero.
        strength: The effect relative to the largest one of the page, with its sign, from -1 to 1; above zero is better.
    """

    run: str
    size: Size
    change: str
    interval: str
    reading: Reading
    vote: Vote
    strength: float


@dataclass(frozen=True, slots=True)
class OverRuns:
    """A recommender in all runs.

    Attributes:
        name: The arm.
        size, change, interval: The mean of its effects, with the interval that the verdict rests on.
        reading: How that is to be read.
        basis: What kind of interval that is, in words.
        cells: One per run, in the order of the matrix.
        spread_p: Of "all runs have the same effect" (Cochran's Q); None where a run has no interval.
    """

    name: str
    size: Size
    change: str
    interval: str
    reading: Reading
    basis: str
    cells: tuple[Cell, ...]
    spread_p: float | None

    def votes(self, *kinds: Vote) -> list[Cell]:
        """The runs that vote in one of these ways."""
        return [cell for cell in self.cells if cell.vote in kinds]


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One row of a heat map: its heading and one cell per column, None where nothing was run."""

    label: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Heat:
    """A heat map by what varies.

    Attributes:
        title: What it is of: a recommender; "" where recommenders are its rows.
        corner: What its rows are.
        columns: Headings.
        rows: From top to bottom.
    """

    title: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]


def arms_over_runs(comparison: Comparison) -> tuple[OverRuns, ...]:
    """Every recommender that was compared in several runs, the best first."""
    words = words_of(comparison, find(comparison))
    known = [arm for arm in comparison.arms if arm.variants is not None]
    direction = words.finding.direction or 1
    known.sort(key=lambda arm: -direction * (arm.headline.effect.difference or 0.0))
    largest = max((abs(effect) for arm in known if arm.variants for effect in arm.variants.effects), default=0.0)
    return tuple(_arm(words, arm, arm.variants, largest) for arm in known if arm.variants is not None)


def _arm(words: Words, arm: ArmFindings, found: Variants, largest: float) -> OverRuns:
    sizes = found.lifts if words.percent else found.differences
    direction, mean = words.finding.direction, arm.headline.effect.difference or 0.0
    cells = []
    for name, gap, shown in zip(found.names, found.differences, sizes, strict=True):
        size = Size(words.percent, shown.difference, shown.low, shown.high)
        change, interval = words.unit.middle(size), words.unit.ends(size)
        strength = (direction or 1) * (gap.difference or 0.0) / (largest or 1.0)
        reading = _reading(gap, direction, clear=gap.excludes_zero)
        cells.append(Cell(name, size, change, interval, reading, _vote(gap, mean), strength))
    whole = size_of(arm, percent=words.percent)
    return OverRuns(
        name=arm.name,
        size=whole,
        change=words.unit.middle(whole),
        interval=words.unit.ends(whole),
        reading=_reading(arm.headline.effect, direction, clear=arm.headline.clear),
        basis=arm.headline.interval,
        cells=tuple(cells),
        spread_p=_heterogeneity(found.differences),
    )


def _reading(gap: Difference, direction: int, *, clear: bool) -> Reading:
    if gap.difference == 0.0 and not gap.standard_error:
        return "same"
    if not clear:
        return "unclear"
    up = (direction or 1) * (gap.difference or 0.0) > 0
    if not direction:
        return "higher" if up else "lower"
    return "better" if up else "worse"


def _vote(gap: Difference, mean: float) -> Vote:
    if (gap.difference or 0.0) * mean > 0 or (gap.difference == mean == 0.0):
        return "clearly agrees" if gap.excludes_zero else "agrees"
    return "clearly disagrees" if gap.excludes_zero else "disagrees"


def _heterogeneity(gaps: Sequence[Difference]) -> float | None:
    """p of Cochran's Q (1954): runs that share agents depend on each other, and then it finds too little."""
    effects = np.array([gap.difference for gap in gaps], dtype=np.float64)
    errors = np.array([gap.standard_error for gap in gaps], dtype=np.float64)
    if np.isnan(effects).any() or not (errors > 0).all():
        return None
    weights = errors**-2.0
    spread = (weights * (effects - np.average(effects, weights=weights)) ** 2).sum()
    return float(chdtrc(len(effects) - 1, spread))


def heat_maps(arms: Sequence[OverRuns], levels: Sequence[Mapping[str, str]]) -> tuple[Heat, ...]:
    """Effects by what varies: by recommender where that is one thing, else one map per recommender.

    Args:
        arms: As `arms_over_runs` gives them.
        levels: What each run has that not all have, in the order of the matrix: name of the factor -> its level.
    """
    names = list(levels[0]) if levels else []
    if (
        not arms or not names or "run" in names
    ):  # numbers are no circumstances: such a map would be empty but for a line
        return ()
    *outer, inner = names
    columns = tuple(dict.fromkeys(each[inner] for each in levels))
    heads = tuple(f"{inner} {level}" for level in columns)
    if not outer:
        rows = tuple(HeatRow(arm.name, _ordered(arm, levels, {}, inner, columns)) for arm in arms)
        return (Heat("", "recommender", heads, rows),)
    circumstances = list(dict.fromkeys(tuple((name, each[name]) for name in outer) for each in levels))
    return tuple(
        Heat(
            arm.name,
            " and ".join(outer),
            heads,
            tuple(
                HeatRow(
                    ", ".join(f"{name} {level}" for name, level in row),
                    _ordered(arm, levels, dict(row), inner, columns),
                )
                for row in circumstances
            ),
        )
        for arm in arms
    )


def _ordered(
    arm: OverRuns, levels: Sequence[Mapping[str, str]], row: Mapping[str, str], inner: str, columns: Sequence[str]
) -> tuple[Cell | None, ...]:
    """The cells of one row."""
    at = {
        each[inner]: cell
        for each, cell in zip(levels, arm.cells, strict=True)
        if all(each[name] == level for name, level in row.items())
    }
    return tuple(at.get(column) for column in columns)
