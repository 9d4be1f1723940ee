"""For whom, and which people, in words."""

from __future__ import annotations

from collections.abc import Sequence

from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.people.heat_map import Cell, HeatMap, SegmentRow, SegmentTable
from groundlings.experiments.analysis.people.spread import ArmSpread, Dozen
from groundlings.experiments.analysis.report.formatting import count, plural, signed

SIGNS = {"better": "▲", "worse": "▼", "higher": "△", "lower": "▽"}
"""Reading of a clear cell -> its mark, the same as in the table of results."""


def segment(names: tuple[str, ...], row: SegmentRow) -> str:
    """A segment by name: "activity high", or "activity high and gender male"."""
    if len(row.levels) < len(names):
        return f"{row.levels[0]} by {' and '.join(names)}"
    return " and ".join(f"{name} {level}" for name, level in zip(names, row.levels, strict=True))


def heat_lines(heat: HeatMap, metric: Metric) -> list[str]:
    """Of each arm: where the effect is smallest and largest, and in how many segments it is clear."""
    lines = []
    for column, arm in enumerate(heat.arms):
        found = [
            (cell.effect.difference or 0.0, segment(table.names, row), cell)
            for table in heat.single
            for row in table.rows
            if (cell := row.cells[column]) is not None
        ]
        if not found:
            continue
        low, high = min(found, key=lambda each: each[0]), max(found, key=lambda each: each[0])
        clear = sum(cell.reading != "unclear" for _, _, cell in found)
        opposed = _opposed([cell for _, _, cell in found])
        lines.append(
            f"{arm}: from {signed(low[0], metric.decimals)} ({low[1]}) to {signed(high[0], metric.decimals)} "
            f"({high[1]}); clear in {count(clear)} of {plural(len(found), 'segment')}{opposed}."
        )
    return lines


def _opposed(cells: list[Cell]) -> str:
    better, worse = (
        sum(cell.reading in words for cell in cells) for words in (("better", "higher"), ("worse", "lower"))
    )
    return f", {better} one way and {worse} the other" if better and worse else ""


def table_note(table: SegmentTable) -> str:
    """What is to be known of one table: which arms' effects differ by it, and who is left out; "" for nothing."""
    parts = []
    if table.differing:
        parts.append(f"The effect of {', '.join(table.differing)} differs between these segments.")
    if table.left_out:
        parts.append(f"{plural(table.left_out, 'user')} in segments that are too small are left out.")
    return " ".join(parts)


def with_value(users: int, cells: Sequence[Cell | None]) -> str:
    """On how many of a segment's users its effects rest, "" where on all: "67 with a value"."""
    known = sorted({cell.effect.n for cell in cells if cell is not None})
    if not known or known == [users]:
        return ""
    return f"{' to '.join(map(count, dict.fromkeys((known[0], known[-1]))))} with a value"


def fares(arm: ArmSpread, higher_is_better: bool | None) -> str:
    """How many gain and lose: "15 % fare worse, 22 % the same, 63 % better"."""
    lower, same, higher = (f"{100 * part / arm.n:.0f} %" for part in (arm.lower, arm.same, arm.higher))
    if higher_is_better is None:
        return f"{lower} have a lower value, {same} the same, {higher} a higher one"
    worse, better = (lower, higher) if higher_is_better else (higher, lower)
    return f"{worse} fare worse, {same} the same, {better} better"


def dozen(found: Dozen, metric: Metric) -> str:
    """Who is shown, and by which rule."""
    number, what = len(found.people), metric.label.lower()
    if not number:
        return "No user has a value in this run, so nobody can stand for the others."
    who = (
        f"All {plural(number, 'user')} in order"
        if number == found.of
        else f"{number} of {count(found.of)} users who stand for all, evenly spaced by rank"
    )
    if not found.baseline:
        return f"{who}: from the lowest {what} to the highest."
    lower, higher = (sum(each.value < 0 for each in found.people), sum(each.value > 0 for each in found.people))
    words = ("have less", "as much", "more")
    if metric.higher_is_better is not None:
        words = ("fare worse", "the same", "better")
        lower, higher = (lower, higher) if metric.higher_is_better else (higher, lower)
    worse, same, better = words
    if lower == 1:
        worse = "fares worse" if metric.higher_is_better is not None else "has less"
    share = "" if number == found.of else ", about in the proportion of all users"
    return (
        f"{who}: from the lowest to the highest own difference in {what} between {found.arm} and {found.baseline}. "
        f"{lower} {worse} with {found.arm}, {number - lower - higher} {same} and {higher} {better}{share}."
    )
