"""The commands `groundlings data check | split`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.terminal import Terminal, escape, say_yaml

if TYPE_CHECKING:
    from rich.console import Console

    from groundlings.environments.dataset import Dataset
    from groundlings.environments.datasets.proposal import Proposal

app = typer.Typer(name="data", help="Your own data: propose a mapping, write the training part.", no_args_is_help=True)

FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILES...", help="Your tables: CSV, TSV or Parquet, text perhaps in gzip.")
]


@app.command("check")
def check_data(
    files: FilesArgument,
    only_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the YAML alone, with the doubts as comments.")
    ] = False,
) -> None:
    """Look at your tables and propose which column is what, with reasons and doubts.

    Nothing is decided by this: put the proposed section into an experiment file, correct it, and run
    `groundlings check`. The exit status is 1 where the section lacks a table or a column that is needed, or where the
    tables cannot be read with it.
    """
    from groundlings.environments.datasets.proposal import propose_for

    proposal = propose_for(files)
    found = _read(proposal)
    if only_yaml:
        doubts = (*proposal.doubts, *([found] if isinstance(found, str) else found.notes))
        say_yaml(_content(proposal), comments=doubts)
    else:
        _print(proposal, found, Terminal())
    if isinstance(found, str):
        raise typer.Exit(1)


def _read(proposal: Proposal) -> Dataset | str:
    """The tables as proposed, or why they cannot be read so."""
    from pydantic import ValidationError

    from groundlings.environments.datasets.config import OwnData
    from groundlings.environments.datasets.own import load_own
    from groundlings.environments.errors import UserError

    if not proposal.is_whole:
        return "incomplete: the section lacks what is said above"
    try:
        return load_own(OwnData.model_validate(proposal.section), Path())
    except (UserError, ValidationError) as error:
        return f"not yet: read as proposed, {error}"


def _print(proposal: Proposal, found: Dataset | str, console: Console) -> None:
    """Choices, section, doubts, and what comes of it."""
    from groundlings.environments.words import plural

    _print_choices(proposal, console)
    console.print("\nThe section of an experiment file (paths count from that file):\n", highlight=False)
    say_yaml(_content(proposal))
    _print_doubts(proposal, console)
    if isinstance(found, str):
        what, _, why = found.partition(":")
        console.print(f"[yellow]{what}[/] {escape(why.strip(), newlines=True)}", highlight=False, soft_wrap=True)
        return
    for note in found.notes:
        console.print(f"[yellow]note[/] {escape(note)}", highlight=False, soft_wrap=True)
    console.print(
        f"[green]ok[/] read as proposed: {plural(len(found.people), 'user')}, {plural(len(found.catalog), 'item')}, "
        f"{plural(len(found.interactions), 'interaction')}",
        highlight=False,
    )


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


def _content(proposal: Proposal) -> dict[str, object]:
    """The section as an experiment file has it, with a split where there are no times."""
    section: dict[str, object] = {"dataset": {"name": "own", "own": proposal.section}}
    if "timestamp" not in proposal.section["interactions"]:
        section["split"] = {"kind": "random"}
    return section


@app.command("split")
def split_data(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="An experiment file (YAML).")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The new directory.")],
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="csv or parquet.")] = "csv",
    held_out: Annotated[
        bool,
        typer.Option("--with-held-out", help="Write the held-out part as well, which no model may be trained on."),
    ] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the file; may be repeated."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The seed, instead of the file's.")] = None,
) -> None:
    """Write the training part of an experiment's data, and what may be recommended to whom, for a model of elsewhere.

    The held-out part is not written, so that the model cannot see the future. Its rankings come back with the
    recommender `external`.
    """
    from groundlings.environments.errors import ConfigError, shown
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_config
    from groundlings.experiments.split_out.datasheet import MARKDOWN_NAME
    from groundlings.experiments.split_out.writing import Form, write_split

    forms: dict[str, Form] = {"csv": "csv", "parquet": "parquet"}
    if form not in forms:
        raise ConfigError(f"--format: found {shown(form)}, expected {' or '.join(forms)}")
    console = Terminal()
    with TerminalProgress(console) as progress:
        done = write_split(
            load_config(config, changes or (), seed), out, forms[form], held_out=held_out, progress=progress
        )
    for name, rows in done.rows.items():
        console.print(f"{rows:>12,}  {escape(name)}", highlight=False, soft_wrap=True)
    for note in done.notes:
        console.print(f"[dim]{escape(note)}[/]", soft_wrap=True)
    console.print(f"datasheet  {escape(str(done.directory / MARKDOWN_NAME))}", highlight=False, soft_wrap=True)
