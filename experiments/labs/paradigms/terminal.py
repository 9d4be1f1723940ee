"""The comparison in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from groundlings.experiments.labs.paradigms.findings import Findings
from groundlings.experiments.labs.paradigms.tables import TableOfWords, answer, setting, tables_of
from groundlings.experiments.terminal import escape

_BETWEEN = 3
"""Blanks between two columns, and half of those beside the outer ones."""


def print_findings(findings: Findings, console: Console) -> None:
    """One table per part, and what it says; a table that is too wide goes on below, so that no number is cut."""
    console.print(escape(setting(findings)))
    for each in tables_of(findings):
        title = each.title
        for columns in _fitting(each, console.width):
            console.print(_drawn(each, columns, title, console.width))
            title = f"{each.title}, continued"
        for reason in each.missing:
            console.print(f"[dim]not known: {escape(reason)}[/]")
    head, sentence = answer(findings)
    console.print(f"[bold]{escape(head)}[/]: {escape(sentence)}")


def _lines(cell: str) -> list[str]:
    """The parts of a cell that are kept whole: a figure with its interval and its difference, or words."""
    return cell.split("; ") if "[" in cell else cell.split()


def _drawn(table: TableOfWords, columns: Sequence[int], title: str, width: int) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=escape(title), title_justify="left")
    for column in columns:
        heading = table.headings[column]
        left = column == 0 or heading == "paradigm"
        # The width is given: left to itself, the library cuts numbers of wide columns to make room for words.
        drawn.add_column(
            escape(heading), justify="left" if left else "right", width=_longest(table, column, width), overflow="fold"
        )
    for row in table.rows:
        cells = (("\n" if "[" in row[column] else " ", _lines(row[column])) for column in columns)
        drawn.add_row(*(between.join(escape(line) for line in lines) for between, lines in cells))
    return drawn


def _fitting(table: TableOfWords, width: int) -> Iterator[list[int]]:
    """Columns that fit side by side, the arm's name first in each part; none where the table is empty."""
    if not table.rows:
        return
    names = _longest(table, 0, width) + _BETWEEN
    columns, taken = [0], names
    for column in range(1, len(table.headings)):
        needed = _longest(table, column, width) + _BETWEEN
        if len(columns) > 1 and taken + needed > width:
            yield columns
            columns, taken = [0], names
        columns.append(column)
        taken += needed
    yield columns


def _longest(table: TableOfWords, column: int, width: int) -> int:
    """How wide a column is: no figure with its interval and no word is broken, but for long names of arms."""
    cells = (table.headings[column], *(row[column] for row in table.rows))
    longest = max(len(line) for cell in cells for line in _lines(cell) or [""])
    return min(longest, width // 3) if column == 0 else min(longest, width - width // 3 - 2 * _BETWEEN)
