"""What is wrong with the rows of tables: collected, counted, and told together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.errors import DataError

if TYPE_CHECKING:
    from groundlings.environments.datasets.tables import Table

OnProblem = Literal["stop", "drop", "report"]

_NAMED = 3
_MOST_KINDS = 20
"""About one data set at a time; whoever mends these sees the next."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Rows of one table that cannot be used for one reason.

    Attributes:
        table: Where they stand.
        rows: Their numbers, ascending; those of rows that never became a part of the table are -1.
        complaint: What is wrong with the first of them.
        home: The file, of rows of number -1.
        places: Where rows of number -1 stand in it ("line 7"), the first few.
    """

    table: Table
    rows: IntArray
    complaint: str
    home: Path | None = None
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The first row with its complaint, and the places of the next ones."""
        shown = self.rows[: _NAMED + 1]
        home = self.home or self.table.home(int(shown[0]))
        places = self.places[: _NAMED + 1] or tuple(self.table.where(int(row)) for row in shown)
        told = f"{home}, {places[0]}: {self.complaint}"
        others = len(self.rows) - 1
        if not others:
            return told
        dots = " ..." if others > _NAMED else ""
        return f"{told} ({others:,} more row{'s' * (others > 1)} like it: {', '.join(places[1:])}{dots})"

    @property
    def counted(self) -> str:
        """How many rows, of which file, and why: for a note."""
        count, home = len(self.rows), self.home or self.table.home(int(self.rows[0]))
        return f"{home}: {count:,} row{'s' * (count > 1)} left out, the first because of {self.complaint}"


@dataclass(slots=True, eq=False)
class Problems:
    """Collects what is wrong while tables are read.

    Attributes:
        rows: Rows that cannot be used.
        faults: What is wrong with whole files and columns, which nobody can leave out.
        remarks: What is taken as it stands and may not be meant so, a sentence each.
        way_out: What can be done instead of mending the rows, in words; "" where nothing can.
    """

    rows: list[Problem] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    way_out: str = "leave such rows out with own.on_problem: drop"

    def note(self, problem: Problem) -> None:
        """Keep in mind that rows cannot be used; what was noted before is not noted again."""
        alike = (each for each in self.rows if each.table is problem.table and each.complaint == problem.complaint)
        if not any(np.array_equal(each.rows, problem.rows) for each in alike):
            self.rows.append(problem)

    def attempt(self, read: Callable[[], _Result]) -> _Result | None:
        """What a function returns; None where it raises `DataError`, which is kept as a fault."""
        try:
            return read()
        except DataError as error:
            if str(error) not in self.faults:  # a file may be read as several tables
                self.faults.append(str(error))
            return None

    def usable(self, table: Table) -> BoolArray:
        """Which rows of a table nobody complained of, shape (n_rows,)."""
        good = np.ones(table.data.num_rows, dtype=np.bool_)
        for problem in self.rows:
            if problem.table is table:
                good[problem.rows[problem.rows >= 0]] = False
        return good

    def stop(self, on_problem: OnProblem) -> None:
        """Return if reading may go on without the rows that were complained of.

        Raises:
            DataError: It may not; the message names every kind of problem, how many rows have it, and the first ones.
        """
        if self.faults or (self.rows and on_problem == "stop"):
            raise DataError(self._told(on_problem))

    def notes(self, on_problem: OnProblem) -> tuple[str, ...]:
        """What was left out, a sentence per kind; `report` names the first rows of each."""
        told = (f"left out: {each}" if on_problem == "report" else each.counted for each in self.rows)
        return tuple(dict.fromkeys(told))

    def _told(self, on_problem: OnProblem) -> str:
        rows = {str(each): len(each.rows) for each in self.rows}  # of a file that is read as several tables once
        told = [*self.faults, *list(rows)[:_MOST_KINDS]]
        count = sum(rows.values())
        if len(told) == 1:
            (only,) = told
            # Advice that ends the message stands where it stood before problems were collected.
            return only if self.faults or count == 1 or not self.way_out else f"{only}; or {self.way_out}"
        more = len(rows) - _MOST_KINDS
        lines = [f"found {len(self.faults) + len(rows)} kinds of problems{f' in {count:,} rows' if count else ''}:"]
        lines += [f"  - {each}" for each in told]
        if more > 0:
            lines.append(f"  - and {more:,} more kinds")
        if self.faults and on_problem != "stop":
            lines.append("own.on_problem leaves out rows; what is wrong with whole files or columns has to be mended")
        elif rows:
            lines.append(f"mend them{f', or {self.way_out}' * bool(self.way_out)}")
        return "\n".join(lines)
