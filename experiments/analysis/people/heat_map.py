"""The effect on every segment of the audience in every arm, as tables of one scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.experiments.analysis.compare import Difference
from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.comparison.multiplicity import benjamini_hochberg
from groundlings.experiments.analysis.comparison.outcomes import Outcomes
from groundlings.experiments.analysis.comparison.segments import FEWEST, OTHERS
from groundlings.experiments.analysis.people.attributes import Attribute, attributes_of, conjunctions

Reading = Literal["better", "worse", "higher", "lower", "unclear"]

_MOST_CELLS = 1500
"""Of all tables of two attributes together: a page holds so much and no more, however many arms there are."""
_MOST_LEVELS, _FEWEST_LEVELS = 24, 4


@dataclass(frozen=True, slots=True)
class Cell:
    """The effect on one segment in one arm.

    Attributes:
        effect: Among the users of the segment.
        adjusted_p: By Benjamini and Hochberg over all segments of the arm that are of the same kind; None without a
            p value.
        reading: "unclear" where it is not below the plan's alpha.
        colour: The effect against `HeatMap.reach`, -1 to 1, positive where it is better (or higher, of a
            metric that has no better).
    """

    effect: Difference
    adjusted_p: float | None
    reading: Reading = "unclear"
    colour: float = 0.0


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One segment: its level of each attribute, how many users it has, and a cell per arm (None: too few users)."""

    levels: tuple[str, ...]
    n: int
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """The segments of one attribute, or of two taken together.

    Attributes:
        names: Of the attributes.
        rows: In order.
        differing: Arms in which the effect differs between the levels, by the test that `compare` prints.
        left_out: Users of segments that are too small even together.
        members: The row of each of the users that `heat_map` was asked about, -1 for those in none.
    """

    names: tuple[str, ...]
    rows: tuple[SegmentRow, ...]
    differing: tuple[str, ...]
    left_out: int
    members: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Segments and arms.

    Attributes:
        arms: Columns, in the order of the YAML.
        everybody: The effect on all users, a cell per arm, as the verdict has it.
        n: All users.
        single, pairs: Tables of one attribute and of two.
        reach: The largest effect on everybody or of a clear cell: what the strongest colour stands for.
        naming: Attributes that name users rather than groups, and are left out.
    """

    arms: tuple[str, ...]
    everybody: tuple[Cell, ...]
    n: int
    single: tuple[SegmentTable, ...]
    pairs: tuple[SegmentTable, ...]
    reach: float
    naming: tuple[str, ...]

    @property
    def clear(self) -> tuple[int, int]:
        """How many cells of single attributes are clear, and of how many."""
        cells = [cell for table in self.single for row in table.rows for cell in row.cells if cell is not None]
        return sum(cell.reading != "unclear" for cell in cells), len(cells)


def heat_map(outcomes: Outcomes, comparison: Comparison, places: Sequence[int] = ()) -> HeatMap | None:
    """The effect by segment and arm; None where no arm competes or no segment has enough users.

    Args:
        outcomes: The run's.
        comparison: What was found.
        places: Of users in the log whose segments are wanted (`SegmentTable.members`).
    """
    if not any(arm.headline.effect.difference is not None for arm in comparison.arms):
        return None
    attributes, naming = attributes_of(outcomes.personas)
    cells = max(len(comparison.arms), 1) * max(len(attributes) * (len(attributes) - 1) // 2, 1)
    levels = max(_FEWEST_LEVELS, min(_MOST_LEVELS, _MOST_CELLS // cells))
    measured = _Measured(outcomes, comparison, places)
    single = measured.tables([each for each in attributes if each.compared])
    single = (*measured.as_compared(single), *measured.tables([each for each in attributes if not each.compared]))
    pairs = measured.tables(conjunctions(attributes, levels))
    single, pairs = (tuple(table for table in tables if len(table.rows) > 1) for tables in (single, pairs))
    if not single:
        return None
    everybody = tuple(
        Cell(arm.headline.effect, arm.headline.adjusted_p, measured.reading(arm.headline.effect, arm.headline.clear))
        for arm in comparison.arms
    )
    cells_shown = [c for table in (*single, *pairs) for row in table.rows for c in row.cells if c is not None]
    reach = _reach([*everybody, *(cell for cell in cells_shown if cell.reading != "unclear")])
    return HeatMap(
        arms=tuple(arm.name for arm in comparison.arms),
        everybody=tuple(measured.coloured(cell, reach) for cell in everybody),
        n=len(outcomes.personas),
        single=measured.all_coloured(single, reach),
        pairs=measured.all_coloured(pairs, reach),
        reach=reach,
        naming=naming,
    )


def _reach(cells: Sequence[Cell]) -> float:
    """The largest effect: of everybody and of what is clear, for the largest of all is mostly chance."""
    return max((abs(cell.effect.difference or 0.0) for cell in cells), default=0.0)


class _Measured:
    """What all cells have in common."""

    def __init__(self, outcomes: Outcomes, comparison: Comparison, places: Sequence[int]) -> None:
        self._comparison, self._estimator = comparison, outcomes.estimator
        self._places = np.array(places, dtype=np.int64)
        primary = comparison.plan.primary
        self._metric = comparison.metrics[primary]
        self._alpha = comparison.plan.alpha
        values = {arm.name: arm.values(primary) for arm in outcomes.arms}
        self._arms = [values[arm.name] for arm in comparison.arms]
        self._baseline = values[comparison.baseline]

    def tables(self, attributes: Iterable[Attribute]) -> tuple[SegmentTable, ...]:
        """One table each; p values are adjusted over all of them, arm by arm."""
        tables = [self._table(attribute) for attribute in attributes]
        for column in range(len(self._arms)):
            places = [
                (number, place)
                for number, table in enumerate(tables)
                for place, row in enumerate(table.rows)
                if (cell := row.cells[column]) is not None and cell.effect.p_value is not None
            ]
            found = [tables[number].rows[place].cells[column] for number, place in places]
            tests = [cell.effect.p_value or 0.0 for cell in found if cell is not None]
            for (number, place), p_value in zip(places, benjamini_hochberg(tests), strict=True):
                tables[number] = self._adjusted(tables[number], place, column, float(p_value))
        return tuple(tables)

    def as_compared(self, tables: Sequence[SegmentTable]) -> tuple[SegmentTable, ...]:
        """With the p values and contrasts that `compare` prints: one question has one answer."""
        found = []
        for table in tables:
            (name,) = table.names
            for column, arm in enumerate(self._comparison.arms):
                known = {each.level: each.adjusted_p for each in arm.segments if each.attribute == name}
                for place, row in enumerate(table.rows):
                    if row.cells[column] is not None and row.levels[0] in known:
                        table = self._adjusted(table, place, column, known[row.levels[0]])
            differing = tuple(
                arm.name
                for arm in self._comparison.arms
                for contrast in arm.contrasts
                if contrast.attribute == name and contrast.adjusted_p < self._alpha
            )
            found.append(replace(table, differing=differing))
        return tuple(found)

    def reading(self, effect: Difference, clear: bool) -> Reading:
        """What an effect says of an arm."""
        if not clear or not effect.difference:
            return "unclear"
        up = effect.difference > 0
        if self._metric.higher_is_better is None:
            return "higher" if up else "lower"
        return "better" if up == self._metric.higher_is_better else "worse"

    def coloured(self, cell: Cell, reach: float) -> Cell:
        """With its place on the scale."""
        sign = -1 if self._metric.higher_is_better is False else 1
        share = sign * (cell.effect.difference or 0.0) / reach if reach else 0.0
        return replace(cell, colour=max(-1.0, min(share, 1.0)))

    def all_coloured(self, tables: Sequence[SegmentTable], reach: float) -> tuple[SegmentTable, ...]:
        """As `coloured`, of all cells."""
        return tuple(
            replace(
                table,
                rows=tuple(
                    replace(
                        row,
                        cells=tuple(None if cell is None else self.coloured(cell, reach) for cell in row.cells),
                    )
                    for row in table.rows
                ),
            )
            for table in tables
        )

    def _table(self, attribute: Attribute) -> SegmentTable:
        rows: list[SegmentRow] = []
        row_of: dict[int, int] = {}
        left_out = 0
        for code, (levels, users) in enumerate(attribute.rows()):
            cells = self._cells(users, len(attribute.codes))
            if len(users) < FEWEST or not any(cells):
                left_out += len(users)
                continue
            row_of[code] = len(rows)
            rows.append(SegmentRow(levels if set(levels) != {OTHERS} else (OTHERS,), len(users), cells))
        members = tuple(row_of.get(code, -1) for code in attribute.codes[self._places].tolist())
        return SegmentTable(attribute.names, tuple(rows), (), left_out, members)

    def _cells(self, users: IntArray, n_agents: int) -> tuple[Cell | None, ...]:
        here: BoolArray = np.zeros(n_agents, dtype=np.bool_)
        here[users] = True
        estimator = self._estimator.among(here)
        found = [estimator.difference(arm[here], self._baseline[here]) for arm in self._arms]
        return tuple(None if effect.n < FEWEST or effect.difference is None else Cell(effect, None) for effect in found)

    def _adjusted(self, table: SegmentTable, place: int, column: int, p_value: float | None) -> SegmentTable:
        row = table.rows[place]
        cell = row.cells[column]
        if cell is None:
            return table
        clear = p_value is not None and p_value < self._alpha
        told = replace(cell, adjusted_p=p_value, reading=self.reading(cell.effect, clear))
        cells = (*row.cells[:column], told, *row.cells[column + 1 :])
        rows = (*table.rows[:place], replace(row, cells=cells), *table.rows[place + 1 :])
        return replace(table, rows=rows)
