"""What the sample of a hybrid audience tells, as a table for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.report import hybrid_sentences as say
from groundlings.experiments.terminal import escape


def print_hybrid(comparison: Comparison, console: Console) -> None:
    """Every arm on the primary metric, with and without the language mind; nothing of a run without a sample."""
    found = comparison.hybrid
    if found is None:
        return
    console.print(f"[bold]language sample[/]  {escape(say.opening(found))}")
    if told := say.strata(found):
        console.print(f"[dim]{escape(told)}[/]")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, header in enumerate(say.HEADERS):
        table.add_column(header, overflow="fold", justify="right" if place else "left")
    for row in say.rows(comparison, found):
        table.add_row(*map(escape, (row.name, *row.cells)))
    console.print(table)
    console.print(f"[dim]{escape(say.basis(comparison))}[/]")
