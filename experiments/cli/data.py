"""The commands `groundlings data check | split`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.terminal import Terminal, escape, say

if TYPE_CHECKING:
    from rich.console import Console

    from groundlings.environments.datasets.proposal import Proposal

app = typer.Typer(name="data", help="Your own data: propose a mapping, write the training part.", no_args_is_help=True)

FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILES...", help="Your tables: CSV, TSV or Parquet, text perhaps in gzip.")
]


@app.command("check")
def check_data(
    files: FilesArgument,
    only_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the `dataset` section alone, for an experiment file.")
    ] = False,
) -> None:
    """Look at your tables and propose which column is what, with reasons and doubts.

    Nothing is decided by this: put the proposed section into an experiment file, correct it, and run
    `groundlings check`.
    """
    from groundlings.environments.datasets.proposal import propose_for

    proposal = propose_for(files)
    if only_yaml:
        say(_yaml(proposal))
        return
    console = Terminal()
    _print_choices(proposal, console)
    console.print("\nThe section of an experiment file (paths count from that file):\n", highlight=False)
    say(_yaml(proposal))
    _print_doubts(proposal, console)
    _print_outcome(proposal, console)


def _print_choices(proposal: Proposal, console: Console) -> None:
    for part, told in proposal.files:
        console.print(f"[bold]{part}[/]  {escape(told)}", highlight=False, soft_wrap=True)
    console.print()
    for choice in proposal.choices:
        if choice.column is not None:
            reasons = "; ".join(choice.reasons)
            console.print(
                f"[bold]{choice.key}[/]  {escape(repr(choice.column))}  {escape(reasons)}",
                highlight=False,
                soft_wrap=True,
            )


def _print_doubts(proposal: Proposal, console: Console) -> None:
    if proposal.doubts:
        console.print("To be looked at:", highlight=False)
    for doubt in proposal.doubts:
        console.print(f"  - {escape(doubt)}", highlight=False, soft_wrap=True)


def _print_outcome(proposal: Proposal, console: Console) -> None:
    """Read the tables as proposed, and say what comes of it."""
    from pydantic import ValidationError

    from groundlings.environments.datasets.config import OwnData
    from groundlings.environments.datasets.own import load_own
    from groundlings.environments.errors import UserError

    if not proposal.is_whole:
        console.print("[yellow]incomplete[/] the section lacks what is said above", highlight=False)
        return
    try:
        dataset = load_own(OwnData.model_validate(proposal.section), Path())
    except (UserError, ValidationError) as error:
        console.print(f"[yellow]not yet[/] read as proposed: {escape(str(error), newlines=True)}", soft_wrap=True)
        return
    for note in dataset.notes:
        console.print(f"[yellow]note[/] {escape(note)}", highlight=False, soft_wrap=True)
    console.print(
        f"[green]ok[/] read as proposed: {len(dataset.people):,} users, {len(dataset.catalog):,} items, "
        f"{len(dataset.interactions):,} interactions",
        highlight=False,
    )


def _yaml(proposal: Proposal) -> str:
    import yaml

    section = {"dataset": {"name": "own", "own": proposal.section}}
    return yaml.safe_dump(section, sort_keys=False, allow_unicode=True, width=120).rstrip("\n")
