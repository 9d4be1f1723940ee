"""The command `groundlings interference`: how wrong a test that splits people with ties is."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.cli.options import ConfigArgument, SeedOption, SetOption, TimesOption
from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from groundlings.experiments.labs.interference.lab import Findings

AssignmentsOption = Annotated[
    int,
    typer.Option(
        "--assignments",
        min=1,
        max=1000,
        help="How many times agents, and clusters, are assigned anew; each takes two simulations.",
    ),
]
_FOR_ALL = ("naive", "total")
"""Estimates of what changes for everybody, which the truth is."""

JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there as well.")]


def interference(
    config: ConfigArgument,
    changes: SetOption = None,
    seed: SeedOption = None,
    assignments: AssignmentsOption = 5,
    times: TimesOption = 1000,
    json: JsonOption = None,
) -> None:
    """Split agents with ties between two arms, by agent and by cluster, and hold the estimates against the truth."""
    from groundlings.experiments.archive.directory import write_json
    from groundlings.experiments.archive.tables import check_place
    from groundlings.experiments.config.loading import load_config
    from groundlings.experiments.labs.interference.lab import try_splits

    if json is not None:
        check_place(json, "--json")
    findings = try_splits(load_config(config, changes or (), seed), assignments, times)
    console = Terminal()
    _print(findings, console)
    if json is not None:
        write_json(json, findings.as_dict())
        console.print(f"figures  {escape(str(json))}", soft_wrap=True)


def _print(findings: Findings, console: Terminal) -> None:
    from rich.table import Table

    from groundlings.environments.words import plural
    from groundlings.experiments.labs.interference.lab import ROWS

    first, second = (escape(arm) for arm in findings.arms)
    console.print(
        f"{plural(findings.agents, 'agent')}, {plural(findings.ties, 'tie')}, {plural(findings.clusters, 'cluster')}, "
        f"within which {_share(findings.within)} of the ties stay. Everybody in {first}: {findings.before:.4f} "
        f"interactions per agent; in {second}: {findings.after:.4f}. The truth is the difference, "
        f"{findings.truth:+.4f}."
    )
    for tested in findings.tested:
        n = len(tested.estimates)
        table = Table(
            "estimate", "mean", "s.d.", "interval holds the truth",
            title=f"split by {tested.by}, {n} assignments, {_share(tested.ties_across)} of the ties across arms",
            title_justify="left",
        )  # fmt: skip
        for row in ROWS:
            values = tested.values(row)
            known = values[values == values]
            told = tested.intervals(row)
            held = (f"{tested.holding(row, findings.truth)} of {told}" if told else "n/a") if row in _FOR_ALL else ""
            spread = f"{known.std(ddof=1):.4f}" if len(known) > 1 else "n/a"
            of = f" ({len(known)} of {n})" if 0 < len(known) < n else ""  # others tell nothing of this row
            table.add_row(row, f"{known.mean():+z.4f}{of}" if len(known) else "n/a", spread, held)
        console.print(table)


def _share(value: float) -> str:
    return "n/a" if isnan(value) else f"{value:.0%}"
