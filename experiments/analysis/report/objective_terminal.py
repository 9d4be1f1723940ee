"""Several objectives as a table for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.report import objective_sentences as say
from groundlings.experiments.analysis.report.verdict_sentences import first_run
from groundlings.experiments.terminal import escape


def print_objectives(comparison: Comparison, console: Console) -> None:
    """The objectives of all arms, their weighted utility and the Pareto front; then what money rests on.

    Nothing is printed where the plan has no objectives and is not about money.
    """
    found = comparison.objectives
    if found is not None:
        console.print(f"[bold]objectives[/]  {escape(say.declared(comparison, found))}")
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("arm", overflow="fold")
        for name in found.roles:
            table.add_column(escape(comparison.metrics[name].label.lower()), justify="right", overflow="fold")
        if found.unit is not None:
            table.add_column("utility", justify="right", overflow="fold")
        table.add_column("front", overflow="fold")
        for arm in found.arms:
            cells = [say.effect(each, comparison) for each in arm.effects]
            worth = [say.utility(arm.utility)] if found.unit is not None else []
            table.add_row(*map(escape, [arm.name, *cells, *worth, say.standing(arm)]))
        console.print(table)
        console.print(escape(say.front(found)))
        console.print(f"[dim]{escape(say.front_basis(found, comparison))}[/]")
    elif told := say.winsorised(comparison):
        console.print(escape(told.strip()))
    for tail in comparison.tails:
        console.print(f"[dim]{escape(first_run(comparison) + say.money(tail, comparison))}.[/]")
