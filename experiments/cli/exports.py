"""The commands `groundlings export`, `formats` and `synthesize`; the app has no name: they stand at the top level."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.cli.help_pages import DATA
from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from rich.console import Console

    from groundlings.experiments.exports.export import Exported

app = typer.Typer(no_args_is_help=True)

FormatOption = Annotated[
    str,
    typer.Option("--format", metavar="NAME", help="As `groundlings formats` has it, or your own as module:Class."),
]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="A new directory.")]


@app.command("formats", rich_help_panel=DATA)
def formats() -> None:
    """List the export formats, and how each writes unknown outcomes."""
    from rich import box
    from rich.table import Table

    from groundlings.experiments.exports.registry import available_formats

    table = Table("name", "what it is", "unknown outcomes", box=box.SIMPLE_HEAD)
    for entry in available_formats().values():
        table.add_row(*map(escape, (entry.name, entry.description, entry.unknown)))
    Terminal().print(table)


@app.command("export", rich_help_panel=DATA)
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A directory that `groundlings run` wrote.")],
    format_name: FormatOption,
    out: OutOption,
    partial: Annotated[bool, typer.Option("--partial", help="Export a run that did not finish.")] = False,
) -> None:
    """Export a run's log to another tool's format, marked as synthetic."""
    from groundlings.experiments.exports.export import export_run
    from groundlings.experiments.exports.folders import abandoned_drafts

    console = Terminal()
    left = abandoned_drafts(out.parent)
    name_drafts(left, console)
    _say(export_run(run, format_name, out, partial=partial), console)
    for draft in left:
        if not draft.exists():
            console.print(f"removed    {escape(str(draft))}", highlight=False, soft_wrap=True)


@app.command("synthesize", rich_help_panel=DATA)
def synthesize(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="An experiment file (YAML).")],
    format_name: FormatOption,
    out: OutOption,
    people: Annotated[
        int | None, typer.Option("--people", min=1, help="Number of agents; the file's if absent.")
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, help="Number of days; the file's if absent.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The seed, instead of the file's.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the file; may be repeated."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option("--keep-log", metavar="DIR", help="Keep the run there; it is deleted if absent.")
    ] = None,
    no_quality: Annotated[
        bool, typer.Option("--no-quality", help="Do not measure what the log is worth for training, nor its privacy.")
    ] = False,
) -> None:
    """Simulate agents for some days, export their interactions, and measure what they are worth.

    The datasheet says what recommenders learn from the log beside real data, whether it can be told from real
    behaviour, and what it gives away about real people.
    """
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_config
    from groundlings.experiments.exports.synthesis import synthesise

    sizes = [
        *([f"population.size={people}"] if people else []),
        *([f"simulation.days={days}"] if days else []),
    ]
    console = Terminal()
    with TerminalProgress(console) as progress:
        loaded = load_config(config, [*(changes or ()), *sizes], seed)
        done = synthesise(loaded, format_name, out, log, progress, quality=not no_quality)
    _say(done, console)
    if done.quality is not None:
        from groundlings.experiments.exports.quality.page import PAGE_NAME
        from groundlings.experiments.exports.quality.sentences import terminal_lines
        from groundlings.experiments.exports.quality.uses import answer_of

        console.print(f"page       {escape(str(done.directory / PAGE_NAME))}", highlight=False, soft_wrap=True)
        for line in terminal_lines(done.quality):
            console.print(escape(line), highlight=False, soft_wrap=True)
        head, sentence = answer_of(done.quality)
        console.print(f"\n[bold]{escape(head)}:[/] {escape(sentence)}", highlight=False, soft_wrap=True)
    if log is not None:
        console.print(f"run        {escape(str(log))}", highlight=False, soft_wrap=True)


def name_drafts(drafts: Sequence[Path], console: Console) -> None:
    """Print what killed exports have left, and how it goes."""
    for draft in drafts:
        console.print(
            f"left by an export that was killed: {escape(str(draft))}; the next export of that name removes it, or "
            "delete it",
            highlight=False,
            soft_wrap=True,
        )


def _say(done: Exported, console: Console) -> None:
    from groundlings.experiments.exports.datasheet import MARKDOWN_NAME

    for file, rows in done.written.rows.items():
        console.print(f"{rows:>12,}  {escape(file)}", highlight=False, soft_wrap=True)
    for note in done.written.notes:
        console.print(f"[dim]{escape(note)}[/]", soft_wrap=True)
    console.print(f"datasheet  {escape(str(done.directory / MARKDOWN_NAME))}", highlight=False, soft_wrap=True)
