"""The comparison in the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from groundlings.experiments.labs.paradigms.findings import Findings
from groundlings.experiments.labs.paradigms.tables import answer, tables_of
from groundlings.experiments.terminal import escape


def print_findings(findings: Findings, console: Console) -> None:
    """One table per part, and what it says."""
    for each in tables_of(findings):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=escape(each.title), title_justify="left")
        for place, heading in enumerate(each.headings):
            table.add_column(escape(heading), justify="left" if place == 0 or heading == "paradigm" else "right")
        for row in each.rows:
            table.add_row(*(escape(cell) for cell in row))
        if each.rows:
            console.print(table)
        for reason in each.missing:
            console.print(f"[dim]not known: {escape(reason)}[/]")
    head, sentence = answer(findings)
    console.print(f"[bold]{escape(head)}[/]: {escape(sentence)}")
